package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

// closeAll has groups of a rule closed at the same time: the first of them waits for a lock until the others have come.
func (b *bundle) closeAll(t *testing.T, rule string, ids []int64, render sensor.GroupRenderer) ([]sensor.ClosedGroup, []error) {
	t.Helper()
	all, errs := make([]sensor.ClosedGroup, len(ids)), make([]error, len(ids))
	lock, err := b.db.Begin(b.ctx)
	require.NoError(t, err)
	_, err = lock.Exec(b.ctx, `lock table attune.match_group in exclusive mode`)
	require.NoError(t, err)
	var closing sync.WaitGroup
	for i, id := range ids {
		closing.Go(func() { all[i], errs[i] = b.CloseGroup(b.ctx, sensor.GroupHead{ID: id, Rule: rule}, render) })
		if i == 0 {
			require.Eventually(t, func() bool { return b.waits(t) }, time.Minute, 10*time.Millisecond)
		}
	}
	require.Eventually(t, func() bool { return b.ClosingTogether() == len(ids)-1 }, time.Minute, 10*time.Millisecond)
	require.NoError(t, lock.Rollback(b.ctx))
	closing.Wait()
	return all, errs
}

// manyGroups opens groups of shop.every, each of as many matches as its number in the hundred says.
func (b *bundle) manyGroups(t *testing.T, n int) (ids []int64) {
	t.Helper()
	b.throttled(t, `{"once_after": "5m", "group_by": ["payload.host"]}`)
	b.keepVersions(t)
	var payloads []string
	for i := range n {
		for range 1 + i%3 {
			payloads = append(payloads, fmt.Sprintf(`{"host": %d}`, i))
		}
		ids = append(ids, int64(i+1))
	}
	b.arrive(t, 0, payloads...)
	return ids
}

func (b *bundle) transactions(t *testing.T) int {
	t.Helper()
	var n int
	require.NoError(t, b.db.QueryRow(b.ctx, `select count(distinct xmin::text) from attune.enforcement`).Scan(&n))
	return n
}

func TestGroupsOfARuleThatAreDueTogetherShareATransaction(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := b.manyGroups(t, 200)
	all, errs := b.closeAll(t, "shop.every", append(ids, 7, 4711), telling)
	require.ErrorIs(t, errs[201], sensor.ErrNotFound)
	require.NoError(t, errors.Join(errs[:201]...))
	for i, id := range ids {
		require.Equal(t, sensor.GroupClosed, all[i].Status)
		require.Equal(t, 1+i%3, groupOf(t, *all[i].Enforcement).Count)
		require.JSONEq(t, fmt.Sprintf(`{"payload.host": %d}`, i), string(groupOf(t, *all[i].Enforcement).By), id)
	}
	require.Equal(t, all[6], all[200], "asked for twice")
	require.Equal(t, 2, b.transactions(t), "one for the first, one for all that came meanwhile")
	require.Equal(t, 200, b.count(t, "enforcement"))
	require.Equal(t, 199, b.count(t, "held_match where answered_by is not null"))
	var finishing sync.WaitGroup
	for _, id := range ids {
		finishing.Go(func() { _ = b.FinishGroup(b.ctx, id) }) // what it failed to do is missing below
	}
	finishing.Wait()
	require.Equal(t, 200, b.count(t, "match_group where status = 'done'"))
}

// What is the matter with one group is nothing to the others, whoever finds it.
func TestABadGroupFailsAlone(t *testing.T) {
	t.Parallel()
	broken := errors.New("does not render")
	for name, params := range map[string]func() (json.RawMessage, error){
		"PostgreSQL": func() (json.RawMessage, error) { return json.RawMessage(`{"a": "\u0000"}`), nil },
		"ourselves":  func() (json.RawMessage, error) { return nil, broken },
	} {
		b := setup(t)
		ids := b.manyGroups(t, 100)
		bad := map[int64]bool{30: true, 77: true}
		all, errs := b.closeAll(t, "shop.every", ids, func(*sensor.Rule) sensor.GroupRender {
			return func(_ context.Context, _ *sensor.Event, group json.RawMessage) (json.RawMessage, string, error) {
				var g sensor.Group
				if err := json.Unmarshal(group, &g); err != nil || !bad[g.ID] {
					return json.RawMessage(`{}`), "", err
				}
				refused, err := params()
				return refused, "", err
			}
		})
		for i, id := range ids {
			if bad[id] {
				require.ErrorContains(t, errs[i], fmt.Sprintf("closing group %d: ", id), name)
				continue
			}
			require.NoError(t, errs[i], name)
			require.Equal(t, sensor.GroupClosed, all[i].Status)
		}
		require.Equal(t, 98, b.count(t, "enforcement"))
		require.Equal(t, 2, b.count(t, "match_group where status = 'open'"))
		require.LessOrEqual(t, b.transactions(t), 16, "halves of halves, not one each")
		require.Equal(t, sensor.GroupClosed, b.close(t, 30).Status, "once it is mended")
	}
}

// Groups of a correlation that are over in the same moment, each in another way.
func TestGroupsOfACorrelationShareATransaction(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.correlated(t, true, "placed", "!sent")
	const keys = 60
	var first, second []string
	for i := range keys {
		host := fmt.Sprint(i)
		first = append(first, part(host, "placed"))
		switch i % 3 {
		case 1:
			second = append(second, part(host, "sent"))
		case 2:
			second = append(second, part(host, "placed"))
		}
	}
	b.arrive(t, 0, first...)
	b.arrive(t, 5*time.Minute, second...)
	b.arrive(t, 11*time.Minute, first...)
	var ids []int64
	for i := range keys {
		ids = append(ids, int64(i+1))
	}
	all, errs := b.closeAll(t, "shop.every", ids, telling)
	require.NoError(t, errors.Join(errs...))
	for i := range keys {
		want, count := sensor.GroupClosed, 1
		switch i % 3 {
		case 1:
			want = sensor.GroupCancelled
		case 2:
			count = 2
		}
		require.Equal(t, want, all[i].Status, i)
		require.Len(t, all[i].Next, 1)
		require.Equal(t, eight.Add(21*time.Minute), all[i].Next[0].Due)
		if want == sensor.GroupClosed {
			require.Equal(t, count, groupOf(t, *all[i].Enforcement).Count, i)
		}
	}
	require.Equal(t, 2*keys/3, b.count(t, "enforcement"))
	require.Equal(t, 2, b.transactions(t))
	require.Equal(t, keys, b.count(t, "match_group where status = 'open'"))
}

// A transaction that closes many groups and is cut off leaves nothing behind, and can be repeated.
func TestClosingsThatAreCutOff(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(b *bundle, t *testing.T, cancel context.CancelFunc){
		"by the server": func(b *bundle, t *testing.T, _ context.CancelFunc) {
			b.exec(t, `select pg_terminate_backend(pid) from pg_stat_activity where `+waiting)
		},
		"by the client": func(_ *bundle, _ *testing.T, cancel context.CancelFunc) { cancel() },
	} {
		b := setup(t)
		ids := b.manyGroups(t, 20)
		lock, err := b.db.Begin(b.ctx)
		require.NoError(t, err)
		_, err = lock.Exec(b.ctx, `lock table attune.enforcement in share mode`)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(b.ctx)
		defer cancel()
		errs := make([]error, len(ids))
		var closing sync.WaitGroup
		for i, id := range ids {
			closing.Go(func() { _, errs[i] = b.CloseGroup(ctx, sensor.GroupHead{ID: id, Rule: "shop.every"}, telling) })
		}
		require.Eventually(t, func() bool { return b.waits(t) }, time.Minute, 10*time.Millisecond, name)
		cut(b, t, cancel)
		require.NoError(t, lock.Rollback(b.ctx))
		closing.Wait()
		require.Error(t, errors.Join(errs...), name)
		for i, id := range ids {
			require.Equal(t, sensor.GroupClosed, b.close(t, id).Status, "%s: %v", name, errs[i])
		}
		require.Equal(t, 20, b.count(t, "enforcement"))
		require.Equal(t, b.count(t, "event"), b.count(t, "enforcement")+b.count(t, "held_match"), name)
	}
}
