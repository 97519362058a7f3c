package compare

import (
	"math"
)

// A tried rule says after which round "the center of x is at most m" is excluded
// at that evidence; 0: never. Its error at any time to stop is to be at most
// 1/need.
type tried struct {
	name  string
	first func(x []float64, m, need float64) int
}

const triedFloor, triedRounds = 7, 20

// allTried are the rules that were tried; the first is the one that is used.
func allTried() []tried {
	return []tried{
		{"signed ranks at planned looks (used)", looksRule},
		{"signs, by betting", signsRule},
		{"magnitudes, by betting", fisherRule},
		{"t, mixture over effects", mixtureRule},
		{"sequential ranks, spending", sequentialRanksRule},
	}
}

func looksRule(x []float64, m, need float64) int {
	e := plan(triedFloor, triedRounds, need)
	for _, w := range e.looks(x).at {
		if n := len(w.x); e.share[n-1]/signedRank(n)[w.above(m)] >= need {
			return n
		}
	}
	return 0
}

// wealthRule is a bet on the observations; a mixture of wealths, given as logs.
func wealthRule(x []float64, m, need float64, bets int, grow func(bet int, z float64) float64) int {
	logs := make([]float64, bets)
	for i, v := range x {
		sum := 0.0
		for b := range logs {
			logs[b] += grow(b, v-m)
			sum += math.Exp(logs[b]) / float64(bets)
		}
		if i+1 >= triedFloor && sum >= need {
			return i + 1
		}
	}
	return 0
}

// signsRule bets on signs: G. Shafer, Testing by Betting, J. R. Stat. Soc. A
// 184(2), 2021. It was the first rule of this package.
func signsRule(x []float64, m, need float64) int {
	shares := []float64{1, 0.8}
	return wealthRule(x, m, need, len(shares), func(b int, z float64) float64 {
		if z > 0 {
			return math.Log1p(shares[b])
		}
		return math.Log1p(-shares[b])
	})
}

// fisherRule bets on magnitudes under symmetry, tanh(lambda z) of the wealth, for
// lambdas of every noise: V. Vovk and R. Wang, Nonparametric e-tests of symmetry,
// New England J. Stat. Data Sci. 2(2), 2024.
func fisherRule(x []float64, m, need float64) int {
	return wealthRule(x, m, need, 9, func(b int, z float64) float64 {
		return math.Log1p(math.Tanh(math.Ldexp(5, b)*z) * (1 - 1e-9))
	})
}

// mixtureRule is the e-process of the t statistic with the right Haar prior on
// the deviation, mixed over effects of 1/2, 1, 2 and 4 deviations: M. F.
// Perez-Ortiz, T. Lardy, R. de Heide, P. Grunwald, Ann. Stat. 52(4), 2024. It
// assumes a normal distribution.
func mixtureRule(x []float64, m, need float64) int {
	var sum, square float64
	for i, v := range x {
		z := v - m
		sum, square = sum+z, square+z*z
		n := float64(i + 1)
		if i+1 < triedFloor || square == 0 {
			continue
		}
		r := sum / math.Sqrt(square)
		if r <= 0 {
			continue
		}
		// E exp(d r w) over w with density w^(n-1) exp(-w^2/2), as a series.
		var value float64
		for _, d := range []float64{0.5, 1, 2, 4} {
			c, _ := math.Lgamma(n / 2)
			total := 0.0
			for k := range 400 {
				kk := float64(k)
				g, _ := math.Lgamma((n + kk) / 2)
				f, _ := math.Lgamma(kk + 1)
				term := math.Exp(kk*math.Log(d*r) - f + kk/2*math.Ln2 + g - c - n*d*d/2)
				total += term
				if k > 50 && term < 1e-12*total {
					break
				}
			}
			value += total / 4
		}
		if value >= need {
			return i + 1
		}
	}
	return 0
}

// sequentialRanksRule ranks each magnitude among those before it: M. R.
// Reynolds, Ann. Stat. 3(2), 1975; with a boundary that spends the error as the
// square of the share of rounds done (K. Kim and D. L. DeMets, Biometrika 74(1),
// 1987), exact for exchangeable rounds.
func sequentialRanksRule(x []float64, m, need float64) int {
	bound := ranksBound(need)
	total := 0
	for i, v := range x {
		z, rank := v-m, 0
		for _, u := range x[:i+1] {
			if math.Abs(u-m) <= math.Abs(z) {
				rank++
			}
		}
		if z > 0 {
			total += rank
		} else {
			total -= rank
		}
		if total >= bound[i] {
			return i + 1
		}
	}
	return 0
}

var ranksBounds = map[float64][]int{}

func ranksBound(need float64) []int {
	if b, ok := ranksBounds[need]; ok {
		return b
	}
	const most = triedRounds * (triedRounds + 1) / 2
	alive := make([]float64, 2*most+1)
	alive[most] = 1
	bound := make([]int, triedRounds)
	spent := 0.0
	for n := 1; n <= triedRounds; n++ {
		next := make([]float64, len(alive))
		for r := 1; r <= n; r++ {
			for k, p := range alive {
				if p > 0 {
					next[k+r] += p / float64(2*n)
					next[k-r] += p / float64(2*n)
				}
			}
		}
		alive = next
		bound[n-1] = math.MaxInt
		if n < triedFloor {
			continue
		}
		may := math.Pow(float64(n)/triedRounds, 2)/need - spent
		for k := len(alive) - 1; k > 0 && alive[k] <= may; k-- {
			may, spent = may-alive[k], spent+alive[k]
			alive[k], bound[n-1] = 0, k-most
		}
	}
	ranksBounds[need] = bound
	return bound
}
