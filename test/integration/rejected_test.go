package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

// mixed is a pack of two sensors: a program that writes the lines of a file, and Python code of its own.
const mixed = `
-- pack.yaml --
ref: t
-- triggers/number.yaml --
ref: t.number
out_schema: {type: object, required: [n], properties: {n: {type: integer}}}
-- sensors/lines.yaml --
ref: t.lines
runtime: core.exec
entrypoint: bin/lines
trigger: t.number
-- sensors/python.yaml --
ref: t.python
runtime: core.python3
entrypoint: python.py
trigger: t.number
-- rules/all.yaml --
ref: t.all
trigger: t.number
action: {ref: core.echo}
-- bin/lines --
#!/bin/sh
cat lines >&3
-- python.py --
def poll(ctx):
    yield {"n": 1}
    yield {"n": 2, "text": "\0"}
    yield {"n": 3, "text": "\ud83d"}
    yield {"n": "four"}
    yield {"n": 5, "deep": nested(600)}
    yield {"n": 6, "text": "\U0001f600"}
    ctx.cursor = "the end"

def nested(depth):
    value = 0
    for _ in range(depth):
        value = [value]
    return value
`

// What cannot become an event is kept as it was written, with the reason; the rest of its batch goes on.
func TestPayloadsThatCannotBeEventsAreKeptApart(t *testing.T) {
	t.Parallel()
	s := stack.New(t, seldom)
	messages := s.Watch()
	bad := []struct{ payload, reason string }{
		{`{"n": 2, "text": "\u0000"}`, `\u0000`},
		{`{"n": 3, "text": "\ud83d"}`, "surrogate"},
		{`{"n": 4, "big": 1e999999}`, "exponent"},
		{`{"n": 5, "deep": ` + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000) + `}`, "nest deeper than 500"},
		{`{"n": "six"}`, "n"},
		{`{"m": 7}`, "n"},
		{"{\"n\": 8, \"text\": \"\xff\"}", "UTF-8"},
	}
	lines := &strings.Builder{}
	fmt.Fprintln(lines, `{"type": "event", "payload": {"n": 1}}`)
	for _, b := range bad {
		fmt.Fprintf(lines, "{\"type\": \"event\", \"payload\": %s}\n", b.payload)
	}
	fmt.Fprintln(lines, `{"type": "event", "payload": {"n": 9}}`)
	s.Apply(mixed + "-- lines --\n" + lines.String())
	s.StartWorker()

	status := await(t, s, "t.lines", func(status workflows.Status) bool { return status.Batches == 1 && !status.Polling })
	require.EqualValues(t, 2, status.Events)
	require.EqualValues(t, 2, status.Enforcements)
	require.EqualValues(t, len(bad), status.Rejected)
	require.Equal(t, []int{1, 9}, numbers(t, s, "t.lines"))
	kept := refusals(t, s, "t.lines")
	require.Len(t, kept, len(bad))
	for i, b := range bad {
		require.Equal(t, b.payload, string(kept[i].Raw))
		require.Contains(t, kept[i].Reason, b.reason)
		require.Equal(t, i+1, kept[i].Position)
	}

	status = await(t, s, "t.python", func(status workflows.Status) bool { return status.Batches == 1 && !status.Polling })
	require.EqualValues(t, 4, status.Rejected)
	require.Equal(t, []int{1, 6}, numbers(t, s, "t.python"))
	require.Len(t, refusals(t, s, "t.python"), 4)
	cursor, _, err := s.Store.Cursor(t.Context(), "t.python")
	require.NoError(t, err)
	require.JSONEq(t, `"the end"`, string(cursor))
	report := s.Sound(messages)
	require.EqualValues(t, len(bad)+4, report.Rejected)
}

// refusals returns the rejected payloads of a sensor, oldest first.
func refusals(t *testing.T, s *stack.Stack, ref string) []store.RejectedEvent {
	t.Helper()
	newest, err := s.Store.Rejected(t.Context(), store.RejectedFilter{SensorRef: ref})
	require.NoError(t, err)
	byPosition := make([]store.RejectedEvent, len(newest))
	for i, r := range newest {
		byPosition[len(newest)-1-i] = r
	}
	return byPosition
}
