package condition_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/condition"
)

// truthRow is a row of testdata/truth.txt.
type truthRow struct {
	clause map[string]any
	cells  []string
}

// truthTable returns the fields that are the columns, "" for a missing one, and the rows.
func truthTable(t *testing.T) (fields []string, rows []truthRow) {
	t.Helper()
	text, err := os.ReadFile("testdata/truth.txt")
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		cells := strings.Split(line, " | ")
		for i := range cells {
			cells[i] = strings.Trim(cells[i], " |\n")
		}
		if fields == nil {
			fields = cells[1:]
			continue
		}
		row := truthRow{cells: cells[1:]}
		require.NoError(t, json.Unmarshal([]byte(cells[0]), &row.clause), cells[0])
		row.clause["field"] = "x"
		require.Len(t, row.cells, len(fields), cells[0])
		rows = append(rows, row)
	}
	return fields, rows
}

func (r truthRow) program(t *testing.T, operator string) *condition.Program {
	t.Helper()
	r.clause["operator"] = operator
	encoded, err := json.Marshal([]any{r.clause})
	require.NoError(t, err)
	return compile(t, condition.All, string(encoded))
}

// negatives are the operators that are the exact negation of another one.
var negatives = map[string]string{
	"equals": "not_equals", "contains": "not_contains", "starts_with": "not_starts_with", "ends_with": "not_ends_with",
	"wildcard": "not_wildcard", "matches": "not_matches", "in": "not_in", "exists": "not_exists", "any": "none",
}

// TestTruthTable holds every operator to testdata/truth.txt, and negative ones to what their twins say.
func TestTruthTable(t *testing.T) {
	t.Parallel()
	fields, rows := truthTable(t)
	tested := map[string]bool{}
	for _, row := range rows {
		name := row.clause["operator"].(string)
		tested[name] = true
		program := row.program(t, name)
		for i, field := range fields {
			payload := `{}`
			if field != "" {
				payload = `{"x": ` + field + `}`
			}
			doc := condition.Document{condition.Payload: decode(t, payload)}
			require.Equal(t, row.cells[i] == "yes", match(t, program, doc), "%v on %q", row.clause, field)
			if twin := negatives[name]; twin != "" {
				require.Equal(t, row.cells[i] != "yes", match(t, row.program(t, twin), doc), "%v on %q", row.clause, field)
				row.clause["operator"] = name
			}
		}
	}
	for _, name := range condition.Operators() {
		require.True(t, tested[name], "operator %s has no row in testdata/truth.txt", name)
	}
}
