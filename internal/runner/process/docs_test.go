package process_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/pack"
	"github.com/attune-automation/sensors/internal/runner"
	"github.com/attune-automation/sensors/internal/runner/sdk"
	"github.com/attune-automation/sensors/internal/sensor"
)

var (
	codeBlock = regexp.MustCompile("(?ms)^```(?:yaml|python|js|sh)\n(.*?)^```$")
	blockName = regexp.MustCompile(`^(?:#!.*\n)?(?:#|//) (.+)\n`)
)

// readDocs returns the named code blocks of docs/sensors.md, with a server of this test in place of the one they name.
func readDocs(t *testing.T) map[string]string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"version": "1.2.3"}`)
	}))
	t.Cleanup(server.Close)
	text, err := os.ReadFile("../../../docs/sensors.md")
	require.NoError(t, err)
	blocks := map[string]string{}
	for _, match := range codeBlock.FindAllStringSubmatch(string(text), -1) {
		name := blockName.FindStringSubmatch(match[1])
		if name == nil {
			continue // a line to show, not a file
		}
		blocks[name[1]] = strings.ReplaceAll(match[1], "https://releases.example/app.json", server.URL)
	}
	return blocks
}

func TestTheDocumentsExamplesRun(t *testing.T) {
	t.Parallel()
	blocks := readDocs(t)
	session := blocks["shell session"]
	delete(blocks, "shell session")
	dir := t.TempDir()
	for name, content := range blocks {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		writeExecutable(t, path, content)
	}
	loaded, err := pack.Load(dir, pack.Options{Set: []string{"hello.inbox.folder=" + dir}})
	require.NoError(t, err)
	require.Len(t, loaded.Sensors, 3)
	configured := map[string]sensor.Sensor{}
	for _, s := range loaded.Sensors {
		configured[s.Entrypoint] = s
	}

	b := setup(t)
	b.archives.put(loaded.Archive)
	want := map[string]string{ // what a poll brings, and its cursor
		"code/inbox.py":     `^({"name": "[^"]+"}\n?){4}; \["code", "pack.yaml", "sensors", "triggers"\]$`,
		"code/two_forms.py": `^{"number": 1}\n{"number": 2}; $`,
		"code/hints.py":     `^; $`,
		"code/release.mjs":  `^{"version":"1.2.3","previous":null}; "1.2.3"$`,
		"code/typed.mjs":    `^{"left_ms":[0-9]+}; $`,
		"code/load.sh":      `^{"load": [0-9.]+}; $`,
		"code/count.sh":     `^{"count": 1}; 1$`,
	}
	for name := range blocks {
		if !strings.HasPrefix(name, "code/") {
			continue
		}
		require.Contains(t, want, name)
		s, ok := configured[name]
		if !ok {
			s = sensor.Sensor{Ref: "hello.test", Runtime: runtimeOf[filepath.Ext(name)], Entrypoint: name}
		}
		s.PackDigest, s.Sandbox = loaded.Digest, sensor.SandboxNone // the folder that it watches is below /tmp
		poll := b.poll(t, runner.Request{Sensor: s, Timeout: time.Minute})
		require.Regexp(t, want[name], payloads(poll)+"; "+string(poll.Cursor), name)
	}

	cmd := exec.Command("sh", "-eu", "-c", session)
	sdks := t.TempDir()
	require.NoError(t, sdk.Write(sdks))
	cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "SDK=" + sdks}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, part := range []string{`{"name": "pack.yaml"}`, `{"version":"1.2.3","previous":null}`, `{"load": `} {
		require.Contains(t, string(out), part)
	}
}
