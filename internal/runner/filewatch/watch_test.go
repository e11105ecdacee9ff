package filewatch

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/runner/filewatch/walk"
	"github.com/attune-automation/sensors/internal/sensor"
)

func watching(t *testing.T, more map[string]any) *bench {
	t.Helper()
	config := map[string]any{"mode": "watch", "paths": []string{"ROOT"}}
	for key, value := range more {
		config[key] = value
	}
	return newBench(t, config)
}

func TestWhatHappensToFiles(t *testing.T) {
	t.Parallel()
	b := watching(t, nil)
	b.write("old", "1")
	b.write("dir/moved", "2")
	require.Empty(t, b.settled(), "what was there before is not told")

	b.write("new", "3")
	b.write("old", "longer")
	b.rename("dir/moved", "other/place")
	require.Equal(t, []string{"created new", "modified old", "moved dir/moved other/place"}, b.settled())
	require.Empty(t, b.settled(), "it is told once")

	b.remove("new")
	b.rename("other", "renamed")
	require.Equal(t, []string{"deleted new", "moved other/place renamed/place"}, b.settled())
	require.Zero(t, b.loads, "the state is in memory")

	var p filePayload
	require.NoError(t, json.Unmarshal(b.items[1].Payload, &p))
	require.Equal(t, int64(6), p.Size)
	require.Equal(t, int64(1), *p.PreviousSize)
	require.False(t, b.items[1].OccurredAt.IsZero())
	require.Equal(t, b.items[1].OccurredAt.Format(time.RFC3339Nano), p.ModifiedAt)
}

// What happens while no worker is there is told once by the next.
func TestChangesWhileDown(t *testing.T) {
	t.Parallel()
	b := watching(t, nil)
	b.write("a", "1")
	b.write("b", "1")
	b.settled()
	for range 2 {
		b.restart()
		require.Empty(t, b.settled())
	}
	b.remove("a")
	b.rename("b", "c")
	b.write("d", "1")
	b.restart()
	require.Equal(t, []string{"moved b c", "created d", "deleted a"}, sortedLast(b.settled()))
	b.restart()
	require.Empty(t, b.settled())
	require.Equal(t, 4, b.loads)
}

// sortedLast moves what was told of a deletion, which needs a second look, behind the rest.
func sortedLast(told []string) (out []string) {
	var last []string
	for _, text := range told {
		if strings.HasPrefix(text, "deleted") {
			last = append(last, text)
		} else {
			out = append(out, text)
		}
	}
	return append(out, last...)
}

func TestAFileIsToldWhenItIsQuiet(t *testing.T) {
	t.Parallel()
	b := watching(t, map[string]any{"settle": "5s"})
	b.poll()
	for i := range 5 {
		b.append("big", "more")
		res, told := b.poll()
		require.Empty(t, told)
		require.Equal(t, b.clock.Add(5*time.Second), res.NextAt)
		b.clock = b.clock.Add(time.Duration(i+1) * time.Second)
	}
	b.clock = b.clock.Add(time.Second)
	_, told := b.poll()
	require.Equal(t, []string{"created big"}, told)

	b.remove("big")
	_, told = b.poll()
	require.Empty(t, told)
	b.write("big", "anew")
	require.Equal(t, []string{"modified big"}, b.settled(), "an editor that saves by deleting does not delete")

	b.restart()
	b.write("fresh", "x")
	b.clock = b.clock.Add(5*time.Second + 2*trusted)
	_, told = b.poll()
	require.Equal(t, []string{"created fresh"}, told, "a worker that has just come sees that it is old")
}

// A rename is atomic, a scan is not: it may see a file at neither of its places.
func TestAMoveThatAScanMissed(t *testing.T) {
	t.Parallel()
	b := watching(t, nil)
	b.write("z/file", "x")
	b.settled()
	hidden := t.TempDir() + "/file"
	require.NoError(t, os.Rename(b.path("z/file"), hidden))
	_, told := b.poll()
	require.Empty(t, told)
	require.NoError(t, os.Rename(hidden, b.path("a")))
	require.Equal(t, []string{"moved z/file a"}, b.settled())
}

func TestOnlySomeChanges(t *testing.T) {
	t.Parallel()
	b := watching(t, map[string]any{"changes": []string{"created"}})
	b.write("a", "1")
	b.settled()
	b.write("a", "changed")
	b.write("b", "1")
	require.Equal(t, []string{"created b"}, b.settled())
	b.rename("a", "c")
	require.Equal(t, []string{"created c"}, b.settled(), "where moves are of no interest, one is a creation")
	b.remove("c")
	require.Empty(t, b.settled())
}

func TestByContent(t *testing.T) {
	t.Parallel()
	b := watching(t, map[string]any{"hash": true, "initial": "report"})
	b.write("a", "same")
	require.Equal(t, []string{"created a"}, b.settled())
	b.write("a", "same")
	require.NoError(t, os.Chtimes(b.path("a"), time.Unix(1, 0), time.Unix(1, 0)))
	require.Empty(t, b.settled(), "touched, but not changed")

	stamp := time.Unix(1, 0)
	b.write("a", "SAME")
	require.NoError(t, os.Chtimes(b.path("a"), stamp, stamp))
	require.Equal(t, []string{"modified a"}, b.settled(), "size and time are the same")
	var p filePayload
	require.NoError(t, json.Unmarshal(b.items[len(b.items)-1].Payload, &p))
	require.Len(t, p.SHA256, 64)

	b.rename("a", "b")
	b.write("c", "x")
	require.Equal(t, []string{"moved a b", "created c"}, b.settled())
}

// Before contents were compared, none was known.
func TestHashIsTurnedOn(t *testing.T) {
	t.Parallel()
	b := watching(t, nil)
	b.write("a", "x")
	b.settled()
	b.config["hash"] = true
	require.Empty(t, b.settled())
	require.NoError(t, os.Chtimes(b.path("a"), time.Unix(1, 0), time.Unix(1, 0)))
	require.Empty(t, b.settled())
}

func TestInitialReport(t *testing.T) {
	t.Parallel()
	b := watching(t, map[string]any{"initial": "report"})
	b.write("a", "1")
	b.write("b", "1")
	require.Equal(t, []string{"created a", "created b"}, b.settled())
	b.restart()
	require.Empty(t, b.settled())
	b.cursor = nil
	require.Equal(t, []string{"created a", "created b"}, b.settled(), "without a cursor it begins anew")
}

// Another config means other files: they did not come, and those that it leaves out did not go.
func TestAnotherConfig(t *testing.T) {
	t.Parallel()
	b := watching(t, nil)
	b.write("a.csv", "1")
	b.write("a.txt", "1")
	b.settled()
	b.config["ignore"] = []string{"*.txt"}
	require.Empty(t, b.settled())
	require.Len(t, b.entries, 1)
	b.write("a.csv", "12")
	b.config["ignore"] = []string{}
	require.Equal(t, []string{"modified a.csv"}, b.settled())
	require.Len(t, b.entries, 2)
	b.config["settle"] = "1s"
	b.write("b.csv", "1")
	require.Equal(t, []string{"created b.csv"}, b.settled(), "the files that are meant are the same")
}

// More than fits into one poll comes in parts, of which each knows what it has told.
func TestManyChangesAndACrashInBetween(t *testing.T) {
	t.Parallel()
	const files = 14_000
	b := watching(t, map[string]any{"settle": 0})
	b.poll()
	for i := range files {
		b.write(fmt.Sprintf("%03d/%d", i%100, i), "x")
	}
	b.parts, b.crashAt = 0, 4
	_, err := b.try()
	require.ErrorIs(t, err, errCrash)
	require.Len(t, b.items, 3*partItems)

	res, told := b.poll()
	require.True(t, res.More)
	require.Len(t, told, pollItems)
	for res.More {
		res, _ = b.poll()
	}
	seen := map[string]bool{}
	for _, text := range b.told(0) {
		require.False(t, seen[text], text)
		seen[text] = true
	}
	require.Len(t, seen, files)
}

// Files are not deleted because their file system is away.
func TestAFileSystemThatIsAway(t *testing.T) {
	t.Parallel()
	b := watching(t, map[string]any{"paths": []string{"ROOT/mount"}})
	b.write("mount/a", "1")
	b.settled()
	b.rename("mount", "away")
	for range 2 {
		_, err := b.try()
		var fault *sensor.Fault
		require.ErrorAs(t, err, &fault)
		require.Equal(t, sensor.FaultException, fault.Kind)
		require.ErrorContains(t, err, "mount is gone, with the 1 files that were in it")
		b.clock = b.clock.Add(time.Minute)
	}
	b.rename("away", "mount")
	require.Empty(t, b.settled())

	// An empty folder is all that there is of a file system that is not mounted.
	w := watcher{state: &watchState{}}
	missing := &record{path: "/mnt/x/deep/file", file: walk.File{Device: 7}}
	for device, away := range map[uint64]bool{7: false, 8: true} {
		err := w.checkMounts(&scan{missing: []*record{missing}, Result: walk.Result{Empty: map[string]uint64{"/mnt/x": device}}})
		require.Equal(t, away, err != nil)
	}
	require.NoError(t, w.checkMounts(&scan{missing: []*record{missing}}), "the folder has something else in it")
}

func TestBadPathsAreNamed(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"ROOT/no/*.csv": "no cannot be read: it does not exist: correct the path",
		"ROOT/file/*":   "file cannot be read: it is not a folder",
		"ROOT/loop/*":   "loop cannot be read: it is a loop of symbolic links",
	} {
		b := watching(t, map[string]any{"paths": []string{path}})
		b.write("file", "x")
		require.NoError(t, os.Symlink("loop", b.path("loop")))
		_, err := b.try()
		require.ErrorContains(t, err, want)
	}
	b := watching(t, map[string]any{"paths": []string{"ROOT/later"}})
	res, _ := b.poll()
	require.Equal(t, "nothing is at "+b.path("later")+" yet", res.Skip)
	b.write("later", "x")
	require.Equal(t, []string{"created later"}, b.settled())
	b.remove("later")
	require.Equal(t, []string{"deleted later"}, b.settled())

	b = watching(t, map[string]any{"follow_symlinks": true})
	require.NoError(t, os.Symlink(".", b.path("loop")))
	res, _ = b.poll()
	require.Contains(t, res.Skip, "loop is a loop of symbolic links and was not followed")

	b = watching(t, map[string]any{"paths": []string{"in"}})
	_, err := b.try()
	require.ErrorContains(t, err, `config.paths.0: "in" is relative`)
}

// Names are bytes: whatever they are, they are told apart and kept exactly.
func TestNames(t *testing.T) {
	t.Parallel()
	names := []string{"a\xff", `a\xff`, "a\xfe", "a\ufffd", `a\`, "ü", "tab\t\n", strings.Repeat("\xf0", 200), strings.Repeat("long", 60)}
	b := watching(t, nil)
	b.poll()
	for _, name := range names {
		b.write(name, "x")
	}
	require.Len(t, b.settled(), len(names))
	require.Len(t, b.entries, len(names))
	exactly := map[string]bool{}
	for _, item := range b.items {
		var p filePayload
		require.NoError(t, json.Unmarshal(item.Payload, &p))
		require.NotContains(t, string(item.Payload), `\u0000`)
		exactly[p.Path+" "+p.PathBase64] = true
	}
	require.Len(t, exactly, len(names))
	b.restart()
	require.Empty(t, b.settled())
	for _, name := range names {
		back, err := unescape(escape(name))
		require.NoError(t, err)
		require.Equal(t, name, back)
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("a\xff\\x")
	f.Fuzz(func(t *testing.T, path string) {
		back, err := unescape(escape(path))
		require.NoError(t, err)
		require.Equal(t, path, back)
		_, _ = unescape(path)
	})
}

// A poll that is cut off leaves everything as it was.
func TestAPollThatIsCutOff(t *testing.T) {
	t.Parallel()
	b := watching(t, map[string]any{"settle": 0})
	b.poll()
	b.write("a", "x")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.runner.Poll(ctx, b.request())
	require.ErrorIs(t, err, context.Canceled)

	req := b.request()
	req.Timeout = time.Nanosecond
	_, err = b.runner.Poll(t.Context(), req)
	require.ErrorContains(t, err, "timeout: took longer than 1e-09s (sensor's `timeout`)")
	_, told := b.poll()
	require.Equal(t, []string{"created a"}, told)
}
