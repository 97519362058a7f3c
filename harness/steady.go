package harness

import (
	"math"
	"slices"
)

// steadyWindow is the number of blocks in each of the two windows that the
// warm-up rule compares.
const steadyWindow = 5

// steady reports whether a warm-up has stopped changing: the medians of the
// last two windows of five blocks differ by no more than 5 %, or by no more
// than twice the standard error of that difference where the blocks themselves
// scatter more. The standard error comes from the median absolute deviation
// (1.4826 MAD estimates sigma, and a median of n has 1.2533 sigma/sqrt(n)).
//
// Real processes do not always reach a steady state (Barrett, Bolz-Tereick,
// Killick, Mount, Tratt: Virtual Machine Warmup Blows Hot and Cold, OOPSLA
// 2017), so the caller has a cap, and "not steady" is a result.
func steady(blockNS []int64) bool {
	n := len(blockNS)
	if n < 2*steadyWindow {
		return false
	}
	before := blockNS[n-2*steadyWindow : n-steadyWindow]
	after := blockNS[n-steadyWindow:]
	m0, mad0 := medianMAD(before)
	m1, mad1 := medianMAD(after)
	if m0 <= 0 || m1 <= 0 {
		return false
	}
	se := 1.2533 * 1.4826 * math.Sqrt((mad0*mad0+mad1*mad1)/steadyWindow)
	return math.Abs(m1-m0) <= max(0.05*m0, 2*se)
}

// medianMAD returns the median and the median absolute deviation from it.
func medianMAD(ns []int64) (median, mad float64) {
	x := make([]float64, len(ns))
	for i, v := range ns {
		x[i] = float64(v)
	}
	median = medianOf(x)
	for i := range x {
		x[i] = math.Abs(x[i] - median)
	}
	return median, medianOf(x)
}

// medianOf sorts x and returns its median.
func medianOf(x []float64) float64 {
	slices.Sort(x)
	n := len(x)
	if n%2 == 1 {
		return x[n/2]
	}
	return (x[n/2-1] + x[n/2]) / 2
}
