package strictyaml

import (
	"fmt"
	"strings"
)

// DidYouMean is a hint to append to a message about an unknown word: the
// nearest of known if it is near, else the whole list.
func DidYouMean(got string, known []string) string {
	best, bestDist := "", len(got)/2+2
	for _, k := range known {
		if d := editDistance(strings.ToLower(got), strings.ToLower(k)); d < bestDist {
			best, bestDist = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return ": expected one of " + strings.Join(known, ", ")
}

// editDistance is the Levenshtein distance, capped work for long words.
func editDistance(a, b string) int {
	const long = 64
	if len(a) > long || len(b) > long {
		return long
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diag, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diag+cost)
		}
	}
	return row[len(b)]
}
