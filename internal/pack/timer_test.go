package pack_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/pack"
	"github.com/attune-automation/sensors/internal/sensor"
)

// A timer that is over gets a warning where that is written, and can be applied.
func TestTimerThatIsOver(t *testing.T) {
	t.Parallel()
	var warnings pack.Problems
	_, err := pack.LoadFS(folderOf(t, `
-- pack.yaml --
ref: shop
-- sensors/once.yaml --
ref: shop.once
runtime: core.timer
config:
  schedules:
    - every: 1h
    - at: 2001-01-31T08:00:00Z
`), pack.Options{Known: []sensor.Trigger{{Ref: "core.timer"}}, Warn: func(p pack.Problem) { warnings = append(warnings, p) }})
	require.NoError(t, err)
	require.EqualError(t, warnings, "sensors/once.yaml:6: config.schedules[1].at: 2001-01-31T08:00:00Z is over: it will not be due any more")
}
