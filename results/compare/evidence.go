package compare

import (
	"math"
	"slices"
)

// evidence is a sequential test of all hypotheses "the median is at most m" at
// once, on observations in the order in which they were made. It must be an
// e-process for each m: its expectation under the hypothesis is at most 1 at
// every stopping time, so by Ville's inequality it ever reaches c with
// probability at most 1/c, however the time to stop was chosen.
//
// Both methods answer from the same numbers: for every m,
// eValue(x, m) >= need exactly when m < lower(x, need). This is what makes
// interval and verdict agree.
type evidence interface {
	// eValue is the largest value that the e-process against "the median is at
	// most m" has reached.
	eValue(x []float64, m float64) float64
	// lower is the lower end of the range of medians that the evidence does not
	// exclude: the supremum of the m with eValue(x, m) >= need; -Inf where
	// there is none.
	lower(x []float64, need float64) float64
}

// signs is the betting form of the sign test. Against "the median is at most
// m" it bets in each round a share of its wealth, at even odds, that the
// observation lies above m. Given the past, that has probability at most 1/2
// under the hypothesis (an observation equal to m counts as below, so ties
// lose the bet), and so
//
//	E[wealth after | past] = wealth (1 + share (2 P(x > m | past) - 1)) <= wealth.
//
// The wealth is a nonnegative supermartingale that starts at 1, and so is a
// fixed mixture of such wealths. Nothing else is assumed: no distribution, no
// independence, no equal spread, only that the median of each observation given
// those before it is the one the hypothesis speaks of. Betting as a test:
// G. Shafer, Testing by Betting, J. R. Stat. Soc. A 184(2), 2021; with the
// range of hypotheses that are not rejected as a confidence sequence:
// I. Waudby-Smith and A. Ramdas, Estimating means of bounded random variables
// by betting, J. R. Stat. Soc. B 86(1), 2024, arXiv:2010.09686; mixtures:
// H. Robbins, Ann. Math. Stat. 41(5), 1970.
type signs struct {
	floor int // rounds before which nothing is decided
}

// bets are the shares of the mixture and the wealth that each starts with. The
// full bet doubles with every agreeing sign and is ruined by the first other
// one: with half of the wealth on it, unanimous rounds decide as soon as any
// sign test could, give or take one round. The other half bets as is best when
// one sign in ten disagrees. With a family of 8 and alpha 0.05 (need 320) this
// decides after 9 unanimous rounds, 15 rounds with one disagreement, 19 with
// two.
var bets = []struct{ share, wealth float64 }{{1, 0.5}, {0.8, 0.5}}

// wealth after n rounds of which k went against the bet. It falls with k.
func (signs) wealth(n, k int) float64 {
	var w float64
	for _, b := range bets {
		w += b.wealth * math.Pow(1+b.share, float64(n-k)) * math.Pow(1-b.share, float64(k))
	}
	return min(w, math.MaxFloat64)
}

func (s signs) eValue(x []float64, m float64) float64 {
	best, against := 1.0, 0
	for i, v := range x {
		if v <= m {
			against++
		}
		if n := i + 1; n >= s.floor {
			best = max(best, s.wealth(n, against))
		}
	}
	return best
}

// lower: after n rounds, m is excluded when at most k = allowed(n) of the
// observations are <= m, which is when m is below the (k+1)th smallest.
func (s signs) lower(x []float64, need float64) float64 {
	best := math.Inf(-1)
	var ordered []float64
	for i, v := range x {
		at, _ := slices.BinarySearch(ordered, v)
		ordered = slices.Insert(ordered, at, v)
		if n := i + 1; n >= s.floor {
			if k := s.allowed(n, need); k >= 0 {
				best = max(best, ordered[k])
			}
		}
	}
	return best
}

// allowed is the largest number of signs that may go against the bet in n
// rounds if the wealth is to reach need; -1 where even none is too many.
func (s signs) allowed(n int, need float64) int {
	k := -1
	for k+1 < n && s.wealth(n, k+1) >= need {
		k++
	}
	return k
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
