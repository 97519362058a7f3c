package results

import "math"

// latency is a percentile of the blocks of a trial, which must be single steps
// and at least PercentileSamples(q) of them.
func latency(q float64) func(Record) (float64, bool) {
	return func(r Record) (float64, bool) {
		if r.StepsPerBlock != 1 || r.Steps() < PercentileSamples(q) {
			return 0, false
		}
		ns, ok := r.percentile(q)
		return float64(ns) * 1e-9, ok && ns > 0
	}
}

// PercentileSamples is the smallest number of samples for which a percentile
// is shown: with it, at least two samples lie above the true q-quantile with
// 99 % probability, so that the second largest sample bounds the percentile
// whatever the distribution is:
//
//	q^n + n (1-q) q^(n-1) <= 0.01
//
// It is 11 for the median, 64 for p90 and 662 for p99. The same number makes
// [smallest, largest] a 99 % tolerance interval for the share q (S. S. Wilks,
// Statistical Prediction with Special Reference to the Problem of Tolerance
// Limits, Annals of Mathematical Statistics 13(4), 1942). Steps of one process
// are not independent, so this is needed but not enough; intervals are made
// across trials.
func PercentileSamples(q float64) int {
	for n := 2; ; n++ {
		m := float64(n)
		if math.Pow(q, m)+m*(1-q)*math.Pow(q, m-1) <= 0.01 {
			return n
		}
	}
}
