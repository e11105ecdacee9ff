package condition

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// folded returns fold of the text if that is asked for.
func folded(text string, ignoreCase bool) string {
	if ignoreCase {
		return fold(text)
	}
	return text
}

// fold maps texts that differ in nothing but case to the same text: each character to the smallest of those that Unicode's
// simple case folding makes equal, which for a Latin letter is the capital. It is what (?i) means in a regular expression
// and what strings.EqualFold compares by.
func fold(text string) string {
	for i := range len(text) {
		if c := text[i]; 'a' <= c && c <= 'z' || c >= utf8.RuneSelf {
			return strings.Map(foldRune, text)
		}
	}
	return text
}

func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		if 'a' <= r && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	return least
}
