package cli_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const examples = "../../packs/examples"

// Every sensor of the examples that polls has a fixture, and passes it.
func TestExamplesPassTheirTests(t *testing.T) {
	t.Parallel()
	sensors, err := filepath.Glob(filepath.Join(examples, "sensors/*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, sensors)
	for _, file := range sensors {
		if text, err := os.ReadFile(file); err == nil && strings.Contains(string(text), "runtime: core.webhook") {
			continue // there is nothing to poll before somebody sends it
		}
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t).withCode()
			b.set("ATTUNE_SECRET_PROBE_TOKEN", "tr0ub4dor")
			args := []string{"sensor", "test", examples, "--expect", filepath.Join(examples, "tests", name+".json")}
			switch name {
			case "git_commits":
				args = append(args, "--config", b.configOf("repository", repository(t)))
			case "access":
				args = append(args, "--config", b.configOf("paths", []string{accessLog(t)}))
			case "log_lines":
				args = append(args, "--config", b.configOf("path", accessLog(t)), "--for", "1m", "--events", "2")
			}
			out := b.ok(args...)
			require.Contains(t, out, "as expected    yes\n")
			require.NotContains(t, out, "tr0ub4dor")
		})
	}
}

// configOf lets a sensor see a path of the test, which lies below /tmp as a rule, where a sandbox has its own.
func (b *bench) configOf(key string, path any) string {
	b.t.Helper()
	b.set("ATTUNE__RUNTIME__SANDBOX", "none")
	config, err := json.Marshal(map[string]any{key: path})
	require.NoError(b.t, err)
	return string(config)
}

// repository makes a git repository with a commit.
func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, args := range [][]string{
		{"init", "-q"},
		{"-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-q", "--allow-empty", "-m", "begin"},
	} {
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir}, args...)...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1"}
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	return dir
}

// accessLog makes the file that the fixture speaks of: two whole lines, and one that is still being written.
func accessLog(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "access.log")
	text := `127.0.0.1 - - [31/Jan/2026:08:00:00 +0000] "GET / HTTP/1.1" 200 2
127.0.0.1 - - [31/Jan/2026:08:00:08 +0000] "GET / HTTP/1.1" 503 0
127.0.0.1 - - [31/Jan/2026:08:00:09 +0000] "GET / HT`
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// The stream goes on where a file was, and with the file that takes its place, read to its end.
func TestExampleFollowsALog(t *testing.T) {
	t.Parallel()
	b := newBench(t).withCode()
	dir := t.TempDir()
	path := filepath.Join(dir, "access.log")
	config := b.configOf("path", path)
	w := b.start("sensor", "test", examples, "--sensor", "log_lines", "--for", "1m", "--cursor", `{"file": 0, "offset": 0}`, "--config", config)
	file := logFile(t, path)
	for i := range 3 {
		file.add(t, "one", "two")
		w.brings(3*i + 2)
		file.add(t, "last")
		file = logFile(t, path) // replaces the one whose last line nobody may have read yet
		w.brings(3*i + 3)
	}
	w.stop()
	<-w.code
}

// brings waits until a stream has brought so many events.
func (w *watched) brings(events int) {
	w.t.Helper()
	require.Eventually(w.t, func() bool {
		total := 0
		for _, m := range regexp.MustCompile(`(?m)^after \S+  (\d+) event`).FindAllStringSubmatch(w.stdout.String(), -1) {
			n, err := strconv.Atoi(m[1])
			require.NoError(w.t, err)
			total += n
		}
		return total == events
	}, patience, tick)
}

// grown is a file that lines are added to.
type grown struct{ *os.File }

// logFile puts an empty file in the place of the one at the path.
func logFile(t *testing.T, path string) grown {
	t.Helper()
	f, err := os.CreateTemp(filepath.Dir(path), "new-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	require.NoError(t, os.Rename(f.Name(), path))
	return grown{f}
}

func (g grown) add(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		_, err := g.WriteString("\"GET /" + name + " HTTP/1.1\" 200 1\n")
		require.NoError(t, err)
	}
}

// A stream that is begun for the first time leaves alone what is there, and the next one goes on behind it.
func TestExampleBeginsALogAtItsEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t).withCode()
	path := filepath.Join(t.TempDir(), "access.log")
	file := logFile(t, path)
	file.add(t, "old")
	listen := func(cursor string) *watched {
		return b.start("sensor", "test", examples, "--sensor", "log_lines", "--for", "1m", "--cursor", cursor, "--config", b.configOf("path", path))
	}
	first := listen("null")
	first.says("0 events, cursor {")
	first.stop()
	<-first.code
	cursor := regexp.MustCompile(`(?m)cursor (\{.*\})$`).FindStringSubmatch(first.stdout.String())
	file.add(t, "new")
	second := listen(cursor[1])
	second.brings(1)
	second.stop()
	<-second.code
}
