package condition

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with a rule's condition.
type Problem struct {
	// Path says where it is: conditions[2].all[0].operator. What is missing has the path
	// that it would have.
	Path string
	// Message says what is wrong, with the value and the remedy and, of a clause, its field and operator.
	Message string
}

// Problems is all that is wrong with a rule's condition, as Compile's error. It is never
// empty.
type Problems []Problem

// Error lists the problems, one a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Path + ": " + problem.Message
	}
	return strings.Join(lines, "\n")
}

// shorten cuts text that is too long for a message.
func shorten(text string) string {
	const most = 80
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// abbreviate quotes text for a message, and cuts it when it is long.
func abbreviate(text string) string {
	return fmt.Sprintf("%q", shorten(text))
}

// suggest returns a hint at the name nearest to a mistyped one, or "".
func suggest(mistyped string, names []string) string {
	const shortest, longest = 4, 64 // what is shorter is near to everything, longer to nothing
	if len(mistyped) < shortest || len(mistyped) > longest {
		return ""
	}
	best, least := "", 1+len(mistyped)/3
	for _, name := range names {
		if d := distance(strings.ToLower(mistyped), name); d <= least {
			best, least = name, d-1
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q? ", best)
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
