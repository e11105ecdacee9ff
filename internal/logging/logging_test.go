package logging

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	"go.uber.org/zap"
)

func TestJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l, err := New(Config{Output: &out})
	require.NoError(t, err)
	l.Debug("not shown at info, the default level")
	l.Named("publisher").Info("published", zap.String("sensor_ref", "demo.git"), zap.Duration("took", 1500*time.Millisecond),
		zap.Error(errors.New("late")))

	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line), "one line: %s", out.String())
	ts, err := time.Parse(time.RFC3339Nano, line["ts"].(string))
	require.NoError(t, err)
	require.Equal(t, time.UTC, ts.Location())
	delete(line, "ts")
	require.Equal(t, map[string]any{
		"level": "info", "logger": "publisher", "msg": "published",
		"sensor_ref": "demo.git", "took": "1.5s", "error": "late",
	}, line)
}

func TestConsole(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l, err := New(Config{Level: "debug", Format: FormatConsole, Output: &out})
	require.NoError(t, err)
	l.Named("worker").Debug("started", zap.Int("sensors", 3))
	require.Regexp(t, regexp.MustCompile(`^\d\d:\d\d:\d\d\.\d{3}  DEBUG  worker  started  {"sensors": 3}\n$`), out.String())
}

func TestAutoIsJSONWhenNoTerminal(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	defer file.Close()
	l, err := New(Config{Format: FormatAuto, Output: file})
	require.NoError(t, err)
	l.Info("started")
	content, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	require.True(t, json.Valid(content), string(content))
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	for _, level := range []string{"loud", "fatal", "panic"} {
		_, err := New(Config{Level: level})
		require.EqualError(t, err, `unknown log.level "`+level+`": use debug, info, warn or error`)
	}
	_, err := New(Config{Format: "xml"})
	require.EqualError(t, err, `unknown log.format "xml": use auto, json or console`)
}

func TestTemporal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l, err := New(Config{Level: "debug", Format: FormatJSON, Output: &out})
	require.NoError(t, err)
	sdk := log.With(Temporal(l.Named("temporal")), "TaskQueue", "attune")
	sdk.Debug("polled")
	sdk.Info("started", "WorkflowID", "sensor:demo.git")
	sdk.Warn("slow", "Attempt", 2)
	sdk.Error("failed", "Error", errors.New("boom"), "left over")

	var lines []map[string]any
	for decoder := json.NewDecoder(&out); decoder.More(); {
		var line map[string]any
		require.NoError(t, decoder.Decode(&line))
		delete(line, "ts")
		require.Equal(t, "temporal", line["logger"])
		delete(line, "logger")
		lines = append(lines, line)
	}
	require.Equal(t, []map[string]any{
		{"level": "debug", "msg": "polled", "task_queue": "attune"},
		{"level": "info", "msg": "started", "task_queue": "attune", "workflow_id": "sensor:demo.git"},
		{"level": "warn", "msg": "slow", "task_queue": "attune", "attempt": 2.0},
		{"level": "error", "msg": "failed", "task_queue": "attune", "error": "boom", "extra": "left over"},
	}, lines)
}

func TestSnakeCase(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"WorkflowID":     "workflow_id",
		"RunID":          "run_id",
		"HTTPStatusCode": "http_status_code",
		"Attempt":        "attempt",
		"sensor_ref":     "sensor_ref",
		"X":              "x",
		"":               "",
		"Sha256Sum":      "sha256_sum",
		"Größe":          "größe",
	} {
		require.Equal(t, want, snakeCase(key), key)
	}
}
