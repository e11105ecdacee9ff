package integration

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

// indiscreet says its secret wherever it can: it prints and logs it, skips and fails with it, and proves that it has it.
const indiscreet = `
-- pack.yaml --
ref: t
-- triggers/tick.yaml --
ref: t.tick
-- sensors/indiscreet.yaml --
ref: t.indiscreet
runtime: core.python3
entrypoint: indiscreet.py
trigger: t.tick
poll_interval: 1s
config: {header: "Bearer ${secret:TOKEN}"}
-- indiscreet.py --
import hashlib, os, sys

def poll(ctx):
    token = ctx.secret("TOKEN")
    assert ctx.config["header"] == "Bearer " + token
    print("stdout has", token)
    print("stderr has", token, file=sys.stderr)
    ctx.log("the log has " + token)
    n = (ctx.cursor or 0) + 1
    ctx.cursor = n
    if n == 1:
        ctx.skip("nothing for " + token)
        return
    if n == 2:
        ctx.checkpoint(n)
        raise RuntimeError("cannot log in with " + token)
    if n == 4:
        ctx.checkpoint(n)
        yield {"token": token}
    yield {
        "digest": hashlib.sha256(token.encode()).hexdigest(),
        "argv": open("/proc/self/cmdline").read().split("\0"),
        "environ": sorted(os.environ),
    }
`

func TestASecretIsSeenByItsSensorAlone(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t-Xyzzy+token/with=signs"
	logs := t.TempDir()
	s := stack.New(t, map[string]string{"LOG__SENSOR_DIRECTORY": logs, "LOG__LEVEL": "debug"})
	messages := s.Watch()
	processes := watchProcesses(t, secret)
	worker := s.StartProcess(map[string]string{"SENSOR__MAX_RESTART_ATTEMPTS": "10"}, "ATTUNE_SECRET_TOKEN="+secret)
	s.Apply(indiscreet)
	awaitEvents(t, s, "t.indiscreet", 3)
	await(t, s, "t.indiscreet", func(status workflows.Status) bool { return strings.Contains(status.LastError, `"TOKEN"`) })
	s.StopSensor("t.indiscreet", "the test has seen enough")

	events, err := s.Store.Events(t.Context(), store.EventFilter{SensorRef: "t.indiscreet"})
	require.NoError(t, err)
	sum := sha256.Sum256([]byte(secret))
	for _, e := range events {
		require.Contains(t, string(e.Payload), hex.EncodeToString(sum[:]), "the sensor has the secret")
	}
	require.NotContains(t, string(events[0].Payload), "ATTUNE_SECRET", "its environment has nothing of the worker's")

	places := map[string][]byte{
		"the database":     dumpDatabase(t, s.Config.Database.URL),
		"Temporal":         dumpHistories(t, s),
		"the broker":       dumpMessages(t, messages),
		"the log files":    dumpFolder(t, logs),
		"the worker's log": worker.Log(),
	}
	for place, content := range places {
		require.NotEmpty(t, content, place)
		require.NotContains(t, string(content), secret, place)
	}
	require.Contains(t, string(places["the log files"]), "stdout has ***")
	require.Contains(t, string(places["Temporal"]), "cannot log in with ***")
	require.Empty(t, processes(), "processes with the secret among their arguments, or others than the worker in their environment")
}

// watchProcesses looks at all processes until the returned function is called, which returns those that had the secret
// in their arguments, or in an environment that says ATTUNE_SENSOR or belongs to a sensor's interpreter.
func watchProcesses(t *testing.T, secret string) func() []string {
	var found []string
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				found = append(found, processesWith(secret)...)
			}
		}
	})
	var once sync.Once
	end := func() []string {
		once.Do(func() { close(stop) })
		wg.Wait()
		return found
	}
	t.Cleanup(func() { end() })
	return end
}

func processesWith(secret string) []string {
	var found []string
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		if _, err := strconv.Atoi(entry.Name()); err != nil {
			continue
		}
		arguments, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		environment, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), "environ"))
		isWorker := bytes.Contains(environment, []byte("ATTUNE_TEST_WORKER="))
		if bytes.Contains(arguments, []byte(secret)) || (!isWorker && bytes.Contains(environment, []byte(secret))) {
			found = append(found, fmt.Sprintf("%s: %s", entry.Name(), bytes.ReplaceAll(arguments, []byte{0}, []byte{' '})))
		}
	}
	return found
}

// dumpDatabase returns every row of every table as text, binary columns as they are and as hex.
func dumpDatabase(t *testing.T, url string) []byte {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	rows, err := conn.Query(t.Context(), `select tablename from pg_tables where schemaname = 'attune' order by 1`)
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.NotEmpty(t, tables)
	_, err = conn.Exec(t.Context(), `set bytea_output = escape`)
	require.NoError(t, err)
	var dump bytes.Buffer
	for _, table := range tables {
		rows, err := conn.Query(t.Context(), "select r::text from attune."+pgx.Identifier{table}.Sanitize()+" r")
		require.NoError(t, err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		fmt.Fprintf(&dump, "%s\n%s\n", table, strings.Join(lines, "\n"))
	}
	return dump.Bytes()
}

// dumpHistories returns every event of every run of every workflow, payloads in clear.
func dumpHistories(t *testing.T, s *stack.Stack) []byte {
	t.Helper()
	var dump bytes.Buffer
	list, err := s.Client.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{PageSize: 1000})
	require.NoError(t, err)
	require.NotEmpty(t, list.Executions)
	for _, e := range list.Executions {
		history := s.Client.GetWorkflowHistory(t.Context(), e.Execution.WorkflowId, e.Execution.RunId, false,
			enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for history.HasNext() {
			event, err := history.Next()
			require.NoError(t, err)
			raw, err := event.Marshal() // protobuf holds texts as they are
			require.NoError(t, err)
			dump.Write(raw)
		}
	}
	return dump.Bytes()
}

func dumpMessages(t *testing.T, messages *stack.Messages) []byte {
	t.Helper()
	var dump bytes.Buffer
	for _, delivery := range messages.All() {
		raw, err := json.Marshal(delivery)
		require.NoError(t, err)
		dump.Write(raw)
	}
	return dump.Bytes()
}

func dumpFolder(t *testing.T, dir string) []byte {
	t.Helper()
	var dump bytes.Buffer
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		dump.Write(content)
		return err
	}))
	return dump.Bytes()
}
