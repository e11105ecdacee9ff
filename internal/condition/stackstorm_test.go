package condition_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/condition"
)

// TestStackStorm holds StackStorm's names to what StackStorm itself says, but for the differences that are written down.
func TestStackStorm(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/stackstorm.txt")
	require.NoError(t, err)
	tested := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		var clause map[string]json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(cells[0]), &clause))
		tested[string(clause["operator"])] = true
		clause["field"] = json.RawMessage(`"x"`)
		encoded, err := json.Marshal([]any{clause})
		require.NoError(t, err)
		doc := document(t, cells[1])
		want := cells[2]
		if len(cells) == 4 {
			ours, _, explained := strings.Cut(cells[3], ": ")
			require.True(t, explained && ours != cells[2], line)
			want = ours
		}
		require.Equal(t, want == "yes", match(t, compile(t, condition.All, string(encoded)), doc), line)
	}
	for _, name := range condition.StackStormOperators() {
		require.True(t, tested[`"`+name+`"`], name)
	}
}

// document is an event of 2026-01-31T08:00:00Z whose payload has the value as x, "" for none.
func document(t *testing.T, value string) condition.Document {
	t.Helper()
	payload := `{}`
	if value != "" {
		payload = `{"x": ` + value + `}`
	}
	return condition.Document{
		condition.Payload: decode(t, payload), condition.Event: decode(t, `{"created": "2026-01-31T08:00:00Z"}`),
	}
}

func TestStackStormProblems(t *testing.T) {
	t.Parallel()
	for conditions, want := range map[string]string{
		`{"operator": "ieq", "value": null}`:                                                               "want a string, got null",
		`{"operator": "eq", "value": null}`:                                                                "never holds",
		`{"operator": "neq", "value": null}`:                                                               "nexists",
		`{"operator": "inside", "value": [null]}`:                                                          "put nexists beside it",
		`{"operator": "inside", "value": 5}`:                                                               "write the list, or the text",
		`{"operator": "td_lt", "value": "soon"}`:                                                           `"soon" is not a number of seconds`,
		`{"operator": "regex", "value": "(?=a)"}`:                                                          "RE2",
		`{"operator": "matchregex", "value": "a)(b"}`:                                                      `"a)(b" is not a regular expression`,
		`{"operator": "search", "value": {"item.a": {"type": "eq", "pattern": 1}}}`:                        "write any, all, any2any or all2any",
		`{"operator": "search", "condition": "some", "value": {"item.a": {"type": "eq", "pattern": 1}}}`:   `unknown condition "some"`,
		`{"operator": "search", "condition": "any", "value": {}}`:                                          "is empty",
		`{"operator": "search", "condition": "any", "value": {"item.a": 1}}`:                               `{"type": ..., "pattern": ...}`,
		`{"operator": "search", "condition": "any", "value": {"item.a": {"type": "eq", "patern": 1}}}`:     `did you mean "pattern"?`,
		`{"operator": "search", "condition": "any", "value": {"trigger.a": {"type": "eq", "pattern": 1}}}`: "begin with item",
		`{"operator": "equals", "condition": "any", "value": 1}`:                                           "is for the operator search",
	} {
		found := problems(t, condition.All, `[{"field": "x", `+conditions[1:]+`]`)
		require.Contains(t, found.Error(), want, conditions)
	}
}
