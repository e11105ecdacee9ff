package condition_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/condition"
)

func TestRefusedPatterns(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		`((a{0,30}){0,30})$`:                        "instructions: at most 1000 are allowed; use fewer or smaller repetitions",
		strings.Repeat("a{999}", 500):               "instructions: at most 1000",
		strings.Repeat("a", condition.MaxPattern+1): "a regular expression of 4097 bytes: at most 4096 are allowed",
		`(?=a)`:   "is not a regular expression in RE2 syntax",
		`(a)\1`:   "is not a regular expression in RE2 syntax",
		`a{1001}`: "is not a regular expression in RE2 syntax",
		strings.Repeat("(", 1200) + strings.Repeat(")", 1200): "is not a regular expression in RE2 syntax",
	} {
		found := problems(t, condition.All, fmt.Sprintf(`[{"field": "a", "operator": "matches", "value": %q}]`, pattern))
		require.Equal(t, "conditions[0].value", found[0].Path)
		require.Contains(t, found[0].Message, want)
	}
}

// nines is a pattern of 10 instructions.
const nines = `{"field": %q, "operator": "matches", "value": "99999999"}`

func TestMatchBudget(t *testing.T) {
	t.Parallel()
	text := func(length int) string { return `"` + strings.Repeat("9", length) + `"` }
	const alone = condition.MatchBudget/10 - 2 // the quotes count
	tests := []struct {
		name, conditions, payload string
		want                      bool
	}{
		{"fits", `[` + fmt.Sprintf(nines, "a") + `]`, `{"a": ` + text(alone) + `}`, true},
		{"too long", `[` + fmt.Sprintf(nines, "a") + `]`, `{"a": ` + text(alone+1) + `}`, false},
		{"two share", `[` + fmt.Sprintf(nines, "a") + `,` + fmt.Sprintf(nines, "a") + `]`, `{"a": ` + text(alone/2+2) + `}`, false},
		{"elements add up", `[` + fmt.Sprintf(nines, "a.*") + `]`, `{"a": ["` + strings.Repeat("8", alone) + `", "99999999"]}`, false},
		{"after a long one", `[` + fmt.Sprintf(nines, "a.*") + `]`, `{"a": [` + text(alone+1) + `, "99999999"]}`, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			program := compile(t, condition.All, test.conditions)
			doc := condition.Document{condition.Payload: decode(t, test.payload)}
			require.Equal(t, test.want, match(t, program, doc))
			if !test.want {
				require.Contains(t, program.Explain(&doc).Verdicts[0].Reason, "too long for this regular expression, which reads at most")
			}
		})
	}
}

// TestWorstPattern holds the budget to what it is for: no rule keeps a worker busy for long.
func TestWorstPattern(t *testing.T) {
	t.Parallel()
	program := compile(t, condition.All, `[{"field": "a.*", "operator": "matches", "value": "((a{0,21}){0,21})b$"}]`)
	payload := `{"a": ["` + strings.Repeat("a", 8_000) + `!"` + strings.Repeat(`, "`+strings.Repeat("a", 1_000)+`!"`, 10_000) + `]}`
	doc := condition.Document{condition.Payload: decode(t, payload)}
	start := time.Now()
	require.False(t, match(t, program, doc))
	require.Less(t, time.Since(start), 20*time.Second) // 0.2 s when idle; minutes without the budget
}
