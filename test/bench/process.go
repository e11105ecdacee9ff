package main

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/require"
)

// process is a program that runs for a trial.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// start starts a program, which gets SIGTERM at the end of the trial and prints to the output.
func (t *trial) start(output *os.File, env []string, path string, args ...string) *process {
	p := &process{cmd: exec.Command(path, args...), done: make(chan struct{})}
	p.cmd.Env = env
	p.cmd.Stdout, p.cmd.Stderr = output, output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the benchmark, which stops it in order
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // how it ended shows in what it printed
	}()
	t.Cleanup(p.stop)
	return p
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	<-p.done
}

// usage is what a process has used of the machine.
type usage struct {
	cpu      float64 // seconds of its own
	children float64 // seconds of the processes that it started and that have ended
	memory   float64 // bytes that are resident now
}

// tick is the unit of CPU times in /proc, the same on every Linux.
const tick = 0.01

func (t *trial) usage(pid int) usage {
	proc, err := procfs.NewProc(pid)
	require.NoError(t, err)
	stat, err := proc.Stat()
	require.NoError(t, err)
	return usage{
		cpu:      stat.CPUTime(),
		children: float64(stat.CUTime+stat.CSTime) * tick,
		memory:   float64(stat.ResidentMemory()),
	}
}

// eventually waits until f returns without an error.
func (t *trial) eventually(f func(ctx context.Context) error) {
	for {
		err := f(t.ctx)
		if err == nil {
			return
		}
		select {
		case <-time.After(250 * time.Millisecond):
		case <-t.ctx.Done():
			require.NoError(t, err, "until the benchmark's time was over")
		}
	}
}

// sleep lets time go by that belongs to the measurement.
func (t *trial) sleep(d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.ctx.Done():
		require.NoError(t, t.ctx.Err())
	}
}
