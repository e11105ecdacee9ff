package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/attune-automation/sensors/internal/sensor"
)

func TestTranslate(t *testing.T) {
	t.Parallel()
	fault := &sensor.Fault{Kind: sensor.FaultTimeout, Message: "took too long", Log: []string{"waiting"}}
	for name, c := range map[string]struct {
		err  error
		want string // type of a final error; empty: tried again
	}{
		"the sensor's own fault":         {fmt.Errorf("polling: %w", fault), TypeSensorError},
		"what is not there":              {fmt.Errorf("emitting: %w", sensor.ErrNotFound), TypeRefused},
		"a disabled trigger":             {sensor.ErrDisabled, TypeRefused},
		"a cursor that cannot be kept":   {sensor.ErrRejectedPayload, TypeRefused},
		"an edit of the cursor too soon": {sensor.ErrBatchInHand, TypeBatchInHand},
		"an outage":                      {errors.New("connection refused"), ""},
		"a lost race":                    {sensor.ErrTurnLost, ""},
		"a cancellation":                 {context.Canceled, ""},
	} {
		err := translate(c.err)
		var app *temporal.ApplicationError
		if c.want == "" {
			require.Equal(t, c.err, err, name)
			continue
		}
		require.ErrorAs(t, err, &app, name)
		require.Equal(t, c.want, app.Type(), name)
		require.True(t, app.NonRetryable(), name)
	}
	require.NoError(t, translate(nil))
}

func TestWhatAStoppingWorkerHandsBackIsTriedSoon(t *testing.T) {
	t.Parallel()
	var app *temporal.ApplicationError
	require.ErrorAs(t, translate(errWorkerStopping), &app)
	require.False(t, app.NonRetryable())
	require.Equal(t, handOver, app.NextRetryDelay())
}

func TestFailuresStaySmallInHistory(t *testing.T) {
	t.Parallel()
	err := translate(&sensor.Fault{Kind: sensor.FaultException, Message: "first", Traceback: strings.Repeat("x", 1<<20), Log: []string{"last"}})
	require.Less(t, len(err.Error()), maxMessage+1000)
	require.Contains(t, err.Error(), "first")
	require.Contains(t, err.Error(), "last")
}
