package glob

import (
	"fmt"

	"github.com/bmatcuk/doublestar/v4"
)

// maxAlternatives bounds the time that a match takes: each of the words that braces can spell is tried.
const maxAlternatives = 1000

// check says what is wrong with a pattern.
func check(pattern string) error {
	if !doublestar.ValidatePattern(pattern) {
		return fmt.Errorf("the pattern %q is broken: close its brackets and braces, and write \\ before one that stands for itself", pattern)
	}
	if r := backwards(pattern); r != "" {
		return fmt.Errorf("the range %s of the pattern %q is of no characters: write its lower end first", r, pattern)
	}
	if alternatives(pattern) > maxAlternatives {
		return fmt.Errorf("the braces of %.40q... spell more than %d words: write a pattern for each of fewer", pattern, maxAlternatives)
	}
	return nil
}

// backwards returns the first range of a valid pattern that ends before it begins, and so matches nothing; "": there is none.
func backwards(pattern string) string {
	const none = -1
	text := []rune(pattern)
	class, low := false, rune(none) // whether a class is open, and what a range could begin with
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			low = text[i]
		case !class && c == '[':
			class, low = true, none
			if i+1 < len(text) && (text[i+1] == '!' || text[i+1] == '^') {
				i++
			}
		case c == ']':
			class = false
		case class && low != none && c == '-' && i+1 < len(text) && text[i+1] != ']':
			i++
			if text[i] == '\\' && i+1 < len(text) {
				i++
			}
			if text[i] < low {
				return fmt.Sprintf("%c-%c", low, text[i])
			}
			low = none
		default:
			low = c
		}
	}
	return ""
}

// alternatives bounds from above how many words the braces of a pattern can spell.
func alternatives(pattern string) int {
	product := 1
	var open []int // commas so far, of the braces that are open
	for i := 0; i < len(pattern) && product <= maxAlternatives; i++ {
		switch last := len(open) - 1; {
		case pattern[i] == '\\':
			i++
		case pattern[i] == '{':
			open = append(open, 0)
		case last >= 0 && pattern[i] == ',':
			open[last]++
		case last >= 0 && pattern[i] == '}':
			product *= open[last] + 1
			open = open[:last]
		}
	}
	return product
}
