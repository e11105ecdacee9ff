package notify

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/sys/unix"
)

const patience = 30 * time.Second

func start(t *testing.T) (*Notifier, chan string, *observer.ObservedLogs) {
	t.Helper()
	woken := make(chan string, 1000)
	core, logs := observer.New(zap.WarnLevel)
	n := New(Config{Wake: func(ref string) { woken <- ref }, Logger: zap.New(core)})
	t.Cleanup(func() { require.NoError(t, n.Close()) })
	require.NotNil(t, n.kernel)
	return n, woken, logs
}

// look plays a poll that looks into folders.
func look(n *Notifier, ref string, folders ...string) *Watch {
	w := n.Begin(ref, time.Minute)
	for _, folder := range folders {
		w.Add(folder)
	}
	w.End()
	return w
}

func write(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
}

func receive(t *testing.T, woken chan string) string {
	t.Helper()
	select {
	case ref := <-woken:
		return ref
	case <-time.After(patience):
		require.Fail(t, "nobody was woken")
		return ""
	}
}

func TestWhatHappensWakes(t *testing.T) {
	t.Parallel()
	n, woken, _ := start(t)
	a, b := t.TempDir(), t.TempDir()
	look(n, "t.a", a)
	look(n, "t.b", b)
	write(t, filepath.Join(b, "x"))
	require.Equal(t, "t.b", receive(t, woken))
	write(t, filepath.Join(a, "x"))
	require.Equal(t, "t.a", receive(t, woken))

	require.NoError(t, os.Remove(filepath.Join(a, "x")))
	require.Equal(t, "t.a", receive(t, woken))

	look(n, "t.a")
	require.Equal(t, []string{b}, n.kernel.WatchList(), "a is looked into no more")
}

// A folder that is made anew under the same name is another one.
func TestAFolderMadeAnew(t *testing.T) {
	t.Parallel()
	n, woken, _ := start(t)
	dir := filepath.Join(t.TempDir(), "dir")
	for range 3 {
		require.NoError(t, os.Mkdir(dir, 0o755))
		look(n, "t.a", dir)
		write(t, filepath.Join(dir, "x"))
		require.Equal(t, "t.a", receive(t, woken))
		require.NoError(t, os.RemoveAll(dir))
		require.Equal(t, "t.a", receive(t, woken))
	}
}

// A file that is written all the time does not keep the sensor at polling all the time.
func TestManyEventsWakeRarely(t *testing.T) {
	t.Parallel()
	n, woken, _ := start(t)
	dir := t.TempDir()
	look(n, "t.a", dir)
	begun := time.Now()
	for i := 0; len(woken) < 2; i++ {
		require.Less(t, time.Since(begun), patience)
		write(t, filepath.Join(dir, fmt.Sprint(i%100)))
	}
	require.GreaterOrEqual(t, time.Since(begun), pause)
}

func TestSensorsThatAreNotPolledAreForgotten(t *testing.T) {
	t.Parallel()
	n, _, _ := start(t)
	look(n, "t.a", t.TempDir())
	n.sweep(time.Now().Add(idle - time.Minute))
	require.Len(t, n.kernel.WatchList(), 1)
	n.sweep(time.Now().Add(idle + time.Minute))
	require.Empty(t, n.kernel.WatchList())
	require.Empty(t, n.sensors)
	require.Empty(t, n.folders)
}

// Limits of the kernel are said once, and polls go on.
func TestLimits(t *testing.T) {
	t.Parallel()
	n, woken, logs := start(t)
	for range 2 {
		n.complain(fmt.Errorf("adding: %w", unix.ENOSPC))
	}
	require.Equal(t, 1, logs.Len())
	require.Equal(t, "raise fs.inotify.max_user_watches (sysctl)", logs.All()[0].ContextMap()["remedy"])

	w := look(n, "t.a", filepath.Join(t.TempDir(), "gone"))
	require.NoError(t, w.Refused(), "a folder that vanished is no limit")

	n.failed(fsnotify.ErrEventOverflow)
	require.Equal(t, "t.a", receive(t, woken), "events were lost, so that there may be something")

	none := &Notifier{}
	require.Error(t, look(&Notifier{sensors: map[string]*sensor{}, folders: none.folders}, "t.a", "/tmp").Refused())
}
