package secret

import (
	"fmt"
	"regexp"
	"strings"
)

// Problem is one thing that is wrong with the references of a config.
type Problem struct {
	Path    []string // from "config" through keys and array indexes to the string
	Message string   // what is wrong and what to do
}

// String returns the problem as `config.headers.Authorization: there is no secret "TOKEN": ...`.
func (p Problem) String() string { return formatPath(p.Path) + ": " + p.Message }

// Problems is all that is wrong with the references of a config, sorted by path. It is never empty.
type Problems []Problem

// Error lists the problems.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "; ")
}

var (
	plainKey = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$-]*$`)
	index    = regexp.MustCompile(`^[0-9]+$`)
)

// formatPath writes a path as conditions do: config.tokens[0].
func formatPath(path []string) string {
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
			fmt.Fprintf(&b, "%.60q", key)
		}
	}
	return b.String()
}
