package cli_test

import (
	"bufio"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/cli"
)

func TestCasesAnswersEveryLine(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 3<<20)
	lines := []struct{ in, out string }{
		{`{"conditions": [], "payload": {}}`, `{"matched":true,"verdicts":[]}`},
		{
			`{"conditions": [{"field": "a", "operator": "equals", "value": 1}], "condition": "any", "payload": {"a": 2}}`,
			`{"matched":false,"verdicts":[{"field":"a","operator":"equals","expected":1,"actual":2,"matched":false,"reason":"value is different"}]}`,
		},
		{
			`{"conditions": [{"field": "sensor.ref", "operator": "equals", "value": "a.b"}], "payload": 1, "sensor": {"ref": "a.b"}}`,
			`{"matched":true,"verdicts":[{"field":"sensor.ref","operator":"equals","expected":"a.b","actual":"a.b","matched":true,"reason":"value is equal"}]}`,
		},
		{
			`{"conditions": [{"field": "s", "operator": "ends_with", "value": "y"}], "payload": {"s": "` + long + `y"}}`,
			`{"matched":true,"verdicts":[{"field":"s","operator":"ends_with","expected":"y","actual":"` + long + `y","matched":true,"reason":"value ends with it"}]}`,
		},
		{``, `{"error":"the line is not a JSON object: unexpected end of JSON input"}`},
		{`[1]`, `{"error":"the line is not a JSON object: json: cannot unmarshal array into Go value of type map[string]json.RawMessage"}`},
		{`{"payload": {}}`, `{"error":"conditions is missing"}`},
		{`{"conditions": []}`, `{"error":"payload is missing"}`},
		{`{"cel": "payload.n > 1", "payload": {"n": 2}, "params": {"n": "{{ payload.n * 2 }}"}}`,
			`{"matched":true,"verdicts":[],"cel":{"expression":"payload.n > 1","actual":2,"matched":true,"reason":"is true"},"params":{"n":4}}`},
		{`{"conditions": [], "payload": {}, "mode": "any"}`, `{"error":"unknown key \"mode\": write conditions, condition, cel, params, payload, config, event, trigger or sensor"}`},
		{`{"conditions": [], "payload": {}, "condition": 1}`, `{"error":"condition is 1: write \"all\" or \"any\""}`},
		{`{"conditions": [], "payload": {}, "condition": "one"}`, `{"error":"condition: unknown mode \"one\": use all or any"}`},
		{`{"conditions": {}, "payload": {}}`, `{"error":"conditions: want a list, got an object: {}; put the conditions in [ ], of which an empty one matches every event"}`},
		{`{"conditions": [], "payload": null}`, `{"matched":true,"verdicts":[]}`},
	}
	input := make([]string, len(lines))
	for i, l := range lines {
		input[i] = l.in
	}
	// The last line may lack its end.
	r := newBench(t).runWith(strings.NewReader(strings.Join(input, "\n")), "rule", "test", "--cases", "-")
	require.Empty(t, r.stderr)
	require.Zero(t, r.code)
	answers := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
	require.Len(t, answers, len(lines))
	for i, l := range lines {
		if answers[i] != l.out { // a line may be too long for a diff
			t.Errorf("%.200s\nis answered with %.200s\nand not with    %.200s", l.in, answers[i], l.out)
		}
	}
}

func TestCasesAnswersBeforeTheInputEnds(t *testing.T) {
	t.Parallel()
	input, send := io.Pipe()
	receive, output := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- cli.Main(t.Context(), []string{"rule", "test", "--cases", "-"}, cli.Env{Stdin: input, Stdout: output, Stderr: io.Discard})
		output.Close()
	}()
	answers := bufio.NewScanner(receive)
	for range 3 {
		_, err := io.WriteString(send, `{"conditions": [], "payload": {}}`+"\n")
		require.NoError(t, err)
		require.True(t, answers.Scan())
		require.JSONEq(t, `{"matched": true, "verdicts": []}`, answers.Text())
	}
	require.NoError(t, send.Close())
	require.False(t, answers.Scan())
	require.Zero(t, <-code)
}

func TestCasesNeedsItsFile(t *testing.T) {
	t.Parallel()
	require.Contains(t, newBench(t).fails(2, "rule", "test", "--cases", "no-such-file"), "--cases: open no-such-file")
}
