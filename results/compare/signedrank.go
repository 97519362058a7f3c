package compare

import (
	"math"
	"slices"
	"sync"
)

// signedRank is the null distribution of Wilcoxon's signed-rank statistic W of n
// observations: at[k] = P(W >= k), for k from 0 to n(n+1)/2.
//
// W is the sum of the ranks of |z| over the positive z. Given all magnitudes,
// and if each sign is a fair coin whatever the others are, the sum is that of a
// random subset of 1..n, whatever the magnitudes: no distribution, and no equal
// spread from round to round, is assumed. F. Wilcoxon, Biometrics Bulletin 1(6),
// 1945.
func signedRank(n int) (at []float64) {
	if v, ok := signedRanks.Load(n); ok {
		return v.([]float64)
	}
	p := []float64{1} // P(W = k)
	for r := 1; r <= n; r++ {
		next := make([]float64, len(p)+r)
		for k, q := range p {
			next[k] += q / 2
			next[k+r] += q / 2
		}
		p = next
	}
	for k := len(p) - 2; k >= 0; k-- {
		p[k] += p[k+1]
	}
	signedRanks.Store(n, p)
	return p
}

var signedRanks sync.Map // int -> []float64

// rankNeeded is the smallest W of n observations that has probability at most
// p; ok is false where none has.
func rankNeeded(n int, p float64) (k int, ok bool) {
	at := signedRank(n)
	k, _ = slices.BinarySearchFunc(at, p, func(q, p float64) int {
		if q > p {
			return -1
		}
		return 1
	})
	return k, k < len(at)
}

// walsh are the averages (x_i+x_j)/2 with i <= j of a growing sample, sorted. W
// of the observations x_i - m is the number of them above m (J. W. Tukey, 1949):
// so W falls as m rises, and the m with W >= k are those below the k-th largest
// average. An average at m counts as below: ties only weaken the evidence.
type walsh struct {
	x             []float64
	sorted, spare []float64
}

// add makes the averages with one observation more.
func (w *walsh) add(v float64) {
	w.x = append(w.x, v)
	fresh := make([]float64, len(w.x))
	for i, u := range w.x {
		fresh[i] = u/2 + v/2
	}
	slices.Sort(fresh)
	merged := w.spare[:0]
	old := w.sorted
	for len(old) > 0 && len(fresh) > 0 {
		if old[0] <= fresh[0] {
			merged, old = append(merged, old[0]), old[1:]
		} else {
			merged, fresh = append(merged, fresh[0]), fresh[1:]
		}
	}
	merged = append(append(merged, old...), fresh...)
	w.sorted, w.spare = merged, w.sorted
}

// above is the number of averages above m.
func (w *walsh) above(m float64) int {
	i, _ := slices.BinarySearchFunc(w.sorted, m, func(v, m float64) int {
		if v > m {
			return 1
		}
		return -1
	})
	return len(w.sorted) - i
}

// center is the Hodges-Lehmann estimate of the center of symmetry: the median of
// the Walsh averages, which every interval of the signed-rank test holds.
// J. L. Hodges and E. L. Lehmann, Ann. Math. Stat. 34(2), 1963.
func center(x []float64) float64 {
	var w walsh
	for _, v := range x {
		w.add(v)
	}
	n := len(w.sorted)
	return w.sorted[(n-1)/2]/2 + w.sorted[n/2]/2
}

// spread is a standard deviation that one wild round moves little: Gini's mean
// difference times sqrt(pi)/2, which is the standard deviation of a normal
// distribution and 98 % as efficient there. H. A. David, Biometrika 55(3), 1968.
func spread(x []float64) float64 {
	var sum float64
	for i, a := range x {
		for _, b := range x[:i] {
			sum += math.Abs(a - b)
		}
	}
	n := float64(len(x))
	return sum / (n * (n - 1) / 2) * math.Sqrt(math.Pi) / 2
}
