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
	// or two instructions, and x{0,100} is 200.
	MaxInstructions = 1_000

	// MatchBudget bounds instructions times bytes: if a rule's regular expressions have n
	// instructions, each reads at most MatchBudget/n bytes of a document (8 KiB at the
	// very least, 280 KB at 30 instructions). It does not match a text that exceeds this,
	// and the verdict says so. Of a path with a wildcard all the texts count together.
	MatchBudget = 8 << 20
)

func buildMatches(o operand) (test, error) {
	pattern, err := textOf(operand{value: o.value}, "matches takes a regular expression")
	if err != nil {
		return test{}, err
	}
	if len(pattern) > MaxPattern {
		return test{}, fmt.Errorf("a regular expression of %d bytes: at most %d are allowed", len(pattern), MaxPattern)
	}
	return expressionTest(pattern, pattern, o.fold)
}

// expressionTest matches texts with a regular expression. It is called name in errors.
func expressionTest(name, pattern string, ignoreCase bool) (test, error) {
	if ignoreCase {
		pattern = "(?i)" + pattern
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return test{}, fmt.Errorf("%s is not a regular expression in RE2 syntax: %w", abbreviate(name), err)
	}
	size := instructions(parsed) + 2 // the program's start and end
	if size > MaxInstructions {
		return test{}, fmt.Errorf("the regular expression %s compiles to %d instructions: at most %d are allowed; use fewer or smaller repetitions",
			abbreviate(name), size, MaxInstructions)
	}
	expression, err := regexp.Compile(pattern)
	if err != nil {
		return test{}, fmt.Errorf("compiling the regular expression %s: %w", abbreviate(name), err)
	}
	return test{
		takes:   setOf(kindString),
		check:   func(v Value) bool { return expression.MatchString(v.str()) },
		program: size,
	}, nil
}

// instructions bounds from above, closely, how many instructions the expression compiles to.
// It is known before compiling, for a short expression may expand to a very long program.
func instructions(re *syntax.Regexp) int {
	inner := 0
	for _, sub := range re.Sub {
		inner += instructions(sub)
	}
	switch re.Op {
	case syntax.OpLiteral:
		return max(len(re.Rune), 1)
	case syntax.OpConcat:
		return max(inner, 1)
	case syntax.OpAlternate:
		return inner + len(re.Sub) - 1
	case syntax.OpCapture:
		return inner + 2
	case syntax.OpPlus, syntax.OpQuest:
		return inner + 1
	case syntax.OpStar:
		return inner + 2
	case syntax.OpRepeat:
		if re.Max < 0 {
			return inner*max(re.Min, 1) + 2
		}
		return max(inner*re.Max+re.Max-re.Min, 1)
	default:
		return 1
	}
}
