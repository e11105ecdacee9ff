package glob

import (
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// segment is a pattern between two slashes. The usual ones are matched without interpreting them.
type segment struct {
	any     bool // **
	literal bool
	text    string // literal: the name; suffix: the end of the name; else the pattern
	suffix  bool
}

func newSegment(text string) segment {
	const special = `*?[{\`
	rest, star := strings.CutPrefix(text, "*")
	switch {
	case text == "**":
		return segment{any: true}
	case !strings.ContainsAny(text, special):
		return segment{literal: true, text: text}
	case star && !strings.ContainsAny(rest, special):
		return segment{suffix: true, text: rest}
	}
	return segment{text: text}
}

func (s segment) match(name string) bool {
	switch {
	case s.any:
		return true
	case s.literal:
		return name == s.text
	case s.suffix:
		return strings.HasSuffix(name, s.text)
	}
	return doublestar.MatchUnvalidated(s.text, name)
}
