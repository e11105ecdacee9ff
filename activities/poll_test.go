package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/sensor"
)

// tailStore is the state of one sensor, which begins as turn says.
type tailStore struct {
	turn   sensor.Turn
	parts  []sensor.Part
	ttl    time.Duration // of the last part
	rivals int           // how many appends another poll comes before

	matching func() []sensor.BatchHead // what is unfinished once something was appended; may be nil
	gone     bool

	entries   []sensor.Entry
	completed int64
}

func (s *tailStore) Turn(context.Context, string) (sensor.Turn, error) {
	if s.gone {
		return sensor.Turn{}, sensor.ErrNotFound
	}
	turn := s.turn
	if len(s.parts) > 0 && s.matching != nil {
		turn.Pending = s.matching()
	}
	return turn, nil
}

func (s *tailStore) Pending(context.Context, string) ([]sensor.BatchHead, error) {
	return s.turn.Pending, nil
}

// Append suppresses items with the key "again".
func (s *tailStore) Append(_ context.Context, turn sensor.Turn, part sensor.Part) (sensor.Appended, error) {
	if s.rivals > 0 {
		s.rivals--
		s.turn.TailSeq, s.turn.Cursor = s.turn.TailSeq+1, json.RawMessage(`"rival"`)
	}
	if turn.TailSeq != s.turn.TailSeq {
		return sensor.Appended{}, fmt.Errorf("appending: %w", sensor.ErrTurnLost)
	}
	s.parts, s.ttl = append(s.parts, part), turn.Sensor.DedupeTTL
	s.turn.TailSeq++
	appended := sensor.Appended{Seq: s.turn.TailSeq}
	for _, item := range part.Items {
		if item.Key == "again" {
			appended.Suppressed++
		}
	}
	if n := len(part.Items) - appended.Suppressed; n > 0 {
		appended.Batches = []sensor.BatchHead{{ID: 100 + s.turn.TailSeq, Count: n}}
	}
	return appended, nil
}

// AppendEvents leaves the events to GenerateEvents.
func (s *tailStore) AppendEvents(ctx context.Context, turn sensor.Turn, part sensor.Part) (sensor.Appended, error) {
	return s.Append(ctx, turn, part)
}

func (s *tailStore) Entries(context.Context, string) ([]sensor.Entry, error) { return s.entries, nil }

func (s *tailStore) Complete(_ context.Context, def sensor.Sensor) error {
	s.completed = def.Version
	return nil
}

// code plays a sensor's code.
type code func(ctx context.Context, req sensor.PollRequest) (sensor.Poll, error)

func (c code) Poll(ctx context.Context, req sensor.PollRequest) (sensor.Poll, error) {
	return c(ctx, req)
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

// refuses refuses one payload.
type refuses string

func (r refuses) Reasons(_ context.Context, _ sensor.Trigger, items []sensor.Item) ([]error, error) {
	reasons := make([]error, len(items))
	for i, item := range items {
		if string(item.Payload) == string(r) {
			reasons[i] = errors.New("refused")
		}
	}
	return reasons, nil
}

func newPoller(store *tailStore, run code) *Poller {
	return &Poller{
		Store: store, Checker: refuses("refused"), Runner: run, Host: "here", Metrics: uncounted{},
		Settings: sensor.Settings{Timeout: time.Minute, PollInterval: time.Second, DedupeTTL: time.Hour},
		Streams: &Follower{
			Drainer: &Drainer{Store: &idleStore{}}, Signaler: &told{begin: time.Now()}, Logger: zap.NewNop(),
		},
	}
}

func active() sensor.Turn {
	return sensor.Turn{
		Sensor:  sensor.Sensor{Ref: "t.s", TriggerRef: "t.a", Runtime: sensor.RuntimePython, Enabled: true},
		TailSeq: 7, Cursor: json.RawMessage(`"begin"`),
	}
}

func part(cursor string, keys ...string) sensor.Part {
	p := sensor.Part{Cursor: json.RawMessage(cursor)}
	for _, key := range keys {
		p.Items = append(p.Items, sensor.Item{Payload: []byte(`{}`), Key: key})
	}
	return p
}

// What never becomes an event takes no key from what does.
func TestRefusedPayloadsHaveNoKeys(t *testing.T) {
	t.Parallel()
	for _, attended := range []bool{false, true} {
		store := &tailStore{turn: active()}
		take := &taking{Poller: newPoller(store, nil), turn: active(), attended: attended}
		given := sensor.Part{Items: []sensor.Item{{Payload: []byte("refused"), Key: "k"}, {Payload: []byte("{}"), Key: "k"}}}
		require.NoError(t, take.take(t.Context(), given))
		require.Len(t, store.parts, 1)
		require.Empty(t, store.parts[0].Items[0].Key)
		require.Equal(t, "k", store.parts[0].Items[1].Key)
		require.Equal(t, "k", given.Items[0].Key, "what the runner gave is as it was")
	}
}

func TestPollTakesParts(t *testing.T) {
	t.Parallel()
	store := &tailStore{turn: active()}
	p := newPoller(store, func(ctx context.Context, req sensor.PollRequest) (sensor.Poll, error) {
		require.Equal(t, `"begin"`, string(req.Cursor))
		require.Equal(t, time.Minute, req.Timeout)
		for _, next := range []sensor.Part{part(`1`, "a", "again"), part(`2`), part(`3`, "b", "c", "again")} {
			require.NoError(t, req.Take(ctx, next))
		}
		return sensor.Poll{
			More: true, NextAfter: time.Second, Skip: strings.Repeat("é", 400), Sandbox: "bwrap", Warm: true,
			Usage: sensor.Usage{Memory: 5},
		}, nil
	})
	res, step, err := p.poll(t.Context(), "t.s", nil)
	require.NoError(t, err)
	require.Equal(t, stepPoll, step)
	require.LessOrEqual(t, len(res.Skip), maxSkip)
	require.True(t, strings.HasPrefix(res.Skip, "éé") && strings.HasSuffix(res.Skip, "é..."), res.Skip)
	res.Skip, res.Spec = "", ""
	res.heads = nil
	require.Equal(t, PollResult{
		BatchID: 108, Count: 1, More: true, Again: true, NextAfter: time.Second, Suppressed: 2, Host: "here",
		Sandbox: "bwrap", Warm: true, Memory: 5,
	}, res)
	require.Len(t, store.parts, 3)
	require.Equal(t, time.Hour, store.ttl, "the worker's default")
}

func TestPollBeginsAnewWhenAnotherCameFirst(t *testing.T) {
	t.Parallel()
	for _, lateAt := range []int{0, 1} {
		store := &tailStore{turn: active()}
		var cursors []string
		p := newPoller(store, func(ctx context.Context, req sensor.PollRequest) (sensor.Poll, error) {
			cursors = append(cursors, string(req.Cursor))
			for i := range 2 {
				if len(cursors) == 1 && i == lateAt {
					store.rivals = 1
				}
				if err := req.Take(ctx, part(`1`, "again", "x")); err != nil {
					return sensor.Poll{}, fmt.Errorf("taking: %w", err)
				}
			}
			return sensor.Poll{}, nil
		})
		res, _, err := p.poll(t.Context(), "t.s", nil)
		require.NoError(t, err)
		require.Equal(t, []string{`"begin"`, `"rival"`}, cursors)
		require.Equal(t, 2, res.Suppressed, "of the second run alone")
		require.Len(t, store.parts, 2+lateAt, "what was stored stays")
	}
}

func TestWhatAFailedPollBroughtStays(t *testing.T) {
	t.Parallel()
	store := &tailStore{turn: active()}
	p := newPoller(store, func(ctx context.Context, req sensor.PollRequest) (sensor.Poll, error) {
		require.NoError(t, req.Take(ctx, part(`1`, "a")))
		return sensor.Poll{}, &sensor.Fault{Kind: sensor.FaultTimeout, Message: "too long"}
	})
	_, _, err := p.poll(t.Context(), "t.s", nil)
	var fault *sensor.Fault
	require.ErrorAs(t, err, &fault)
	require.Len(t, store.parts, 1)
}

// Code that is gone was replaced meanwhile, which is no reason to give the sensor up.
func TestPollOfCodeThatIsGone(t *testing.T) {
	t.Parallel()
	p := newPoller(&tailStore{turn: active()}, func(context.Context, sensor.PollRequest) (sensor.Poll, error) {
		return sensor.Poll{}, fmt.Errorf("loading the pack archive: %w", sensor.ErrNotFound)
	})
	_, _, err := p.poll(t.Context(), "t.s", nil)
	require.EqualError(t, err, `polling "t.s": loading the pack archive: not found`)
	require.Equal(t, err, translate(err), "it is tried again")
}

func TestPollOfCodeThatIsNotReady(t *testing.T) {
	t.Parallel()
	p := newPoller(&tailStore{turn: active()}, func(context.Context, sensor.PollRequest) (sensor.Poll, error) {
		return sensor.Poll{}, fmt.Errorf("polling: %w", &sensor.NotReady{Reason: "installing", RetryAfter: 3 * time.Second})
	})
	res, _, err := p.poll(t.Context(), "t.s", nil)
	require.NoError(t, err)
	res.Spec = ""
	res.heads = nil
	require.Equal(t, PollResult{Waiting: "installing", NextAfter: 3 * time.Second, Host: "here"}, res)
}

func TestPollRunsNoCode(t *testing.T) {
	t.Parallel()
	pending := []sensor.BatchHead{{ID: 5, Count: 2}, {ID: 6}}
	for name, c := range map[string]struct {
		change func(*tailStore)
		want   PollResult
	}{
		"batches in hand":    {func(s *tailStore) { s.turn.Pending = pending }, PollResult{BatchID: 5, Count: 2, More: true}},
		"only the cursor":    {func(s *tailStore) { s.turn.Pending = pending[1:] }, PollResult{BatchID: 6}},
		"stopped":            {func(s *tailStore) { s.turn.Sensor.Stopped = true }, PollResult{Inactive: "an operator stopped it"}},
		"gone":               {func(s *tailStore) { s.gone = true }, PollResult{Inactive: inactiveRemoved}},
		"gone in the middle": {func(s *tailStore) { s.gone, s.turn.Pending = true, pending }, PollResult{BatchID: 5, Count: 2, More: true, Inactive: inactiveRemoved}},
		"a stream, disabled": {func(s *tailStore) { s.turn.Sensor.Mode, s.turn.Sensor.Enabled = sensor.ModeStream, false }, PollResult{Inactive: "it or its trigger is disabled"}},
		"a stream in between": {func(s *tailStore) {
			s.turn.Sensor.Mode, s.turn.Sensor.Stopped, s.turn.Pending = sensor.ModeStream, true, pending[:1]
		}, PollResult{BatchID: 5, Count: 2, Inactive: "an operator stopped it"}},
	} {
		store := &tailStore{turn: active()}
		c.change(store)
		p := newPoller(store, func(context.Context, sensor.PollRequest) (sensor.Poll, error) {
			return sensor.Poll{}, errors.New("the code was run")
		})
		res, _, err := p.poll(t.Context(), "t.s", nil)
		require.NoError(t, err, name)
		res.Spec = ""
		res.heads = nil
		require.Equal(t, c.want, res, name)
	}
}

// A stream goes on whatever is in hand, without end, until its worker stops, which is no failure of it.
func TestAStreamEndsWithItsWorker(t *testing.T) {
	t.Parallel()
	turn := active()
	turn.Sensor.Mode, turn.Pending = sensor.ModeStream, []sensor.BatchHead{{ID: 5, Count: 2}}
	store := &tailStore{turn: turn}
	stop := make(chan struct{})
	p := newPoller(store, func(ctx context.Context, req sensor.PollRequest) (sensor.Poll, error) {
		require.Zero(t, req.Timeout)
		require.NoError(t, req.Take(ctx, part(`1`, "a")))
		close(stop)
		<-ctx.Done()
		return sensor.Poll{}, ctx.Err()
	})
	p.Grace = time.Hour // of polls that end
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.SetWorkerStopChannel(stop)
	env.RegisterActivity(p)
	_, err := env.ExecuteActivity(p.Poll, PollInput{SensorRef: "t.s"})
	require.ErrorContains(t, err, errWorkerStopping.Error())
	require.Len(t, store.parts, 1)
}
