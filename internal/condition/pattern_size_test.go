package condition

import (
	"regexp/syntax"
	"testing"

	"github.com/stretchr/testify/require"
)

var sizedPatterns = []string{
	``, `a`, `abc`, `[a-z]`, `^a.b$`, `a*`, `a+`, `a?`, `(a)`, `(?:ab)`, `a|b`, `ab|cd|`, `(a|bc)*d`,
	`a{3}`, `a{0}`, `(ab){0}`, `a{2,}`, `a{0,}`, `a{1,}`, `a{2,5}`, `(a{0,3}){0,4}`, `(?i)main`, `\b\pL{3,9}\z`,
	`(a*)*`, `(a+)?`, `(?:a*)+`, `((a{0,30}){0,30})$`, `(?s).*`, `\x{10FFFF}`, `(?:)`, `(?:a{2}){3,}`,
	`(?:a{0}){0,9}`, `(^)*`, `[^\x00-\x{10FFFF}]`, `(?:(?:a?){2}){3}`,
}

// requireSized holds that an expression is not larger than instructions says.
func requireSized(t *testing.T, pattern string, slack int) {
	t.Helper()
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	require.NoError(t, err, pattern)
	size := instructions(parsed) + 2
	if size > 100*MaxInstructions {
		return
	}
	program, err := syntax.Compile(parsed.Simplify())
	require.NoError(t, err, pattern)
	require.LessOrEqual(t, len(program.Inst), size, pattern)
	require.LessOrEqual(t, size, len(program.Inst)+slack, pattern)
}

func TestInstructions(t *testing.T) {
	t.Parallel()
	for _, pattern := range sizedPatterns {
		requireSized(t, pattern, 9)
	}
}

func FuzzInstructions(f *testing.F) {
	for _, pattern := range sizedPatterns {
		f.Add(pattern)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		if len(pattern) > 200 {
			return
		}
		if _, err := syntax.Parse(pattern, syntax.Perl); err == nil {
			requireSized(t, pattern, 1<<30)
		}
	})
}
