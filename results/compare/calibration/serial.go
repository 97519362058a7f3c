package calibration

import (
	"math"
	"math/rand/v2"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// serialPermutations of the test of serial correlation: p is known to a
// ten-thousandth, which is shared by the cells of a run.
const serialPermutations = 9999

// serial is the lag-1 correlation of the ratios of A and B, in the order of their
// rounds, with the probability of one as far from what chance gives, in either
// direction, if the order of rounds meant nothing: by permutation, after A. Wald and
// J. Wolfowitz, Ann. Math. Stat. 14(4), 1943, drawn with a fixed seed. It is of
// ranks, so that one wild trial neither makes nor hides it. nil: the ratios never
// differ.
func serial(ratios []float64) *results.RoundNoise {
	x := compare.Ranks(ratios)
	mean := float64(len(x)+1) / 2
	var square float64
	for i := range x {
		x[i] -= mean
		square += x[i] * x[i]
	}
	if square == 0 {
		return nil
	}
	lag1 := func() float64 {
		var sum float64
		for i := range x[1:] {
			sum += x[i] * x[i+1]
		}
		return sum / square
	}
	n := &results.RoundNoise{Correlation: lag1()}
	expected := -1 / float64(len(x)) // over all orders
	extreme := 1
	random := rand.New(rand.NewPCG(uint64(len(x)), 3))
	for range serialPermutations {
		random.Shuffle(len(x), func(i, j int) { x[i], x[j] = x[j], x[i] })
		if math.Abs(lag1()-expected) >= math.Abs(n.Correlation-expected)-1e-12 {
			extreme++
		}
	}
	n.P = float64(extreme) / (serialPermutations + 1)
	return n
}
