package docs

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/condition"
)

// TestStackStorm shows the outcomes that package condition's tests know to differ from StackStorm's, and misses no name.
func TestStackStorm(t *testing.T) {
	page := readPage(t, "docs/rules-stackstorm.md")
	var b strings.Builder
	b.WriteString("| clause | field | StackStorm | here | why |\n|---|---|---|---|---|\n")
	rows := tableRows(t, "stackstorm.txt", "\t")
	for _, row := range rows {
		if len(row) == 4 {
			ours, why, _ := strings.Cut(row[3], ": ")
			field := code(row[1])
			if field == "" {
				field = " missing"
			}
			fmt.Fprintf(&b, "|%s |%s | %s | %s | %s |\n", code(row[0]), field, row[2], ours, why)
		}
	}
	page.computed(t, "differences", b.String())
	require.Contains(t, page.text, fmt.Sprintf("on %d combinations", len(rows)))
	_, table, _ := strings.Cut(page.text, "## What maps to what")
	for _, name := range condition.StackStormOperators() {
		require.Contains(t, table, "`"+name+"`")
	}
}
