package pack_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/pack"
)

// unsaid is the warning about a field that nobody lists as required.
func unsaid(line int) string {
	return fmt.Sprintf("rules/release.yaml:%d: action.params.n: column 11: nothing says that an event has payload.files, and without it "+
		"there are no parameters: list it as required in the trigger's out_schema, add a condition on it, or write a default, such as "+
		"payload.?files.orValue(...)", line)
}

// What is wrong with expressions and templates is said with file, line, field and column; what is probably a slip is a
// warning.
func TestRuleExpressions(t *testing.T) {
	t.Parallel()
	const head = `
-- pack.yaml --
ref: shop
-- triggers/push.yaml --
ref: shop.push
out_schema:
  type: object
  properties:
    branch: {type: string}
    files: {type: integer}
  examples:
    - {branch: main, files: 7}
    - {branch: dev}
-- rules/release.yaml --
ref: shop.release
trigger: shop.push
`
	for name, c := range map[string]struct {
		rule     string
		problems string // empty: none
		warnings string
	}{
		"fine": {rule: `
cel: payload.branch == "main" && payload.files > 3
action: {ref: a.b, params: {branch: "{{ payload.branch }}", n: "{{ payload.files + 1 }} files"}}`},
		"a slip in an expression": {rule: `
cel: payload.branch == "main" &&& true
action: {ref: a.b}`, problems: `rules/release.yaml:3: cel: column 28: syntax error`},
		"in a text of lines": {rule: `
cel: |
  payload.branch == "main" &&
    payloda.files > 1
action: {ref: a.b}`, problems: `rules/release.yaml:5: cel: column 3: unknown name "payloda": did you mean "payload"?`},
		"in parameters": {rule: `
action:
  ref: a.b
  params:
    list:
      - x
      - "on {{ payload.branch.upperAsci() }}"`,
			problems: `rules/release.yaml:8: action.params.list[1]: column 31: unknown name "upperAsci": did you mean "upperAscii"?`},
		"a field that the schema does not have": {rule: `
cel: payload.brnach == "main" || true
action:
  ref: a.b
  params: {n: "{{ payload.?fils.orValue(1) }}"}`,
			warnings: "rules/release.yaml:3: cel: column 8: payload has no field in the trigger's out_schema named \"brnach\": did you mean \"branch\"?\n" +
				"rules/release.yaml:6: action.params.n: column 11: payload has no field in the trigger's out_schema named \"fils\": did you mean \"files\"?"},
		"a type that cannot do": {rule: `
action: {ref: a.b, params: {n: "{{ payload.branch * 2 }}"}}`,
			problems: `rules/release.yaml:3: action.params.n: column 19: * does not take (string, int)`},
		"fails on an example": {rule: `
action: {ref: a.b, params: {n: "{{ payload.files }}"}}`,
			problems: `rules/release.yaml:3: action.params: fails on out_schema.examples[1] of triggers/push.yaml, which the rule matches: action.params.n: payload.files: files is missing`},
		"not on those that it does not match": {rule: `
conditions: [{field: branch, operator: equals, value: main}]
action: {ref: a.b, params: {n: "{{ payload.files }}"}}`, warnings: unsaid(4)},
		"no result for an example": {rule: `
cel: payload.files > 3
action: {ref: a.b}`,
			warnings: `rules/release.yaml:3: cel: has no result for out_schema.examples[1] of triggers/push.yaml, and so is false: payload.files: files is missing`},
		"fails on a fixture": {rule: `
conditions: [{field: branch, operator: equals, value: hotfix}]
action: {ref: a.b, params: {n: "{{ payload.files }}"}}
-- tests/push.json --
{"events": [{"trigger": "shop.push", "payload": {"branch": "$any"}}, {"trigger": "shop.push", "payload": {"branch": "hotfix"}}]}`,
			problems: `rules/release.yaml:4: action.params: fails on tests/push.json, events[1], which the rule matches`},
	} {
		var warnings pack.Problems
		_, err := pack.LoadFS(folderOf(t, head+strings.TrimPrefix(c.rule, "\n")+"\n"), pack.Options{Warn: func(p pack.Problem) { warnings = append(warnings, p) }})
		if c.problems == "" {
			require.NoError(t, err, name)
		} else {
			_, ok := errors.AsType[pack.Problems](err)
			require.True(t, ok, name)
			require.ErrorContains(t, err, c.problems, name)
		}
		require.Equal(t, c.warnings, warnings.Error(), name)
	}
}
