package workloads

import "fmt"

// CountCorrect returns how many examples are answered right: logits are [N, K],
// row by row, labels [N]. Of several logits the largest decides, and the first of
// those that are equal; one logit alone says 1 where it is above 0, as the sigmoid
// cross-entropy takes it.
func CountCorrect(logits []float64, labels []int32) (int, error) {
	n := len(labels)
	if n == 0 || len(logits) == 0 || len(logits)%n != 0 {
		return 0, fmt.Errorf("%d logits for %d examples", len(logits), n)
	}
	k, correct := len(logits)/n, 0
	for i, label := range labels {
		row := logits[i*k : (i+1)*k]
		answer := 0
		switch {
		case k > 1:
			for j, v := range row {
				if v > row[answer] {
					answer = j
				}
			}
		case row[0] > 0:
			answer = 1
		}
		if answer == int(label) {
			correct++
		}
	}
	return correct, nil
}
