package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

// files is a pack whose sensors look at the folders ROOT/in and ROOT/log.
const files = `
-- pack.yaml --
ref: t
-- sensors/in.yaml --
ref: t.in
runtime: core.filewatch
poll_interval: INTERVAL
config: {mode: watch, paths: [ROOT/in], settle: 200ms}
-- sensors/log.yaml --
ref: t.log
runtime: core.filewatch
poll_interval: INTERVAL
config:
  mode: tail
  paths: [ROOT/log/*.log]
  patterns: [{name: number, regex: "^number (?P<n>[0-9]+)"}]
-- rules/all.yaml --
ref: t.all
trigger: core.line
action: {ref: core.echo}
`

func applyFiles(t *testing.T, s *stack.Stack, interval string) (root string) {
	t.Helper()
	root = t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(root, "in"), 0o755))
	require.NoError(t, os.Mkdir(filepath.Join(root, "log"), 0o755))
	s.Apply(strings.NewReplacer("ROOT", root, "INTERVAL", interval).Replace(files))
	return root
}

// polled waits until both sensors have taken stock.
func polled(t *testing.T, s *stack.Stack) {
	t.Helper()
	for _, ref := range []string{"t.in", "t.log"} {
		await(t, s, ref, func(status workflows.Status) bool { return status.Polls > 0 })
	}
}

func appendText(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = f.WriteString(text)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// told returns a field of the payloads of all events of a sensor, oldest first.
func told(t *testing.T, s *stack.Stack, ref string, field func(payload map[string]any) any) []string {
	t.Helper()
	events, err := s.Store.Events(t.Context(), store.EventFilter{SensorRef: ref, Limit: 100_000})
	require.NoError(t, err)
	texts := make([]string, len(events))
	for i, e := range events {
		var payload map[string]any
		require.NoError(t, json.Unmarshal(e.Payload, &payload))
		texts[len(events)-1-i] = fmt.Sprint(field(payload))
	}
	return texts
}

// What happens to files is seen at once, however long the poll interval is.
func TestFilesWakeTheirSensors(t *testing.T) {
	t.Parallel()
	const interval = time.Hour
	s := stack.New(t, nil)
	messages := s.Watch()
	root := applyFiles(t, s, interval.String())
	s.StartWorker()
	polled(t, s)
	begun := time.Now()
	for n := 1; n <= 3; n++ {
		appendText(t, filepath.Join(root, "log/a.log"), fmt.Sprintf("number %d\nnothing\n", n))
		appendText(t, filepath.Join(root, fmt.Sprintf("in/%d", n)), "x")
		awaitEvents(t, s, "t.log", n)
		awaitEvents(t, s, "t.in", n)
	}
	require.Less(t, time.Since(begun), interval/10)
	require.Equal(t, []string{"1", "2", "3"}, told(t, s, "t.log", func(p map[string]any) any { return p["fields"].(map[string]any)["n"] }))
	s.Sound(messages)
}

// Workers are killed while files come and logs are rotated: all is told, and once.
func TestFilesWhileWorkersAreKilled(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	root := applyFiles(t, s, "1s")
	first := s.StartWorker()
	polled(t, s)
	require.NoError(t, first.Stop())
	log, n := filepath.Join(root, "log/a.log"), 0
	write := func(count int) {
		for range count {
			n++
			appendText(t, log, fmt.Sprintf("number %d\n", n))
			appendText(t, filepath.Join(root, fmt.Sprintf("in/%d", n)), "x")
		}
	}
	for round := range 4 {
		write(300)
		worker := s.StartProcess(nil)
		awaitEvents(t, s, "t.log", n-200)
		write(300)
		require.NoError(t, os.Rename(log, fmt.Sprintf("%s.%d", log, round)))
		write(50)
		worker.Kill()
		require.NoError(t, os.Rename(log, fmt.Sprintf("%s.%d.late", log, round)))
	}
	s.StartWorker()
	awaitEvents(t, s, "t.log", n)
	awaitEvents(t, s, "t.in", n)
	s.Sound(messages)

	numbers := told(t, s, "t.log", func(p map[string]any) any { return p["fields"].(map[string]any)["n"] })
	require.Len(t, numbers, n)
	for i, number := range numbers {
		require.Equal(t, fmt.Sprint(i+1), number)
	}
	seen := map[string]bool{}
	for _, change := range told(t, s, "t.in", func(p map[string]any) any { return fmt.Sprint(p["change"], p["path"]) }) {
		require.False(t, seen[change], change)
		seen[change] = true
	}
	require.Len(t, seen, n)
}

// A folder that is not there is a named failure, and its files are not taken for deleted.
func TestAFolderThatGoesAwayIsAFailure(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	root := applyFiles(t, s, "1s")
	appendText(t, filepath.Join(root, "in/kept"), "x")
	s.StartWorker()
	polled(t, s)
	require.NoError(t, os.Rename(filepath.Join(root, "in"), filepath.Join(root, "away")))
	status := await(t, s, "t.in", func(status workflows.Status) bool { return status.State == workflows.StateFailed })
	require.Contains(t, status.LastError, root+"/in is gone, with the 1 files that were in it: if it is on a mount, mount it")
	require.Empty(t, told(t, s, "t.in", func(p map[string]any) any { return p }))
}
