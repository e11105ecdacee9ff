package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

// TestKilledInTheMiddle cuts each step off between its first statement and its commit, from the server's side and from
// the client's, while it waits to write to a table that another session has locked: nothing of it remains, and it can
// be repeated.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	b := setup(t)
	turn, err := b.Turn(b.ctx, sensorRef)
	require.NoError(t, err)
	set, err := b.Ruleset(b.ctx, triggerRef)
	require.NoError(t, err)
	var id int64
	var events []sensor.Event
	steps := []struct {
		table   string
		written string // selects what the step writes
		do      func(ctx context.Context) error
	}{
		{"poll_batch", "true", func(ctx context.Context) error {
			stored, err := b.Append(ctx, turn, newPart(`1`, `{}`, `{"a": "\u0000"}`))
			if err == nil {
				id = stored.Batches[0].ID
			}
			return err
		}},
		{"event", "true", func(ctx context.Context) (err error) {
			batch := b.batch(t, id)
			events, err = b.CommitEvents(ctx, batch, newEvents(batch), nil)
			return err
		}},
		{"enforcement", "true", func(ctx context.Context) error {
			_, err := b.CommitEnforcements(ctx, id, versions(set), matchAll(events, set.Rules), nil)
			return err
		}},
		{"poll_batch", "status = 'done'", func(ctx context.Context) error { return b.FinishBatch(ctx, id) }},
	}
	for _, step := range steps {
		for _, cut := range []func(cancel context.CancelFunc){
			func(context.CancelFunc) {
				b.exec(t, `select pg_terminate_backend(pid) from pg_stat_activity where `+waiting)
			},
			func(cancel context.CancelFunc) { cancel() },
		} {
			lock, err := b.db.Begin(b.ctx)
			require.NoError(t, err)
			_, err = lock.Exec(b.ctx, `lock table attune.`+step.table+` in share mode`)
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(b.ctx)
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- step.do(ctx) }()
			require.Eventually(t, func() bool { return b.waits(t) }, time.Minute, 10*time.Millisecond)

			cut(cancel)

			require.Error(t, <-done)
			require.NoError(t, lock.Rollback(b.ctx))
			require.Zero(t, b.count(t, step.table+" where "+step.written))
		}
		require.NoError(t, step.do(b.ctx))
		require.NotZero(t, b.count(t, step.table+" where "+step.written))
	}
}

// waiting selects sessions of this database that wait for a lock.
const waiting = `datname = current_database() and wait_event_type = 'Lock'`

func (b *bundle) waits(t testing.TB) bool {
	t.Helper()
	var n int
	require.NoError(t, b.db.QueryRow(b.ctx, `select count(*) from pg_stat_activity where `+waiting).Scan(&n))
	return n > 0
}
