package pack

import (
	"fmt"
	"strings"

	"github.com/attune-automation/sensors/internal/typo"
)

// didYouMean returns a hint at the closest of the names, or all of them if none is close and they are few.
func didYouMean(got string, names []string) string {
	const few = 20
	best := typo.Closest(got, names)
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %q?", best)
	case len(names) == 0 || len(names) > few:
		return "correct it"
	}
	return "use one of " + strings.Join(names, ", ")
}
