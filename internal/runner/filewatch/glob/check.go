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
	if alternatives(pattern) > maxAlternatives {
		return fmt.Errorf("the braces of %.40q... spell more than %d words: write a pattern for each of fewer", pattern, maxAlternatives)
	}
	return nil
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
