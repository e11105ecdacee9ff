package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// enforced is a bundle whose five events have an enforcement each of shop.every, and none of shop.big.
func enforced(t *testing.T) (b *bundle, events []sensor.Event, every, big *sensor.Rule) {
	t.Helper()
	b = setup(t)
	id := b.poll(t, `1`, numbered(5)...)[0].ID
	events = b.generate(t, id)
	set, err := b.Ruleset(b.ctx, triggerRef)
	require.NoError(t, err)
	big, every = &set.Rules[0], &set.Rules[1]
	_, err = b.CommitEnforcements(b.ctx, id, versions(set), matchAll(events, set.Rules[1:]), nil)
	require.NoError(t, err)
	b.finish(t, id)
	return b, events, every, big
}

func (b *bundle) order(t testing.TB, r sensor.Replay) sensor.Replay {
	t.Helper()
	r.Rate = 10
	r, err := b.OrderReplay(b.ctx, r)
	require.NoError(t, err)
	return r
}

func TestOrderReplaySelectsEvents(t *testing.T) {
	t.Parallel()
	b, events, _, _ := enforced(t)
	b.exec(t, `update attune.event set created = now() - interval '1 day' where id <= 2`)
	b.generate(t, b.poll(t, `2`, `{}`)[0].ID) // it is not matched yet
	hour := time.Now().Add(-time.Hour)
	for name, c := range map[string]struct {
		order  sensor.Replay
		events []int64
		count  int64
	}{
		"all":               {sensor.Replay{}, []int64{1, 2, 3, 4, 5}, 6},
		"since":             {sensor.Replay{Since: &hour}, []int64{3, 4, 5}, 4},
		"until":             {sensor.Replay{Until: &hour, TriggerRefs: []string{triggerRef}}, []int64{1, 2}, 2},
		"one":               {sensor.Replay{FirstEvent: 4}, []int64{4}, 1},
		"of two triggers":   {sensor.Replay{TriggerRefs: []string{triggerRef, "shop.none"}}, []int64{1, 2, 3, 4, 5}, 6},
		"one of no trigger": {sensor.Replay{TriggerRefs: []string{"shop.none"}}, nil, 0},
	} {
		order := c.order
		order.Rate = 10
		r, err := b.OrderReplay(b.ctx, order)
		if c.events == nil {
			require.ErrorIs(t, err, sensor.ErrNotFound, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, c.count, r.Events, name)
		stored, err := b.Replay(b.ctx, r.ID)
		require.NoError(t, err)
		require.Equal(t, r, stored)
		var ids []int64
		for after := int64(0); ; {
			page, err := b.ReplayEvents(b.ctx, r, after, 2)
			require.NoError(t, err)
			if len(page) == 0 {
				break
			}
			for _, e := range page {
				ids, after = append(ids, e.ID), e.ID
			}
		}
		require.Equal(t, c.events, ids, name)
	}
	page, err := b.ReplayEvents(b.ctx, b.order(t, sensor.Replay{}), 0, 1)
	require.NoError(t, err)
	require.Equal(t, events[0].Payload, page[0].Payload)
	all, err := b.Replays(b.ctx, 100)
	require.NoError(t, err)
	require.Len(t, all, 6)
}

func TestCommitReplay(t *testing.T) {
	t.Parallel()
	b, events, every, big := enforced(t)
	r := b.order(t, sensor.Replay{})
	span := sensor.Span{Last: 2}
	matches := []sensor.Match{
		{Event: &events[0], Rule: big}, {Event: &events[0], Rule: every}, {Event: &events[1], Rule: big},
	}

	done, err := b.CommitReplay(b.ctx, r, span, matches)
	require.NoError(t, err)
	require.Len(t, done.Enforcements, 2)
	require.Equal(t, 1, done.Existing)
	require.Equal(t, r.ID, *done.Enforcements[0].Replay)
	require.Nil(t, done.Enforcements[0].ReplayedFrom)
	require.Equal(t, events[0].Created, done.Enforcements[0].EventCreated)

	again, err := b.CommitReplay(b.ctx, r, span, matches)
	require.NoError(t, err)
	require.Equal(t, done, again)
	changed, err := b.CommitReplay(b.ctx, r, span, nil)
	require.NoError(t, err)
	require.Equal(t, done.Enforcements, changed.Enforcements, "rules that changed since leave nothing unpublished")
	other, err := b.CommitReplay(b.ctx, b.order(t, sensor.Replay{}), span, matches)
	require.NoError(t, err)
	require.Empty(t, other.Enforcements)
	require.Equal(t, 3, other.Existing)

	dry, err := b.CommitReplay(b.ctx, b.order(t, sensor.Replay{DryRun: true}), sensor.Span{Last: 5}, matchAll(events, []sensor.Rule{*big, *every}))
	require.NoError(t, err)
	require.Len(t, dry.Enforcements, 3)
	require.Equal(t, 7, dry.Existing)
	require.Equal(t, 7, b.count(t, "enforcement"))

	left, err := b.UnpublishedReplay(b.ctx, r.ID, 1)
	require.NoError(t, err)
	require.Equal(t, done.Enforcements[1:], left)
	require.NoError(t, b.FinishReplay(b.ctx, r.ID))
	finished, err := b.Replay(b.ctx, r.ID)
	require.NoError(t, err)
	require.NotNil(t, finished.Finished)
	require.ErrorIs(t, b.FinishReplay(b.ctx, 99), sensor.ErrNotFound)
}

func TestAForcedReplayRepeatsOnce(t *testing.T) {
	t.Parallel()
	b, events, every, big := enforced(t)
	r := b.order(t, sensor.Replay{Forced: true})
	matches := []sensor.Match{{Event: &events[0], Rule: big}, {Event: &events[0], Rule: every}}
	span := sensor.Span{Last: 1}

	done, err := b.CommitReplay(b.ctx, r, span, matches)
	require.NoError(t, err)
	again, err := b.CommitReplay(b.ctx, r, span, matches)
	require.NoError(t, err)
	require.Equal(t, done, again)
	require.Len(t, done.Enforcements, 2)
	require.Nil(t, done.Enforcements[0].ReplayedFrom)
	require.EqualValues(t, 1, *done.Enforcements[1].ReplayedFrom)
	unforced, err := b.CommitReplay(b.ctx, b.order(t, sensor.Replay{}), span, matches)
	require.NoError(t, err)
	require.Empty(t, unforced.Enforcements, "what a forced one wrote is there, too")

	batch, err := b.EnforcementsOfBatch(b.ctx, 1)
	require.NoError(t, err)
	require.Len(t, batch, 5, "those of a replay are not its batch's")
	err = b.Audit(b.ctx, func(v *store.AuditView) error {
		for _, e := range collect(t, v.Events(b.ctx)) {
			require.Equal(t, []string{"shop.every"}, e.RuleRefs)
		}
		orders := collect(t, v.Enforcements(b.ctx))
		require.Equal(t, sensor.BatchMatched, orders[len(orders)-1].BatchStatus, "it goes on")
		return nil
	})
	require.NoError(t, err)
}
