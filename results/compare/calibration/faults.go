package calibration

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// permutations of the test of page faults: p is known to a thousandth.
const permutations = 999

// faults relates step time to minor page faults per step over trials: Spearman's
// rank correlation, which asks for no straight line, with the probability of one
// as large in either direction if the two were unrelated, by permutation (drawn
// with a fixed seed); and the square of Pearson's correlation of log step time,
// which is the share of the variance that a straight line takes away.
func faults(trials []results.Record) *results.FaultNoise {
	m, _ := results.LookupMetric("faults-per-step")
	var x, y []float64
	for _, r := range trials {
		if v, ok := m.Of(r); ok {
			x, y = append(x, v), append(y, logStep(r))
		}
	}
	if len(x) < MinRounds || slices.Min(x) == slices.Max(x) || slices.Min(y) == slices.Max(y) {
		return nil
	}
	rx, ry := compare.Ranks(x), compare.Ranks(y)
	f := &results.FaultNoise{Trials: len(x), Correlation: pearson(rx, ry)}
	f.Explained = math.Pow(pearson(x, y), 2)
	random := rand.New(rand.NewPCG(uint64(len(x)), 1))
	extreme := 1
	for range permutations {
		random.Shuffle(len(rx), func(i, j int) { rx[i], rx[j] = rx[j], rx[i] })
		if math.Abs(pearson(rx, ry)) >= math.Abs(f.Correlation)-1e-12 {
			extreme++
		}
	}
	f.P = float64(extreme) / (permutations + 1)
	return f
}

// pearson is the correlation of two samples that both vary, within [-1, 1].
func pearson(x, y []float64) float64 {
	var mx, my, xx, yy, xy float64
	for i := range x {
		mx += x[i] / float64(len(x))
		my += y[i] / float64(len(y))
	}
	for i := range x {
		xx += (x[i] - mx) * (x[i] - mx)
		yy += (y[i] - my) * (y[i] - my)
		xy += (x[i] - mx) * (y[i] - my)
	}
	return min(max(xy/math.Sqrt(xx*yy), -1), 1)
}
