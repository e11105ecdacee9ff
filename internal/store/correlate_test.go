package store_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/correlation"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/internal/throttle"
)

// correlated makes shop.every a correlation within 10 minutes whose parts are events with these values of `part`, grouped by
// payload.host. If the last begins with !, it must not come.
func (b *bundle) correlated(t testing.TB, ordered bool, parts ...string) *correlation.Definition {
	t.Helper()
	var problems throttle.Problems
	by := throttle.ParseGroupBy(json.RawMessage(`["payload.host"]`), "", &problems)
	require.Empty(t, problems)
	d := &correlation.Definition{Rule: "shop.every", Within: 10 * time.Minute, Ordered: ordered}
	for i, name := range parts {
		p := correlation.Part{Name: name, Trigger: triggerRef, By: by}
		if i == 0 {
			p.Name = correlation.First
		}
		if name[0] == '!' {
			p.Name, p.Absent = name[1:], true
		}
		d.Parts = append(d.Parts, p)
	}
	require.Empty(t, d.Check())
	for i, name := range parts {
		raw, err := d.Encode(i)
		require.NoError(t, err)
		if name[0] == '!' {
			name = name[1:]
		}
		condition := fmt.Sprintf(`[{"field": "part", "operator": "equals", "value": %q}]`, name)
		b.exec(t, `
			insert into attune.rule (ref, pack, label, trigger, trigger_ref, conditions, correlation, action_ref, ruleset)
			select $1, pack, $1, id, ref, $2::text::jsonb, $3::text::jsonb, 'mail.send', 7 from attune.trigger
			on conflict (ref) do update set conditions = excluded.conditions, correlation = excluded.correlation`, d.Ref(i), condition, string(raw))
	}
	return d
}

// heldIn returns what is held, as "event state answered_by group status".
func (b *bundle) heldIn(t testing.TB) []string {
	t.Helper()
	return b.texts(t, `
		select format('%s %s %s in %s %s', h.event, h.state, h.answered_by, g.id, g.status)
		from attune.held_match h join attune.match_group g on g.id = h.match_group order by h.event, h.rule_ref`)
}

func (b *bundle) texts(t testing.TB, sql string) (all []string) {
	t.Helper()
	rows, err := b.db.Query(b.ctx, sql)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var text string
		require.NoError(t, rows.Scan(&text))
		all = append(all, text)
	}
	require.NoError(t, rows.Err())
	return all
}

func part(host, name string) string { return fmt.Sprintf(`{"host": %q, "part": %q}`, host, name) }

func TestACorrelationIsCompletedByItsLastPart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.correlated(t, true, "placed", "packed", "sent")
	require.Empty(t, b.arrive(t, 0, part("x", "packed"), part("x", "placed"), part("y", "placed")))
	require.Empty(t, b.arrive(t, 4*time.Minute, part("x", "packed"), part("x", "sent")), "an enforcement is written when its group is closed")
	require.Empty(t, b.arrive(t, 5*time.Minute, part("x", "sent"), part("y", "sent"), part("y", "other")))
	require.Equal(t, []string{
		"1 early  in 1 completed", "2 collected 5 in 1 completed", "3 collected  in 2 open", "4 collected 5 in 1 completed",
		"5 collected 5 in 1 completed", "6 early  in 3 early", "7 early  in 2 open",
	}, b.heldIn(t))
	require.Equal(t, []string{
		`1 shop.every {"payload.host":"x"} completed 3 events from 2 to 5 due 08:04:00 of 5`,
		`2 shop.every {"payload.host":"y"} open 1 events from 3 to 7 due 08:10:00 of `,
		`3 shop.every {"payload.host":"x"} early 0 events from 6 to 6 due 08:15:00 of `,
	}, b.texts(t, `
		select format('%s %s %s %s %s events from %s to %s due %s of %s', id, rule_ref, key, status, count, first_event, last_event,
			to_char(due at time zone 'UTC', 'HH24:MI:SS'), event)
		from attune.match_group order by id`))
	require.Zero(t, b.count(t, "enforcement"))
}

// What comes late makes all be looked at again that the group has.
func TestPartsOfACorrelationMayBeCommittedInAnyOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.correlated(t, true, "placed", "sent")
	b.arrive(t, 20*time.Minute, part("x", "placed"))
	b.arrive(t, 9*time.Minute, part("x", "sent"))
	b.arrive(t, 2*time.Minute, part("x", "placed"))
	require.Equal(t, []string{"1 collected  in 2 open", "2 collected 2 in 1 completed", "3 collected 2 in 1 completed"}, b.heldIn(t))
}

// A correlation that is changed decides on what its groups have by what it is now.
func TestACorrelationMayChangeWhileItsGroupsAreOpen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.correlated(t, true, "placed", "packed", "sent")
	b.arrive(t, 0, part("x", "placed"), part("x", "packed"))
	b.correlated(t, false, "placed", "sent")
	b.exec(t, `delete from attune.rule where ref = 'shop.every/packed'`)
	b.arrive(t, time.Minute, part("x", "sent"))
	require.Equal(t, []string{"1 collected 3 in 1 completed", "2 early  in 1 completed", "3 collected 3 in 1 completed"}, b.heldIn(t))
}

// What a match does not reach within the new time is looked at again all the same.
func TestACorrelationMayBeShortenedWhileItsGroupsAreOpen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.correlated(t, true, "placed", "!sent")
	b.arrive(t, 0, part("x", "placed"))
	b.arrive(t, 5*time.Minute, part("x", "placed"))
	d.Within = time.Minute
	for i := range d.Parts {
		raw, err := d.Encode(i)
		require.NoError(t, err)
		b.exec(t, `update attune.rule set correlation = $2::text::jsonb where ref = $1`, d.Ref(i), string(raw))
	}
	b.arrive(t, 9*time.Minute, part("x", "placed"))
	for id, event := range []int64{1, 2, 3} {
		closed := b.close(t, int64(id)+1)
		require.Equal(t, sensor.GroupClosed, closed.Status)
		require.Equal(t, event, closed.Enforcement.EventID)
	}
}

// The store comes to the same as the package that decides, in whatever order batches are committed.
func TestCorrelationsAreDecidedAsTheyAreDefined(t *testing.T) {
	t.Parallel()
	for name, parts := range map[string][]string{"then": {"a", "b", "c"}, "and": {"a", "b", "c"}, "absent": {"a", "b", "!c"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			d := b.correlated(t, name != "and", parts...)
			r := rand.New(rand.NewPCG(7, 8))
			model := map[string]*keyModel{"x": {d: d}, "y": {d: d}}
			event := int64(0)
			for range 120 {
				after := time.Duration(r.IntN(60)) * time.Minute
				var payloads []string
				for range 1 + r.IntN(3) {
					event++
					host, p := []string{"x", "y"}[r.IntN(2)], r.IntN(3)
					payloads = append(payloads, part(host, string(rune('a'+p))))
					model[host].batch = append(model[host].batch, correlation.Match{Part: p, Event: event, At: eight.Add(after)})
				}
				b.arrive(t, after, payloads...)
				for _, m := range model {
					m.arrive()
				}
			}
			for host, m := range model {
				completed := b.texts(t, fmt.Sprintf(`
					select event::text from attune.match_group where status = 'completed' and key = '{"payload.host":"%s"}' order by id`, host))
				slices.Sort(completed)
				slices.Sort(m.completed)
				require.Equal(t, m.completed, completed)
				open := b.texts(t, fmt.Sprintf(`
					select h.event::text from attune.held_match h join attune.match_group g on g.id = h.match_group
					where g.status in ('open', 'early') and key = '{"payload.host":"%s"}' order by h.event`, host))
				var pending []string
				for _, p := range m.open {
					pending = append(pending, fmt.Sprint(p.Event))
				}
				slices.Sort(open)
				slices.Sort(pending)
				require.Equal(t, pending, open)
			}
			require.EqualValues(t, event, b.count(t, "held_match"))
			require.Equal(t, []string{"0"}, b.texts(t, `
				select count(*)::text from attune.match_group g
				where count <> (select count(*) from attune.held_match h where h.match_group = g.id and h.state = 'collected')`))
		})
	}
}

// keyModel is a key by the rules of the package that decides.
type keyModel struct {
	d         *correlation.Definition
	state     correlation.State
	batch     []correlation.Match
	open      []correlation.Match
	completed []string
}

func (m *keyModel) arrive() {
	slices.SortFunc(m.batch, correlation.Match.Compare)
	late := slices.ContainsFunc(m.batch, m.state.Late)
	m.open = append(m.open, m.batch...)
	if !late {
		for i, match := range m.batch {
			if m.d.Take(&m.state, match) == correlation.Completes {
				m.completed = append(m.completed, fmt.Sprint(match.Event))
				m.open, m.state = slices.Clone(m.batch[i+1:]), correlation.State{}
			}
		}
	} else {
		groups := m.d.Fold(m.open)
		m.open, m.state = nil, correlation.State{}
		for _, g := range groups {
			if g.Outcome == correlation.Completed {
				m.completed = append(m.completed, fmt.Sprint(g.Matches[len(g.Matches)-1].Event))
				continue
			}
			m.state = g.State
			for _, taken := range g.Matches {
				m.open = append(m.open, taken.Match)
			}
		}
	}
	m.batch = nil
}

// Batches are matched by many workers at once, each by two of them: every match is held once, and of every key there is one
// group that is complete, whichever part is first.
func TestCorrelationsAreExactUnderConcurrency(t *testing.T) {
	t.Parallel()
	const hosts = 60
	b := setup(t)
	b.correlated(t, false, "placed", "sent")
	var ids []int64
	for _, name := range []string{"placed", "sent"} {
		for host := 0; host < hosts; host += 5 {
			var payloads []string
			for n := range 5 {
				payloads = append(payloads, part(fmt.Sprint(host+n), name))
			}
			id := b.poll(t, "", payloads...)[0].ID
			b.generate(t, id)
			ids = append(ids, id)
		}
	}
	errs := make([]error, len(ids))
	var wg sync.WaitGroup
	for i, id := range ids {
		rulesets, matches := b.evaluate(t, id)
		for range 2 {
			wg.Go(func() {
				if _, err := b.CommitEnforcements(b.ctx, id, rulesets, matches, nil); err != nil {
					errs[i] = err
				}
			})
		}
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.Equal(t, 2*hosts, b.count(t, "held_match"))
	require.Equal(t, []string{"completed 60"}, b.texts(t, `select format('%s %s', status, count(*)) from attune.match_group group by status`))
	require.Equal(t, []string{"120"}, b.texts(t, `select count(*)::text from attune.held_match where answered_by is not null`))
}

// However often a batch is matched, what was decided stays.
func TestBatchesOfCorrelationsCanBeMatchedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.correlated(t, true, "placed", "sent")
	id := b.poll(t, "", part("x", "placed"), part("x", "sent"), part("x", "placed"))[0].ID
	b.generate(t, id)
	rulesets, matches := b.evaluate(t, id)
	_, err := b.CommitEnforcements(b.ctx, id, rulesets, matches, nil)
	require.NoError(t, err)
	held := b.heldIn(t)
	require.Equal(t, []string{"1 collected 2 in 1 completed", "2 collected 2 in 1 completed", "3 collected  in 2 open"}, held)
	for _, status := range []sensor.BatchStatus{sensor.BatchMatched, sensor.BatchGenerated} {
		b.exec(t, `update attune.poll_batch set status = $1`, status)
		_, err := b.CommitEnforcements(b.ctx, id, rulesets, matches, nil)
		require.NoError(t, err)
		require.Equal(t, held, b.heldIn(t))
	}
}

// Nobody sees a part without its rule, so that a part which a rule has no more is deleted without being asked for.
func TestPartsOfACorrelationAreDeletedWithoutPrune(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := weather()
	part := p.Rules[0]
	part.Ref += "/thaw"
	p.Rules = append(p.Rules, part)
	b.apply(t, p, store.ApplyOptions{})
	p.Rules = p.Rules[:2]
	require.Equal(t, []sensor.Change{{Kind: "rule", Ref: "weather.frost/thaw", Action: sensor.ActionDelete}}, b.apply(t, p, store.ApplyOptions{}))
	versions, err := b.RuleVersions(b.ctx, "weather.frost/thaw")
	require.NoError(t, err)
	require.Len(t, versions, 1)
	require.Equal(t, "weather", versions[0].PackRef)
	require.NotNil(t, versions[0].Until)

	p.Rules = append(p.Rules, part)
	b.apply(t, p, store.ApplyOptions{})
	p.Rules = p.Rules[1:2]
	require.Empty(t, b.apply(t, p, store.ApplyOptions{}), "what else the pack no longer has is kept")
	require.Len(t, b.apply(t, p, store.ApplyOptions{Prune: true}), 2)
}
