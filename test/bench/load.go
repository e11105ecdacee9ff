package main

import (
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/require"
)

// load is what a system has used so far.
type load struct {
	worker, temporal usage
	database         float64 // CPU seconds of the connections' processes, if they run on this machine
}

func (t *trial) load(s *system, databases []int) load {
	l := load{worker: t.usage(s.worker.cmd.Process.Pid), temporal: t.usage(s.temporal.cmd.Process.Pid)}
	for _, pid := range databases {
		l.database += t.usage(pid).cpu
	}
	return l
}

// reportLoad reports CPU time by the minute, of which a core has 60 s.
func (t *trial) reportLoad(before, after load, window time.Duration) {
	cpu := func(name string, seconds float64) { t.report(name, seconds/window.Minutes(), "CPU-s/min") }
	cpu("worker_cpu", after.worker.cpu-before.worker.cpu)
	cpu("sensors_cpu", after.worker.children-before.worker.children)
	cpu("temporal_cpu", after.temporal.cpu-before.temporal.cpu)
	cpu("database_cpu", after.database-before.database)
	const mib = 1 << 20
	t.report("worker_memory", after.worker.memory/mib, "MiB")
	t.report("temporal_memory", after.temporal.memory/mib, "MiB")
}

// databasePIDs returns the processes that serve the connections to the system's database: none if they run elsewhere.
func (t *trial) databasePIDs(s *system) (local []int) {
	conn, err := pgx.Connect(t.ctx, s.Config.Database.URL)
	require.NoError(t, err)
	defer conn.Close(t.ctx)
	rows, err := conn.Query(t.ctx, `
		select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`)
	require.NoError(t, err)
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	require.NoError(t, err)
	for _, pid := range pids {
		proc, err := procfs.NewProc(pid)
		if err != nil {
			continue
		}
		if name, err := proc.Comm(); err == nil && name == "postgres" {
			local = append(local, pid)
		}
	}
	return local
}
