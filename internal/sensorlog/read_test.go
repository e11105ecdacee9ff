package sensorlog_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensorlog"
)

func TestReadMergesWorkersByTime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	workers := []*sensorlog.Dir{
		open(t, sensorlog.Config{Dir: dir, MaxBytes: 1 << 10}), open(t, sensorlog.Config{Dir: dir, MaxBytes: 1 << 10, MaxFiles: 10}),
	}
	for n := range 60 {
		w := workers[n/10%2].Writer(ref) // the sensor moves now and then
		w.WriteLine(noon.Add(time.Duration(n)*time.Second), sensorlog.SourceStdout, strconv.Itoa(n))
		w.Close()
	}
	require.Equal(t, numbers(0, 60), read(t, sensorlog.Query{Dir: dir}))
	require.Equal(t, numbers(25, 60), read(t, sensorlog.Query{Dir: dir, Last: 35}))
	require.Equal(t, numbers(59, 60), read(t, sensorlog.Query{Dir: dir, Last: 1}))
	require.Equal(t, numbers(48, 60), read(t, sensorlog.Query{Dir: dir, Since: noon.Add(48 * time.Second)}))
	require.Equal(t, numbers(58, 60), read(t, sensorlog.Query{Dir: dir, Since: noon.Add(48 * time.Second), Last: 2}))
	require.Empty(t, read(t, sensorlog.Query{Dir: dir, Since: noon.Add(time.Hour)}))
}

func TestReadFindsNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	poll(open(t, sensorlog.Config{Dir: dir}), "x")
	require.Empty(t, read(t, sensorlog.Query{Dir: dir, Ref: "shop.other"}))
	require.Empty(t, read(t, sensorlog.Query{Dir: filepath.Join(dir, "none")}))
	_, err := sensorlog.Read(sensorlog.Query{Dir: dir, Ref: "../x"})
	require.ErrorContains(t, err, `bad ref "../x"`)
}

func TestReadSkipsWhatIsNoLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "worker-7"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "worker-7", "shop.orders.log"), []byte(strings.Join([]string{
		"", "some text of some other program that is long", "2026-01-31T09:30:00.123Z", "2026-01-31T09:30:00.123Z ",
		"2026-01-31T09:30:00.123Z info", "2026-01-31T09:30:00.123Z   text", "2026-13-31T09:30:00.123Z info    text",
		"2026-01-31T09:30:00.123Z info    good", "2026-01-31T09:30:00.123Z another-source good too", "2026-01-31T09:30:00.123Z info    no end",
	}, "\n")), 0o600))
	require.Equal(t, []string{"good", "good too"}, read(t, sensorlog.Query{Dir: dir}))
}

// follower collects what Follow emits.
type follower struct {
	mu    sync.Mutex
	lines []string
	began bool
	stop  context.CancelFunc
	done  chan error
}

func follow(t *testing.T, q sensorlog.Query) *follower {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := &follower{stop: cancel, done: make(chan error, 1)}
	go func() {
		f.done <- sensorlog.Follow(ctx, q, func(lines []sensorlog.Line) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.began = true
			f.lines = append(f.lines, texts(lines)...)
			return nil
		})
	}()
	t.Cleanup(cancel)
	require.Eventually(t, func() bool { f.mu.Lock(); defer f.mu.Unlock(); return f.began }, patience, tick)
	return f
}

func (f *follower) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string{}, f.lines...)
}

func (f *follower) waitFor(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return len(f.seen()) >= n }, patience, tick)
}

func TestFollow(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "logs")
	f := follow(t, sensorlog.Query{Dir: dir, Ref: ref})
	d := open(t, sensorlog.Config{Dir: dir})
	poll(d, "1")
	f.waitFor(t, 1)
	poll(d, "2", "3")
	f.waitFor(t, 3)
	poll(open(t, sensorlog.Config{Dir: dir}), "4") // a second worker
	f.waitFor(t, 4)

	path := filepath.Join(dir, "worker-0", "shop.orders.log")
	begun, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	require.NoError(t, err)
	defer func() { require.NoError(t, begun.Close()) }()
	_, err = begun.WriteString(noon.Format(time.RFC3339)[:19] + ".000Z info    half a ")
	require.NoError(t, err)
	poll(open(t, sensorlog.Config{Dir: dir}), "5")
	f.waitFor(t, 5)
	_, err = begun.WriteString("line\n")
	require.NoError(t, err)
	f.waitFor(t, 6)
	require.NoError(t, os.Truncate(path, 0))
	poll(d, "emptied")
	f.waitFor(t, 7)
	require.Equal(t, []string{"1", "2", "3", "4", "5", "half a line", "emptied"}, f.seen())
	f.stop()
	require.NoError(t, <-f.done)
}

func TestFollowBeginsWithTheLastLines(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := open(t, sensorlog.Config{Dir: dir, MaxBytes: 1 << 10})
	for _, n := range numbers(0, 100) {
		poll(d, n)
	}
	f := follow(t, sensorlog.Query{Dir: dir, Ref: ref, Last: 40})
	require.Equal(t, numbers(60, 100), f.seen())
	poll(d, numbers(100, 150)...)
	f.waitFor(t, 90)
	require.Equal(t, numbers(60, 150), f.seen(), "what is added counts as a whole")
}

// A follower misses nothing and repeats nothing while files rotate, several times between two of its looks too.
func TestFollowAcrossRotation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := open(t, sensorlog.Config{Dir: dir, MaxBytes: 1 << 10, MaxFiles: 200})
	f := follow(t, sensorlog.Query{Dir: dir, Ref: ref})
	for _, n := range numbers(0, 3000) {
		poll(d, n)
	}
	f.waitFor(t, 3000)
	require.Equal(t, numbers(0, 3000), f.seen())
	files, err := filepath.Glob(filepath.Join(dir, "worker-0", "shop.orders.log*"))
	require.NoError(t, err)
	require.Greater(t, len(files), 90)
}

// Files that are gone before the follower looks are missed; what is there goes on.
func TestFollowGoesOnWhenItsFileIsGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := open(t, sensorlog.Config{Dir: dir, MaxBytes: 1 << 10, MaxFiles: 1})
	poll(d, "begin")
	f := follow(t, sensorlog.Query{Dir: dir, Ref: ref})
	for _, n := range numbers(0, 1000) {
		poll(d, n)
	}
	poll(d, "end")
	require.Eventually(t, func() bool { s := f.seen(); return s[len(s)-1] == "end" }, patience, tick)
	require.Equal(t, "begin", f.seen()[0])
}

func TestFollowEndsWithItsReader(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	poll(open(t, sensorlog.Config{Dir: dir}), "x")
	broken := errors.New("broken pipe")
	err := sensorlog.Follow(t.Context(), sensorlog.Query{Dir: dir, Ref: ref}, func([]sensorlog.Line) error { return broken })
	require.ErrorIs(t, err, broken)
	err = sensorlog.Follow(t.Context(), sensorlog.Query{Dir: dir, Ref: "x"}, func([]sensorlog.Line) error { return nil })
	require.ErrorContains(t, err, "bad ref")
}
