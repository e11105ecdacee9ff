package rule_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

// TestDocumentedChecks checks what docs/rules.md says of expressions that may fail.
func TestDocumentedChecks(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/rules.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(text), "<!-- checks: begin -->\n")
	require.True(t, found)
	table, _, found = strings.Cut(table, "<!-- checks: end -->")
	require.True(t, found)
	row := regexp.MustCompile("^\\| `(.*)` \\| (?:`(.*)`)? ?\\| ?(error|warning)? ?\\| (.*) \\|$")
	for line := range strings.Lines(table) {
		cells := row.FindStringSubmatch(strings.TrimSpace(line))
		require.Len(t, cells, 5, line)
		schema := fmt.Sprintf(`{"type": "object", "required": ["x"], "properties": {"x": %s}}`, cells[1])
		if cells[2] != "" {
			wrong, odd := checked(t, schema, sensor.Rule{}, cells[2])
			require.Equal(t, cells[3] == "error", wrong != nil, "%s: %v", line, wrong)
			require.Equal(t, cells[3] == "warning", odd != nil, "%s: %v", line, odd)
		}
		for fine := range strings.SplitSeq(strings.Trim(cells[4], "`"), "`, `") {
			wrong, odd := checked(t, schema, sensor.Rule{}, fine)
			require.Nil(t, wrong, fine)
			require.Nil(t, odd, fine)
		}
	}
}
