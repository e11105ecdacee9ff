package sensorlog_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/attune-automation/sensors/internal/sensorlog"
)

func TestLines(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "logs")
	d := open(t, sensorlog.Config{Dir: dir})
	w := d.Writer(ref)
	at := time.Date(2026, 1, 31, 10, 30, 0, 123_999_999, time.FixedZone("CET", 3600))
	w.WriteLine(at, sensorlog.SourceInfo, "text")
	w.WriteLine(at, sensorlog.SourceWarning, "tab\tis kept, \x1b[31mred\x07 \x00 \u202e \u0085 \x7f is not")
	w.WriteLine(at, sensorlog.SourceStdout, "not UTF-8: \xff\xfe, is: pässword 🔑")
	w.WriteLine(at, sensorlog.SourceError, "two\r\nlines\n")
	w.WriteLine(at, sensorlog.SourceStderr, "")
	w.WriteLine(at, sensorlog.SourceDebug, strings.Repeat("x", 20_000))
	w.Close()
	w.WriteLine(at, sensorlog.SourceInfo, "too late")
	require.Equal(t, `2026-01-31T09:30:00.123Z info    text
2026-01-31T09:30:00.123Z warning tab	is kept, \x1b[31mred\a \x00 \u202e \u0085 \x7f is not
2026-01-31T09:30:00.123Z stdout  not UTF-8: `+"\uFFFD\uFFFD"+`, is: pässword 🔑
2026-01-31T09:30:00.123Z error   two
2026-01-31T09:30:00.123Z error   lines
2026-01-31T09:30:00.123Z stderr  
2026-01-31T09:30:00.123Z debug   `+strings.Repeat("x", 16<<10)+`... (3616 bytes more)
`, content(t, dir, "worker-0", "shop.orders.log"))

	lines, err := sensorlog.Read(sensorlog.Query{Dir: dir, Ref: ref})
	require.NoError(t, err)
	require.Equal(t, sensorlog.Line{Time: at.UTC().Truncate(time.Millisecond), Source: "info", Text: "text"}, lines[0])
	require.Len(t, lines, 7)
	var again strings.Builder
	for _, l := range lines {
		again.WriteString(l.String() + "\n")
	}
	require.Equal(t, content(t, dir, "worker-0", "shop.orders.log"), again.String())
}

func TestOnlyTheWorkersUserReads(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "deep", "logs")
	poll(open(t, sensorlog.Config{Dir: dir}), "x")
	for name, want := range map[string]os.FileMode{"": 0o700, "worker-0": 0o700, "worker-0/shop.orders.log": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, want, info.Mode().Perm(), name)
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := open(t, sensorlog.Config{Dir: dir, MaxBytes: 1 << 10, MaxFiles: 3})
	for _, n := range numbers(0, 200) {
		poll(d, n)
	}
	files, err := filepath.Glob(filepath.Join(dir, "worker-0", "shop*"))
	require.NoError(t, err)
	require.Len(t, files, 3)
	for _, path := range files {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.LessOrEqual(t, info.Size(), int64(1<<10))
	}
	kept := read(t, sensorlog.Query{Dir: dir})
	require.Greater(t, len(kept), 60)
	require.Equal(t, numbers(200-len(kept), 200), kept)

	require.NoError(t, d.Close())
	one := open(t, sensorlog.Config{Dir: dir, MaxBytes: 1 << 10, MaxFiles: 1})
	for _, n := range numbers(200, 300) {
		poll(one, n)
	}
	files, err = filepath.Glob(filepath.Join(dir, "worker-0", "shop*"))
	require.NoError(t, err)
	require.Len(t, files, 1, "what were more files once is gone")
}

// What a poll says is there while it runs, and no file stays open behind it.
func TestLinesAreThereWhileThePollRuns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := open(t, sensorlog.Config{Dir: dir})
	w, other := d.Writer(ref), d.Writer(ref)
	for i := range 2 {
		w.WriteLine(noon, sensorlog.SourceInfo, "x")
		require.Eventually(t, func() bool { return len(read(t, sensorlog.Query{Dir: dir})) == i+1 }, patience, tick)
	}
	path := filepath.Join(dir, "worker-0", "shop.orders.log")
	require.Equal(t, 1, descriptors(t, path))
	w.Close()
	w.Close()
	require.Equal(t, 1, descriptors(t, path), "another poll is going on")
	other.Close()
	require.Zero(t, descriptors(t, path))
}

// descriptors returns how many of this process's descriptors are of a file.
func descriptors(t *testing.T, path string) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	n := 0
	for _, entry := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + entry.Name()); err == nil && to == path {
			n++
		}
	}
	return n
}

func TestConcurrentPolls(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := open(t, sensorlog.Config{Dir: dir, MaxBytes: 4 << 10, MaxFiles: 1000})
	var polls sync.WaitGroup
	for p := range 8 {
		polls.Go(func() {
			for i := range 50 {
				w := d.Writer(ref)
				for j := range 5 {
					w.WriteLine(noon.Add(time.Duration(5*i+j)*time.Second), sensorlog.SourceStdout, fmt.Sprintf("%d %d", p, 5*i+j))
				}
				w.Close()
			}
		})
	}
	polls.Wait()
	seen := map[string]bool{}
	for _, text := range read(t, sensorlog.Query{Dir: dir}) {
		require.False(t, seen[text], text)
		seen[text] = true
	}
	require.Len(t, seen, 8*250)
}

func TestEachWorkerHasItsOwnPlace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second := open(t, sensorlog.Config{Dir: dir}), open(t, sensorlog.Config{Dir: dir})
	poll(first, "first")
	poll(second, "second")
	require.Contains(t, content(t, dir, "worker-0", "shop.orders.log"), "first")
	require.Contains(t, content(t, dir, "worker-1", "shop.orders.log"), "second")

	require.NoError(t, first.Close())
	again := open(t, sensorlog.Config{Dir: dir})
	poll(again, "again")
	require.Contains(t, content(t, dir, "worker-0", "shop.orders.log"), "again")
	poll(first, "closed")
	require.ElementsMatch(t, []string{"first", "second", "again"}, read(t, sensorlog.Query{Dir: dir}))
}

func TestMissingFolderIsMadeAgain(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "logs")
	d := open(t, sensorlog.Config{Dir: dir})
	poll(d, "before")
	stream := d.Writer(ref)
	defer stream.Close()
	stream.WriteLine(noon, sensorlog.SourceInfo, "before")
	require.Eventually(t, func() bool { return len(read(t, sensorlog.Query{Dir: dir})) == 2 }, patience, tick)
	require.NoError(t, os.RemoveAll(dir))
	stream.WriteLine(noon, sensorlog.SourceInfo, "after")
	require.Eventually(t, func() bool { return len(read(t, sensorlog.Query{Dir: dir})) == 1 }, patience, tick)
	other := open(t, sensorlog.Config{Dir: dir})
	poll(other, "other")
	require.Contains(t, content(t, dir, "worker-1", "shop.orders.log"), "other", "the place is still taken")
}

func TestLostLinesAreReportedOnceInAWhile(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "logs")
	core, logged := observer.New(zap.InfoLevel)
	d := open(t, sensorlog.Config{Dir: dir, Logger: zap.New(core)})
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.WriteFile(dir, nil, 0o600), "a file where the folder was")
	for range 50 {
		poll(d, "lost", "lost")
	}
	w := d.Writer("../../escape")
	w.WriteLine(noon, sensorlog.SourceInfo, "lost")
	w.Close()
	require.Equal(t, 1, logged.Len())
	require.Equal(t, ref, logged.All()[0].ContextMap()["sensor_ref"])
	require.EqualValues(t, 2, logged.All()[0].ContextMap()["lines"])

	require.NoError(t, os.Remove(dir))
	poll(d, "found")
	require.Equal(t, []string{"found"}, read(t, sensorlog.Query{Dir: dir}))
}

// A sensor's code may have the worker's user, and put a link where its log will be.
func TestLinksAreNotFollowed(t *testing.T) {
	t.Parallel()
	dir, victim := t.TempDir(), filepath.Join(t.TempDir(), "victim")
	require.NoError(t, os.WriteFile(victim, []byte("precious"), 0o600))
	core, logged := observer.New(zap.InfoLevel)
	d := open(t, sensorlog.Config{Dir: dir, Logger: zap.New(core)})
	require.NoError(t, os.Symlink(victim, filepath.Join(dir, "worker-0", "shop.orders.log")))
	poll(d, "lost")
	require.Equal(t, 1, logged.Len())
	require.Equal(t, "precious", content(t, victim))
}

// A disk that was full, or a machine that died, cut the last line off.
func TestLineBehindOneThatWasCutOff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := open(t, sensorlog.Config{Dir: dir})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "worker-0", "shop.orders.log"),
		[]byte("2026-01-31T12:00:00.000Z info    whole\n2026-01-31T12:00:0"), 0o600))
	poll(d, "next")
	require.Equal(t, []string{"whole", "next"}, read(t, sensorlog.Query{Dir: dir}))
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	inTheWay := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(inTheWay, nil, 0o600))
	for want, c := range map[string]sensorlog.Config{
		"Dir is empty":         {Logger: zap.NewNop()},
		"MaxBytes is 10":       {Dir: inTheWay, MaxBytes: 10, Logger: zap.NewNop()},
		"MaxFiles is -1":       {Dir: inTheWay, MaxFiles: -1, Logger: zap.NewNop()},
		"Logger is missing":    {Dir: inTheWay},
		"let the worker write": {Dir: inTheWay, Logger: zap.NewNop()},
	} {
		_, err := sensorlog.Open(c)
		require.ErrorContains(t, err, want)
	}
}

func BenchmarkWriteLine(b *testing.B) {
	d, err := sensorlog.Open(sensorlog.Config{Dir: b.TempDir(), Logger: zap.NewNop()})
	require.NoError(b, err)
	defer func() { require.NoError(b, d.Close()) }()
	const line = "2026-01-31 09:30:00 INFO fetched 12 items from https://api.example.com/v1/items"
	b.Run("line", func(b *testing.B) {
		w := d.Writer(ref)
		defer w.Close()
		b.SetBytes(int64(len(line)))
		for b.Loop() {
			w.WriteLine(noon, sensorlog.SourceStdout, line)
		}
	})
	b.Run("poll of one line", func(b *testing.B) {
		for b.Loop() {
			w := d.Writer("shop.other")
			w.WriteLine(noon, sensorlog.SourceStdout, line)
			w.Close()
		}
	})
	b.Run("silent poll", func(b *testing.B) {
		for b.Loop() {
			d.Writer("shop.silent").Close()
		}
	})
}
