package sdk_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/runner/sdk"
)

// copies returns a folder with the SDKs as authors get them.
func copies(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, sdk.Write(dir))
	return dir
}

// alone returns the command that runs a sensor without a worker, in dir.
func (l language) alone(t testing.TB, dir string, args ...string) *exec.Cmd {
	t.Helper()
	sdks := copies(t)
	start := map[string][]string{"python": {"-m", "attune_sensor"}, "nodejs": {sdks + "/attune_sensor.mjs"}}[l.name]
	cmd := exec.Command(l.interpreter(t), slices.Concat(start, []string{"run"}, args)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PYTHONPATH="+sdks, "ATTUNE_SECRET_TOKEN=hush-hush")
	return cmd
}

// output runs a command to its end.
func output(cmd *exec.Cmd) (stdout, stderr string, status int) {
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	_ = cmd.Run()
	return out.String(), log.String(), cmd.ProcessState.ExitCode()
}

// canonical makes the lines of both languages the same: Python writes a space after a colon.
func canonical(lines string) string { return strings.NewReplacer(": ", ":", ", ", ",").Replace(lines) }

func TestAloneAPollIsShown(t *testing.T) {
	t.Parallel()
	for l, code := range map[*language]string{
		&python: `
import os, subprocess
def poll(ctx):
    print("printed")
    subprocess.run(["echo", "of a program"])
    ctx.log("looking")
    ctx.log.warning("careful")
    yield {"config": ctx.config, "cursor": ctx.cursor, "secret": ctx.secret("TOKEN")}
    ctx.checkpoint(1)
    yield ctx.event({"folder": os.path.basename(os.getcwd()), "left": ctx.deadline is not None}, key="k", trigger="hello.news")
    ctx.skip("why not")
    ctx.next_after(5)
    ctx.more()
    ctx.cursor = 2
`,
		&node: `
import { execSync } from "node:child_process";
import { basename } from "node:path";
export async function* poll(ctx) {
  console.log("printed");
  console.log(execSync("echo of a program").toString().trim());
  ctx.log("looking");
  ctx.log.warning("careful");
  yield { config: ctx.config, cursor: ctx.cursor, secret: ctx.secret("TOKEN") };
  ctx.checkpoint(1);
  yield ctx.event({ folder: basename(process.cwd()), left: ctx.deadline !== null }, { key: "k", trigger: "hello.news" });
  ctx.skip("why not");
  ctx.nextAfter(5);
  ctx.more();
  ctx.cursor = 2;
  setTimeout(() => {}, 1e9);
}
`,
	} {
		dir := l.code(t, "")
		write(t, dir, "hello/pack.yaml", "ref: hello\n")
		write(t, dir, "hello/code/"+l.file, code)
		write(t, dir, "config.json", `{"token": "Bearer ${secret:TOKEN}", "plain": ["$${secret:X}", "${HOME}"]}`)
		stdout, stderr, status := output(l.alone(t, dir, "hello/code/"+l.file, "--config", "@config.json", "--cursor", "[1]", "--trigger", "hello.news"))
		require.Zero(t, status, stderr)
		require.Equal(t, `{"type":"event","payload":{"config":{"token":"Bearer hush-hush","plain":["${secret:X}","${HOME}"]},"cursor":[1],"secret":"hush-hush"}}
{"type":"checkpoint","cursor":1}
{"type":"event","key":"k","trigger":"hello.news","payload":{"folder":"hello","left":true}}
{"type":"skip","reason":"why not"}
{"type":"next","after_seconds":5}
{"type":"more"}
{"type":"cursor","cursor":2}
`, canonical(stdout))
		require.Equal(t, "printed\nof a program\ninfo: looking\nwarning: careful\n", stderr)
	}
}

func TestAloneAFaultIsShown(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		language
		source string
		args   []string
		status int
		want   string // of stderr
	}{
		{python, "def poll(ctx):\n    yield {'n': 1}\n    raise ValueError('oh')\n", nil, 1,
			"^Traceback \\(most recent call last\\):\n  File \".*s.py\", line 3, in poll\n    raise ValueError\\('oh'\\)\nValueError: oh\n$"},
		{node, "export function* poll() {\n  yield { n: 1 };\n  throw new RangeError('oh');\n}\n", nil, 1,
			"^RangeError: oh\n\nRangeError: oh\n    at poll .*s.mjs:3:9\\)"},
		{python, "def poll(:\n", nil, 1, "s.py\", line 1\n    def poll\\(:\n"},
		{node, "function poll() { x x }\n", nil, 1, `^SyntaxError: .* \(s.mjs, line 1: function poll\(\) { x x }\)`},
		{python, "import sys\ndef poll(ctx): sys.exit(0)\n", nil, 1, "SystemExit: 0\n$"},
		{node, "export async function poll() { await new Promise(() => {}); }\n", nil, 1, "^Error: poll waits for a promise that nothing is left to settle\n$"},
		{node, "export async function poll() { setTimeout(() => null.x, 1); await new Promise(() => {}); }\n", nil, 1, "^TypeError: Cannot read properties of null"},
		{python, "def poll(): return [1]\n", nil, 1, "^TypeError: event 1 is of type int: yield a dict"},
		{python, "def poll(ctx): return [ctx.event({}, trigger='a.c')]\n", []string{"--trigger", "a.b"}, 1, "the sensor does not declare: its triggers are a.b\n$"},
		{node, "export const poll = (ctx) => [ctx.event({}, { trigger: 'a.c' })];\n", []string{"--trigger", "a.b"}, 1, "the sensor does not declare: its triggers are a.b\n"},
		{python, "", []string{"--config", `{"a": "${secret:OTHER}"}`}, 1, "LookupError: there is no secret 'OTHER': set ATTUNE_SECRET_OTHER"},
		{node, "", []string{"--config", `{"a": "${secret:OTHER}"}`}, 1, `Error: there is no secret "OTHER": set ATTUNE_SECRET_OTHER`},
		{python, "", []string{"--config", `{"a": "${secret OTHER}"}`}, 1, `'\${secret OTHER}' is no reference to a secret: write \${secret:NAME}, or \$\${ for a plain \${`},
		{node, "", []string{"--config", `{"a": "${secret OTHER}"}`}, 1, `"\${secret OTHER}" is no reference to a secret: write \${secret:NAME}, or \$\${ for a plain \${`},
		{python, "", []string{"--config", `{`}, 2, "^--config {: "},
		{node, "", []string{"--config", `{`}, 2, "^--config {: "},
		{python, "", []string{"--config", `[]`}, 2, "^--config is of type list: give it a JSON object\n$"},
		{node, "", []string{"--config", `[]`}, 2, "^--config is an array: give it a JSON object\n$"},
		{python, "", []string{"--config", `@nosuch`}, 2, "^--config @nosuch: .*No such file"},
		{node, "", []string{"--config", `@nosuch`}, 2, "^--config @nosuch: ENOENT"},
		{python, "", []string{"--mode", "burst"}, 2, "invalid choice: 'burst'"},
		{node, "", []string{"--mode", "burst"}, 2, `^no mode "burst": there are poll and stream`},
		{python, "", []string{"--nosuch"}, 2, "unrecognized arguments: --nosuch"},
		{node, "", []string{"--nosuch"}, 2, "^Unknown option '--nosuch'"},
	} {
		_, stderr, status := output(test.alone(t, test.code(t, test.source), append([]string{test.file}, test.args...)...))
		require.Equal(t, test.status, status, stderr)
		require.Regexp(t, test.want, stderr)
		require.NotContains(t, stderr, "/attune_sensor.", "the SDK's own frames help nobody")
	}
}

func TestAloneTheCodeReadsTheTerminal(t *testing.T) {
	t.Parallel()
	for l, code := range map[*language]string{
		&python: "def poll(ctx):\n    yield {'line': input()}\n",
		&node:   "import { readFileSync } from 'node:fs';\nexport function* poll() { yield { line: readFileSync(0, 'utf8').trim() }; }\n",
	} {
		cmd := l.alone(t, l.code(t, code), l.file)
		cmd.Stdin = strings.NewReader("typed\n")
		stdout, stderr, _ := output(cmd)
		require.Equal(t, `{"type":"event","payload":{"line":"typed"}}`+"\n", canonical(stdout), stderr)
	}
}

// A stream is shown as it comes, and ends at an interrupt, or after as many events as were asked for.
func TestAloneAStream(t *testing.T) {
	t.Parallel()
	for l, code := range map[*language]string{
		&python: `
import time
def poll(ctx):
    n = 0
    while True:
        n += 1
        yield {"n": n, "deadline": ctx.deadline}
        ctx.cursor = n
        if n % 2 == 0:
            ctx.checkpoint()
        time.sleep(0.01)
`,
		&node: `
export async function* poll(ctx) {
  for (let n = 1; ; n++) {
    yield { n, deadline: ctx.deadline };
    ctx.cursor = n;
    if (n % 2 === 0) ctx.checkpoint();
    await new Promise((done) => setTimeout(done, 10));
  }
}
`,
	} {
		dir := l.code(t, code)
		stdout, stderr, status := output(l.alone(t, dir, l.file, "--mode", "stream", "--events", "3"))
		require.Zero(t, status, stderr)
		require.Equal(t, `{"type":"event","payload":{"n":1,"deadline":null}}
{"type":"event","payload":{"n":2,"deadline":null}}
{"type":"checkpoint","cursor":2}
{"type":"event","payload":{"n":3,"deadline":null}}
{"type":"cursor","cursor":3}
`, canonical(stdout))

		stdout, _, _ = output(l.alone(t, dir, l.file, "--mode", "stream", "--events", "2"))
		require.True(t, strings.HasSuffix(canonical(stdout), `{"type":"checkpoint","cursor":2}`+"\n"), stdout)

		cmd := l.alone(t, dir, l.file, "--mode", "stream")
		pipe, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		deadline := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer deadline.Stop()
		_, err = io.ReadFull(pipe, make([]byte, 200))
		require.NoError(t, err)
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		rest, err := io.ReadAll(pipe)
		require.NoError(t, err)
		require.NoError(t, cmd.Wait())
		lines := strings.Split(strings.TrimSpace(canonical(string(rest))), "\n")
		require.Regexp(t, `^{"type":"(cursor|checkpoint)","cursor":\d+}$`, lines[len(lines)-1])
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, l := range both {
		for _, args := range [][]string{nil, {"serve"}, {"nosuch"}} {
			cmd := exec.Command(l.interpreter(t), append([]string{l.install(t)}, args...)...)
			_, stderr, status := output(cmd)
			require.Equal(t, 2, status)
			require.Contains(t, stderr, "run ENTRYPOINT")
		}
		stdout, _, status := output(l.alone(t, t.TempDir(), "--help"))
		require.Zero(t, status)
		for _, option := range []string{"--config", "--cursor", "--mode", "--trigger", "--timeout", "--events", "ATTUNE_SECRET_NAME"} {
			require.Contains(t, stdout, option)
		}
	}
}

// The test of a sensor as its author writes it, which uses all of what run_once and runOnce have.
func TestUnitTestsOfSensors(t *testing.T) {
	t.Parallel()
	for name, command := range map[string][]string{
		"test_sensor.py":  {python.interpreter(t), "-m", "unittest", "-v", "test_sensor"},
		"sensor.test.mjs": {node.interpreter(t), "--test", "sensor.test.mjs"},
	} {
		dir := t.TempDir()
		require.NoError(t, sdk.Write(filepath.Join(dir, "node_modules/attune_sensor")))
		content, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(t, err)
		write(t, dir, name, string(content))
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "PYTHONPATH="+filepath.Join(dir, "node_modules/attune_sensor"))
		out, err := cmd.CombinedOutput()
		require.NoErrorf(t, err, "%s", out)
		require.Regexp(t, `(?m)^(Ran 5 tests|# pass 5$|ℹ pass 5$)`, string(out))
	}
}
