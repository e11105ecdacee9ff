package schema

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// maxShown is how many violations an error's text lists.
const maxShown = 10

// Violation is one thing that is wrong with a document or with a schema.
type Violation struct {
	Path    []string // from the name of the document through keys and array indexes to the culprit
	Message string
}

// String returns the violation as `payload.commit.files: got string, want integer`.
func (v Violation) String() string { return FormatPath(v.Path) + ": " + v.Message }

// Violations is all that is wrong with a document or with a schema, sorted by path.
type Violations []Violation

// Error lists the first ten violations and says how many more there are.
func (v Violations) Error() string {
	lines := make([]string, 0, maxShown+1)
	for _, one := range v[:min(len(v), maxShown)] {
		lines = append(lines, one.String())
	}
	if more := len(v) - maxShown; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "; ")
}

var (
	plainKey = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$-]*$`)
	index    = regexp.MustCompile(`^[0-9]+$`)
)

// FormatPath writes a path as conditions do: dots between keys, [0] for an array's element, quotes around odd keys.
func FormatPath(path []string) string {
	var b strings.Builder
	for i, key := range path {
		switch {
		case index.MatchString(key):
			fmt.Fprintf(&b, "[%s]", key)
			continue
		case i > 0:
			b.WriteByte('.')
		}
		if plainKey.MatchString(key) {
			b.WriteString(key)
		} else {
			fmt.Fprintf(&b, "%q", clip(key))
		}
	}
	return b.String()
}

// sorted orders violations, which the validator finds in the random order of maps, and drops repetitions: two branches
// of a schema may demand the same.
func (v Violations) sorted() Violations {
	slices.SortStableFunc(v, func(a, b Violation) int {
		if c := slices.CompareFunc(a.Path, b.Path, compareKeys); c != 0 {
			return c
		}
		return strings.Compare(a.Message, b.Message)
	})
	return slices.CompactFunc(v, func(a, b Violation) bool {
		return slices.Equal(a.Path, b.Path) && a.Message == b.Message
	})
}

// compareKeys puts index 2 before index 10.
func compareKeys(a, b string) int {
	if index.MatchString(a) && index.MatchString(b) && len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// clip keeps long values out of error texts.
func clip(s string) string {
	const longest = 60
	if len(s) <= longest {
		return s
	}
	cut := longest
	for cut > 0 && s[cut]&0xc0 == 0x80 {
		cut--
	}
	return s[:cut] + "..."
}
