package faults

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/intake"
	"github.com/attune-automation/sensors/internal/runner/webhook"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/test/stack"
)

// hook is a pack with a webhook; small numbers match a rule, every seventh is refused.
const hook = `
-- pack.yaml --
ref: t
-- triggers/number.yaml --
ref: t.number
out_schema: {type: object, required: [n], properties: {n: {type: integer}}}
-- sensors/hook.yaml --
ref: t.hook
runtime: core.webhook
trigger: t.number
config: {auth: none}
-- rules/small.yaml --
ref: t.small
trigger: t.number
conditions: [{field: n, operator: less_than, value: 10}]
action: {ref: core.echo}
`

// office is what a webhook's polls need of a worker besides its store.
type office struct{ *store.Store }

func (office) Lookup(name string) (string, error) { return "", fmt.Errorf("no secret %s", name) }
func (office) DeliveryWaited(time.Duration)       {}

// newHook returns a line of its own that polls the webhook.
func newHook(t *testing.T, s *stack.Stack) *line {
	t.Helper()
	o := office{s.Store}
	r, err := webhook.NewRunner(webhook.RunnerConfig{Deliveries: o, Secrets: o, Catalog: o, Metrics: o})
	require.NoError(t, err)
	l := newLine(t, s, r)
	l.ref = "t.hook"
	return l
}

// deliver has a number accepted, under a key that says which it is.
func deliver(ctx context.Context, in *intake.Intake, n int) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	payload := fmt.Appendf(nil, `{"n": %d, "delivery_id": %q}`, n, id)
	if n%7 == 0 {
		payload = fmt.Appendf(nil, `{"n": "%d\u0000"}`, n)
	}
	_, _, err = in.Accept(ctx, sensor.Delivery{
		ID: id.String(), SensorRef: "t.hook", Key: fmt.Sprint(n), Payload: payload, ReceivedAt: time.Now().UTC(),
	})
	return err
}

func newIntake(t *testing.T, db intake.Store) *intake.Intake {
	t.Helper()
	in, err := intake.New(intake.Config{Store: db})
	require.NoError(t, err)
	t.Cleanup(in.Close)
	return in
}

// Whatever moment a worker dies at, what was accepted is one event, or refused, once.
func TestDeliveriesSurviveEveryCrash(t *testing.T) {
	t.Parallel()
	for _, p := range points {
		for name, drive := range drives {
			t.Run(fmt.Sprintf("%s, %s", p, name), func(t *testing.T) {
				t.Parallel()
				s := stack.New(t, nil)
				s.Apply(hook)
				messages := s.Watch()
				in := newIntake(t, s.Store)
				l := newHook(t, s)
				l.left[p] = 2
				for n := range last {
					require.NoError(t, deliver(t.Context(), in, n+1))
					if n%step == 0 {
						drive(l)
					}
				}
				drive(l)
				require.Zero(t, l.left[p], "the crashes happened")
				soundHook(t, s, messages)
			})
		}
	}
}

// leaky is a store that forgets to say whether it stored what it was given.
type leaky struct {
	*store.Store
	mu    sync.Mutex
	calls int
}

func (s *leaky) InsertDeliveries(ctx context.Context, deliveries []sensor.Delivery) ([]sensor.Receipt, error) {
	s.mu.Lock()
	s.calls++
	n := s.calls
	s.mu.Unlock()
	if n%3 == 0 {
		return nil, errCrash
	}
	receipts, err := s.Store.InsertDeliveries(ctx, deliveries)
	if n%3 == 1 && err == nil {
		err = errCrash
	}
	return receipts, err
}

// Senders that repeat what they got no answer to, workers that all believe they own the sensor and die now and then: each
// number is one event.
func TestManySendersAndWorkersOnOneWebhook(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	s.Apply(hook)
	messages := s.Watch()
	in := newIntake(t, &leaky{Store: s.Store})
	var sending, working sync.WaitGroup
	for range 3 {
		sending.Go(func() {
			for n := 1; n <= last; {
				err := deliver(t.Context(), in, n)
				if err == nil {
					n++
				} else if !errors.Is(err, intake.ErrUnavailable) {
					t.Error(err)
					return
				}
			}
		})
	}
	sent := make(chan struct{})
	for range 3 {
		l := newHook(t, s)
		for _, p := range points {
			l.left[p] = 1
		}
		working.Go(func() {
			for {
				select {
				case <-sent:
					return
				default:
					_, _ = l.cycle() // crashes, and turns that are lost
					_, _ = l.cycleOf(l.attend)
				}
			}
		})
	}
	sending.Wait()
	close(sent)
	working.Wait()
	newHook(t, s).until()
	soundHook(t, s, messages)
}

func soundHook(t *testing.T, s *stack.Stack, messages *stack.Messages) {
	t.Helper()
	report := s.Sound(messages)
	refused := last / 7
	require.EqualValues(t, last, report.Deliveries)
	require.EqualValues(t, last-refused, report.Events)
	require.EqualValues(t, refused, report.Rejected)
	require.EqualValues(t, 8, report.Enforcements, "of 1 to 9, but 7")
	events, err := s.Store.Events(t.Context(), store.EventFilter{SensorRef: "t.hook", Limit: 1000})
	require.NoError(t, err)
	seen := map[int]bool{}
	for _, e := range events {
		seen[number(t, e)] = true
	}
	require.Len(t, seen, last-refused)
}
