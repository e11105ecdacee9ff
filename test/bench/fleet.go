package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
)

const (
	fleetInterval = 30 * time.Second // the default of poll_interval
	fleetWindow   = 2 * fleetInterval
)

// fleetPack has any number of sensors that find nothing. Each poll leaves an empty file <ref>.<pid>, whose time is that
// of the poll.
func fleetPack(n int, polls string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `
-- pack.yaml --
ref: b
-- triggers/tick.yaml --
ref: b.tick
-- bin/poll --
#!/bin/sh
read -r request
ref=${request#*'"ref":"'}
: >'%s'/"${ref%%%%'"'*}.$$"
`, polls)
	for i := range n {
		fmt.Fprintf(&b, "-- sensors/%d.yaml --\nref: b.s%04d\nruntime: core.exec\nentrypoint: bin/poll\ntrigger: b.tick\n", i, i)
	}
	return b.String()
}

// watched is a fleet of sensors that find nothing, while it was watched for the window.
type watched struct {
	system   *system
	polls    map[string][]time.Time // by ref, in order
	from, to time.Time
	seen     time.Time // when the polls were looked at
}

// watchFleet lets sensors poll every 30 seconds and reports what that takes.
func (t *trial) watchFleet(sensors int) watched {
	dir := t.TempDir()
	w := watched{system: t.newSystem(map[string]string{
		"SENSOR__POLL_INTERVAL":          fleetInterval.String(),
		"SENSOR__MANAGER_INTERVAL":       "60s",
		"SENSOR__MAX_CONCURRENT_SENSORS": strconv.Itoa(sensors),
	})}
	begin := time.Now()
	w.system.Apply(fleetPack(sensors, dir))
	t.eventually(func(context.Context) error {
		if begun := len(t.pollsIn(dir)); begun < sensors {
			return fmt.Errorf("%d of %d sensors have polled", begun, sensors)
		}
		return nil
	})
	t.report("start", time.Since(begin).Seconds(), "s")
	t.sleep(fleetInterval) // until they are spread over the interval

	databases := t.databasePIDs(w.system)
	before := t.load(w.system, databases)
	w.from = time.Now()
	t.sleep(fleetWindow)
	w.to = time.Now()
	after := t.load(w.system, databases)
	t.reportLoad(before, after, w.to.Sub(w.from))
	t.sleep(5 * time.Second) // for the last ones, which may be late
	w.polls, w.seen = t.pollsIn(dir), time.Now()
	return w
}

// pollsIn returns when the sensors polled.
func (t *trial) pollsIn(dir string) map[string][]time.Time {
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	polls := map[string][]time.Time{}
	for _, entry := range entries {
		info, err := entry.Info()
		require.NoError(t, err)
		ref := strings.TrimSuffix(entry.Name(), filepath.Ext(entry.Name()))
		polls[ref] = append(polls[ref], info.ModTime())
	}
	for _, times := range polls {
		slices.SortFunc(times, time.Time.Compare)
	}
	return polls
}

// benchFleet measures how late 1,000 sensors poll, and what they cost.
func benchFleet(t *trial) {
	w := t.watchFleet(1000)
	var lags []float64
	for ref, polls := range w.polls {
		for _, due := range dues(t.history(w.system, ref)) {
			if due.Before(w.from) || due.After(w.to) {
				continue
			}
			lags = append(lags, lag(due, polls, w.seen).Seconds())
		}
	}
	t.report("polls", float64(len(lags)), "polls")
	t.report("lag_p50", quantile(lags, 0.50), "s")
	t.report("lag_p99", quantile(lags, 0.99), "s")
}

// benchIdle measures what 100 sensors cost that find nothing.
func benchIdle(t *trial) {
	t.watchFleet(100)
}

// dues returns the moments for which a sensor's workflow set its timers: it counts from the start of the workflow task
// that set the timer.
func dues(history []*historypb.HistoryEvent) (dues []time.Time) {
	var started time.Time
	for _, e := range history {
		switch e.GetEventType() {
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED:
			started = e.GetEventTime().AsTime()
		case enumspb.EVENT_TYPE_TIMER_STARTED:
			dues = append(dues, started.Add(e.GetTimerStartedEventAttributes().GetStartToFireTimeout().AsDuration()))
		}
	}
	return dues
}

// clockStep is how far the times of files may be behind.
const clockStep = 10 * time.Millisecond

// lag returns how long after the due moment the sensor's code ran, or how late it is by now if it has not.
func lag(due time.Time, polls []time.Time, now time.Time) time.Duration {
	i, _ := slices.BinarySearchFunc(polls, due.Add(-clockStep), time.Time.Compare)
	if i == len(polls) {
		return now.Sub(due)
	}
	return max(polls[i].Sub(due), 0)
}
