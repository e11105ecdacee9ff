package workflows

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// The histories were recorded by scripts/record-histories from a release. They show that a sensor which runs while its
// worker is upgraded goes on: a change of the workflows that breaks this is refused here.
func TestRecordedHistoriesReplay(t *testing.T) {
	t.Parallel()
	for _, file := range recorded(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			replayer := worker.NewWorkflowReplayer()
			Register(replayer)
			require.NoError(t, replayer.ReplayWorkflowHistoryFromJSONFile(silent{}, file))
		})
	}
}

// A workflow that does anything else than what was recorded is refused, by every history that it has.
func TestAnotherWorkflowDoesNotReplay(t *testing.T) {
	t.Parallel()
	for _, file := range recorded(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			replayer := worker.NewWorkflowReplayer()
			for _, name := range []string{"Sensor", "SensorManager", "EmitEvent", "Group", "OpenGroups"} {
				replayer.RegisterWorkflowWithOptions(hesitant, workflow.RegisterOptions{Name: name})
			}
			require.ErrorContains(t, replayer.ReplayWorkflowHistoryFromJSONFile(silent{}, file), nondeterminism)
		})
	}
}

// nondeterminism is the code of Temporal's errors by which a replay is refused.
const nondeterminism = "TMPRL1100"

// hesitant sleeps before it does what was recorded.
func hesitant(ctx workflow.Context) error {
	return workflow.Sleep(ctx, time.Hour)
}

// recorded returns the files of the recorded histories.
func recorded(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "histories", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

// silent is a logger that says nothing.
type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}
