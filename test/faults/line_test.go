package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.uber.org/zap"

	"github.com/attune-automation/sensors/activities"
	"github.com/attune-automation/sensors/internal/messaging"
	"github.com/attune-automation/sensors/internal/schema"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/test/stack"
)

// numbers is a pack whose sensor is played by source; small numbers match one rule, all match another, every seventh is
// refused, and every fifth is of another trigger, which has one rule. Three more rules match all, and hold most of it back. One
// has no result for any.
const numbers = `
-- pack.yaml --
ref: t
-- triggers/number.yaml --
ref: t.number
out_schema: {type: object, required: [n], properties: {n: {type: integer}}}
-- triggers/fifth.yaml --
ref: t.fifth
out_schema: {type: object, required: [n]}
-- sensors/numbers.yaml --
ref: t.numbers
runtime: core.exec
entrypoint: bin/numbers
triggers: [t.number, t.fifth]
-- rules/all.yaml --
ref: t.all
trigger: t.number
action: {ref: core.echo}
-- rules/small.yaml --
ref: t.small
trigger: t.number
conditions: [{field: n, operator: less_than, value: 10}]
action: {ref: core.echo}
-- rules/fifth.yaml --
ref: t.fifths
trigger: t.fifth
conditions: [{field: event.occurred_at, operator: starts_with, value: "2026-01-01T"}]
action: {ref: core.echo}
-- rules/brittle.yaml --
ref: t.brittle
trigger: t.number
cel: payload.n < 0 || payload.nope
action: {ref: core.echo}
-- rules/once.yaml --
ref: t.once
trigger: t.number
throttle: {once_within: 1h, group_by: [trigger.ref]}
action: {ref: core.echo}
-- rules/third.yaml --
ref: t.third
trigger: t.number
throttle: {at_least: 3, within: 1h}
action: {ref: core.echo, params: {numbers: "{{ events.map(e, e.payload.n) }}"}}
-- rules/gather.yaml --
ref: t.gather
trigger: t.number
throttle: {once_after: 1h}
action: {ref: core.echo}
-- bin/numbers --
#!/bin/sh
`

// source plays a sensor's code: each poll brings the next few numbers after the cursor, in two parts, and before them the
// last one once more, whose key suppresses it unless it was refused.
type source struct {
	step, last int
	polls      atomic.Int64
}

func (s *source) Poll(ctx context.Context, req sensor.PollRequest) (sensor.Poll, error) {
	s.polls.Add(1)
	var n int
	if req.Cursor != nil {
		if err := json.Unmarshal(req.Cursor, &n); err != nil {
			return sensor.Poll{}, err
		}
	}
	var part sensor.Part
	if n%7 != 0 {
		part.Items = append(part.Items, item(n))
	}
	for i := 0; i < s.step && n < s.last; i++ {
		n++
		part.Items = append(part.Items, item(n))
		if i == s.step/2 {
			part.Cursor = fmt.Appendf(nil, "%d", n)
			if err := req.Take(ctx, part); err != nil {
				return sensor.Poll{}, err
			}
			part = sensor.Part{}
		}
	}
	part.Cursor = fmt.Appendf(nil, "%d", n)
	return sensor.Poll{}, req.Take(ctx, part)
}

func item(n int) sensor.Item {
	item := sensor.Item{Payload: fmt.Appendf(nil, `{"n": %d}`, n), Key: fmt.Sprint(n)}
	if n%7 == 0 {
		item.Payload = fmt.Appendf(nil, `{"n": "%d\u0000"}`, n)
	}
	if n%5 == 0 {
		item.TriggerRef, item.OccurredAt = "t.fifth", time.Date(2026, 1, 1, 0, 0, n, 0, time.UTC)
	}
	return item
}

// want is what n numbers come to.
func want(n int) (events, enforcements, rejected int) {
	matches := 0 // of the rules that hold back
	for i := 1; i <= n; i++ {
		if i%7 != 0 && i%5 != 0 {
			matches++
		}
		switch {
		case i%7 == 0:
			rejected++
		case i%5 == 0:
			events, enforcements = events+1, enforcements+1
		case i < 10:
			events, enforcements = events+1, enforcements+2
		default:
			events, enforcements = events+1, enforcements+1
		}
	}
	return events, enforcements + 1 + matches/3, rejected
}

// line is the three steps, as a worker that crashes runs them.
type line struct {
	*crashes
	t         *testing.T
	ref       string // of the sensor
	stack     *stack.Stack
	env       *testsuite.TestActivityEnvironment
	poller    *activities.Poller
	generator *activities.Generator
	matcher   *activities.Matcher
	groups    *groups
}

// groups takes the groups that are to be closed.
type groups struct {
	mu      sync.Mutex
	started map[int64]sensor.GroupHead
	store   activities.OpenStore
}

func (g *groups) Dispatch(context.Context, int64) error { return nil }

func (g *groups) StartGroup(_ context.Context, group sensor.GroupHead) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.started[group.ID] = group
	return nil
}

func (g *groups) OpenGroups(ctx context.Context, batchID int64) error {
	held, err := g.store.HeldOfBatch(ctx, batchID)
	for _, group := range held.Groups {
		_ = g.StartGroup(ctx, group) // which never fails
	}
	return err
}

// newLine returns a line of its own on a shared system.
func newLine(t *testing.T, s *stack.Stack, src activities.Runner) *line {
	c := &crashes{left: map[point]int{}}
	mq := s.Config.MessageQueue
	publisher, err := messaging.New(messaging.Config{URL: mq.URL, Exchange: mq.Exchange, DeclareQueues: true,
		EventsQueue: mq.EventsQueue, EnforcementsQueue: mq.EnforcementsQueue})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, publisher.Close(context.Background())) })
	db, broker := frailStore{s.Store, c}, frailPublisher{publisher, c}
	settings := sensor.Settings{Timeout: time.Minute, PollInterval: time.Second, MaxRestartAttempts: 3, DedupeTTL: time.Hour}
	recent := &activities.RecentEvents{}
	started := &groups{started: map[int64]sensor.GroupHead{}, store: s.Store}
	generator := &activities.Generator{Store: db, Publisher: broker, Schemas: schema.NewCache(10), Recent: recent, Metrics: uncounted{}}
	matcher := activities.NewMatcher(activities.MatcherConfig{
		Store: db, Publisher: broker, Recent: recent, Actions: started, Metrics: uncounted{}, Logger: zap.NewNop(),
	})
	l := &line{
		groups: started, crashes: c, t: t, ref: "t.numbers", stack: s,
		poller: &activities.Poller{
			Store: db, Checker: &activities.Generator{Store: s.Store, Schemas: schema.NewCache(10)}, Runner: src, Settings: settings,
			Metrics: uncounted{}, Drainer: &activities.Drainer{Store: db, Generator: generator, Matcher: matcher},
		},
		generator: generator, matcher: matcher,
	}
	var suite testsuite.WorkflowTestSuite
	l.env = suite.NewTestActivityEnvironment()
	l.env.RegisterActivity(l.poller)
	l.env.RegisterActivity(l.generator)
	l.env.RegisterActivity(l.matcher)
	return l
}

// cycle polls once and works off the batch; false when there was none. It fails where a crash is due.
func (l *line) cycle() (bool, error) { return l.cycleOf(l.poll) }

func (l *line) cycleOf(poll func() (activities.PollResult, error)) (bool, error) {
	polled, err := poll()
	if err != nil || polled.BatchID == 0 {
		return polled.Batches > 0, err
	}
	if err := l.generate(polled.BatchID); err != nil {
		return false, err
	}
	return true, l.match(polled.BatchID)
}

func (l *line) poll() (res activities.PollResult, err error) {
	err = l.execute(l.poller.Poll, activities.PollInput{SensorRef: l.ref}, &res)
	return res, err
}

// attend polls as of a sensor whose polls are short, which works off what it brings as far as it can.
func (l *line) attend() (res activities.PollResult, err error) {
	value, err := l.env.ExecuteLocalActivity(l.poller.Poll, activities.PollInput{SensorRef: l.ref})
	if err != nil {
		return res, err
	}
	return res, value.Get(&res)
}

func (l *line) generate(id int64) error {
	return l.execute(l.generator.GenerateEvents, activities.BatchInput{BatchID: id}, nil)
}

func (l *line) match(id int64) error {
	return l.execute(l.matcher.MatchRules, activities.BatchInput{BatchID: id}, nil)
}

func (l *line) execute(activity, in, out any) error {
	value, err := l.env.ExecuteActivity(activity, in)
	if err != nil || out == nil {
		return err
	}
	return value.Get(out)
}

// until runs cycles as a workflow would that is started anew after every crash, until nothing comes any more.
func (l *line) until() {
	l.t.Helper()
	l.untilRest(l.cycle)
}

// attended is until of a sensor whose polls are short.
func (l *line) attended() {
	l.t.Helper()
	l.untilRest(func() (bool, error) { return l.cycleOf(l.attend) })
}

func (l *line) untilRest(cycle func() (bool, error)) {
	l.t.Helper()
	for range 1000 {
		worked, err := cycle()
		if err != nil {
			require.ErrorContains(l.t, err, errCrash.Error())
			continue
		}
		if !worked {
			return
		}
	}
	require.Fail(l.t, "the sensor never comes to rest")
}

// patient runs cycles as Temporal does that retries each activity until it works.
func (l *line) patient() {
	l.t.Helper()
	for {
		var polled activities.PollResult
		l.retry(func() (err error) { polled, err = l.poll(); return err })
		if polled.BatchID == 0 {
			return
		}
		l.retry(func() error { return l.generate(polled.BatchID) })
		l.retry(func() error { return l.match(polled.BatchID) })
	}
}

func (l *line) retry(f func() error) {
	l.t.Helper()
	for range 100 {
		err := f()
		if err == nil {
			return
		}
		var app *temporal.ApplicationError
		require.True(l.t, errors.As(err, &app) && strings.HasSuffix(app.Message(), errCrash.Error()), "unexpected: %v", err)
	}
	require.Fail(l.t, "the step never works")
}

type uncounted struct{}

func (uncounted) Step(string, string, time.Duration) {}
func (uncounted) Events(string, int)                 {}
func (uncounted) Enforcements(string, int)           {}
func (uncounted) Failed(string, int)                 {}
func (uncounted) Rejected(string, int)               {}
func (uncounted) Suppressed(string, int)             {}
func (uncounted) Overrun(string, string)             {}
func (uncounted) RuleErrors(string, int)             {}
func (uncounted) Held(string, string, int)           {}
func (uncounted) Run(string, bool)                   {}

// number is the n of an event.
func number(t *testing.T, e sensor.Event) int {
	t.Helper()
	var payload struct{ N int }
	require.NoError(t, json.Unmarshal(e.Payload, &payload))
	return payload.N
}
