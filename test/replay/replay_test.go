// Package replay lives through what sensors live through, on real servers, and replays the histories that this leaves.
// With -record it keeps them for the replay tests of package workflows: see scripts/record-histories.
package replay

import (
	"flag"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"
	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/logging"
	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

var record = flag.String("record", "", "write the histories to this folder")

func TestMain(m *testing.M) { stack.Main(m) }

func TestWhatHappenedReplays(t *testing.T) {
	t.Parallel()
	if *record != "" {
		empty(t, *record)
	}
	for _, scenario := range scenarios() {
		t.Run(scenario.name, func(t *testing.T) {
			t.Parallel()
			s := stack.New(t, map[string]string{"SENSOR__MANAGER_INTERVAL": "3s"})
			runs := histories(t, s, scenario.live(t, s))[scenario.from:]
			for i, h := range runs {
				if *record != "" { // first: a replay changes what it reads
					write(t, filepath.Join(*record, fileName(scenario.name, i, len(runs))), h)
				}
				replayer := worker.NewWorkflowReplayer()
				workflows.Register(replayer)
				require.NoError(t, replayer.ReplayWorkflowHistory(logging.Temporal(zap.NewNop()), h))
			}
		})
	}
}
