package condition_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/condition"
)

// TestDocumentedExamples evaluates the examples of docs/rules.md, of which there is one of each operator: what it says, it
// says of the language as it is.
func TestDocumentedExamples(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/rules.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(text), "<!-- examples: begin -->\n")
	require.True(t, found)
	table, _, found = strings.Cut(table, "<!-- examples: end -->")
	require.True(t, found)

	row := regexp.MustCompile("^\\| `(.*)` \\| `(.*)` \\| `(.*)` \\|$")
	now := decode(t, `{"created": "2026-01-31T08:00:00Z"}`)
	shown := map[string]bool{}
	for line := range strings.Lines(table) {
		cells := row.FindStringSubmatch(strings.TrimSpace(line))
		require.Len(t, cells, 4, line)
		for i := range cells {
			cells[i] = strings.ReplaceAll(cells[i], `\|`, "|")
		}
		var clause struct{ Operator string }
		require.NoError(t, json.Unmarshal([]byte(cells[1]), &clause), line)
		shown[clause.Operator] = true
		program := compile(t, condition.All, "["+cells[1]+"]")
		require.True(t, match(t, program, condition.Document{condition.Payload: decode(t, cells[2]), condition.Event: now}), line)
		require.False(t, match(t, program, condition.Document{condition.Payload: decode(t, cells[3]), condition.Event: now}), line)
	}
	for _, name := range condition.Operators() {
		require.True(t, shown[name], "docs/rules.md has no example of %s", name)
		require.Contains(t, string(text), "\n| `"+name+"` | ", "nor does its table of operators have it")
	}
}
