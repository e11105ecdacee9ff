package runner_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/runner"
	"github.com/attune-automation/sensors/internal/sensor"
)

type fixed string

func (f fixed) Poll(context.Context, runner.Request) (sensor.Poll, error) {
	return sensor.Poll{Skip: string(f)}, nil
}

func TestMuxPollsWithTheRunnerOfTheRuntime(t *testing.T) {
	t.Parallel()
	mux, err := runner.New(runner.Config{Runtimes: map[string]runner.Runner{"core.a": fixed("a"), "core.b": fixed("b")}})
	require.NoError(t, err)

	poll, err := mux.Poll(t.Context(), runner.Request{Sensor: sensor.Sensor{Runtime: "core.b"}})
	require.NoError(t, err)
	require.Equal(t, "b", poll.Skip)

	_, err = mux.Poll(t.Context(), runner.Request{Sensor: sensor.Sensor{Runtime: "core.c"}})
	var fault *sensor.Fault
	require.ErrorAs(t, err, &fault)
	require.Equal(t, sensor.FaultStart, fault.Kind)
	require.Contains(t, fault.Message, "\"core.c\": set the sensor's `runtime` to one of core.a, core.b")
}

func TestNewRefusesWhatCannotPoll(t *testing.T) {
	t.Parallel()
	_, err := runner.New(runner.Config{})
	require.ErrorContains(t, err, "no runtimes")
	_, err = runner.New(runner.Config{Runtimes: map[string]runner.Runner{"core.a": nil}})
	require.ErrorContains(t, err, `"core.a"`)
}
