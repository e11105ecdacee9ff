package sdk_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/runner/sdk"
)

// patience is longer than anything takes that works.
const patience = time.Minute

// language is one of the two SDKs, and how its interpreter is started.
type language struct {
	name, file string // file is the name of a sensor's file
	command    string
	flags      []string
	sdk        func(*sdk.Cache) (string, error)
}

var (
	python = language{"python", "s.py", "python3", []string{"-B", "-u"}, (*sdk.Cache).Python}
	node   = language{"nodejs", "s.mjs", "node", nil, (*sdk.Cache).Node}
	both   = []language{python, node}
)

// pythonItself is what a version manager's python3 starts, after a while.
var pythonItself = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	return strings.TrimSpace(string(out)), err
})

// interpreter returns the language's interpreter.
func (l language) interpreter(t testing.TB) string {
	t.Helper()
	if l.command != "python3" {
		return l.command
	}
	path, err := pythonItself()
	require.NoError(t, err)
	return path
}

// object is a message or a request.
type object = map[string]any

// session is an interpreter that serves an entrypoint.
type session struct {
	t        testing.TB
	cmd      *exec.Cmd
	requests *os.File
	messages *bufio.Reader
	schemas  schemas
	log      *logBuffer
}

// install returns the path of the language's SDK.
func (l language) install(t testing.TB) string {
	t.Helper()
	cache, err := sdk.New(t.TempDir())
	require.NoError(t, err)
	path, err := l.sdk(cache)
	require.NoError(t, err)
	return path
}

// code writes a pack with one sensor's file and returns the pack's folder.
func (l language) code(t testing.TB, code string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, l.file), []byte(strings.TrimPrefix(code, "\n")), 0o644))
	return dir
}

// serve starts an interpreter as a worker does. Options change how its pipes are set up.
func (l language) serve(t testing.TB, dir string, options ...func(data *os.File)) *session {
	t.Helper()
	args := slices.Concat(l.flags, []string{l.install(t), "serve", l.file})
	s := &session{t: t, cmd: exec.Command(l.interpreter(t), args...), schemas: compileSchemas(t), log: &logBuffer{}}
	stdin, requests, err := os.Pipe()
	require.NoError(t, err)
	messages, data, err := os.Pipe()
	require.NoError(t, err)
	for _, option := range options {
		option(data)
	}
	s.requests, s.messages = requests, bufio.NewReader(messages)
	s.cmd.Dir, s.cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr, s.cmd.ExtraFiles = stdin, s.log, s.log, []*os.File{data}
	s.cmd.WaitDelay = time.Second
	require.NoError(t, s.cmd.Start())
	require.NoError(t, stdin.Close())
	require.NoError(t, data.Close())
	t.Cleanup(func() {
		_ = requests.Close()
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		_ = messages.Close()
	})
	require.NoError(t, messages.SetReadDeadline(time.Now().Add(patience)))
	require.Equal(t, object{"type": "hello", "protocol": 1.0, "sdk": l.name + "/1"}, s.next())
	return s
}

// request is what a worker asks, with changes; a nil removes a field.
func request(changes object) object {
	asked := object{
		"protocol": 1, "sensor": object{"ref": "test.sensor"}, "mode": "poll",
		"config": object{"n": 7}, "secrets": object{"TOKEN": "hush-hush"}, "cursor": []int{1},
		"deadline": time.Now().UTC().Add(patience).Format("2006-01-02T15:04:05.000Z"), "timeout_seconds": patience.Seconds(),
		"limits":   object{"event_bytes": 1 << 20, "poll_bytes": 64 << 20, "events": 10_000},
		"triggers": []string{"test.first", "test.second"}, "pack_dir": "/somewhere",
	}
	maps.Copy(asked, changes)
	maps.DeleteFunc(asked, func(_ string, value any) bool { return value == nil })
	if _, ok := asked["cursor"]; !ok {
		asked["cursor"] = nil
	}
	return asked
}

// stream is the request of a stream.
func stream() object {
	return request(object{"mode": "stream", "deadline": nil, "timeout_seconds": nil})
}

// send asks for a poll.
func (s *session) send(asked object) {
	s.t.Helper()
	line, err := json.Marshal(asked)
	require.NoError(s.t, err)
	if asked["protocol"] == 1 {
		s.schemas.check(s.t, s.schemas.request, line)
	}
	_, err = s.requests.Write(append(line, '\n'))
	require.NoError(s.t, err)
}

// next returns the next message.
func (s *session) next() object {
	s.t.Helper()
	line, err := s.messages.ReadBytes('\n')
	require.NoErrorf(s.t, err, "%s\nlog: %s", line, s.log)
	s.schemas.check(s.t, s.schemas.message, line)
	var message object
	require.NoError(s.t, json.Unmarshal(line, &message))
	return message
}

// poll asks, and returns the messages up to the poll's end.
func (s *session) poll(asked object) []object {
	s.t.Helper()
	s.send(asked)
	var all []object
	for {
		message := s.next()
		all = append(all, message)
		if message["type"] == "done" || message["type"] == "error" {
			return all
		}
	}
}

// end closes stdin, and returns the exit status and what is left to read.
func (s *session) end() (status int, rest string) {
	s.t.Helper()
	require.NoError(s.t, s.requests.Close())
	left, err := io.ReadAll(s.messages)
	require.NoError(s.t, err)
	_ = s.cmd.Wait()
	return s.cmd.ProcessState.ExitCode(), string(left)
}

// text shows messages one a line, with their fields in order.
func text(messages []object) string {
	var lines []string
	for _, message := range messages {
		var line bytes.Buffer
		encoder := json.NewEncoder(&line)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(message); err != nil {
			return err.Error()
		}
		lines = append(lines, strings.TrimSpace(line.String()))
	}
	return strings.Join(lines, "\n")
}

// logBuffer keeps what a process prints.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// schemas are those of the protocol's page.
type schemas struct{ request, message *jsonschema.Schema }

func compileSchemas(t testing.TB) schemas {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	compile := func(name string) *jsonschema.Schema {
		schema, err := compiler.Compile("../../../docs/protocol/" + name + ".schema.json")
		require.NoError(t, err)
		return schema
	}
	return schemas{request: compile("request"), message: compile("message")}
}

func (schemas) check(t testing.TB, schema *jsonschema.Schema, line []byte) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
	require.NoErrorf(t, err, "%s", line)
	if err := schema.Validate(value); err != nil {
		require.Fail(t, fmt.Sprintf("%.200s: %v", line, err))
	}
}

// write writes a file of a pack.
func write(t testing.TB, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
}
