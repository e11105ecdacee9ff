package packs_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/runner/packs"
)

const day = 24 * time.Hour

func TestWhatIsUnusedForAWeekIsRemoved(t *testing.T) {
	t.Parallel()
	_, launcher := withLauncher(func(context.Context, packs.Command) error { return nil })
	b := setup(t, launcher)
	used, left, held := b.pack(t, "s.py", requiring("used")), b.pack(t, "s.py", requiring("left")), b.pack(t, "s.py", requiring("held"))
	b.ready(t, used)
	b.ready(t, left)
	release := b.Hold(b.ready(t, held))
	for range 4 {
		b.advance(2 * day)
		b.ready(t, used)
		require.NoError(t, b.Sweep(t.Context()))
	}
	b.sweptTo(t, 2)
	require.ElementsMatch(t, []string{used.PackDigest, held.PackDigest}, names(t, b.dir+"/packs"))

	// Another worker learns from the folders' times what is in use.
	other := setup(t, sharing(b), launcher)
	other.advance(14 * day)
	require.NoError(t, other.Sweep(t.Context()))
	require.ElementsMatch(t, []string{used.PackDigest, held.PackDigest}, names(t, b.dir+"/packs"))

	release()
	release()
	b.advance(8 * day)
	b.sweptTo(t, 0)
	b.ready(t, used)
}

// sweptTo sweeps until so many packs and dependencies are left: what an install or the sweep of another worker has in hand
// at the moment stays until the next one.
func (b *bundle) sweptTo(t *testing.T, left int) {
	t.Helper()
	require.Eventually(t, func() bool {
		err := b.Sweep(t.Context())
		return err == nil && len(names(t, b.dir+"/packs")) == left && len(names(t, b.dir+"/deps")) == left
	}, time.Minute, 10*time.Millisecond)
}

func TestLeftoversOfKilledWorkersAreRemoved(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ready(t, b.pack(t, "s.sh", map[string]string{"s.sh": ""}))
	for _, folder := range []string{"packs", "deps"} {
		require.NoError(t, os.MkdirAll(filepath.Join(b.dir, folder, ".new-1", "code"), 0o755))
	}
	require.NoError(t, b.Sweep(t.Context()))
	require.Len(t, names(t, b.dir+"/packs"), 2, "somebody may be filling it")
	b.advance(2 * day)
	require.NoError(t, b.Sweep(t.Context()))
	require.Len(t, names(t, b.dir+"/packs"), 1)
	require.Empty(t, names(t, b.dir+"/deps"))
}

func TestAnInstallInProgressIsNotRemoved(t *testing.T) {
	t.Parallel()
	installing, end := make(chan struct{}), make(chan struct{})
	_, launcher := withLauncher(func(_ context.Context, cmd packs.Command) error {
		if cmd.Args[2] == "venv" {
			close(installing)
			<-end
		}
		return nil
	})
	b := setup(t, launcher)
	s := b.pack(t, "s.py", requiring("left"))
	_, err := b.Prepare(t.Context(), s)
	require.Error(t, err)
	<-installing
	other := setup(t, sharing(b), launcher)
	other.advance(8 * day)
	require.NoError(t, other.Sweep(t.Context()))
	require.Len(t, names(t, b.dir+"/deps"), 1)
	close(end)
	b.ready(t, s)
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}
