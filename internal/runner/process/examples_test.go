package process_test

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/pack"
	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/runner"
	"github.com/attune-automation/sensors/internal/schema"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/packs"
)

// example is a sensor of packs/examples with its trigger and rules.
type example struct {
	*bundle
	req   runner.Request
	out   *schema.Schema
	rules map[string]*rule.Compiled
}

func loadExample(t *testing.T, ref string, set ...string) *example {
	t.Helper()
	files, err := packs.Core()
	require.NoError(t, err)
	core, err := pack.LoadFS(files, pack.Options{})
	require.NoError(t, err)
	loaded, err := pack.Load("../../../packs/examples", pack.Options{Set: set, Known: core.Triggers})
	require.NoError(t, err)
	e := &example{bundle: setup(t), rules: map[string]*rule.Compiled{}}
	e.archives.put(loaded.Archive)
	i := slices.IndexFunc(loaded.Sensors, func(s sensor.Sensor) bool { return s.Ref == ref })
	require.GreaterOrEqual(t, i, 0)
	def := loaded.Sensors[i]
	def.PackDigest = loaded.Digest
	def.Sandbox = sensor.SandboxNone // what the tests have it watch is below /tmp
	e.req = runner.Request{Sensor: def, Timeout: def.Timeout}
	for _, trigger := range loaded.Triggers {
		if trigger.Ref == def.TriggerRef {
			e.out, err = schema.Compile("payload", trigger.OutSchema)
			require.NoError(t, err)
		}
	}
	for _, r := range loaded.Rules {
		if r.TriggerRef == def.TriggerRef {
			e.rules[r.Ref], err = rule.Compile(&r)
			require.NoError(t, err)
		}
	}
	return e
}

// next polls from where the last poll got to. It returns the payloads, and the rules that match each.
func (e *example) next(t *testing.T) (events []map[string]any, matched [][]string) {
	t.Helper()
	poll := e.poll(t, e.req)
	if poll.Cursor != nil {
		e.req.Cursor = poll.Cursor
	}
	for _, raw := range poll.Payloads {
		require.NoError(t, schema.CheckPayload(raw))
		require.NoError(t, e.out.Check("payload", raw))
		payload, err := condition.Decode(raw)
		require.NoError(t, err)
		rules := []string{}
		doc := rule.NewDocument(condition.Document{condition.Payload: payload})
		for ref, r := range e.rules {
			matches, err := r.Match(t.Context(), doc)
			require.NoError(t, err)
			if matches {
				rules = append(rules, ref)
			}
		}
		slices.Sort(rules)
		var event map[string]any
		require.NoError(t, json.Unmarshal(raw, &event))
		events, matched = append(events, event), append(matched, rules)
	}
	return events, matched
}

// repository is a git repository of a test's own.
type repository string

func (r repository) git(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", string(r), "-c", "user.name=Ada", "-c", "user.email=ada@example.org"}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + string(r), "GIT_CONFIG_NOSYSTEM=1"}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return strings.TrimSpace(string(out))
}

func (r repository) commit(t *testing.T, subject, file, content string) string {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(string(r), file), []byte(content), 0o600))
	r.git(t, "add", "-A")
	r.git(t, "commit", "-q", "--allow-empty", "-m", subject)
	return r.git(t, "rev-parse", "HEAD")
}

func TestExampleGitCommits(t *testing.T) {
	t.Parallel()
	repo := repository(t.TempDir())
	repo.git(t, "init", "-q", "-b", "main")
	e := loadExample(t, "examples.git_commits", "examples.git_commits.repository="+string(repo), "examples.git_commits.initial=3")
	require.Contains(t, e.fault(t, e.req).Message, "RuntimeError: git rev-parse in "+string(repo)+": fatal:")

	repo.commit(t, "too old for the first poll", "old", "1\n")
	repo.commit(t, "add a line", "a.txt", "1\n2\n")
	hash := repo.commit(t, "docs: \x1e\x1f \"quotes\", ümläute", "größe.txt", strings.Repeat("line\n", 101))
	repo.commit(t, "drop all of it", "a.txt", "")
	events, matched := e.next(t)
	require.Len(t, events, 3)
	committed, err := time.Parse(time.RFC3339, events[1]["committed_at"].(string))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), committed, time.Minute)
	delete(events[1], "committed_at")
	require.Equal(t, map[string]any{
		"hash": hash, "author": "Ada", "email": "ada@example.org", "subject": "docs: \x1e\x1f \"quotes\", ümläute",
		"files": 1.0, "insertions": 101.0, "deletions": 0.0, "paths": []any{"größe.txt"},
	}, events[1])
	const start, review, watch = "examples.commit_on_temporal", "examples.commit_to_review", "examples.commit_to_watch"
	const breaks, digest = "examples.commit_breaks_site", "examples.commit_digest"
	require.Equal(t, [][]string{{breaks, digest, start, review}, {breaks, digest, start, review, watch}, {breaks, digest}}, matched)

	events, _ = e.next(t)
	require.Empty(t, events)

	repo.commit(t, "add a table", "1.sql", "create table t;\n")
	require.NoError(t, os.WriteFile(filepath.Join(string(repo), "image"), []byte{0, 1, 2}, 0o600))
	repo.commit(t, "Fix the picture", "go.mod", "")
	events, matched = e.next(t)
	require.Equal(t, []any{"add a table", "Fix the picture"}, []any{events[0]["subject"], events[1]["subject"]})
	require.Equal(t, []any{"go.mod", "image"}, events[1]["paths"])
	require.Equal(t, [][]string{{breaks, digest, start, review, watch}, {breaks, digest, watch}}, matched)

	repo.git(t, "commit", "-q", "--amend", "-m", "Fix the picture, reworded")
	events, _ = e.next(t)
	require.Len(t, events, 1, "what the rewritten history adds")
	require.Equal(t, "Fix the picture, reworded", events[0]["subject"])

	e.req.Cursor = json.RawMessage(`"` + strings.Repeat("0", 40) + `"`)
	events, _ = e.next(t)
	require.Len(t, events, 3, "as at first")
}

func TestExampleHTTPProbe(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	var status atomic.Int64
	status.Store(http.StatusOK)
	serve := func(l net.Listener) *httptest.Server {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
		require.NoError(t, server.Listener.Close())
		server.Listener = l
		server.Start()
		return server
	}
	server := serve(listener)
	e := loadExample(t, "examples.http_probe", "examples.http_probe.url=http://"+address+"/")

	down := [][]string{{"examples.commit_breaks_site/down", "examples.site_down", "examples.site_stays_down"}}

	events, _ := e.next(t)
	require.Empty(t, events, "up from the start")

	server.Close()
	events, matched := e.next(t)
	require.Len(t, events, 1)
	delete(events[0], "latency_ms")
	require.Contains(t, []any{"ECONNREFUSED", "ECONNRESET", "UND_ERR_SOCKET"}, events[0]["error"], "a process that stayed up may find its old connection closed")
	delete(events[0], "error")
	require.Equal(t, map[string]any{"url": "http://" + address + "/", "previous": "up", "state": "down", "status": nil}, events[0])
	require.Equal(t, down, matched)
	events, _ = e.next(t)
	require.Empty(t, events, "still down")

	listener, err = net.Listen("tcp", address)
	require.NoError(t, err)
	server = serve(listener)
	t.Cleanup(server.Close)
	events, matched = e.next(t)
	require.Len(t, events, 1)
	require.Equal(t, "down", events[0]["previous"])
	require.Equal(t, [][]string{{"examples.site_stays_down/up", "examples.site_up"}}, matched)

	status.Store(http.StatusServiceUnavailable)
	events, matched = e.next(t)
	require.InDelta(t, 503, events[0]["status"], 0)
	require.Equal(t, down, matched)
}

func TestExampleDiskUsage(t *testing.T) {
	t.Parallel()
	above := loadExample(t, "examples.disk_usage")
	events, matched := above.next(t)
	require.Len(t, events, 1, "the pack's own config speaks at once")
	require.Equal(t, "/", events[0]["path"])
	require.Equal(t, "above", events[0]["state"])
	require.Equal(t, "below", events[0]["previous"])
	require.Equal(t, [][]string{{"examples.disk_filling"}}, matched)
	events, _ = above.next(t)
	require.Empty(t, events, "still above")

	below := loadExample(t, "examples.disk_usage", "examples.disk_usage.threshold_percent=100", "examples.disk_usage.path="+t.TempDir())
	events, _ = below.next(t)
	require.Empty(t, events, "below from the start")
	below.req.Cursor = json.RawMessage(`"above"`)
	events, matched = below.next(t)
	require.Len(t, events, 1)
	require.Equal(t, "below", events[0]["state"])
	require.Equal(t, [][]string{{}}, matched)

	below.req.Sensor.Config = json.RawMessage(`{"path": "/nowhere", "threshold_percent": 1}`)
	require.Contains(t, strings.Join(below.fault(t, below.req).Log, "\n"), "df tells no usage of /nowhere")
}

func TestExamplesUseTheWholeLanguage(t *testing.T) {
	t.Parallel()
	rules, err := filepath.Glob("../../../packs/examples/rules/*.yaml")
	require.NoError(t, err)
	var all strings.Builder
	for _, file := range rules {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		all.Write(content)
	}
	for _, operator := range []string{ // of the platform's own language; docs/rules.md has an example of each
		"equals", "not_equals", "contains", "starts_with", "ends_with", "greater_than", "less_than", "in", "not_in", "matches",
	} {
		require.Contains(t, all.String(), "operator: "+operator+",")
	}
	for _, word := range []string{"condition: all", "condition: any", "- not:", "- any:"} {
		require.Contains(t, all.String(), word)
	}
}
