package contract

import "strings"

// Nearest returns the known word that a misspelt one may have meant: equal but
// for case, or one letter away, or two for words of five letters and more.
func Nearest(word string, known []string) (string, bool) {
	best, found := "", false
	allowed := 1
	if len(word) >= 5 {
		allowed = 2
	}
	for _, k := range known {
		if n := distance(strings.ToLower(word), strings.ToLower(k), allowed); n <= allowed {
			best, found, allowed = k, true, n-1
		}
	}
	return best, found
}

// distance is how many letters must be put in, taken out, replaced or swapped
// with the next to make b of a; more than limit is only known to be more.
func distance(a, b string, limit int) int {
	x, y := []rune(a), []rune(b)
	if max(len(x), len(y))-min(len(x), len(y)) > limit {
		return limit + 1
	}
	var before []int
	last, row := make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := range x {
		row[0] = i + 1
		for j := range y {
			cost := last[j]
			if x[i] != y[j] {
				cost = 1 + min(last[j], last[j+1], row[j])
			}
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				cost = min(cost, before[j-1]+1)
			}
			row[j+1] = cost
		}
		before, last, row = last, row, make([]int, len(y)+1)
	}
	return last[len(y)]
}

// orNearest is the hint at the end of an error: `; did you mean "aws"?`.
func orNearest(word string, known []string) string {
	if best, ok := Nearest(word, known); ok {
		return "; did you mean \"" + best + "\"?"
	}
	return ""
}
