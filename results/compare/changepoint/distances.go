package changepoint

import (
	"math"
	"slices"
)

// distances answers how good the cuts of a sample are, in any order of it.
type distances struct {
	x     []float64
	rank  []int     // of each value among the sorted ones, from 1
	total []float64 // sum of the distances of each value to all
	sum   float64   // over all pairs
	// The values that lie before the cut, by rank: how many, and their sum
	// (P. M. Fenwick, Softw. Pract. Exper. 24(3), 1994).
	count, below []float64
}

func newDistances(x []float64) distances {
	n := len(x)
	d := distances{x: slices.Clone(x), rank: make([]int, n), total: make([]float64, n), count: make([]float64, n+1), below: make([]float64, n+1)}
	// Distances do not change under a shift; sums of small numbers are exacter.
	center := slices.Sorted(slices.Values(x))[n/2]
	for i := range d.x {
		d.x[i] -= center
	}
	by := identity(n)
	slices.SortStableFunc(by, func(a, b int) int { return compare(d.x[a], d.x[b]) })
	var all, before float64
	for _, v := range d.x {
		all += v
	}
	for k, i := range by {
		d.rank[i] = k + 1
		v := d.x[i]
		d.total[i] = v*float64(k) - before + (all - before - v) - v*float64(n-k-1)
		before += v
		d.sum += d.total[i] / 2
	}
	return d
}

// best is the cut with the largest
//
//	m n / (m + n) (2 E|X - Y| - E|X - X'| - E|Y - Y'|)
//
// of the m values X before it and the n values Y after it, in that order, with at
// least so many on either side. The expectations are means over pairs.
func (d distances) best(order []int, least int) (cut int, gain float64) {
	clear(d.count)
	clear(d.below)
	gain = math.Inf(-1)
	left, right := 0.0, d.sum // over pairs within either side
	var summed float64
	for k, i := range order {
		v, lower, sum := d.x[i], 0.0, 0.0
		for r := d.rank[i]; r > 0; r &= r - 1 {
			lower, sum = lower+d.count[r], sum+d.below[r]
		}
		toLeft := v*lower - sum + (summed - sum) - v*(float64(k)-lower)
		left, right = left+toLeft, right-(d.total[i]-toLeft)
		summed += v
		for r := d.rank[i]; r < len(d.count); r += r & -r {
			d.count[r]++
			d.below[r] += v
		}
		if m := k + 1; m >= least && len(order)-m >= least {
			if g := energy(float64(m), float64(len(order)-m), left, right, d.sum-left-right); g > gain {
				cut, gain = m, g
			}
		}
	}
	return cut, gain
}

// energy is the weighted energy distance of samples of m and n values from the
// sums of distances within and across them.
func energy(m, n, left, right, across float64) float64 {
	return m * n / (m + n) * (2*across/(m*n) - left/(m*(m-1)/2) - right/(n*(n-1)/2))
}
