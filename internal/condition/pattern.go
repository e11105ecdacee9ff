package condition

import (
	"fmt"
	"regexp"
	"regexp/syntax"
)

// A regular expression takes time in proportion to the size of its program times the length
// of the text, which is linear, but not little: ten nanoseconds and more an instruction and
// byte. So both are bounded.
const (
	// MaxPattern is the longest regular expression, in bytes.
	MaxPattern = 4_096

	// MaxInstructions is how many instructions the regular expressions of one rule may
	// compile to together. A character, a class, an alternative or a repetition is one
	// instruction, and x{0,100} is about 200.
	MaxInstructions = 1_000

	// MatchBudget bounds instructions times bytes: if a rule's regular expressions have n
	// instructions, each reads at most MatchBudget/n bytes of a document (8 KiB at the
	// very least, 280 KB at 30 instructions). It does not match a text that exceeds this,
	// and the verdict says so. Of a path with a wildcard all the texts count together.
	MatchBudget = 8 << 20
)

func buildMatches(value Value) (test, error) {
	if value.kind() != kindString {
		return test{}, fmt.Errorf("%w; matches takes a regular expression", wantKind(kindString, value))
	}
	pattern := value.str()
	if len(pattern) > MaxPattern {
		return test{}, fmt.Errorf("a regular expression of %d bytes: at most %d are allowed", len(pattern), MaxPattern)
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return test{}, fmt.Errorf("%s is not a regular expression in RE2 syntax: %w", abbreviate(pattern), err)
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return test{}, fmt.Errorf("compiling the regular expression %s: %w", abbreviate(pattern), err)
	}
	if size := len(program.Inst); size > MaxInstructions {
		return test{}, fmt.Errorf("the regular expression %s compiles to %d instructions: at most %d are allowed; use fewer or smaller repetitions",
			abbreviate(pattern), size, MaxInstructions)
	}
	expression, err := regexp.Compile(pattern)
	if err != nil {
		return test{}, fmt.Errorf("compiling the regular expression %s: %w", abbreviate(pattern), err)
	}
	return test{
		takes:   setOf(kindString),
		check:   func(v Value) bool { return expression.MatchString(v.str()) },
		program: len(program.Inst),
	}, nil
}
