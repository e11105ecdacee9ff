package docs

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/cli"
	"github.com/attune-automation/sensors/internal/testenv"
)

const authoringPage = "docs/authoring.md"

// author is somebody who does what the page says, in a folder of its own.
type author struct {
	dir     string // holds house
	letters string // what the page calls /srv/letters
	environ []string
}

func newAuthor(t *testing.T) *author {
	t.Helper()
	a := &author{dir: t.TempDir(), letters: t.TempDir()}
	for name, text := range map[string]string{"bill.txt": "pay\n", "invitation.txt": "come\n"} {
		require.NoError(t, os.WriteFile(filepath.Join(a.letters, name), []byte(text), 0o600))
	}
	a.environ = []string{
		"PATH=" + os.Getenv("PATH"), "ATTUNE__WORKER__CACHE_DIR=" + t.TempDir(),
		"ATTUNE__DATABASE__URL=" + testenv.Database(t),
		"TEMPORAL_ADDRESS=" + testenv.TemporalAddress(t), "TEMPORAL_NAMESPACE=" + testenv.Namespace(t),
		// The letters are below /tmp as a rule, where the sandbox has a folder of its own.
		"ATTUNE__RUNTIME__SANDBOX=none",
	}
	cli.Main(t.Context(), []string{"migrate"}, cli.Env{Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{}, Environ: a.environ})
	return a
}

// The page is followed from top to bottom: files are written, commands run, and what they write is what it says.
func TestAuthoring(t *testing.T) {
	p := readPage(t, authoringPage)
	a := newAuthor(t)
	sessions, text := 0, p.text
	for _, b := range p.blocks() {
		if name := blockName.FindStringSubmatch(b.text); name != nil {
			a.write(t, name[1], b.text)
			continue
		}
		switch b.language {
		case "json":
			require.True(t, json.Valid([]byte(b.text)), b.text)
			if strings.Contains(b.text, `"sensor":`) {
				a.write(t, fixtureName(t, p.text[:b.start]), b.text)
			}
		case "sh":
			a.follow(t, strings.TrimSpace(strings.TrimPrefix(b.text, "starter ")))
		case "console":
			got := a.session(t, command(t, b.text))
			if *update && steady(got) != steady(b.text) {
				text = strings.Replace(text, "```console\n"+b.text, "```console\n"+got, 1)
			} else if !*update {
				require.Equal(t, steady(b.text), steady(got), "run go test ./test/docs -update")
			}
			sessions++
		}
	}
	require.Greater(t, sessions, 10)
	if text != p.text {
		p.write(t, text)
	}
}

func (a *author) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(a.dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(a.here(text)), 0o600))
}

var fixtureFile = regexp.MustCompile("`(house/tests/[a-z]+\\.json)`")

// fixtureName returns the file that the text before a block named last.
func fixtureName(t *testing.T, before string) string {
	t.Helper()
	names := fixtureFile.FindAllStringSubmatch(before, -1)
	require.NotEmpty(t, names, "nothing says which file the fixture is")
	return names[len(names)-1][1]
}

// here and there translate between the paths of the page and those of the test.
func (a *author) here(text string) string { return strings.ReplaceAll(text, "/srv/letters", a.letters) }

func (a *author) there(text string) string {
	return strings.NewReplacer(a.letters, "/srv/letters", a.dir+"/", "").Replace(text)
}

// session runs a command and returns it with all that it writes.
func (a *author) session(t *testing.T, command string) string {
	t.Helper()
	var out bytes.Buffer
	if line, ok := strings.CutPrefix(command, "starter "); ok {
		cli.Main(t.Context(), a.args(t, line), cli.Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Environ: a.environ})
	} else {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", a.here(command))
		cmd.Dir, cmd.Stdout, cmd.Stderr = a.dir, &out, &out
		require.NoError(t, cmd.Run(), out.String())
	}
	return "$ " + command + a.there(out.String())
}

// args are the words of a command, with the paths of the test.
func (a *author) args(t *testing.T, line string) []string {
	t.Helper()
	words, err := exec.Command("sh", "-c", "set -- "+strings.TrimSpace(line)+`; printf '%s\0' "$@"`).Output()
	require.NoError(t, err, line)
	args := strings.Split(strings.TrimSuffix(string(words), "\x00"), "\x00")
	for i, arg := range args {
		if arg = a.here(arg); arg == "house" || strings.HasPrefix(arg, "house/") {
			arg = filepath.Join(a.dir, arg)
		}
		args[i] = arg
	}
	return args
}

// follow runs a command that goes on, until it says that it waits for what is saved.
func (a *author) follow(t *testing.T, line string) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	out := &stopper{stop: stop}
	code := cli.Main(ctx, a.args(t, line), cli.Env{Stdin: strings.NewReader(""), Stdout: out, Stderr: out, Environ: a.environ})
	require.Zero(t, code, out.String())
	require.Contains(t, out.String(), "pack house is up to date\nwatching ")
}

// stopper is an output that ends the command once it has said what it waits for.
type stopper struct {
	bytes.Buffer
	stop context.CancelFunc
}

func (s *stopper) Write(text []byte) (int, error) {
	n, err := s.Buffer.Write(text)
	if strings.Contains(s.String(), "watching ") {
		s.stop()
	}
	return n, err
}

var (
	unsteady = regexp.MustCompile(`(?m)^(took|sandbox) .*$`)
	carets   = regexp.MustCompile(`(?m)^ *[~^]+\n`)
)

// steady leaves out what depends on the machine and on the version of Python.
func steady(session string) string {
	return carets.ReplaceAllString(unsteady.ReplaceAllString(session, "$1"), "")
}
