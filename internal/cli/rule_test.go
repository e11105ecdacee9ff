package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	onMain  = `[{"field": "payload.branch", "operator": "equals", "value": "main"}]`
	onMain2 = `[{"field": "payload.branch", "operator": "equals", "value": "main"}, {"field": "n", "operator": "greater_than", "value": 5}]`
)

func TestRuleTest(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "conditions.json")
	require.NoError(t, os.WriteFile(file, []byte(onMain), 0o600))
	for name, c := range map[string]struct {
		args           []string
		stdin          string
		code           int
		stdout, stderr string // parts of it
	}{
		"match": {
			args: []string{"--conditions", onMain, "--payload", `{"branch": "main"}`},
			code: 0, stdout: `yes      payload.branch equals "main"  "main"  value is equal`,
		},
		"no match": {
			args: []string{"--conditions", onMain, "--payload", `{"branch": "dev"}`},
			code: 1, stdout: "no match: all of 1 condition",
		},
		"an expression alone": {
			args: []string{"--cel", `payload.n > 5 && payload.branch == "main"`, "--payload", `{"branch": "dev", "n": 7}`},
			code: 1, stdout: `MATCHED  CONDITION                                       ACTUAL  REASON
no       cel: payload.n > 5 && payload.branch == "main"          is false
yes        payload.n > 5                                 7       is true
no         payload.branch == "main"                      "dev"   is false

no match: the expression
`,
		},
		"conditions, expression and parameters": {
			args: []string{"--conditions", onMain, "--cel", `payload.n > 5`, "--payload", `{"branch": "main", "n": 7}`,
				"--params", `{"text": "got {{ payload.n }}", "n": "{{ payload.n }}"}`},
			code: 0, stdout: "match: all of 1 condition and the expression\nparams: {\"n\":7,\"text\":\"got 7\"}\n",
		},
		"parameters that cannot be rendered": {
			args: []string{"--params", `{"n": "{{ payload.n }}"}`, "--payload", `{}`},
			code: 1, stdout: "no parameters: action.params.n: payload.n: n is missing",
		},
		"a broken expression": {
			args: []string{"--cel", `payload.n >`, "--payload", `{}`},
			code: 2, stderr: "cel: line 1, column 12: syntax error",
		},
		"missing field": {
			args: []string{"--conditions", onMain, "--payload", `{}`},
			code: 1, stdout: "field is missing",
		},
		"any": {
			args: []string{"--condition", "any", "--conditions", onMain2, "--payload", `{"branch": "main", "n": 1}`},
			code: 0, stdout: "match: any of 2 conditions",
		},
		"no conditions": {
			args: []string{"--conditions", `[]`, "--payload", `null`},
			code: 0, stdout: "match",
		},
		"file and standard input": {
			args: []string{"--conditions", "@" + file, "--payload", "-"}, stdin: `{"branch": "main"}`,
			code: 0, stdout: "match",
		},
		"JSON": {
			args: []string{"--conditions", `[{"not": {"field": "a", "operator": "equals", "value": "<&>"}}]`, "--payload", `{"a": 1.0}`, "-o", "json"},
			code: 0, stdout: `"expected": "<&>"`,
		},
		"YAML": {
			args: []string{"--conditions", `[{"field": "a", "operator": "greater_than", "value": 9007199254740992}]`, "--payload", `{"a": 9007199254740993}`, "-o", "yaml"},
			code: 0, stdout: "actual: 9007199254740993\n",
		},
		"malformed condition": {
			args: []string{"--conditions", `[{"field": "a", "operator": "equal", "value": 1}]`, "--payload", `{}`},
			code: 2, stderr: `conditions[0].operator: a: unknown operator "equal": did you mean "equals"?`,
		},
		"malformed payload": {
			args: []string{"--conditions", `[]`, "--payload", `{"a"`},
			code: 2, stderr: "--payload: invalid JSON",
		},
		"unknown mode": {
			args: []string{"--condition", "none", "--conditions", `[]`, "--payload", `{}`},
			code: 2, stderr: "use all or any",
		},
		"missing file": {
			args: []string{"--conditions", "@no-such-file", "--payload", `{}`},
			code: 2, stderr: "--conditions: open no-such-file",
		},
		"two standard inputs": {
			args: []string{"--conditions", "-", "--payload", "-"},
			code: 2, stderr: "only one of --conditions, --cel, --params and --payload can be the standard input",
		},
		"nothing to test": {
			code: 2, stderr: "at least one of the flags",
		},
		"cases and payload": {
			args: []string{"--cases", "-", "--payload", `{}`, "--conditions", `[]`},
			code: 2, stderr: "cases",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newBench(t).runWith(strings.NewReader(c.stdin), append([]string{"rule", "test"}, c.args...)...)
			require.Equal(t, c.code, r.code, "%s%s", r.stdout, r.stderr)
			require.Contains(t, r.stdout, c.stdout)
			require.Contains(t, r.stderr, c.stderr)
			require.Equal(t, c.code == 2, r.stderr != "", "only an error has something to say: %s", r.stderr)
		})
	}
}
