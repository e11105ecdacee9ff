package integration

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

// daemon makes a poll at a closed gate leave one.
const daemon = `    if (gate / "closed").exists():
        os.system(f"(setsid sh -c 'echo $$ >>{gate}/entered; exec sleep 1000' &)")
`

// A worker that is killed in the middle of a poll costs the sensor time, and nothing else. Nothing of the poll is left, also
// of what left the sensor's session.
func TestAKilledWorkerCostsTheSensorNoAttempt(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	g := newGate(t)
	g.close()
	g.applyText(s, strings.Replace(gated, "    while", daemon+"    while", 1))
	killed := s.StartProcess(nil)
	g.await(s, 2) // the poll and its daemon
	killed.Kill()
	g.deserted(s, g.pids())
	g.open()

	s.StartWorker()
	status := await(t, s, "t.gated", func(status workflows.Status) bool { return status.Events >= 6 })
	require.Zero(t, status.FailureCount)
	require.Zero(t, status.Recoveries)
	require.Empty(t, status.LastError)
	runs, err := s.Fleet.History(t.Context(), "t.gated", 10)
	require.NoError(t, err)
	require.Len(t, runs, 1)
	require.Equal(t, 1, runs[0].Attempt)
	stopped(t, s, "t.gated")
	unbroken(t, s, messages, "t.gated", 6)
}

// A poll that does not end while the worker stops is handed back, and another worker does it at once.
func TestAStoppingWorkerHandsAPollBack(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	g := newGate(t)
	g.close()
	g.apply(s)
	first := s.StartProcess(nil)
	g.await(s, 1)
	pids := g.pids()
	s.StartWorker()
	code, took := first.Terminate()
	require.Zero(t, code)
	require.Less(t, took, 30*time.Second)
	g.open()
	begin := time.Now()
	awaitEvents(t, s, "t.gated", 3)
	require.Less(t, time.Since(begin), 25*time.Second, "nobody waited for a heartbeat to be missed")
	status := await(t, s, "t.gated", func(status workflows.Status) bool { return status.Events >= 3 })
	require.Zero(t, status.FailureCount)
	stopped(t, s, "t.gated")
	g.deserted(s, pids)
	unbroken(t, s, messages, "t.gated", 3)
}

// A poll that ends while the worker stops is done, and not done again.
func TestAStoppingWorkerFinishesAShortPoll(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	g := newGate(t)
	g.close()
	g.apply(s, "t.gated.batch=1")
	first := s.StartProcess(map[string]string{"LOG__LEVEL": "info"})
	g.await(s, 1)
	ended := make(chan int, 1)
	go func() {
		code, _ := first.Terminate()
		ended <- code
	}()
	s.Eventually(func(context.Context) error {
		return expect(first.Says("stopping: finishing"), "the worker does not say that it stops")
	})
	g.open()
	require.Zero(t, <-ended)
	require.Equal(t, 1, g.polls())
	s.StartWorker()
	awaitEvents(t, s, "t.gated", 1)
	stopped(t, s, "t.gated")
	unbroken(t, s, messages, "t.gated", 1)
}

// A worker that is told to stop while it writes events or enforcements leaves the rest to another.
func TestAStoppingWorkerHandsABatchBack(t *testing.T) {
	t.Parallel()
	for step, table := range map[string]string{"generate": "attune.event", "match": "attune.enforcement"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			s := stack.New(t, nil)
			messages := s.Watch()
			g := newGate(t)
			g.apply(s)
			unlock := lock(t, s, table)
			first := s.StartProcess(nil)
			awaitBlocked(t, s, table)
			code, took := first.Terminate()
			require.Zero(t, code)
			require.Less(t, took, 30*time.Second)
			unlock()
			require.Equal(t, 1, g.polls())
			s.StartWorker() // which may have to wait for a heartbeat to be missed
			awaitEvents(t, s, "t.gated", 3)
			stopped(t, s, "t.gated")
			unbroken(t, s, messages, "t.gated", 3)
		})
	}
}

// lock makes every insert into a table wait until it is unlocked.
func lock(t *testing.T, s *stack.Stack, table string) (unlock func()) {
	t.Helper()
	conn := connect(t, s)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "lock table "+table+" in exclusive mode")
	require.NoError(t, err)
	return func() {
		t.Helper()
		require.NoError(t, tx.Rollback(t.Context()))
	}
}

// awaitBlocked waits until somebody waits for a locked table.
func awaitBlocked(t *testing.T, s *stack.Stack, table string) {
	t.Helper()
	conn := connect(t, s)
	s.Eventually(func(ctx context.Context) error {
		var blocked bool
		err := conn.QueryRow(ctx, `
			select exists (
				select from pg_locks l join pg_database d on d.oid = l.database
				where d.datname = current_database() and l.relation = $1::regclass and not l.granted
			)`, table).Scan(&blocked)
		if err != nil {
			return err
		}
		return expect(blocked, "nobody waits for %s", table)
	})
}

// connect returns a connection to the database that goes with the test.
func connect(t *testing.T, s *stack.Stack) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.Config.Database.URL)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// stopped stops a sensor and waits until it has finished what it had in hand.
func stopped(t *testing.T, s *stack.Stack, ref string) {
	t.Helper()
	s.StopSensor(ref, "the test is over")
}
