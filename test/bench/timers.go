package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/messaging"
	"github.com/attune-automation/sensors/internal/runner/timer"
	"github.com/attune-automation/sensors/internal/store"
)

const (
	timers     = 1000
	timerTicks = 3 // minutes that are measured
)

// timerPack has any number of timers that are due at the beginning of each minute.
func timerPack(n int) string {
	var b strings.Builder
	b.WriteString("-- pack.yaml --\nref: b\n")
	for i := range n {
		fmt.Fprintf(&b, "-- sensors/%d.yaml --\nref: b.t%04d\nruntime: core.timer\nconfig: {cron: '* * * * *', catch_up: all}\n", i, i)
	}
	return b.String()
}

// arrivals are the messages of ticks, with the time at which a consumer had them.
type arrivals struct {
	mu   sync.Mutex
	lags map[time.Time][]float64 // seconds after the tick, by tick
}

// handle takes in a message.
func (a *arrivals) handle(d messaging.Delivery) error {
	now := time.Now()
	created, err := messaging.DecodePayload[messaging.EventCreated](d.Message)
	if err != nil {
		return err
	}
	at, err := tickOf(created.Payload)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lags[at] = append(a.lags[at], now.Sub(at).Seconds())
	return nil
}

// of returns how late the messages of a tick were that have come by now.
func (a *arrivals) of(tick time.Time) []float64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]float64(nil), a.lags[tick]...)
}

func tickOf(payload json.RawMessage) (time.Time, error) {
	var p timer.Payload
	if err := json.Unmarshal(payload, &p); err != nil {
		return time.Time{}, err
	}
	at, err := time.Parse(time.RFC3339, p.ScheduledAt)
	return at.UTC(), err
}

// benchTimers measures how late 1,000 timers fire that are all due in the same second: from that second to the row of the
// event, and to the message at a consumer.
func benchTimers(t *trial) {
	s := t.newSystem(map[string]string{
		"SENSOR__MANAGER_INTERVAL": "60s", "SENSOR__MAX_CONCURRENT_SENSORS": strconv.Itoa(timers),
	})
	came := &arrivals{lags: map[time.Time][]float64{}}
	done := make(chan error, 1)
	ctx, stop := context.WithCancel(t.ctx)
	go func() {
		done <- messaging.Watch(ctx, messaging.WatchConfig{URL: s.Config.MessageQueue.URL, Exchange: s.Config.MessageQueue.Exchange},
			[]string{"event.created"}, came.handle)
	}()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
	})
	begin := time.Now()
	s.Apply(timerPack(timers))
	first := t.firstTick(came)
	t.report("start", time.Since(begin).Seconds(), "s")
	var messages, rows []float64
	for n := range timerTicks {
		tick := first.Add(time.Duration(n+1) * time.Minute)
		t.eventually(func(context.Context) error {
			if lags := came.of(tick); len(lags) < timers {
				return fmt.Errorf("%d of %d timers have fired for %s", len(lags), timers, tick)
			}
			return nil
		})
		messages, rows = append(messages, came.of(tick)...), append(rows, t.rowLags(s, tick)...)
	}
	t.report("row_p50", quantile(rows, 0.50), "s")
	t.report("row_p99", quantile(rows, 0.99), "s")
	t.report("message_p50", quantile(messages, 0.50), "s")
	t.report("message_p99", quantile(messages, 0.99), "s")
}

// firstTick waits for the first minute at which all timers have fired.
func (t *trial) firstTick(came *arrivals) (first time.Time) {
	t.eventually(func(context.Context) error {
		now := time.Now().UTC().Truncate(time.Minute)
		for _, tick := range []time.Time{now, now.Add(-time.Minute)} {
			if first = tick; len(came.of(tick)) == timers {
				return nil
			}
		}
		return fmt.Errorf("%d of %d timers have fired", len(came.of(now)), timers)
	})
	return first
}

// rowLags returns how long after a tick the rows of its events were written.
func (t *trial) rowLags(s *system, tick time.Time) []float64 {
	var lags []float64
	for before := int64(0); ; {
		events, err := s.Store.Events(t.ctx, store.EventFilter{TriggerRef: "core.timer", Since: tick, BeforeID: before, Limit: timers})
		require.NoError(t, err)
		for _, event := range events {
			before = event.ID
			if event.OccurredAt != nil && event.OccurredAt.Equal(tick) {
				lags = append(lags, event.Created.Sub(tick).Seconds())
			}
		}
		if len(events) < timers {
			require.Len(t, lags, timers)
			return lags
		}
	}
}
