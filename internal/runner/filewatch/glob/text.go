package glob

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Printable returns a path for people: as it is, or quoted if it has bytes that are not UTF-8 or could control a terminal.
func Printable(path string) string {
	if utf8.ValidString(path) && !strings.ContainsFunc(path, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return path
	}
	return strconv.Quote(path)
}
