package timer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/runner/timer"
	"github.com/attune-automation/sensors/internal/sensor"
)

// bench polls one timer at the moments that a test says, and keeps what it brings.
type bench struct {
	t      *testing.T
	def    sensor.Sensor
	now    time.Time
	runner *timer.Runner
	cursor json.RawMessage
	fired  []timer.Payload
	keys   []string
	last   sensor.Poll
}

func newBench(t *testing.T, text, now string) *bench {
	t.Helper()
	b := &bench{t: t}
	b.runner = timer.New(timer.Config{Clock: func() time.Time { return b.now }})
	b.def = sensor.Sensor{Ref: "house.clock", Runtime: sensor.RuntimeTimer}
	b.change(text)
	b.poll(now)
	return b
}

// change gives the sensor another config.
func (b *bench) change(text string) {
	b.t.Helper()
	b.def.Config = config(b.t, text)
	b.def.Version++
}

// poll polls at a time of 2026-11-26, or at a whole one, and as long as there is more.
func (b *bench) poll(at string) {
	b.t.Helper()
	if len(at) <= len("15:04:05.000") {
		at = "2026-11-26T" + at + "Z"
	}
	var err error
	b.now, err = time.Parse(time.RFC3339, at)
	require.NoError(b.t, err)
	b.fired, b.keys = nil, nil
	for b.once(); b.last.More; b.once() {
	}
}

func (b *bench) once() {
	b.t.Helper()
	var err error
	b.last, err = b.runner.Poll(context.Background(), sensor.PollRequest{Sensor: b.def, Cursor: b.cursor, Take: b.take})
	require.NoError(b.t, err)
}

func (b *bench) take(_ context.Context, part sensor.Part) error {
	require.LessOrEqual(b.t, len(part.Items), timer.MaxTicks)
	for _, item := range part.Items {
		var p timer.Payload
		require.NoError(b.t, json.Unmarshal(item.Payload, &p))
		at, err := time.Parse(time.RFC3339, p.ScheduledAt)
		require.NoError(b.t, err)
		require.True(b.t, at.Equal(item.OccurredAt))
		require.Equal(b.t, at.UTC().Format(time.RFC3339), item.Key)
		b.fired, b.keys = append(b.fired, p), append(b.keys, item.Key)
	}
	b.cursor = part.Cursor
	return nil
}

// times returns the times of the day at which what fired was due.
func (b *bench) times() []string {
	times := []string{}
	for _, key := range b.keys {
		at, err := time.Parse(time.RFC3339, key)
		require.NoError(b.t, err)
		times = append(times, at.Format(time.TimeOnly))
	}
	return times
}

func (b *bench) next() string { return b.last.NextAt.UTC().Format(time.RFC3339Nano) }

func TestATickFiresOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, `{cron: "0 9 * * *", timezone: Europe/Berlin, name: morning}`, "07:59:30")
	require.Empty(t, b.fired, "a sensor begins when it is applied")
	require.Equal(t, "2026-11-26T08:00:00Z", b.next())
	b.poll("08:00:00.120")
	require.Equal(t, []timer.Payload{{
		ScheduledAt: "2026-11-26T09:00:00+01:00", FiredAt: "2026-11-26T08:00:00.120Z", Timezone: "Europe/Berlin",
		LateMS: 120, Sequence: 1, Schedule: "morning",
	}}, b.fired)
	b.poll("08:00:00.130")
	require.Empty(t, b.fired)
	require.Equal(t, "2026-11-27T08:00:00Z", b.next())
	require.False(t, b.last.Done)
}

func TestAPollThatIsATraceEarlyWaits(t *testing.T) {
	t.Parallel()
	b := newBench(t, `{every: 1m}`, "12:00:30")
	b.poll("12:00:59.990")
	require.Equal(t, []string{"12:01:00"}, b.times())
	require.Zero(t, b.fired[0].LateMS)
}

func TestMissedTicks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, config string
		want         []string // from a poll at 10:00:30 to one at 12:00:20
	}{
		{"the last, by default", `{cron: "*/15 * * * *"}`, []string{"12:00:00"}},
		{"all of the window", `{cron: "*/15 * * * *", catch_up: all}`, []string{"11:15:00", "11:30:00", "11:45:00", "12:00:00"}},
		{"all of a longer window", `{every: 30m, catch_up: all, catch_up_window: 2h}`, []string{"10:30:00", "11:00:00", "11:30:00", "12:00:00"}},
		{"none", `{cron: "*/15 * * * *", catch_up: none}`, []string{}},
		{"the last is too old", `{cron: "30 10 * * *"}`, []string{}},
		{"the last of each schedule", `{schedules: [{cron: "*/30 * * * *"}, {cron: "20 * * * *"}, {cron: "5 10,11 * * *"}]}`, []string{"11:05:00", "11:20:00", "12:00:00"}},
		{"an instant that several have fires once", `{schedules: [{cron: "0 12 * * *", name: a}, {every: 1h, name: b}]}`, []string{"12:00:00"}},
		{"a single one", `{at: 2026-11-26T11:30:00Z}`, []string{"11:30:00"}},
		{"a single one that is too old", `{at: 2026-11-26T10:59:00Z}`, []string{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, test.config, "10:00:30")
			b.poll("12:00:20")
			require.Equal(t, test.want, b.times())
			for _, p := range b.fired {
				require.True(t, p.CatchUp)
			}
			b.poll("12:00:21")
			require.Empty(t, b.fired)
		})
	}
}

func TestALittleLateIsNotMissed(t *testing.T) {
	t.Parallel()
	b := newBench(t, `{every: 1s, catch_up: none}`, "10:00:00.500")
	b.poll("10:00:02.500")
	require.Equal(t, []string{"10:00:01", "10:00:02"}, b.times(), "up to 2 s")
	b.poll("10:00:06")
	require.Empty(t, b.fired)
	b.poll("10:00:07.100")
	require.Equal(t, []string{"10:00:07"}, b.times(), "what was passed over is passed over")
	b.change(`{cron: "* * * * *", catch_up: none}`)
	b.poll("10:00:30")
	b.poll("10:01:09")
	require.Equal(t, []string{"10:01:00"}, b.times(), "up to 10 s")
	b.poll("10:02:11")
	require.Empty(t, b.fired)
}

func TestABacklogComesInParts(t *testing.T) {
	t.Parallel()
	b := newBench(t, `{cron: "* * * * * *", catch_up: all, catch_up_window: 366d}`, "2026-11-01T00:00:00Z")
	b.poll("2026-11-01T03:00:00Z")
	require.Len(t, b.fired, 3*60*60)
	for i, p := range b.fired {
		require.Equal(t, int64(i+1), p.Sequence)
	}
	b.change(`{cron: "* * * * * *", catch_up: last, catch_up_window: 366d}`)
	b.poll("2027-11-25T00:00:00Z")
	require.Equal(t, []string{"00:00:00"}, b.times())
}

func TestASingleInstantCompletesTheSensor(t *testing.T) {
	t.Parallel()
	b := newBench(t, `{schedules: [{at: 2026-11-26T12:00:00Z}, {at: 2026-11-26T12:00:10Z}]}`, "11:00:00")
	b.poll("12:00:00.010")
	require.Equal(t, []string{"12:00:00"}, b.times())
	require.False(t, b.last.Done)
	b.poll("12:00:10.010")
	require.Equal(t, []string{"12:00:10"}, b.times())
	require.True(t, b.last.Done)
	b.poll("12:30:00")
	require.Empty(t, b.fired)
	require.True(t, b.last.Done)
	b.change(`{schedules: [{at: 2026-11-26T12:00:00Z}, {at: 2026-11-26T12:31:00Z}]}`)
	b.poll("12:30:01")
	require.Empty(t, b.fired, "the first has fired")
	require.Equal(t, "2026-11-26T12:31:00Z", b.next())
}

func TestASensorThatIsAppliedLateCatchesUpOnASingleInstant(t *testing.T) {
	t.Parallel()
	b := newBench(t, `{at: 2026-11-26T12:00:00Z}`, "12:20:00")
	require.Equal(t, []string{"12:00:00"}, b.times())
	require.True(t, b.last.Done)
	b = newBench(t, `{at: 2026-11-26T12:00:00Z, catch_up_window: 10m}`, "12:20:00")
	require.Empty(t, b.fired)
	require.True(t, b.last.Done)
	b = newBench(t, `{every: 1h}`, "12:20:00")
	require.Empty(t, b.fired, "what else was due before is not for it")
}

func TestAChangedDefinitionKeepsWhatApplies(t *testing.T) {
	t.Parallel()
	b := newBench(t, `{cron: "0 9 * * *"}`, "08:00:00")
	b.poll("09:00:00")
	require.Len(t, b.fired, 1)
	b.change(`{schedules: [{cron: "0 9 * * *", name: nine}, {cron: "0 12 * * *"}], exclude: ["2026-11-27"], catch_up: all}`)
	b.poll("12:30:00")
	require.Empty(t, b.fired, "the new schedule begins now, and the old one has missed nothing")
	require.Equal(t, "2026-11-27T12:30:00Z", b.next(), "a timer is looked at once a day")
	b.poll("2026-11-28T09:00:00Z")
	require.Equal(t, int64(2), b.fired[0].Sequence, "counting goes on")
	require.Equal(t, "nine", b.fired[0].Schedule)
}

func TestJitterIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	const text = `{cron: "0 * * * *", jitter: 10m}`
	b := newBench(t, text, "11:30:00")
	due := b.last.NextAt
	twelve := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	require.False(t, due.Before(twelve))
	require.True(t, due.Before(twelve.Add(10*time.Minute)))
	require.Equal(t, due, newBench(t, text, "11:59:00").last.NextAt)
	b.poll(due.Add(-time.Second).Format(time.RFC3339Nano))
	require.Empty(t, b.fired, "it is not due yet")
	require.Equal(t, due, b.last.NextAt)
	b.poll(due.Add(5 * time.Millisecond).Format(time.RFC3339Nano))
	require.Equal(t, []string{"12:00:00"}, b.times())
	require.Equal(t, int64(5), b.fired[0].LateMS)
	require.False(t, b.fired[0].CatchUp)
	require.NotEqual(t, due.Sub(twelve), b.last.NextAt.Sub(twelve.Add(time.Hour)), "ticks differ")
}

func TestCursorsThatOperatorsSet(t *testing.T) {
	t.Parallel()
	b := newBench(t, `{every: 10m}`, "12:00:00")
	b.cursor = json.RawMessage(`{"until": "2026-11-26T11:30:00Z"}`)
	b.poll("12:01:00")
	require.Equal(t, []string{"12:00:00"}, b.times())
	b.cursor = json.RawMessage(`["12:00"]`)
	_, err := b.runner.Poll(context.Background(), sensor.PollRequest{Sensor: b.def, Cursor: b.cursor, Take: b.take})
	var fault *sensor.Fault
	require.ErrorAs(t, err, &fault)
	require.Equal(t, sensor.FaultConfig, fault.Kind)
	require.Contains(t, fault.Message, `set it to {"until"`)
}

// Timers of one process that are due in the same second are woken one after the other, and wait for it.
func TestACrowdIsWokenBeforeItsSecond(t *testing.T) {
	t.Parallel()
	b := newBench(t, `{cron: "0 12 * * *"}`, "11:59:50")
	noon := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	require.True(t, noon.Equal(b.last.NextAt))
	for i := range 100 {
		b.def.Ref, b.cursor = fmt.Sprintf("house.clock%d", i), nil
		b.poll("11:59:50")
		want := 1500*time.Millisecond + time.Duration(i-2)*5*time.Millisecond
		if i < 2 {
			want = 0 // nobody knows yet that it will be a crowd
		}
		require.Equal(t, want, noon.Sub(b.last.NextAt))
	}
	b.poll("11:59:59.500")
	require.Equal(t, []string{"12:00:00"}, b.times(), "it waits for its second")
	require.Zero(t, b.fired[0].LateMS)
	b.def.Ref, b.cursor = "house.clock1", json.RawMessage(`{"until": "2026-11-26T11:00:00Z", "schedules": null}`)
	b.poll("11:59:59.500")
	require.Empty(t, b.fired, "it is not to be woken yet")
}
