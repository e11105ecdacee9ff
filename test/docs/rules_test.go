package docs

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/condition"
)

const rulesPage = "docs/rules.md"

// Not parallel with itself: with -update every part rewrites the page.
func TestRules(t *testing.T) {
	t.Run("operators", testOperators)
	t.Run("truth table", testTruthTable)
	t.Run("limits", testLimits)
	t.Run("conditions", testConditions)
	t.Run("sessions", testSessions)
}

func compile(t *testing.T, conditions string) *condition.Program {
	t.Helper()
	program, err := condition.Compile(condition.All, json.RawMessage(conditions))
	require.NoError(t, err, conditions)
	return program
}

func testOperators(t *testing.T) {
	_, table, _ := strings.Cut(readPage(t, rulesPage).text, "## Operators\n")
	table, _, _ = strings.Cut(table, "\n- ")
	var names []string
	for line := range strings.Lines(table) {
		if cells := strings.Split(line, "|"); strings.HasPrefix(line, "| `") {
			names = append(names, strings.Trim(cells[1], " `"))
		}
	}
	require.Equal(t, condition.Operators(), names)
}

// testTruthTable shows the table that the tests of package condition hold the operators to.
func testTruthTable(t *testing.T) {
	var b strings.Builder
	for i, row := range tableRows(t, "truth.txt", " | ") {
		if i == 0 {
			b.WriteString("| |")
			for _, field := range row[1:] {
				b.WriteString(cmp.Or(code(field), " missing") + " |")
			}
			b.WriteString("\n|---|" + strings.Repeat(":-:|", len(row)-1) + "\n")
			continue
		}
		var clause map[string]json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(row[0]), &clause))
		b.WriteString("|" + code(strings.Trim(string(clause["operator"]), `"`)) + code(string(clause["value"])))
		for _, key := range []string{"value_from", "ignore_case"} {
			if clause[key] != nil {
				b.WriteString(" `" + key + "`" + code(strings.Trim(string(clause[key]), `"`)))
			}
		}
		b.WriteString(" |")
		for _, cell := range row[1:] {
			b.WriteString(" " + strings.ReplaceAll(cell, "-", "·") + " |")
		}
		b.WriteString("\n")
	}
	readPage(t, rulesPage).computed(t, "table", b.String())
}

// code is text in a cell of a table, "" for none.
func code(text string) string {
	if text == "" {
		return ""
	}
	return " `" + strings.ReplaceAll(text, "|", `\|`) + "`"
}

// tableRows reads a table of package condition's test data.
func tableRows(t *testing.T, name, separator string) [][]string {
	t.Helper()
	var rows [][]string
	for line := range strings.Lines(readPage(t, "internal/condition/testdata/"+name).text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		cells := strings.Split(strings.TrimSuffix(line, "\n"), separator)
		for i := range cells {
			cells[i] = strings.Trim(cells[i], " |")
		}
		rows = append(rows, cells)
	}
	return rows
}

func testLimits(t *testing.T) {
	limits := []struct {
		about string
		value int
		unit  string
	}{
		{"length of the conditions, as JSON", condition.MaxSize, " bytes"},
		{"clauses and groups, nested ones included", condition.MaxConditions, ""},
		{"depth of groups, and of a value's lists and objects", condition.MaxDepth, ""},
		{"values that `in`, `not_in` and `ip_in` choose from", condition.MaxList, ""},
		{"values that `contains_any` and `contains_all` look for", condition.MaxParts, ""},
		{"length of a regular expression", condition.MaxPattern, " bytes"},
		{"instructions of all regular expressions", condition.MaxInstructions, ""},
		{"problems that are reported at once", condition.MaxProblems, ""},
	}
	var b strings.Builder
	for _, l := range limits {
		fmt.Fprintf(&b, "| %s | %s%s |\n", l.about, thousands(l.value), l.unit)
	}
	readPage(t, rulesPage).computed(t, "limits", b.String())
	require.Equal(t, 8<<20, condition.MatchBudget, "%s says 8 Mi", rulesPage)
	require.Equal(t, 1000, condition.MaxInstructions, "%s says 1,000", rulesPage)
	_, err := condition.Compile(condition.All, json.RawMessage(`[{"field": "`+strings.Repeat("x", 1001)+`", "operator": "equals", "value": 1e1000000000001}]`))
	require.ErrorContains(t, err, "longer than 1000 bytes")
	require.ErrorContains(t, err, "±1000000000000")
}

func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Every JSON block of the page is a condition or a list of them, and every path of the tables parses.
func testConditions(t *testing.T) {
	p := readPage(t, rulesPage)
	blocks := p.blocks("json")
	require.Len(t, blocks, 5)
	for _, b := range blocks {
		text := strings.TrimSpace(b.text)
		if !strings.HasPrefix(text, "[") {
			text = "[" + text + "]"
		}
		compile(t, text)
	}
	_, table, _ := strings.Cut(p.text, "## Fields\n")
	table, _, _ = strings.Cut(table, "\nKeys are")
	paths := 0
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		cells := strings.Split(line, "|")
		columns := cells[1:2]
		if len(cells) == 5 { // the roots have an example each
			columns = append(columns, cells[3])
		}
		for _, cell := range columns {
			for i, path := range strings.Split(cell, "`") {
				if i%2 == 1 {
					name, err := json.Marshal(path)
					require.NoError(t, err)
					compile(t, fmt.Sprintf(`[{"field": %s, "operator": "equals", "value": 1}]`, name))
					paths++
				}
			}
		}
	}
	require.Greater(t, paths, 15)
}
