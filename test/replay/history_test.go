package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/attune-automation/sensors/test/stack"
)

// histories returns the histories of all runs of a workflow, oldest first.
func histories(t *testing.T, s *stack.Stack, workflowID string) []*historypb.History {
	t.Helper()
	found, err := s.Client.DescribeWorkflowExecution(t.Context(), workflowID, "")
	require.NoError(t, err)
	var all []*historypb.History
	for run := found.WorkflowExecutionInfo.FirstRunId; run != ""; {
		h := history(t, s, workflowID, run)
		all = append(all, h)
		run = next(h)
	}
	return all
}

func history(t *testing.T, s *stack.Stack, workflowID, run string) *historypb.History {
	t.Helper()
	h := &historypb.History{}
	events := s.Client.GetWorkflowHistory(t.Context(), workflowID, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(t, err)
		h.Events = append(h.Events, event)
	}
	return h
}

// next returns the run that follows the one of a history; empty: none does.
func next(h *historypb.History) string {
	last := h.Events[len(h.Events)-1]
	if again := last.GetWorkflowExecutionContinuedAsNewEventAttributes(); again != nil {
		return again.NewExecutionRunId
	}
	return last.GetWorkflowExecutionFailedEventAttributes().GetNewExecutionRunId()
}

// write writes a history, an event a line, without what tells of the machine that it is from.
func write(t *testing.T, path string, h *historypb.History) {
	t.Helper()
	var out bytes.Buffer
	out.WriteString("{\"events\":[\n")
	for i, event := range h.Events {
		raw, err := protojson.Marshal(event)
		require.NoError(t, err)
		var value any
		require.NoError(t, json.Unmarshal(raw, &value))
		anonymize(value)
		line, err := json.Marshal(value)
		require.NoError(t, err)
		if i > 0 {
			out.WriteString(",\n")
		}
		out.Write(line)
	}
	out.WriteString("\n]}\n")
	host, err := os.Hostname()
	require.NoError(t, err)
	require.NotContains(t, out.String(), "@"+host, "the history names this machine")
	require.NoError(t, os.WriteFile(path, out.Bytes(), 0o644))
}

// anonymize replaces the names of processes, of their queues and of the namespace, and drops what no replay looks at.
func anonymize(value any) {
	switch v := value.(type) {
	case []any:
		for _, part := range v {
			anonymize(part)
		}
	case map[string]any:
		for key, part := range v {
			switch key {
			case "identity":
				v[key] = "worker"
			case "namespace", "parentWorkflowNamespace":
				v[key] = "test"
			case "requestId", "taskId", "workerVersion", "meteringMetadata", "prevAutoResetPoints", "header", "userMetadata":
				delete(v, key)
			default:
				anonymize(part)
			}
		}
		if v["kind"] == "TASK_QUEUE_KIND_STICKY" {
			v["name"] = "sticky"
		}
	}
}

// fileName returns the name of the file for a scenario's nth run, from 0.
func fileName(scenario string, n, runs int) string {
	if runs == 1 {
		return scenario + ".json"
	}
	return fmt.Sprintf("%s-%d.json", scenario, n+1)
}

// empty removes what an earlier recording left in the folder.
func empty(t *testing.T, dir string) {
	t.Helper()
	old, err := filepath.Glob(filepath.Join(dir, "*.json"))
	require.NoError(t, err)
	for _, file := range old {
		require.NoError(t, os.Remove(file))
	}
}
