// Package typo measures how far a mistyped word is from the one that was meant.
package typo

// Distance is how many bytes to insert, delete or replace to turn a into b (Levenshtein).
func Distance(a, b string) int {
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

// Closest returns the one of the names that was probably meant by a mistyped word; empty if none is close.
func Closest(word string, names []string) string {
	best, closest := "", len(word)/3+1
	for _, name := range names {
		if d := Distance(word, name); d <= closest {
			best, closest = name, d-1
		}
	}
	return best
}
