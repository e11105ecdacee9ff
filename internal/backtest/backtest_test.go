package backtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/backtest"
	"github.com/attune-automation/sensors/internal/correlation"
	"github.com/attune-automation/sensors/internal/sensor"
)

// numbers are events with an n from 1 on, one a minute, of which the source has so many.
type numbers int

var begin = time.Date(2026, 1, 2, 0, 30, 0, 0, time.UTC)

func (n numbers) ReplayEvents(_ context.Context, _ sensor.Replay, after int64, limit int) ([]sensor.Event, error) {
	var events []sensor.Event
	for id := after + 1; id <= int64(n) && len(events) < limit; id++ {
		events = append(events, sensor.Event{
			ID: id, Payload: fmt.Appendf(nil, `{"n": %d}`, id), Config: json.RawMessage(`{}`), Created: begin.Add(time.Duration(id) * time.Minute),
		})
	}
	return events, nil
}

func over(n int) *sensor.Rule {
	return &sensor.Rule{Version: int64(n), Conditions: fmt.Appendf(nil, `[{"field": "n", "operator": "greater_than", "value": %d}]`, n)}
}

func ids(samples []backtest.Sample) (ids []int64) {
	for _, s := range samples {
		ids = append(ids, s.EventID)
	}
	return ids
}

func TestRun(t *testing.T) {
	t.Parallel()
	var progress [][2]int64
	report, err := backtest.Run(t.Context(), backtest.Config{
		Source: numbers(1200), Rule: over(1090), Other: over(1100),
		Progress: func(events, matches int64) { progress = append(progress, [2]int64{events, matches}) },
	})
	require.NoError(t, err)
	require.EqualValues(t, 1200, report.Events)
	require.EqualValues(t, 110, report.Matches)
	require.Equal(t, []int64{1200, 1199, 1198, 1197, 1196}, ids(report.Sample))
	require.JSONEq(t, `{"n": 1200}`, string(report.Sample[0].Payload))
	// Event 1091 is at 18:41, and 1200 at 20:30: the hour from 19:00 has 60 of them.
	require.Equal(t, time.Date(2026, 1, 2, 19, 0, 0, 0, time.UTC), *report.Busiest)
	require.EqualValues(t, 60, report.BusiestMatches)
	require.Equal(t, [][2]int64{{500, 0}, {1000, 0}, {1200, 110}}, progress)
	c := report.Compared
	require.Equal(t, []int64{1100, 100, 10, 0}, []int64{c.Version, c.Both, c.More, c.Fewer})
	require.Equal(t, []int64{1100, 1099, 1098, 1097, 1096}, ids(c.Added))

	report, err = backtest.Run(t.Context(), backtest.Config{Source: numbers(10), Rule: over(8), Other: over(5)})
	require.NoError(t, err)
	require.Equal(t, []int64{8, 7, 6}, ids(report.Compared.Dropped))
	require.EqualValues(t, 3, report.Compared.Fewer)
}

func TestRunOfNothing(t *testing.T) {
	t.Parallel()
	report, err := backtest.Run(t.Context(), backtest.Config{Source: numbers(0), Rule: over(1)})
	require.NoError(t, err)
	require.Equal(t, backtest.Report{Sample: []backtest.Sample{}}, report)
	_, err = backtest.Run(t.Context(), backtest.Config{Rule: over(1)})
	require.ErrorContains(t, err, "Source is missing")
	_, err = backtest.Run(t.Context(), backtest.Config{Source: numbers(0)})
	require.ErrorContains(t, err, "Rule is missing")
	_, err = backtest.Run(t.Context(), backtest.Config{Source: broken{}, Rule: over(1)})
	require.ErrorIs(t, err, errBroken)
}

type broken struct{}

var errBroken = errors.New("broken")

func (broken) ReplayEvents(context.Context, sensor.Replay, int64, int) ([]sensor.Event, error) {
	return nil, errBroken
}

// Of a rule with a throttle, the enforcements are counted that would be left of its matches, and likewise of the other one.
func TestRunSimulatesThrottles(t *testing.T) {
	t.Parallel()
	throttled := over(0)
	throttled.Throttle = json.RawMessage(`{"once_within": "10m"}`)
	report, err := backtest.Run(t.Context(), backtest.Config{Source: numbers(1200), Rule: throttled, Other: over(1190)})
	require.NoError(t, err)
	require.EqualValues(t, 1200, report.Matches)
	require.EqualValues(t, 120, *report.Enforcements)
	require.EqualValues(t, 10, *report.Compared.Enforcements)

	throttled.Throttle = json.RawMessage(`{"at_least": 4, "within": "1h", "group_by": ["n"]}`)
	report, err = backtest.Run(t.Context(), backtest.Config{Source: numbers(1200), Rule: throttled})
	require.NoError(t, err)
	require.Zero(t, *report.Enforcements)
}

// Events that the expression has no result for are not among the matches, and the report says so.
func TestRunSaysWhatHasNoResult(t *testing.T) {
	t.Parallel()
	brittle, other := over(0), over(0)
	brittle.CEL, other.CEL = `10 / (payload.n - 3) > 0`, `payload.n < 3 || payload.nope`
	report, err := backtest.Run(t.Context(), backtest.Config{Source: numbers(5), Rule: brittle, Other: other})
	require.NoError(t, err)
	require.EqualValues(t, 2, report.Matches)
	require.EqualValues(t, 1, report.Errors)
	require.Equal(t, backtest.Error{EventID: 3, At: begin.Add(3 * time.Minute), Reason: report.LastError.Reason}, *report.LastError)
	require.Contains(t, report.LastError.Reason, "division by zero")
	require.EqualValues(t, 3, report.Compared.Errors)
}

// Of a correlation, what its groups would have ordered is counted: those that wait for something to be absent when their time
// was over.
func TestRunSimulatesCorrelations(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		absent bool
		want   int64
	}{{false, 2}, {true, 1}} {
		d := &correlation.Definition{Rule: "t.pair", Within: 3 * time.Minute, Ordered: true, Parts: []correlation.Part{
			{Name: correlation.First, Trigger: "t.even"}, {Name: "odd", Trigger: "t.odd", Absent: c.absent},
		}}
		part := func(i int, numbers string) sensor.Rule {
			encoded, err := d.Encode(i)
			require.NoError(t, err)
			return sensor.Rule{Ref: d.Ref(i), TriggerRef: d.Parts[i].Trigger, Correlation: encoded,
				Conditions: fmt.Appendf(nil, `[{"field": "n", "operator": "in", "value": %s}]`, numbers)}
		}
		first, second := part(0, "[2, 10, 20, 30]"), part(1, "[3, 10, 11, 25]")
		report, err := backtest.Run(t.Context(), backtest.Config{
			Source: parity(40), Rule: &first, Parts: []sensor.Rule{second}, Until: begin.Add(32 * time.Minute), Other: plain("t.odd"),
		})
		require.NoError(t, err)
		require.EqualValues(t, 4+3, report.Matches) // 10 is no event of t.odd
		require.Equal(t, c.want, *report.Enforcements)
		require.EqualValues(t, 20, *report.Compared.Enforcements)
	}
}

func plain(trigger string) *sensor.Rule {
	return &sensor.Rule{TriggerRef: trigger, Conditions: json.RawMessage(`[]`)}
}

// parity are numbers of two triggers.
type parity int

func (p parity) ReplayEvents(ctx context.Context, selection sensor.Replay, after int64, limit int) ([]sensor.Event, error) {
	events, err := numbers(p).ReplayEvents(ctx, selection, after, limit)
	for i := range events {
		events[i].TriggerRef = []string{"t.even", "t.odd"}[events[i].ID%2]
	}
	return events, err
}
