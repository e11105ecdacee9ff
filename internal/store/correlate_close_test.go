package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

// conclude closes a group whose events are of long ago.
func (b *bundle) conclude(t testing.TB, id int64) (status, reason string) {
	t.Helper()
	closed := b.close(t, id)
	if closed.Enforcement != nil {
		require.NoError(t, b.FinishGroup(b.ctx, id))
	}
	return closed.Status, closed.Reason
}

func TestTheEnforcementOfACorrelation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.correlated(t, true, "placed", "sent")
	b.exec(t, `update attune.rule set version = 4, action_params = '{"a": 1}' where ref = 'shop.every'`)
	b.arrive(t, 0, part("x", "placed"), part("x", "sent"), part("x", "placed"))
	held, err := b.HeldOfBatch(b.ctx, 1)
	require.NoError(t, err)
	require.Equal(t, []sensor.GroupHead{
		{ID: 1, Due: eight, Over: true, Rule: "shop.every", What: "first, then sent, within 10m"},
		{ID: 2, Due: eight.Add(10 * time.Minute), Rule: "shop.every", What: "first, then sent, within 10m"},
	}, held.Groups)

	closed := b.close(t, 1)
	require.Equal(t, sensor.GroupClosed, closed.Status)
	e := closed.Enforcement
	require.Equal(t, "shop.every", e.RuleRef)
	require.EqualValues(t, 2, e.EventID, "the one that completed the group")
	require.EqualValues(t, 4, e.RuleVersion)
	var config struct{ Params json.RawMessage }
	require.NoError(t, json.Unmarshal(e.Config, &config))
	require.JSONEq(t, `{"rule": 4, "event": 2, "count": 2}`, string(config.Params))
	require.Equal(t, sensor.Group{
		ID: 1, By: json.RawMessage(`{"payload.host": "x"}`), Count: 2, Since: eight, Until: eight, Events: []sensor.GroupEvent{
			{ID: 1, TriggerRef: triggerRef, Part: "first", Created: eight, Payload: json.RawMessage(`{"host": "x", "part": "placed"}`)},
			{ID: 2, TriggerRef: triggerRef, Part: "sent", Created: eight, Payload: json.RawMessage(`{"host": "x", "part": "sent"}`)},
		},
	}, groupOf(t, *e))
	require.Equal(t, e.ID, b.close(t, 1).Enforcement.ID, "until it is finished")
	require.NoError(t, b.FinishGroup(b.ctx, 1))
	require.Nil(t, b.close(t, 1).Enforcement)

	status, reason := b.conclude(t, 2)
	require.Equal(t, []string{sensor.GroupExpired, "1 of 2 parts within 10m: no sent"}, []string{status, reason})
	require.Equal(t, 1, b.count(t, "enforcement"))
	require.Equal(t, 3, b.count(t, "held_match"), "every match is known")
}

func TestAnAbsence(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.correlated(t, true, "placed", "!sent")
	b.arrive(t, 0, part("x", "placed"), part("y", "placed"))
	b.arrive(t, 5*time.Minute, part("x", "placed"), part("y", "sent"), part("y", "placed"))
	b.arrive(t, 10*time.Minute, part("z", "placed"))
	b.arrive(t, 11*time.Minute, part("x", "sent"), part("x", "placed"))
	held, err := b.HeldOfBatch(b.ctx, 2)
	require.NoError(t, err)
	require.Len(t, held.Groups, 1)
	require.True(t, held.Groups[0].Over, "nobody has to wait for what has come already")

	closed := b.close(t, 1)
	require.Equal(t, sensor.GroupClosed, closed.Status)
	require.EqualValues(t, 1, closed.Enforcement.EventID, "the one that nothing followed")
	group := groupOf(t, *closed.Enforcement)
	require.Equal(t, 2, group.Count)
	require.EqualValues(t, 3, group.Events[1].ID)
	require.Len(t, closed.Next, 1, "what came since begins another group")
	require.Equal(t, eight.Add(21*time.Minute), closed.Next[0].Due)
	require.Equal(t, []string{"2"}, b.texts(t, `select count::text from attune.match_group where id = 1`), "what went on is not its own any more")

	closed = b.close(t, 2)
	require.Equal(t, []string{sensor.GroupCancelled, "sent came with event 4"}, []string{closed.Status, closed.Reason})
	require.Len(t, closed.Next, 1)
	require.Equal(t, eight.Add(15*time.Minute), closed.Next[0].Due)
	require.Equal(t, []string{
		"1 collected 1 in 1 closed", "2 collected  in 2 cancelled", "3 collected 1 in 1 closed", "4 collected  in 2 cancelled",
		"5 collected  in 5 open", "6 collected  in 3 open", "7 early  in 4 open", "8 collected  in 4 open",
	}, b.heldIn(t))
}

// What was recorded in time and is matched late prevents what it is in time for.
func TestAnAbsenceWaitsForWhatIsNotMatchedYet(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.correlated(t, true, "placed", "!sent")
	b.keepVersions(t)
	b.arrive(t, 0, part("x", "placed"))
	late := b.poll(t, "", part("x", "sent"))[0].ID
	b.generate(t, late)
	b.exec(t, `update attune.event set created = $1 where batch = $2`, eight.Add(10*time.Minute), late)
	b.exec(t, `update attune.poll_batch set generated = $1 where id = $2`, eight.Add(10*time.Minute), late)
	require.Equal(t, time.Second, b.close(t, 1).Wait)
	rulesets, matches := b.evaluate(t, late)
	_, err := b.CommitEnforcements(b.ctx, late, rulesets, matches, nil)
	require.NoError(t, err)
	status, reason := b.conclude(t, 1)
	require.Equal(t, []string{sensor.GroupCancelled, "sent came with event 2"}, []string{status, reason})
}

func TestGroupsOfCorrelationsThatAreGoneAreDropped(t *testing.T) {
	t.Parallel()
	for reason, sql := range map[string]string{
		"the rule has been deleted":   `delete from attune.rule where ref like 'shop.every%'`,
		"the rule has been disabled":  `update attune.rule set enabled = false where ref like 'shop.every%'`,
		"the rule correlates no more": `update attune.rule set correlation = null where ref = 'shop.every'`,
	} {
		b := setup(t)
		b.correlated(t, true, "placed", "sent")
		b.arrive(t, 0, part("x", "placed"), part("x", "sent"), part("y", "placed"))
		b.exec(t, sql)
		for _, id := range []int64{1, 2} {
			status, why := b.conclude(t, id)
			require.Equal(t, []string{sensor.GroupDropped, reason}, []string{status, why})
		}
		require.Zero(t, b.count(t, "enforcement"))
	}
}

// A correlation that was changed is looked at again before its groups end, by what it is now.
func TestAChangedCorrelationDecidesAnewBeforeItsGroupsEnd(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.correlated(t, true, "placed", "packed", "sent")
	b.arrive(t, 0, part("x", "placed"), part("x", "sent"), part("y", "placed"))
	b.correlated(t, true, "placed", "sent")
	require.Equal(t, time.Second, b.close(t, 1).Wait)
	require.Equal(t, sensor.GroupClosed, b.close(t, 1).Status)
	require.Equal(t, time.Second, b.close(t, 2).Wait)
	require.Equal(t, sensor.GroupExpired, b.close(t, 2).Status)
}
