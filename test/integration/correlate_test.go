package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

// orders is a pack whose rule correlates orders and payments.
const orders = `
-- pack.yaml --
ref: t
-- triggers/placed.yaml --
ref: t.placed
-- triggers/paid.yaml --
ref: t.paid
-- rules/order.yaml --
ref: t.order
trigger: t.placed
correlate:
  within: %s
  group_by: [payload.order]
  %s
action: {ref: core.echo, params: {order: "{{ events[0].payload.order }}", parts: "{{ events.map(e, e.part) }}"}}
`

func place(t *testing.T, s *stack.Stack, trigger string, order int) {
	t.Helper()
	id, err := s.Store.StoreSystemEvent(t.Context(), sensor.SystemEvent{TriggerRef: trigger, Payload: fmt.Appendf(nil, `{"order": %d}`, order)})
	require.NoError(t, err)
	_, err = s.Fleet.Emit(t.Context(), id)
	require.NoError(t, err)
}

// ordered waits until a rule has so many enforcements, and returns their parameters.
func ordered(t *testing.T, s *stack.Stack, n int) (params []string) {
	t.Helper()
	s.Eventually(func(ctx context.Context) error {
		all, err := s.Store.Enforcements(ctx, store.EnforcementFilter{RuleRef: "t.order", Limit: 1000})
		if err != nil {
			return err
		}
		params = nil
		for _, e := range all {
			var config struct{ Params json.RawMessage }
			if err := json.Unmarshal(e.Config, &config); err != nil {
				return err
			}
			params = append(params, string(config.Params))
		}
		return expect(len(all) == n, "there are %d enforcements", len(all))
	})
	return params
}

// groupTexts are what a query says of groups.
func groupTexts(t *testing.T, s *stack.Stack, sql string, args ...any) (texts []string) {
	t.Helper()
	db, err := pgx.Connect(t.Context(), s.Config.Database.URL)
	require.NoError(t, err)
	defer db.Close(context.Background())
	rows, err := db.Query(t.Context(), sql, args...)
	require.NoError(t, err)
	texts, err = pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return texts
}

const statuses = `select format('%s %s', status, coalesce(reason, '')) from attune.match_group order by id`

func TestACorrelationCompletesAtOnce(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	s.Apply(fmt.Sprintf(orders, "1h", "then: [{name: paid, trigger: t.paid}]"))
	s.StartWorker()
	place(t, s, "t.placed", 1)
	place(t, s, "t.placed", 2)
	place(t, s, "t.paid", 1)
	require.JSONEq(t, `{"order": 1, "parts": ["first", "paid"]}`, ordered(t, s, 1)[0])
	s.Sound(messages)
	require.Equal(t, []string{"done ", "open "}, groupTexts(t, s, statuses))
	var res struct{ Status string }
	require.NoError(t, s.Client.GetWorkflow(t.Context(), workflows.GroupID(1), "").Get(t.Context(), &res))
	require.Equal(t, sensor.GroupDone, res.Status)
	run, err := s.Client.DescribeWorkflow(t.Context(), workflows.GroupID(2), "")
	require.NoError(t, err)
	summary, err := run.GetStaticSummary()
	require.NoError(t, err)
	require.Contains(t, summary, "closes group 2 of t.order: first, then paid, within 1h")
}

func TestACorrelationExpires(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	s.Apply(fmt.Sprintf(orders, "2s", "then: [{name: paid, trigger: t.paid}]"))
	s.StartWorker()
	place(t, s, "t.placed", 1)
	s.Eventually(func(context.Context) error {
		got := groupTexts(t, s, statuses)
		return expect(len(got) == 1 && got[0] == "expired 1 of 2 parts within 2s: no paid", "groups are %v", got)
	})
	s.Sound(messages)
	require.Empty(t, ordered(t, s, 0))
}

const unpaid = "then: [{name: paid, trigger: t.paid, absent: true}]"

// Whatever happens meanwhile: what has not come is noticed once.
func TestAnAbsenceIsNoticedOnce(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(s *stack.Stack, kill func()){
		"nothing happens":      func(*stack.Stack, func()) {},
		"the worker is killed": func(s *stack.Stack, kill func()) { kill(); s.StartWorker() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stack.New(t, nil)
			messages := s.Watch()
			s.Apply(fmt.Sprintf(orders, "2s", unpaid))
			w := s.StartProcess(nil)
			place(t, s, "t.placed", 1)
			meanwhile(s, w.Kill)
			require.JSONEq(t, `{"order": 1, "parts": ["first"]}`, ordered(t, s, 1)[0])
			s.Sound(messages)
			place(t, s, "t.paid", 1)
			s.Sound(messages)
			ordered(t, s, 1)
		})
	}
}

// The workflow of a group is terminated: the manager has the group closed when it is overdue.
func TestAnAbsenceIsNoticedWithoutItsWorkflow(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	s.Apply(fmt.Sprintf(orders, "1h", unpaid))
	s.StartWorker()
	place(t, s, "t.placed", 1)
	place(t, s, "t.placed", 2)
	require.NoError(t, s.Client.TerminateWorkflow(t.Context(), workflows.GroupID(1), "", "a test"))
	place(t, s, "t.paid", 2)
	s.Eventually(func(context.Context) error {
		got := groupTexts(t, s, statuses)
		return expect(got[1] == "cancelled paid came with event 3", "groups are %v", got)
	})
	// An hour later, and some more. The state is of then, and has to be found again.
	groupTexts(t, s, `update attune.event set created = created - interval '65 minutes' returning id::text`)
	groupTexts(t, s, `
		update attune.match_group set due = due - interval '65 minutes', state = jsonb_set(state, '{of}', '""') where id = 1 returning id::text`)
	require.JSONEq(t, `{"order": 1, "parts": ["first"]}`, ordered(t, s, 1)[0])
	s.Eventually(func(context.Context) error {
		got := groupTexts(t, s, statuses)
		return expect(got[0] == "done ", "groups are %v", got)
	})
	require.Empty(t, s.Audit(nil).Findings)
}

// racing has two sensors whose events are the parts of the same groups.
const racing = `
-- sensors/placed.yaml --
ref: t.places
runtime: core.python3
entrypoint: count.py
trigger: t.placed
poll_interval: 1s
-- sensors/paid.yaml --
ref: t.pays
runtime: core.python3
entrypoint: count.py
trigger: t.paid
poll_interval: 1s
-- count.py --
def poll(ctx):
    n = ctx.cursor or 0
    for order in range(n, min(n + 10, 40)):
        yield {"order": order}
    ctx.cursor = min(n + 10, 40)
    if ctx.cursor < 40:
        ctx.more()
`

// Both parts of many groups come from two sensors at once, by two workers: each group comes to one end.
func TestPartsRace(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ within, list string }{
		"in any order":   {"1h", "and: [{name: paid, trigger: t.paid}]"},
		"in their order": {"3s", "then: [{name: paid, trigger: t.paid}]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stack.New(t, nil)
			messages := s.Watch()
			s.Apply(fmt.Sprintf(orders, c.within, c.list) + racing)
			s.StartProcess(nil)
			s.StartProcess(nil)
			awaitEvents(t, s, "t.places", 40)
			awaitEvents(t, s, "t.pays", 40)
			s.Eventually(func(context.Context) error {
				open := groupTexts(t, s, `select id::text from attune.match_group where status in ('open', 'completed', 'closed')`)
				return expect(len(open) == 0, "%d groups are open", len(open))
			})
			report := s.Sound(messages)
			done := groupTexts(t, s, `select count(*)::text from attune.match_group where status = 'done'`)
			require.Equal(t, fmt.Sprint(report.Enforcements), done[0])
			ends := groupTexts(t, s, `
				select key from attune.match_group where status in ('done', 'expired') group by key having count(*) = 1`)
			require.Len(t, ends, 40, "each order comes to one end")
			if name == "in any order" {
				require.Equal(t, "40", done[0])
			}
		})
	}
}
