package secret

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// span is a range of bytes.
type span struct{ from, to int }

// spans returns where a text has values in it, in any order; with cut, also where one begins at its end.
func (s *set) spans(text []byte, cut bool) []span {
	var found []span
	for view := range views(text, true) {
		for _, n := range s.needles {
			for at := 0; ; {
				i := bytes.Index(view.text[at:], n.text)
				if i < 0 {
					break
				}
				found = append(found, view.span(at+i, at+i+len(n.text)))
				at += i + len(n.text)
			}
			if cut {
				if begun := beginning(view.text, n.text); begun > 0 {
					found = append(found, view.span(len(view.text)-begun, len(view.text)))
				}
			}
		}
	}
	return found
}

// beginning returns how many bytes at the end of a text are the first ones of a needle, if they are enough to matter.
func beginning(text, needle []byte) int {
	for n := min(len(text), len(needle)-1); n >= minValue; n-- {
		if bytes.HasSuffix(text, needle[:n]) {
			return n
		}
	}
	return 0
}

// cover writes the mask over spans of a text, once over those that overlap or touch.
func cover(text string, spans []span) string {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var b strings.Builder
	end := 0
	for i, s := range spans {
		if i == 0 || s.from > end {
			b.WriteString(text[end:s.from])
			b.WriteString(Mask)
		}
		end = max(end, s.to)
	}
	b.WriteString(text[end:])
	return b.String()
}
