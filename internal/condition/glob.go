package condition

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// buildWildcard tests a whole text: * stands for any characters, ? for one, [abc] and [a-z] for one of these, [!abc] for
// one that is none of these. It is what a shell and Python's fnmatch mean, but that * and ? match a slash and a dot, too.
func buildWildcard(o operand) (test, error) {
	glob, err := textOf(operand{value: o.value}, "write a pattern with *, ? and [abc]")
	if err != nil {
		return test{}, err
	}
	if len(glob) > MaxPattern {
		return test{}, fmt.Errorf("a pattern of %d bytes: at most %d are allowed", len(glob), MaxPattern)
	}
	return expressionTest(glob, expressionOf(glob), o.fold)
}

// expressionOf writes a pattern with wildcards as a regular expression. A bracket that is not closed stands for itself.
func expressionOf(glob string) string {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for glob != "" {
		r, size := utf8.DecodeRuneInString(glob)
		switch r {
		case '*':
			b.WriteString(`.*`)
			glob = strings.TrimLeft(glob, "*")
			continue
		case '?':
			b.WriteString(`.`)
		case '[':
			class, length := classOf(glob)
			b.WriteString(class)
			size = length
		default:
			b.WriteString(regexp.QuoteMeta(glob[:size]))
		}
		glob = glob[size:]
	}
	b.WriteString(`\z`)
	return b.String()
}

// classOf writes the class that a pattern begins with as a regular expression, and returns its length in the pattern. A
// closing bracket that comes first is a member.
func classOf(glob string) (class string, length int) {
	inside, negated := strings.CutPrefix(glob[1:], "!")
	end := strings.Index(inside[min(1, len(inside)):], "]")
	if end < 0 {
		return `\[`, 1
	}
	end++
	var members strings.Builder
	runes := []rune(inside[:end])
	for i := 0; i < len(runes); i++ {
		from, to := runes[i], runes[i]
		if i+2 < len(runes) && runes[i+1] == '-' {
			to = runes[i+2]
			i += 2
		}
		if from <= to { // a range from the greater to the smaller one has no members
			fmt.Fprintf(&members, `\x{%x}-\x{%x}`, from, to)
		}
	}
	length = len(glob) - len(inside) + end + 1
	switch {
	case members.Len() > 0 && negated:
		return `[^` + members.String() + `]`, length
	case members.Len() > 0:
		return `[` + members.String() + `]`, length
	case negated:
		return `.`, length
	default:
		return `[^\x00-\x{10FFFF}]`, length
	}
}
