package docs

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/cli"
)

// testSessions runs the sessions of the page, which are a command and what it writes, with the JSON block that was shown
// last as conditions.json.
func testSessions(t *testing.T) {
	p := readPage(t, rulesPage)
	dir := t.TempDir()
	sessions, text := 0, p.text
	for _, b := range p.blocks() {
		switch b.language {
		case "json":
			require.NoError(t, os.WriteFile(filepath.Join(dir, "conditions.json"), []byte(b.text), 0o600))
		case "console":
			want := runSession(t, dir, command(t, b.text))
			if *update {
				text = strings.Replace(text, b.text, want, 1)
			} else {
				require.Equal(t, want, b.text, "run go test ./test/docs -update")
			}
			sessions++
		}
	}
	require.Greater(t, sessions, 4)
	if text != p.text {
		p.write(t, text)
	}
}

// command returns the first command of a session: it goes on after a backslash, and as long as its quotes or its input
// are open, for which it has to be valid for the shell.
func command(t *testing.T, session string) string {
	t.Helper()
	var command strings.Builder
	for line := range strings.Lines(strings.TrimPrefix(session, "$ ")) {
		command.WriteString(line)
		text := command.String()
		_, input, hasInput := strings.Cut(text, "<<'END'\n")
		closed := !strings.HasSuffix(text, "\\\n") && (!hasInput || strings.HasSuffix(input, "\nEND\n"))
		if closed && exec.Command("sh", "-nc", text).Run() == nil {
			return text
		}
	}
	require.FailNow(t, "the command never ends", session)
	return ""
}

// runSession returns the session that the command leads to: itself and all that it writes.
func runSession(t *testing.T, dir, command string) string {
	t.Helper()
	line, input, _ := strings.Cut(command, "<<'END'\n")
	words, err := exec.Command("sh", "-c", "set -- "+strings.TrimRight(line, "\n ")+`; printf '%s\0' "$@"`).Output()
	require.NoError(t, err, line)
	args := strings.Split(strings.TrimSuffix(string(words), "\x00"), "\x00")
	require.Equal(t, "starter", args[0])
	for i, arg := range args {
		if name, ok := strings.CutPrefix(arg, "@"); ok {
			args[i] = "@" + filepath.Join(dir, name)
		}
	}
	var out bytes.Buffer
	cli.Main(t.Context(), args[1:], cli.Env{
		Stdin:  strings.NewReader(strings.TrimSuffix(input, "END\n")),
		Stdout: &out,
		Stderr: &out,
	})
	return "$ " + command + out.String()
}
