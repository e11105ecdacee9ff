package store_test

import (
	"cmp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

func (b *bundle) entries(t *testing.T) map[string]string {
	t.Helper()
	entries, err := b.Entries(b.ctx, sensorRef)
	require.NoError(t, err)
	found := map[string]string{}
	for _, e := range entries {
		found[e.Key] = string(e.Value)
	}
	return found
}

func TestEntriesAreWrittenWithTheirPart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	turn, err := b.Turn(b.ctx, sensorRef)
	require.NoError(t, err)
	part := newPart(``, `{"file": "a"}`)
	part.Cursor = nil
	part.Entries = []sensor.Entry{{Key: "a", Value: []byte(`{"size": 1}`)}, {Key: "b", Value: []byte(`2`)}}
	appended := b.append(t, turn, part)
	require.Equal(t, map[string]string{"a": `{"size": 1}`, "b": `2`}, b.entries(t))

	turn.TailSeq = appended.Seq
	appended = b.append(t, turn, sensor.Part{Entries: []sensor.Entry{{Key: "a"}, {Key: "b", Value: []byte(`3`)}}})
	require.Equal(t, map[string]string{"b": `3`}, b.entries(t))
	require.EqualValues(t, 2, appended.Seq)
	require.Len(t, appended.Batches, 1, "behind a batch that waits")

	turn.TailSeq = appended.Seq
	b.append(t, turn, sensor.Part{ResetEntries: true, Entries: []sensor.Entry{{Key: "c", Value: []byte(`4`)}}})
	require.Equal(t, map[string]string{"c": `4`}, b.entries(t))
}

// A poll that starts from what another has changed since loses, also when only entries have changed.
func TestEntriesFenceOffZombies(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.finishAll(t, b.poll(t, `"here"`, `{}`))
	turn, err := b.Turn(b.ctx, sensorRef)
	require.NoError(t, err)
	entry := sensor.Part{Entries: []sensor.Entry{{Key: "a", Value: []byte(`1`)}}}
	require.Empty(t, b.append(t, turn, entry).Batches)
	_, err = b.Append(b.ctx, turn, entry)
	require.ErrorIs(t, err, sensor.ErrTurnLost)
	cursor, seq, err := b.Cursor(b.ctx, sensorRef)
	require.NoError(t, err)
	require.JSONEq(t, `"here"`, string(cursor), "it stays where it was")
	require.Equal(t, turn.TailSeq+1, seq)
}

func TestACompletedSensorIsSoUntilItIsChangedOrStarted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	def, err := b.Sensor(b.ctx, sensorRef)
	require.NoError(t, err)
	require.True(t, def.Active())
	require.NoError(t, b.Complete(b.ctx, def))
	done, err := b.Sensor(b.ctx, sensorRef)
	require.NoError(t, err)
	require.True(t, done.Completed)
	require.False(t, done.Active())

	require.NoError(t, b.SetStopped(b.ctx, sensorRef, true))
	done, err = b.Sensor(b.ctx, sensorRef)
	require.NoError(t, err)
	require.True(t, done.Completed)
	require.NoError(t, b.SetStopped(b.ctx, sensorRef, false))
	again, err := b.Sensor(b.ctx, sensorRef)
	require.NoError(t, err)
	require.True(t, again.Active())

	def.Version-- // it was changed since
	require.NoError(t, b.Complete(b.ctx, def))
	again, err = b.Sensor(b.ctx, sensorRef)
	require.NoError(t, err)
	require.True(t, again.Active())
}

// finishAll takes batches from stored to done.
func (b *bundle) finishAll(t *testing.T, heads []sensor.BatchHead) {
	t.Helper()
	slices.SortFunc(heads, func(x, y sensor.BatchHead) int { return cmp.Compare(x.ID, y.ID) })
	for _, head := range heads {
		b.process(t, head.ID)
	}
}
