package calibration

import (
	"math"
	"slices"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// noise is everything that the trials of a cell say, but for the gates.
func (t twins) noise(minEffect, alpha float64, family int) results.CellNoise {
	var all []results.Record
	var ratios []float64
	for _, p := range t.trials {
		all = append(all, p[0], p[1])
		ratios = append(ratios, logStep(p[1])-logStep(p[0]))
	}
	n := components(all)
	n.Cell, n.Rounds = t.cell(), len(t.trials)
	n.PairSD = compare.Spread(ratios)
	n.BetweenRounds = serial(ratios)
	n.Faults = faults(all)
	for _, rounds := range Budgets {
		n.Detectable = append(n.Detectable, results.Detectable{Rounds: rounds, Effect: compare.DetectableEffect(n.PairSD, rounds, minEffect, family, alpha)})
	}
	return n
}

// components splits the noise of trials into a part between processes and one
// within them, by the method of moments of a one-way random-effects analysis of
// variance (S. R. Searle, G. Casella, C. E. McCulloch, Variance Components, Wiley
// 1992, chapter 3): what the variance of the trials' means has beyond that of a
// mean of blocks lies between processes; where it has nothing beyond, 0.
//
// Blocks of a process are not independent. Under a lag-1 autocorrelation r the
// mean of k blocks varies like that of k (1 - r) / (1 + r) independent ones (G. V.
// Bayley and J. M. Hammersley, Suppl. J. R. Stat. Soc. 8(2), 1946), for large k;
// without that correction correlated blocks would look like noise between
// processes.
//
// What all trials have in common from block to block, such as the last of a
// warm-up or the rhythm of garbage collection, is the same in every mean and so
// no noise of means; it is taken out first, as the second factor of the layout.
//
// A trial's step time is its total over steps, so its relative error is the mean
// of the blocks' relative errors; to first order that is the error of its log.
func components(trials []results.Record) results.CellNoise {
	n := results.CellNoise{Trials: len(trials), Blocks: len(trials[0].BlockNS), Steps: trials[0].StepsPerBlock}
	var steps, logs []float64
	var blocks [][]float64
	for _, r := range trials {
		n.Blocks = min(n.Blocks, len(r.BlockNS))
		steps = append(steps, math.Exp(logStep(r)))
		logs = append(logs, logStep(r))
		blocks = append(blocks, relative(r.BlockNS))
	}
	common := course(blocks, n.Blocks)
	var squares, products, lagged, meanVariance float64
	for _, y := range blocks {
		for i := range n.Blocks {
			y[i] -= common[i]
			squares += y[i] * y[i]
			if i > 0 {
				products += y[i] * y[i-1]
				lagged += y[i-1] * y[i-1]
			}
		}
	}
	freedom := (len(trials) - 1) * (n.Blocks - 1)
	n.StepTime = median(steps)
	total := variance(logs)
	n.TrialSD, n.TrialMAD = math.Sqrt(total), 1.4826*deviation(logs)
	if freedom > 0 {
		within := squares / float64(freedom)
		n.Within = math.Sqrt(within)
		n.Autocorrelation = unbiased(products/lagged, n.Blocks)
		r := min(max(n.Autocorrelation, -0.9), 0.98)
		meanVariance = within / float64(n.Blocks) * (1 + r) / (1 - r)
	}
	between := max(0, total-meanVariance)
	n.Between = math.Sqrt(between)
	if total > 0 {
		n.Share = between / total
	}
	low, high := varianceInterval(logs)
	n.BetweenLow = math.Sqrt(max(0, low-meanVariance))
	n.BetweenHigh = math.Sqrt(max(0, high-meanVariance, between))
	return n
}

// logStep is the log of a trial's seconds per step; the trial has one.
func logStep(r results.Record) float64 {
	m, _ := results.LookupMetric(compare.DefaultMetric)
	v, _ := m.Of(r)
	return math.Log(v)
}

// relative are the deviations of blocks from their mean, relative to it.
func relative(ns []int64) []float64 {
	var mean float64
	for _, v := range ns {
		mean += float64(v) / float64(len(ns))
	}
	y := make([]float64, len(ns))
	for i, v := range ns {
		y[i] = float64(v)/mean - 1
	}
	return y
}

// course is the mean over trials of each of the first k blocks.
func course(blocks [][]float64, k int) []float64 {
	mean := make([]float64, k)
	for _, y := range blocks {
		for i := range mean {
			mean[i] += y[i] / float64(len(blocks))
		}
	}
	return mean
}

// unbiased corrects a lag-1 autocorrelation that was found about the mean of each
// series of k blocks: its expectation is r - (1 + 3r) / (k - 1) to first order
// (F. H. C. Marriott and J. A. Pope, Biometrika 41, 1954). Blocks that do not
// vary have none.
func unbiased(found float64, k int) float64 {
	if math.IsNaN(found) || k < 3 {
		return 0
	}
	bias := 1 / float64(k-1)
	if k > 10 { // for short series the factor overshoots
		found = (found + bias) / (1 - 3*bias)
	} else {
		found += bias
	}
	return min(max(found, -1), 1)
}

// deviation is the median absolute deviation from the median.
func deviation(x []float64) float64 {
	m := median(x)
	d := make([]float64, len(x))
	for i, v := range x {
		d[i] = math.Abs(v - m)
	}
	return median(d)
}

// variance is that of a sample of two or more.
func variance(x []float64) float64 {
	var mean, sum float64
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		sum += (v - mean) * (v - mean)
	}
	return sum / float64(len(x)-1)
}

// median of a sample that is not empty.
func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	n := len(s)
	return s[(n-1)/2]/2 + s[n/2]/2
}
