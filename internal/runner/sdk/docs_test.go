package sdk_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/pack"
	"github.com/attune-automation/sensors/internal/runner/sdk"
)

var (
	codeBlock = regexp.MustCompile("(?ms)^```(yaml|python|js|sh|console)\n(.*?)^```$")
	blockName = regexp.MustCompile(`^(?:#!.*\n)?(?:#|//) (.+)\n`)
)

// readPage returns the code blocks of a page by the names in their first lines, and the sessions of a terminal.
func readPage(t *testing.T, path string) (blocks map[string]string, sessions []string) {
	t.Helper()
	blocks = map[string]string{}
	for _, match := range codeBlock.FindAllStringSubmatch(readFile(t, path), -1) {
		if match[1] == "console" {
			sessions = append(sessions, match[2])
			continue
		}
		name := blockName.FindStringSubmatch(match[2])
		require.NotNil(t, name, "a block begins with a comment that names it:\n%s", match[2])
		blocks[name[1]] = match[2]
	}
	return blocks, sessions
}

// page is what docs/sdk.md shows: its files are a pack in dir.
type page struct {
	dir      string
	environ  []string // PATH leads to the interpreters of the other tests
	files    map[string]string
	sessions []string
}

func newPage(t *testing.T) page {
	t.Helper()
	bin := t.TempDir()
	require.NoError(t, os.Symlink(python.interpreter(t), filepath.Join(bin, "python3")))
	p := page{dir: t.TempDir(), environ: append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))}
	p.files, p.sessions = readPage(t, "../../../docs/sdk.md")
	p.sessions = append(p.sessions, "$ "+p.files["session: tests"])
	delete(p.files, "session: tests")
	for name, content := range p.files {
		write(t, p.dir, name, content)
	}
	write(t, p.dir, "pack.yaml", "ref: hello\n")
	write(t, p.dir, "triggers/news.yaml", "ref: hello.news\n")
	require.NoError(t, sdk.Write(filepath.Join(p.dir, ".sdk")))
	return p
}

func (p page) command(words ...string) *exec.Cmd {
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir, cmd.Env = p.dir, append(p.environ, "PYTHONPATH=.sdk")
	return cmd
}

// Its commands show what the page says that they show, and its tests pass.
func TestThePagesSessions(t *testing.T) {
	t.Parallel()
	p := newPage(t)
	shown, tested := 0, 0
	for _, session := range p.sessions {
		session = strings.TrimPrefix(session, "$ ")
		command, want, _ := strings.Cut(session, "\n")
		switch {
		case strings.HasPrefix(session, "starter "):
		case strings.HasPrefix(session, "#"):
			out, err := p.command("sh", "-euc", session).CombinedOutput()
			require.NoErrorf(t, err, "%s", out)
			require.Contains(t, string(out), "Ran 1 test")
			require.Regexp(t, `(?m)^(#|ℹ) pass 1$`, string(out))
			tested++
		default:
			stdout, stderr, status := output(p.command("sh", "-c", command))
			require.Zero(t, status, stderr)
			require.Equal(t, want, stdout, command)
			shown++
		}
	}
	require.Equal(t, []int{2, 1}, []int{shown, tested})
}

// What the page's sensors bring is the same in both languages.
func TestThePagesSensors(t *testing.T) {
	t.Parallel()
	p := newPage(t)
	_, err := pack.Load(p.dir, pack.Options{})
	require.NoError(t, err)

	run := func(entrypoint string, args ...string) string {
		command := []string{"python3", "-m", "attune_sensor"}
		if strings.HasSuffix(entrypoint, ".mjs") {
			command = []string{"node", ".sdk/attune_sensor.mjs"}
		}
		stdout, stderr, status := output(p.command(slices.Concat(command, []string{"run", entrypoint}, args)...))
		require.Zero(t, status, stderr)
		return strings.ReplaceAll(canonical(stdout), ".000Z", "Z")
	}
	issue := `{"type":"event","key":"7","trigger":"hello.issue","occurred_at":"2026-01-31T09:30:00Z","payload":{"title":"It rains in"}}` + "\n"
	require.Equal(t, issue, run("code/issues.py"))
	require.Equal(t, issue, run("code/issues.mjs"))
	pages := run("code/pages.py", "--config", `{"pages": 3}`)
	require.Equal(t, 9, strings.Count(pages, "\n"))
	require.Equal(t, pages, run("code/pages.mjs", "--config", `{"pages": 3}`))

	write(t, p.dir, "app.log", "one\ntwo\nthree\nfo")
	require.Equal(t, `{"type":"event","payload":{"line":"two"}}
{"type":"checkpoint","cursor":8}
{"type":"event","payload":{"line":"three"}}
{"type":"checkpoint","cursor":14}
`, run("code/follow.py", "--config", `{"file": "app.log"}`, "--cursor", "4", "--mode", "stream", "--events", "2"))
}

func TestThePagesDatagrams(t *testing.T) {
	t.Parallel()
	p := newPage(t)
	free, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	port := free.LocalAddr().(*net.UDPAddr).Port
	require.NoError(t, free.Close())

	stop := make(chan struct{})
	var sending sync.WaitGroup
	defer sending.Wait()
	defer close(stop)
	sending.Go(func() { // until somebody listens
		to, err := net.Dial("udp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return
		}
		defer to.Close()
		again := time.NewTicker(20 * time.Millisecond)
		defer again.Stop()
		for {
			_, _ = to.Write([]byte("hello"))
			select {
			case <-stop:
				return
			case <-again.C:
			}
		}
	})
	stdout, stderr, status := output(p.command("node", ".sdk/attune_sensor.mjs", "run", "code/datagrams.mjs",
		"--mode", "stream", "--events", "1", "--config", fmt.Sprintf(`{"port": %d}`, port)))
	require.Zero(t, status, stderr)
	require.Equal(t, `{"type":"event","payload":{"text":"hello","from":"127.0.0.1"}}
{"type":"checkpoint"}
`, stdout)
}

// The program of the protocol's page needs nothing but a shell, and writes what the schemas allow.
func TestTheProtocolsProgram(t *testing.T) {
	t.Parallel()
	blocks, _ := readPage(t, "../../../docs/sensor-protocol.md")
	dir := t.TempDir()
	write(t, dir, "door.sh", blocks["code/door.sh"])
	write(t, dir, "door.log", "open\nclosed\nopen\n")
	for cursor, want := range map[string]string{
		"1": `{"type":"event","payload":{"door":"front","state":"closed"},"key":"front-2"}
{"type":"checkpoint","cursor":2}
{"type":"event","payload":{"door":"front","state":"open"},"key":"front-3"}
{"type":"checkpoint","cursor":3}
`,
		"3": `{"type":"skip","reason":"no new line"}` + "\n",
	} {
		line, err := json.Marshal(request(object{"cursor": json.RawMessage(cursor)}))
		require.NoError(t, err)
		cmd := exec.Command("sh", "-c", "exec sh door.sh 3>messages")
		cmd.Dir, cmd.Stdin = dir, bytes.NewReader(append(line, '\n'))
		stdout, stderr, status := output(cmd)
		require.Zero(t, status, stderr)
		require.Equal(t, "looking at door.log from line "+cursor+" on\n", stdout)
		messages := readFile(t, filepath.Join(dir, "messages"))
		require.Equal(t, `{"type":"hello","protocol":1,"sdk":"door/3"}`+"\n"+want, messages)
		s := compileSchemas(t)
		for message := range strings.Lines(messages) {
			s.check(t, s.message, []byte(message))
		}
	}
}
