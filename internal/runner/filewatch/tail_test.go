package filewatch

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

func tailing(t *testing.T, more map[string]any) *bench {
	t.Helper()
	config := map[string]any{"mode": "tail", "paths": []string{"ROOT/*.log"}}
	for key, value := range more {
		config[key] = value
	}
	return newBench(t, config)
}

func (b *bench) last() (p linePayload) {
	b.t.Helper()
	require.NoError(b.t, json.Unmarshal(b.items[len(b.items)-1].Payload, &p))
	return p
}

func TestLines(t *testing.T) {
	t.Parallel()
	b := tailing(t, nil)
	b.write("a.log", "old\nbegu")
	b.poll()
	b.append("a.log", "n\r\nsecond\n")
	_, told := b.poll()
	require.Equal(t, []string{"begun", "second"}, told, "what was there before is not told, and no line is cut")
	require.Equal(t, linePayload{Path: b.path("a.log"), Offset: 11, Length: 7, Line: "second"}, b.last())
	b.restart()
	_, told = b.poll()
	require.Empty(t, told)
	b.append("b.log", "in a new file\n")
	b.append("a.log", "third\n")
	_, told = b.poll()
	require.Equal(t, []string{"third", "in a new file"}, told)
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	b := tailing(t, map[string]any{"start": "beginning", "patterns": []any{
		map[string]any{"name": "login", "regex": `^user (?P<user>\w+)( from (?P<host>\S+))?`}, "ERROR",
	}})
	b.write("a.log", "user ann\nnothing\nuser bob from x\nERROR user\n")
	_, told := b.poll()
	require.Equal(t, []string{"user ann", "user bob from x", "ERROR user"}, told)
	var p linePayload
	require.NoError(t, json.Unmarshal(b.items[0].Payload, &p))
	require.Equal(t, map[string]string{"user": "ann"}, p.Fields)
	require.NoError(t, json.Unmarshal(b.items[1].Payload, &p))
	require.Equal(t, map[string]string{"user": "bob", "host": "x"}, p.Fields)
	require.Equal(t, "login", p.Pattern)
	require.Equal(t, "1", b.last().Pattern)
}

func TestBytesThatAreNoText(t *testing.T) {
	t.Parallel()
	b := tailing(t, map[string]any{"start": "beginning"})
	b.write("a.log", "\x00\x00\x00after a hole\na\xffb\x00\n")
	_, told := b.poll()
	require.Equal(t, []string{"after a hole", "a\ufffdb\ufffd"}, told)
	require.Equal(t, "Yf9iAA==", b.last().LineBase64)
	require.NotContains(t, string(b.items[1].Payload), `\u0000`)
}

func TestALineThatNothingEnds(t *testing.T) {
	t.Parallel()
	b := tailing(t, map[string]any{"start": "beginning", "partial_after": "10s"})
	b.config["partial_after"] = "10s"
	b.write("a.log", "one\ntw")
	res, told := b.poll()
	require.Equal(t, []string{"one"}, told)
	require.Equal(t, b.clock.Add(10*time.Second), res.NextAt)
	b.clock = b.clock.Add(9 * time.Second)
	b.append("a.log", "o and")
	_, told = b.poll()
	require.Empty(t, told, "it grows")
	b.clock = b.clock.Add(9 * time.Second)
	_, told = b.poll()
	require.Empty(t, told)
	b.clock = b.clock.Add(time.Second)
	_, told = b.poll()
	require.Equal(t, []string{"two and"}, told)
	require.True(t, b.last().Partial)
	b.append("a.log", " more\n")
	_, told = b.poll()
	require.Equal(t, []string{" more"}, told)
}

// A line that is too long is told as far as it goes, once.
func TestLongLines(t *testing.T) {
	t.Parallel()
	b := tailing(t, map[string]any{"start": "beginning", "max_line": 256})
	long := strings.Repeat("é", 127) + "x"
	b.write("a.log", long+"éé and the rest")
	_, told := b.poll()
	require.Equal(t, []string{long}, told, "it does not end within a character")
	require.True(t, b.last().Truncated)
	require.Empty(t, b.last().LineBase64)
	b.append("a.log", " of it")
	b.restart()
	_, told = b.poll()
	require.Empty(t, told)
	exactly := strings.Repeat("y", 256)
	b.append("a.log", "\n"+exactly+"\nshort\n")
	_, told = b.poll()
	require.Equal(t, []string{exactly, "short"}, told)
	require.False(t, b.last().Truncated)

	b.write("b.log", strings.Repeat(strings.Repeat("z", 1_000_000)+"\n", 2))
	_, told = b.poll()
	require.Equal(t, []string{strings.Repeat("z", 256), strings.Repeat("z", 256)}, told)
}

func TestRecordsOfSeveralLines(t *testing.T) {
	t.Parallel()
	for name, multiline := range map[string]map[string]any{
		"start":    {"start": `^\S`, "flush_after": "5s"},
		"continue": {"continue": `^\s`, "flush_after": "5s"},
	} {
		b := tailing(t, map[string]any{"multiline": multiline, "max_line": 256, "patterns": []string{"(?s)boom.*line 7"}})
		b.write("a.log", "old\n")
		b.poll()
		b.append("a.log", "\tof the old\nERROR boom\n\tline 5\n\tline 7\nINFO fine\n\tline 7\nlast boom\n")
		_, told := b.poll()
		require.Equal(t, []string{"ERROR boom\n\tline 5\n\tline 7"}, told, name)
		require.Equal(t, 3, b.last().Lines)
		require.Equal(t, int64(16), b.last().Offset)
		b.append("a.log", "\tline 7\n")
		b.restart()
		res, told := b.poll()
		require.Empty(t, told)
		require.Equal(t, b.clock.Add(5*time.Second), res.NextAt)
		b.clock = b.clock.Add(5 * time.Second)
		_, told = b.poll()
		require.Equal(t, []string{"last boom\n\tline 7"}, told, "nothing follows, so that it is complete")

		b.append("a.log", "next boom\n\tline 7\n"+strings.Repeat("\tx\n", 200))
		_, told = b.poll()
		require.Len(t, told, 1)
		require.Len(t, told[0], 256)
		require.True(t, b.last().Truncated)
		b.append("a.log", "\tboom line 7\nboom line 7\nend\n")
		b.restart()
		_, told = b.poll()
		require.Equal(t, []string{"boom line 7"}, told, "the rest of a record that is too long is left out")
	}
}

func TestRotationByRename(t *testing.T) {
	t.Parallel()
	b := tailing(t, nil)
	b.write("app.log", "old\n")
	b.poll()
	b.append("app.log", "1\n")
	b.rename("app.log", "app.log.1")
	b.append("app.log", "3\n")
	b.append("app.log.1", "2\n")
	_, told := b.poll()
	require.Equal(t, []string{"1", "2", "3"}, told)
	var p linePayload
	require.NoError(t, json.Unmarshal(b.items[0].Payload, &p))
	require.Equal(t, b.path("app.log"), p.Path, "it is the file's name that rules know")
	require.Equal(t, b.path("app.log.1"), p.MovedTo)

	b.append("app.log.1", "late\n")
	b.append("app.log", "4\n")
	_, told = b.poll()
	require.Equal(t, []string{"late", "4"}, told, "whoever has it open still writes to it")

	require.Len(t, b.entries, 2)
	b.clock = b.clock.Add(2 * rotatedFor)
	b.poll()
	require.Len(t, b.entries, 1, "it is not read for ever")
}

// Several rotations while no worker is there lose nothing that is not compressed.
func TestRotationsWhileDown(t *testing.T) {
	t.Parallel()
	for _, glob := range []string{"ROOT/app.log", "ROOT/app.log*"} {
		b := tailing(t, map[string]any{"paths": []string{glob}})
		b.write("app.log.1", "ancient\n")
		require.NoError(t, os.Chtimes(b.path("app.log.1"), time.Unix(1, 0), time.Unix(1, 0)))
		b.write("app.log", "old\n")
		b.poll()
		stamp := time.Now()
		n := 1
		for range 3 {
			b.append("app.log", fmt.Sprintf("%d\n", n))
			n++
			stamp = stamp.Add(time.Second)
			require.NoError(t, os.Chtimes(b.path("app.log"), stamp, stamp))
			for i := 4; i > 0; i-- {
				if _, err := os.Stat(b.path(fmt.Sprintf("app.log.%d", i))); err == nil {
					b.rename(fmt.Sprintf("app.log.%d", i), fmt.Sprintf("app.log.%d", i+1))
				}
			}
			b.rename("app.log", "app.log.1")
		}
		b.write("app.log.7.gz", "compressed")
		b.append("app.log", "4\n")
		b.restart()
		_, told := b.poll()
		slices.Sort(told)
		require.Equal(t, []string{"1", "2", "3", "4"}, told, glob)
		b.restart()
		_, told = b.poll()
		require.Empty(t, told)
	}
}

func TestRotationByCopy(t *testing.T) {
	t.Parallel()
	for _, glob := range []string{"ROOT/*.log", "ROOT/app.log*"} {
		b := tailing(t, map[string]any{"paths": []string{glob}})
		b.write("app.log", "old\n")
		b.poll()
		for round := range 3 {
			b.append("app.log", fmt.Sprintf("%d before\n", round))
			raw, err := os.ReadFile(b.path("app.log"))
			require.NoError(t, err)
			b.write("app.log.1", string(raw))
			if round == 1 {
				_, told := b.poll()
				require.Equal(t, []string{"1 before"}, told, "it is copied but not yet truncated")
			}
			require.NoError(t, os.Truncate(b.path("app.log"), 0))
			b.append("app.log", fmt.Sprintf("%d after\n", round))
			_, told := b.poll()
			want := []string{fmt.Sprintf("%d before", round), fmt.Sprintf("%d after", round)}
			require.Equal(t, want[round%2:], told, "%s %d", glob, round)
		}
		b.restart()
		_, told := b.poll()
		require.Empty(t, told)
	}
}

func TestTruncation(t *testing.T) {
	t.Parallel()
	b := tailing(t, nil)
	b.write("a.log", "one\ntwo\n")
	b.poll()
	b.write("a.log", "x\n")
	_, told := b.poll()
	require.Equal(t, []string{"x"}, told)
	b.write("a.log", "another\nbeginning\nand more\n")
	_, told = b.poll()
	require.Equal(t, []string{"another", "beginning", "and more"}, told, "it has grown, but is not what it was")
	b.write("a.log", "another\nbeginning\nAND MORE\n")
	b.poll()
	require.Equal(t, "AND MORE", b.last().Line, "it is as long, but not what it was")
}

// A file system uses inodes again: a new file may have that of one that is gone.
func TestAnInodeThatIsUsedAgain(t *testing.T) {
	t.Parallel()
	b := tailing(t, nil)
	b.write("a.log", "one\n")
	b.poll()
	require.NoError(t, os.WriteFile(b.path("a.log"), []byte("other\n"), 0o600)) // the same inode, as if by chance
	b.rename("a.log", "b.log")
	_, told := b.poll()
	require.Equal(t, []string{"other"}, told)
	require.Equal(t, b.path("b.log"), b.last().Path)
}

// Two logs that begin alike are two logs.
func TestLogsThatBeginAlike(t *testing.T) {
	t.Parallel()
	b := tailing(t, map[string]any{"start": "beginning"})
	b.write("a.log", "started\n")
	b.poll()
	b.write("b.log", "started\nmore\n")
	_, told := b.poll()
	require.Equal(t, []string{"started", "more"}, told)
}

func TestFilesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	b := tailing(t, map[string]any{"start": "beginning"})
	res, _ := b.poll()
	require.Equal(t, "no file matches "+b.path("*.log"), res.Skip)
	b.write("a.log.gz", "x\n")
	b.config["paths"] = []string{"ROOT/*"}
	_, told := b.poll()
	require.Empty(t, told, "it is compressed")

	b.write("a.log", "x\n")
	b.poll()
	b.remove("a.log")
	b.poll()
	require.Empty(t, b.entries)
}

// What one poll cannot bring, the next does. Each part knows how far it got.
func TestManyLinesAndCrashes(t *testing.T) {
	t.Parallel()
	const lines = 25_000
	b := tailing(t, map[string]any{"start": "beginning"})
	var text strings.Builder
	for i := range lines {
		fmt.Fprintf(&text, "line %d\n", i)
	}
	b.write("a.log", text.String())
	polls := 0
	for more := true; more; polls++ {
		if polls%2 == 0 {
			b.parts, b.crashAt = 0, 2+polls
		} else {
			b.crashAt = 0
		}
		res, err := b.try()
		more = res.More || err != nil
		if err != nil {
			require.ErrorIs(t, err, errCrash)
			b.restart()
		}
	}
	require.Greater(t, polls, 2)
	told := b.told(0)
	require.Len(t, told, lines)
	for i, line := range told {
		require.Equal(t, fmt.Sprintf("line %d", i), line)
	}
}

func TestAnotherConfigOfLines(t *testing.T) {
	t.Parallel()
	b := tailing(t, nil)
	b.write("a.log", "x\n")
	b.write("b.txt", "x\n")
	b.poll()
	b.config["paths"] = []string{"ROOT/*.txt"}
	b.append("a.log", "no\n")
	_, told := b.poll()
	require.Empty(t, told)
	require.Len(t, b.entries, 1)
	b.append("b.txt", "yes\n")
	_, told = b.poll()
	require.Equal(t, []string{"yes"}, told)

	b.config = map[string]any{"mode": "watch", "paths": []string{"ROOT"}}
	require.Empty(t, b.settled())
	require.Len(t, b.entries, 2, "another mode begins anew")

	b.cursor = json.RawMessage(`"of code that was here before"`)
	require.Empty(t, b.settled())
	b.entries["#broken"] = json.RawMessage(`{"size": "x"}`)
	b.restart()
	_, err := b.try()
	require.Error(t, err)
	require.NotErrorAs(t, err, new(*sensor.Fault))
}
