package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

// telling renders what a group stands for.
func telling(r *sensor.Rule) sensor.GroupRender {
	return func(_ context.Context, event *sensor.Event, group json.RawMessage) (json.RawMessage, string, error) {
		var g sensor.Group
		if err := json.Unmarshal(group, &g); err != nil {
			return nil, "", err
		}
		return fmt.Appendf(nil, `{"rule": %d, "event": %d, "count": %d}`, r.Version, event.ID, g.Count), "", nil
	}
}

func (b *bundle) close(t testing.TB, id int64) sensor.ClosedGroup {
	t.Helper()
	var rule string
	require.NoError(t, b.db.QueryRow(b.ctx, `select rule_ref from attune.match_group where id = $1`, id).Scan(&rule))
	closed, err := b.CloseGroup(b.ctx, sensor.GroupHead{ID: id, Rule: rule}, telling)
	require.NoError(t, err)
	return closed
}

// keepVersions writes the versions that an apply would have.
func (b *bundle) keepVersions(t testing.TB) {
	t.Helper()
	b.exec(t, `
		insert into attune.rule_version (rule_ref, version, trigger_ref, ruleset, definition)
		select ref, version, trigger_ref, ruleset, to_jsonb(r) from attune.rule r`)
}

func (b *bundle) groups(t testing.TB) []string {
	t.Helper()
	rows, err := b.db.Query(b.ctx, `
		select format('%s %s %s: %s matches from %s to %s, event %s', kind, key, status, count, first_event, last_event, event)
		from attune.match_group order by id`)
	require.NoError(t, err)
	defer rows.Close()
	var all []string
	for rows.Next() {
		var text string
		require.NoError(t, rows.Scan(&text))
		all = append(all, text)
	}
	return all
}

func TestOnceAfterOrdersOnceForAllThatCame(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.throttled(t, `{"once_after": "5m", "group_by": ["payload.host"]}`)
	b.keepVersions(t)
	require.Empty(t, b.arrive(t, 0, `{"host": "a", "n": 1}`, `{"host": "b"}`))
	require.Empty(t, b.arrive(t, 4*time.Minute, `{"host": "a", "n": 2}`, `{"host": "a", "n": 3}`))
	require.Empty(t, b.arrive(t, 5*time.Minute, `{"host": "a", "n": 4}`), "the group's time is over, closed or not")
	require.Equal(t, []string{
		`once_after {"payload.host":"a"} open: 3 matches from 1 to 4, event `,
		`once_after {"payload.host":"b"} open: 1 matches from 2 to 2, event `,
		`once_after {"payload.host":"a"} open: 1 matches from 5 to 5, event `,
	}, b.groups(t))

	closed := b.close(t, 1)
	require.Equal(t, sensor.GroupClosed, closed.Status)
	require.Zero(t, closed.Wait)
	e := closed.Enforcement
	require.EqualValues(t, 4, e.EventID)
	require.Equal(t, "shop.every", e.RuleRef)
	require.JSONEq(t, `{"host": "a", "n": 3}`, string(e.Payload))
	var config struct {
		Action string
		Params json.RawMessage
	}
	require.NoError(t, json.Unmarshal(e.Config, &config))
	require.Equal(t, "mail.send", config.Action)
	require.JSONEq(t, `{"rule": 1, "event": 4, "count": 3}`, string(config.Params))
	group := groupOf(t, *e)
	require.Equal(t, 3, group.Count)
	require.Equal(t, eight, group.Since)
	require.Equal(t, eight.Add(4*time.Minute), group.Until)
	require.EqualValues(t, []int64{1, 3, 4}, []int64{group.Events[0].ID, group.Events[1].ID, group.Events[2].ID})
	require.Equal(t, []string{"1 collected 4", "2 collected ", "3 collected 4", "5 collected "}, b.held(t), "each match is an enforcement or held back")

	again := b.close(t, 1)
	require.Equal(t, e.ID, again.Enforcement.ID)
	require.NoError(t, b.FinishGroup(b.ctx, 1))
	require.NoError(t, b.FinishGroup(b.ctx, 1))
	again = b.close(t, 1)
	require.Equal(t, sensor.GroupDone, again.Status)
	require.Nil(t, again.Enforcement)
	require.Equal(t, 1, b.count(t, "enforcement"))

	_, err := b.CloseGroup(b.ctx, sensor.GroupHead{ID: 99, Rule: "shop.every"}, telling)
	require.ErrorIs(t, err, sensor.ErrNotFound)
}

// A group is not closed before its time, nor while events may come that belong to it.
func TestAGroupWaitsForWhatBelongsToIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.throttled(t, `{"once_after": "5m"}`)
	b.keepVersions(t)
	b.arrive(t, 0, `{}`)
	b.exec(t, `update attune.match_group set due = now() + interval '1 minute'`)
	closed := b.close(t, 1)
	require.Equal(t, sensor.GroupOpen, closed.Status)
	require.Greater(t, closed.Wait, time.Minute)

	waiting := b.poll(t, "", `{}`)[0].ID
	b.generate(t, waiting)
	b.exec(t, `update attune.match_group set due = now() - interval '1 minute'`)
	b.exec(t, `update attune.poll_batch set generated = now() - interval '2 minutes' where id = $1`, waiting)
	require.Equal(t, time.Second, b.close(t, 1).Wait, "a batch is not matched")
	b.match(t, waiting)

	require.Zero(t, b.count(t, "enforcement")-2)
	writer := b.beginBeforeDue(t)
	_, err := writer.Exec(b.ctx, `select pg_current_xact_id()`)
	require.NoError(t, err)
	require.Equal(t, time.Second, b.close(t, 1).Wait, "a transaction goes on that began before")
	require.NoError(t, writer.Rollback(b.ctx))

	const lock = `select from attune.sensor_state for update`
	waiter := b.beginBeforeDue(t)
	holder, err := b.db.Begin(b.ctx)
	require.NoError(t, err)
	_, err = holder.Exec(b.ctx, lock)
	require.NoError(t, err)
	waited := make(chan error, 1)
	go func() {
		_, err := waiter.Exec(b.ctx, lock)
		waited <- err
	}()
	require.Eventually(t, func() bool { return b.close(t, 1).Wait == time.Second }, time.Minute, 10*time.Millisecond,
		"a transaction that began before waits to write")
	require.NoError(t, holder.Rollback(b.ctx))
	require.NoError(t, <-waited)
	require.NoError(t, waiter.Rollback(b.ctx))
	require.Equal(t, sensor.GroupClosed, b.close(t, 1).Status)
}

// beginBeforeDue begins a transaction, and makes the group's time one that is over for as long as it takes to close it, and
// after that.
func (b *bundle) beginBeforeDue(t *testing.T) pgx.Tx {
	t.Helper()
	tx, err := b.db.Begin(b.ctx)
	require.NoError(t, err)
	_, err = tx.Exec(b.ctx, `select`)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		b.exec(t, `update attune.match_group set due = clock_timestamp() - interval '2100 milliseconds' where id = 1 and status = 'open'`)
		var older bool
		require.NoError(t, b.db.QueryRow(b.ctx, `
			select xact_start < due from attune.match_group, pg_stat_activity where id = 1 and pid = $1`, tx.Conn().PgConn().PID()).Scan(&older))
		return older
	}, time.Minute, 50*time.Millisecond)
	return tx
}

func TestGroupsOfRulesThatAreGoneAreDropped(t *testing.T) {
	t.Parallel()
	for reason, sql := range map[string]string{
		"the rule has been deleted":    `delete from attune.rule where ref = 'shop.every'`,
		"the rule has been disabled":   `update attune.rule set enabled = false where ref = 'shop.every'`,
		"the rule has become a shadow": `update attune.rule set shadow = true where ref = 'shop.every'`,
	} {
		b := setup(t)
		b.throttled(t, `{"once_after": "5m"}`)
		b.keepVersions(t)
		b.arrive(t, 0, `{}`)
		b.exec(t, sql)
		require.Equal(t, sensor.ClosedGroup{Status: sensor.GroupDropped, Reason: reason}, b.close(t, 1))
		require.Zero(t, b.count(t, "enforcement"))
		require.Equal(t, []string{"1 collected "}, b.held(t))
	}
}

// Matches that come while their group is closed are in it, or in the next one; none is in both, or in neither.
func TestGroupsCloseWhileMatchesCome(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.throttled(t, `{"once_after": "1s"}`)
	b.keepVersions(t)
	const batches, events = 20, 10
	var ids []int64
	for n := range batches {
		id := b.poll(t, "", numbered(events)...)[0].ID
		b.generate(t, id)
		b.exec(t, `update attune.event set created = $1 where batch = $2`, eight.Add(time.Duration(n)*200*time.Millisecond), id)
		ids = append(ids, id)
	}
	b.exec(t, `update attune.poll_batch set generated = now()`) // none of these keeps a group waiting
	var wg sync.WaitGroup
	errs := make([]error, 2*batches)
	for i, id := range ids {
		rulesets, matches := b.evaluate(t, id)
		wg.Go(func() { _, errs[i] = b.CommitEnforcements(b.ctx, id, rulesets, matches, nil) })
		wg.Go(func() {
			_, err := b.CloseGroup(b.ctx, sensor.GroupHead{ID: int64(1 + i%5), Rule: "shop.every"}, telling)
			if err != nil && !errors.Is(err, sensor.ErrNotFound) {
				errs[batches+i] = err
			}
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	heads, err := b.OverdueGroups(b.ctx, time.Minute, 100)
	require.NoError(t, err)
	for _, g := range heads {
		require.Equal(t, sensor.GroupClosed, b.close(t, g.ID).Status)
	}
	var said, odd int
	require.NoError(t, b.db.QueryRow(b.ctx, `select sum((config -> 'group' ->> 'count')::int) from attune.enforcement`).Scan(&said))
	require.Equal(t, batches*events, said)
	require.Equal(t, batches*events, b.count(t, "enforcement")+b.count(t, "held_match"))
	require.NoError(t, b.db.QueryRow(b.ctx, `select count(*) from attune.held_match where answered_by is null`).Scan(&odd))
	require.Zero(t, odd)
	require.NoError(t, b.db.QueryRow(b.ctx, `
		select count(*) from attune.event e
		where (select count(*) from attune.held_match where event = e.id) + (select count(*) from attune.enforcement where event = e.id) <> 1`).Scan(&odd))
	require.Zero(t, odd)
}

func TestHeldOfBatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.throttled(t, `{"once_after": "5m", "group_by": ["payload.host"]}`)
	b.arrive(t, 0, `{"host": "a"}`)
	b.arrive(t, time.Minute, `{"host": "a"}`, `{"host": "b"}`, `{"host": "b"}`)
	held, err := b.HeldOfBatch(b.ctx, 2)
	require.NoError(t, err)
	require.Equal(t, sensor.Held{
		Counts: []sensor.HeldCount{{TriggerRef: triggerRef, State: "collected", Matches: 3}},
		Groups: []sensor.GroupHead{{ID: 2, Due: eight.Add(6 * time.Minute), Rule: "shop.every", What: "once_after 5m"}}, // the other one is of the batch before
	}, held)
	held, err = b.HeldOfBatch(b.ctx, 99)
	require.NoError(t, err)
	require.Empty(t, held.Counts)
	require.Empty(t, held.Groups)
}

func TestOverdueGroups(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.throttled(t, `{"once_after": "5m", "group_by": ["payload.host"]}`)
	b.keepVersions(t)
	b.arrive(t, 0, `{"host": 1}`, `{"host": 2}`, `{"host": 3}`)
	b.exec(t, `update attune.match_group set due = now() - interval '30 seconds' where id = 3`)
	require.Equal(t, sensor.GroupClosed, b.close(t, 2).Status)
	overdue := func(age time.Duration) []int64 {
		groups, err := b.OverdueGroups(b.ctx, age, 100)
		require.NoError(t, err)
		var ids []int64
		for _, g := range groups {
			ids = append(ids, g.ID)
		}
		return ids
	}
	require.Equal(t, []int64{1}, overdue(time.Minute), "one waits, and one has been closed just now")
	require.ElementsMatch(t, []int64{1, 2, 3}, overdue(0))
	require.NoError(t, b.FinishGroup(b.ctx, 2))
	require.ElementsMatch(t, []int64{1, 3}, overdue(0))
}

// Groups that hold back nothing any more are forgotten, unless a batch that waits may ask for them.
func TestSweepGroups(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.throttled(t, `{"once_within": "5m", "group_by": ["payload.host"]}`)
	b.arrive(t, 0, `{"host": 1}`, `{"host": 2}`, `{"host": 3}`, `{"host": 3}`)
	b.exec(t, `update attune.match_group set due = now() - interval '59 minutes' where id = 1`)
	waiting := b.poll(t, "", `{}`)[0].ID
	b.generate(t, waiting)
	b.exec(t, `update attune.poll_batch set generated = '2026-03-01T08:04:00Z' where id = $1`, waiting)
	sweep := func() int {
		n, err := b.SweepGroups(b.ctx, 1)
		require.NoError(t, err)
		return n
	}
	require.Zero(t, sweep())
	b.process(t, waiting)
	require.Equal(t, []int{1, 1, 0}, []int{sweep(), sweep(), sweep()})
	require.Equal(t, 1, b.count(t, "match_group"))
	require.Equal(t, []string{"4 suppressed 3"}, b.held(t), "what was held back stays known")
}
