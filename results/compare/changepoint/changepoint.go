// Package changepoint finds the points at which the distribution of a series
// changes.
//
// It is E-divisive (D. S. Matteson and N. A. James, A nonparametric approach for
// multiple change point analysis of multivariate data, J. Am. Stat. Assoc.
// 109(505), 2014), in one dimension and with the exponent 1: the series is cut
// where the energy distance between the two sides, weighted by their lengths, is
// largest, and the cut stays if a permutation test within the parts found so far
// says so; then the parts are searched likewise. MongoDB and Apache Otava (then
// Hunter) read series of benchmarks so: D. Daly, W. Brown, H. Ingo, J. O'Leary and
// D. Bradford, The use of change point detection to identify software performance
// regressions in a continuous integration system, ICPE 2020, from which comes that
// both sides of a cut are whole parts; M. Fleming, P. Kołaczkowski, I. Kumar, S.
// Das, S. McCarthy, P. Pattabhiraman and H. Ingo, Hunter: Using change point
// detection to hunt for performance regressions, ICPE 2023.
//
// It assumes nothing about the form of the noise, only that the values are
// exchangeable where nothing changed: a slow drift is found as changes.
package changepoint

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Options of a search. The zero value asks for the defaults.
type Options struct {
	// Alpha is the probability of finding any change where there is none; 0: 0.05.
	Alpha float64
	// MinSegment is the smallest number of values between two changes, at least 2;
	// 0: 3, so that no single odd value is a change.
	MinSegment int
	// Permutations of each test; 0: as many as tell probabilities a tenth of Alpha
	// apart. The smallest p is 1/(Permutations+1).
	Permutations int
	// Seed of the permutations: the same input gives the same output.
	Seed uint64
}

// Change is a point at which the distribution changes.
type Change struct {
	At int     // index of the first value after it
	P  float64 // of a cut at least as good where nothing changed
}

const (
	defaultAlpha      = 0.05
	defaultMinSegment = 3
	maxPermutations   = 100_000
)

func (o Options) complete() Options {
	if !(o.Alpha > 0 && o.Alpha < 1) {
		o.Alpha = defaultAlpha
	}
	if o.MinSegment < 2 {
		o.MinSegment = defaultMinSegment
	}
	if o.Permutations < 1 {
		o.Permutations = int(min(math.Ceil(10/o.Alpha), maxPermutations)) - 1
	}
	return o
}

// Find returns the changes in the order of the series. A value that is not
// finite is an error that names it.
func Find(x []float64, o Options) ([]Change, error) {
	for i, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("value %d of the series is %g: expected a finite number", i+1, v)
		}
	}
	o = o.complete()
	s := search{Options: o, random: rand.New(rand.NewPCG(o.Seed, uint64(len(x))))}
	parts := []part{s.part(x, 0)}
	var changes []Change
	for {
		best := slices.MaxFunc(parts, func(a, b part) int { return compare(a.gain, b.gain) })
		if best.cut == 0 {
			break
		}
		p, ok := s.test(parts, best.gain)
		if !ok {
			break
		}
		i := slices.IndexFunc(parts, func(q part) bool { return q.from == best.from })
		changes = append(changes, Change{At: best.from + best.cut, P: p})
		parts = slices.Replace(parts, i, i+1, s.part(best.x[:best.cut], best.from), s.part(best.x[best.cut:], best.from+best.cut))
	}
	slices.SortFunc(changes, func(a, b Change) int { return a.At - b.At })
	return changes, nil
}

// Fewest is the smallest number of values in which a change can be found: with
// fewer, too large a share of all orders of the values looks as cut as the one
// that was seen.
func Fewest(o Options) int {
	o = o.complete()
	for n := 2 * o.MinSegment; ; n++ {
		// Of a step in the middle, which differs from the fewest other orders, both it
		// and its mirror image are as good.
		middle, _ := math.Lgamma(float64(n + 1))
		a, _ := math.Lgamma(float64(n/2 + 1))
		b, _ := math.Lgamma(float64(n-n/2) + 1)
		if 2/math.Exp(middle-a-b) <= o.Alpha {
			return n
		}
	}
}

// part is a stretch of the series with its best cut.
type part struct {
	from int
	x    []float64
	cut  int // values before it; 0: it is too short for one
	gain float64
}

type search struct {
	Options
	random *rand.Rand
}

func (s search) part(x []float64, from int) part {
	p := part{from: from, x: x, gain: math.Inf(-1)}
	if len(x) >= 2*s.MinSegment {
		p.cut, p.gain = newDistances(x).best(identity(len(x)), s.MinSegment)
	}
	return p
}

// test is the probability of a best cut as good as gain if the values within each
// part were in any order. ok says whether it is at most alpha; drawing ends as
// soon as it cannot be, and then p is not known.
func (s search) test(parts []part, gain float64) (p float64, ok bool) {
	var tables []distances
	var orders [][]int
	for _, q := range parts {
		if q.cut > 0 {
			tables = append(tables, newDistances(q.x))
			orders = append(orders, identity(len(q.x)))
		}
	}
	as := 1 // the order that was seen
	most := s.Alpha * float64(s.Permutations+1)
	near := gain - 1e-9*math.Abs(gain) // equal but for rounding
	for range s.Permutations {
		for i, t := range tables {
			order := orders[i]
			s.random.Shuffle(len(order), func(a, b int) { order[a], order[b] = order[b], order[a] })
			if _, g := t.best(order, s.MinSegment); g >= near {
				as++
				break
			}
		}
		if float64(as) > most {
			return 0, false
		}
	}
	return float64(as) / float64(s.Permutations+1), true
}

func identity(n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	return order
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
