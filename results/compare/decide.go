package compare

import "math"

// decision is what the evidence says about the median log ratio of one
// comparison.
type decision struct {
	lo, hi   float64 // range of log ratios that is not excluded; infinite: unbounded
	larger   bool    // the ratio exceeds the margin
	smaller  bool    // its inverse does
	equal    bool    // neither can be: both are within the margin
	evidence float64 // for what was decided, or the largest for anything that could have been
	broken   bool    // the range is empty: no single ratio explains all rounds
}

func (d decision) decided() bool { return d.larger || d.smaller || d.equal }

// decide holds log ratios, in the order of the rounds, against the margin
// delta = log(1 + minimum effect).
//
// Family-wise error. The range [lo, hi] of one comparison misses the true
// median at some time only if lo passes it, which is a crossing of one
// e-process whose hypothesis is true, or hi does, which is one of another.
// Each crosses need = 2*family/alpha with probability at most alpha/(2*family)
// (Ville), so a range ever misses with probability at most alpha/family, and
// any of the family's ranges with probability at most alpha (union bound; no
// independence is used, and the comparisons share their baseline's trials).
// Every verdict is read off a range: larger is lo > delta, smaller is
// hi < -delta, equal is -delta < lo and hi < delta. So a false verdict implies
// a range that misses, and the probability that a run, stopped at whatever
// time, holds any false verdict is at most alpha. The factor 2 is not waste:
// for |median| < delta both "larger" and "smaller" are false, and half of the
// mass beyond either margin makes the two equally likely.
func decide(e evidence, x []float64, delta, need float64) decision {
	y := negated(x)
	d := decision{lo: e.lower(x, need), hi: -e.lower(y, need)}
	larger, smaller := e.eValue(x, delta), e.eValue(y, delta)
	equal := min(e.eValue(x, -delta), e.eValue(y, -delta))
	if d.lo > d.hi {
		d.broken = true
		d.evidence = max(larger, smaller, equal)
		return d
	}
	switch {
	case d.lo > delta:
		d.larger, d.evidence = true, larger
	case d.hi < -delta:
		d.smaller, d.evidence = true, smaller
	case d.lo > -delta && d.hi < delta:
		d.equal, d.evidence = true, equal
	default:
		d.evidence = max(larger, smaller, equal)
	}
	return d
}

// needed is the e-value that a decision takes; see decide.
func needed(family int, alpha float64) float64 {
	return 2 * float64(max(1, family)) / alpha
}

// fewest is the smallest number of rounds that decide when all agree.
func (s signs) fewest(need float64) int {
	n := max(1, s.floor)
	for s.allowed(n, need) < 0 {
		n++
	}
	return n
}

// power is the probability that the sign test decides within rounds when each
// sign agrees with probability p, independently.
func (s signs) power(rounds int, p, need float64) float64 {
	open := []float64{1} // by number of signs against, not decided yet
	var decided float64
	for n := 1; n <= rounds; n++ {
		next := make([]float64, n+1)
		for k, q := range open {
			next[k] += q * p
			next[k+1] += q * (1 - p)
		}
		if n >= s.floor {
			for k := 0; k <= s.allowed(n, need); k++ {
				decided += next[k]
				next[k] = 0
			}
		}
		open = next
	}
	return decided
}

// power of a run that Detectable speaks of.
const detectablePower = 0.8

// detectable is the smallest relative effect that rounds would have shown to
// exceed the margin with 80 % probability, given the spread of the log ratios
// (their standard deviation; a few wild rounds make it larger, not smaller).
// The sign test needs a sign probability p whose power is 80 %; a normal
// spread around the effect reaches p when the effect lies Phi^-1(p) deviations
// beyond the margin. It is 0 where no effect could have been shown: too few
// rounds for the family, or fewer than two rounds to see a spread in.
func (s signs) detectable(x []float64, rounds int, delta, need float64) float64 {
	if len(x) < 2 || s.power(rounds, 1, need) < detectablePower {
		return 0
	}
	lo, hi := 0.5, 1.0
	for range 40 {
		if mid := (lo + hi) / 2; s.power(rounds, mid, need) < detectablePower {
			lo = mid
		} else {
			hi = mid
		}
	}
	z := math.Sqrt2 * math.Erfinv(2*hi-1)
	return math.Expm1(delta + z*deviation(x))
}

// deviation is the sample standard deviation.
func deviation(x []float64) float64 {
	var mean, sum float64
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		sum += (v - mean) * (v - mean)
	}
	return math.Sqrt(sum / float64(len(x)-1))
}
