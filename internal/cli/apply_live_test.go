package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/store"
)

// What an author saves is what the next poll runs, without anything else being done.
func TestASavedFileTakesEffectAtTheNextPoll(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase().withTemporal().withBroker()
	b.set("ATTUNE__SENSOR__RESTART_BACKOFF", "100ms")
	b.ok("migrate")
	dir := filepath.Join(t.TempDir(), "house")
	b.ok("sensor", "new", "door", "--runtime", "python3", "--dir", dir)
	b.edit(dir, "sensors/door.yaml", "poll_interval: 30s", "poll_interval: 500ms")
	b.edit(dir, "code/door.py", "range(last + 1, 4)", "range(last + 1, last + 2)") // an item at each poll

	w := b.start("apply", "--watch", dir)
	w.says("pack house is applied")
	b.withWorker()
	b.brought("item ")
	b.edit(dir, "code/door.py", "item {n}", "thing {n}")
	b.brought("thing ")
	b.edit(dir, "code/door.py", "def poll", "def pol")
	b.becomes("house.door", "failed")
	b.edit(dir, "code/door.py", "def pol", "def poll")
	b.becomes("house.door", "running")
	w.stop()
	require.Zero(t, <-w.code, w.stderr.String())
}

func (b *bench) edit(dir, file, before, after string) {
	b.t.Helper()
	path := filepath.Join(dir, file)
	text, err := os.ReadFile(path)
	require.NoError(b.t, err)
	require.Contains(b.t, string(text), before)
	require.NoError(b.t, os.WriteFile(path, []byte(strings.Replace(string(text), before, after, 1)), 0o600))
}

// brought waits for an event whose payload holds the text.
func (b *bench) brought(text string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		events, err := b.store.Events(b.ctx, store.EventFilter{Limit: 1})
		require.NoError(b.t, err)
		return len(events) > 0 && strings.Contains(string(events[0].Payload), text)
	}, patience, tick)
}
