package workloads

import "testing"

func TestCountCorrect(t *testing.T) {
	for _, tt := range []struct {
		name   string
		logits []float64
		labels []int32
		want   int
	}{
		{"the largest", []float64{1, 2, 0, 5, -1, -2}, []int32{1, 0}, 2},
		{"another", []float64{1, 2, 0, 5, -1, -2}, []int32{0, 0}, 1},
		{"the first of equal ones", []float64{3, 3, 3}, []int32{0}, 1},
		{"all below 0", []float64{-3, -1}, []int32{1}, 1},
		{"one logit above 0", []float64{0.1, -0.1, 2, -2}, []int32{1, 0, 0, 1}, 2},
		{"one logit at 0", []float64{0}, []int32{0}, 1},
	} {
		if got, err := CountCorrect(tt.logits, tt.labels); err != nil || got != tt.want {
			t.Errorf("%s: %d, %v, want %d", tt.name, got, err, tt.want)
		}
	}
	for _, labels := range [][]int32{nil, {0, 1}} {
		if n, err := CountCorrect([]float64{1, 2, 3}, labels); err == nil {
			t.Errorf("3 logits of %d examples: %d and no error", len(labels), n)
		}
	}
}
