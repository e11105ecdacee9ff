package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

// ours makes all enforcements of the test ones whose action this service carries out itself.
func (b *bundle) ours(t *testing.T) {
	t.Helper()
	b.exec(t, `update attune.enforcement set config = '{"action": "core.temporal", "params": {"operation": "start"}}',
		created = now() - interval '1 hour'`)
}

func TestActionsOfOurOwn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.poll(t, `1`, `{"n": 1}`, `{"n": 2}`)[0].ID
	b.generate(t, id)
	enforcements := b.match(t, id)
	require.NotEmpty(t, enforcements)
	left := func() (ids []int64) {
		found, err := b.UndispatchedOf(b.ctx, id)
		require.NoError(t, err)
		for _, e := range found {
			ids = append(ids, e.ID)
		}
		return ids
	}
	require.Empty(t, left(), "the actions are others'")
	b.ours(t)
	require.Len(t, left(), len(enforcements))
	orphans := func() []int64 {
		batches, err := b.OrphanDispatches(b.ctx, time.Minute, 10)
		require.NoError(t, err)
		return batches
	}
	require.Empty(t, orphans(), "who works on the batch sees to them")
	b.finish(t, id)
	require.Equal(t, []int64{id}, orphans())

	first, second := enforcements[0].ID, enforcements[1].ID
	link := sensor.Link{Namespace: "n", WorkflowID: "w", RunID: "r"}
	require.NoError(t, b.Dispatched(b.ctx, first, link))
	require.NoError(t, b.DispatchFailed(b.ctx, first, "too late"))
	e, err := b.Enforcement(b.ctx, first)
	require.NoError(t, err)
	require.Equal(t, "dispatched", e.Status)
	require.Equal(t, &link, e.Link)
	require.Empty(t, e.Reason)
	require.NotNil(t, e.ResolvedAt)
	_, err = b.Redispatch(b.ctx, first)
	require.ErrorIs(t, err, sensor.ErrNotFound, "it did not fail")

	require.NoError(t, b.DispatchFailed(b.ctx, second, "refused"))
	require.NotContains(t, left(), second)
	batch, err := b.Redispatch(b.ctx, second)
	require.NoError(t, err)
	require.Equal(t, id, batch)
	require.Contains(t, left(), second)
}
