package pack

import (
	"fmt"
	"strings"
)

// didYouMean returns a hint at the closest of the names, or all of them if none is close and they are few.
func didYouMean(got string, names []string) string {
	const few = 20
	best, closest := "", len(got)/3+1
	for _, name := range names {
		if d := distance(got, name); d <= closest {
			best, closest = name, d-1
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %q?", best)
	case len(names) == 0 || len(names) > few:
		return "correct it"
	}
	return "use one of " + strings.Join(names, ", ")
}

// distance is how many bytes to insert, delete or replace to turn a into b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
