package compare

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
)

// evidence is a sequential test of all hypotheses "the center of the log ratios
// is at most m" at once, on rounds in the order in which they were made.
//
// After n rounds Wilcoxon's signed-rank test has an exact probability p_n
// against m, and the round has a share w_n of the error that may be made; all
// shares together are 1. The evidence is the largest w_n/p_n so far. Under the
// hypothesis it ever reaches c with probability at most
//
//	sum over n of P(p_n <= w_n/c) <= sum over n of w_n/c = 1/c,
//
// however the time to stop was chosen: a Bonferroni bound over looks, the
// simplest of group-sequential designs with a spending of alpha that is fixed in
// advance (E. V. Slud and L. J. Wei, J. Am. Stat. Assoc. 77(380), 1982; K. K. G.
// Lan and D. L. DeMets, Biometrika 70(3), 1983). What is assumed is that, given
// the magnitudes of x - m, the signs are independent and fair: the log of the
// ratio of two trials is symmetric about the log of the ratio of the cells
// whenever the two cells' times have the same distribution up to a factor,
// skewed, with two modes or with heavy tails alike. Spread may drift.
//
// The methodology page has the table of the tests that were tried: betting on
// signs, betting on magnitudes, a mixture t-test, sequential ranks.
type evidence struct {
	share []float64 // by round, from 1: share[n-1]
}

// Shares of alpha. The first look is at the first round at which unanimous
// signs need no more than firstShare; a plain difference is decided there. Most
// of the rest waits for the last round, where a small one is seen best, and some
// for the round in between; every other round has a little, so that a run that
// ends early may still decide.
const (
	firstShare  = 1.0 / 3
	lastShare   = 0.70 // of what the first look leaves
	middleShare = 0.15
)

// plan shares the error among the rounds of a design that begins to decide at
// floor rounds, ends after rounds, and decides at evidence need.
func plan(floor, rounds int, need float64) evidence {
	e := evidence{share: make([]float64, max(rounds, 0))}
	least := func(n int) float64 { return need * math.Exp2(-float64(n)) } // that lets unanimous signs decide
	first := max(1, floor)
	for first < rounds && least(first) > firstShare {
		first++
	}
	if first >= rounds {
		if rounds >= max(1, floor) {
			e.share[rounds-1] = 1
		}
		return e
	}
	e.share[first-1] = min(firstShare, max(least(first), firstShare/2))
	rest := 1 - e.share[first-1]
	e.share[rounds-1] = lastShare * rest
	e.share[(first+rounds+1)/2-1] += middleShare * rest
	for n := first + 1; n <= rounds; n++ {
		e.share[n-1] += (1 - lastShare - middleShare) * rest / float64(rounds-first)
	}
	return e
}

// leastRounds is the smallest number of rounds that can decide: unanimous ones, of
// a run that ends there.
func leastRounds(floor int, need float64) int {
	n := max(1, floor)
	for need*math.Exp2(-float64(n)) > 1 {
		n++
	}
	return n
}

// endedAt is the design of a run that had to end after that many rounds, for a
// reason that is not in its times, such as a limit on them: the last look has all
// that the looks before it were not given, so all shares together are still 1.
func (e evidence) endedAt(rounds int) evidence {
	if rounds < 1 || rounds >= len(e.share) {
		return e
	}
	cut := evidence{share: append([]float64(nil), e.share[:rounds]...)}
	rest := 1.0
	for _, w := range cut.share[:rounds-1] {
		rest -= w
	}
	cut.share[rounds-1] = rest
	return cut
}

// against is the largest value that the evidence against "the center is at most
// m" has reached; 1 before any.
func (e evidence) against(x []float64, m float64) float64 { return e.looks(x).against(m) }

// lower is the lower end of the range of centers that the evidence does not
// exclude: the supremum of the m with against(x, m) >= need; -Inf where there is
// none.
func (e evidence) lower(x []float64, need float64) float64 { return e.looks(x).lower(need) }

// looks are the rounds after which something may be decided, with the Walsh
// averages as they were then: all questions about one sample share them.
type looks struct {
	e  evidence
	at []walsh
}

func (e evidence) looks(x []float64) looks {
	l := looks{e: e}
	var w walsh
	for i, v := range x[:min(len(x), len(e.share))] {
		w.spare = nil // the last averages may belong to a look
		w.add(v)
		if e.share[i] > 0 {
			l.at = append(l.at, w)
		}
	}
	return l
}

// mirrored are the looks at the negated sample: negating is exact, so its averages
// are these, negated.
func (l looks) mirrored() looks {
	m := looks{e: l.e, at: make([]walsh, len(l.at))}
	for i, w := range l.at {
		sorted := make([]float64, len(w.sorted))
		for k, v := range w.sorted {
			sorted[len(sorted)-1-k] = -v
		}
		m.at[i] = walsh{x: w.x, sorted: sorted}
	}
	return m
}

func (l looks) against(m float64) float64 {
	best := 1.0
	for _, w := range l.at {
		n := len(w.x)
		best = max(best, l.e.share[n-1]/signedRank(n)[w.above(m)])
	}
	return min(best, math.MaxFloat64)
}

func (l looks) lower(need float64) float64 {
	best := math.Inf(-1)
	for _, w := range l.at {
		if k, ok := l.e.rank(len(w.x), need); ok {
			best = max(best, w.sorted[len(w.sorted)-max(k, 1)])
		}
	}
	return best
}

// rank is the signed-rank statistic that decides after n rounds, if any can.
func (e evidence) rank(n int, need float64) (int, bool) {
	if w := e.share[n-1]; w > 0 {
		return rankNeeded(n, w/need)
	}
	return 0, false
}

// fewest is the smallest number of rounds that decide when all agree; 0 where
// none does.
func (e evidence) fewest(need float64) int {
	for n := 1; n <= len(e.share); n++ {
		if _, ok := e.rank(n, need); ok {
			return n
		}
	}
	return 0
}

// negated mirrors observations, so that the test of "at most" serves for "at
// least".
func negated(x []float64) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = -v
	}
	return y
}

// power of a run that Detectable speaks of.
const detectablePower = 0.8

// detectable is the smallest relative effect that the design shows to exceed the
// margin with 80 % probability, at that standard deviation of the log ratios. It
// is 0 where no effect could be shown: too few rounds for the family.
//
// The lower end follows a shift of the observations, so an effect is shown when
// it lies above the margin by more than -lower of the noise alone: the effect is
// the 80 % quantile of that, over normal noise.
func (e evidence) detectable(sd, delta, need float64) float64 {
	if e.fewest(need) == 0 {
		return 0
	}
	return math.Expm1(delta + sd*e.beyond(need))
}

// beyond is how many standard deviations above the margin an effect is shown
// with 80 % probability.
func (e evidence) beyond(need float64) float64 {
	rounds := len(e.share)
	key := design{rounds: rounds, fewest: e.fewest(need), last: e.share[rounds-1], need: need}
	if v, ok := reaches.Load(key); ok {
		return v.(float64)
	}
	const runs = 800 // the quantile's standard error is 2 % of it
	rng := rand.New(rand.NewPCG(uint64(rounds), math.Float64bits(need)))
	least := make([]float64, runs)
	x := make([]float64, rounds)
	for i := range least {
		for j := range x {
			x[j] = rng.NormFloat64()
		}
		least[i] = -e.lower(x, need)
	}
	slices.SortFunc(least, cmp.Compare[float64])
	v := least[int(detectablePower*runs)]
	reaches.Store(key, v)
	return v
}

type design struct {
	rounds, fewest int
	last, need     float64 // the last round's share tells a run that ended early
}

var reaches sync.Map // design -> float64
