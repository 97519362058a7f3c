package compare

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// The null distribution, against all signs of all ranks.
func TestSignedRank(t *testing.T) {
	for n := 1; n <= 12; n++ {
		at := make([]int, n*(n+1)/2+1)
		for signs := range 1 << n {
			w := 0
			for r := 1; r <= n; r++ {
				w += r * (signs >> (r - 1) & 1)
			}
			for k := range w + 1 {
				at[k]++
			}
		}
		got := signedRank(n)
		if len(got) != len(at) {
			t.Fatalf("n %d: %d values, want %d", n, len(got), len(at))
		}
		for k, count := range at {
			if want := float64(count) / math.Exp2(float64(n)); math.Abs(got[k]-want) > 1e-12 {
				t.Errorf("n %d: P(W >= %d) is %g, want %g", n, k, got[k], want)
			}
		}
	}
}

func TestRankNeeded(t *testing.T) {
	for _, test := range []struct {
		n    int
		p    float64
		want int
		ok   bool
	}{
		{5, 1.0 / 32, 15, true}, // unanimous
		{5, 1.0 / 33, 0, false},
		{5, 2.0 / 32, 14, true},
		{10, 0.05, 45, true}, // of published tables: P(W >= 45) = 0.0420, P(W >= 44) = 0.0527
		{1, 1, 0, true},
	} {
		if k, ok := rankNeeded(test.n, test.p); ok != test.ok || ok && k != test.want {
			t.Errorf("n %d, p %g: got %d, %v, want %d, %v", test.n, test.p, k, ok, test.want, test.ok)
		}
	}
}

// Walsh averages count the signed ranks, on samples without ties; with ties they
// count fewer.
func TestWalshCountsSignedRanks(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for range 500 {
		var w walsh
		n := 1 + rng.IntN(15)
		for range n {
			w.add(rng.NormFloat64())
		}
		m := rng.NormFloat64()
		ranks := 0
		for _, v := range w.x {
			if v <= m {
				continue
			}
			for _, u := range w.x {
				if math.Abs(u-m) <= math.Abs(v-m) {
					ranks++
				}
			}
		}
		if got := w.above(m); got != ranks {
			t.Fatalf("%v about %g: %d averages above, signed ranks %d", w.x, m, got, ranks)
		}
	}
	var w walsh
	for _, v := range []float64{1, -1, 0, 2} {
		w.add(v)
	}
	if got := w.above(0); got != 6 { // 1, 2, and the means of 2 with -1, 0 and 1 and of 1 with 0; midranks would give 6.5
		t.Errorf("with ties: %d above 0 of %v", got, w.sorted)
	}
}

// The shares are a spending of the whole error, and no more.
func TestSharesAddUp(t *testing.T) {
	for _, floor := range []int{1, 7, 12} {
		for rounds := range 60 {
			for _, family := range []int{1, 8, 20, 78, 1000} {
				e := plan(floor, rounds, needed(family, 0.05))
				var sum float64
				for i, w := range e.share {
					sum += w
					if w < 0 || i+1 < floor && w > 0 {
						t.Fatalf("floor %d, %d rounds, family %d: round %d has share %g", floor, rounds, family, i+1, w)
					}
				}
				want := 1.0
				if rounds < floor || rounds == 0 {
					want = 0
				}
				if math.Abs(sum-want) > 1e-12 {
					t.Fatalf("floor %d, %d rounds, family %d: the shares are %g together", floor, rounds, family, sum)
				}
			}
		}
	}
}

// A run that had to end early spends what is left on its last round, and not
// before: all shares are 1 still.
func TestEndedAt(t *testing.T) {
	need := needed(20, 0.05)
	whole := plan(7, 20, need)
	for n := 1; n <= 25; n++ {
		cut := whole.endedAt(n)
		var sum float64
		for i, w := range cut.share {
			sum += w
			if i+1 < min(n, 20) && w != whole.share[i] {
				t.Errorf("ended at %d: round %d has share %g, planned %g", n, i+1, w, whole.share[i])
			}
		}
		if math.Abs(sum-1) > 1e-12 || len(cut.share) != min(n, 20) {
			t.Errorf("ended at %d: %d shares, %g together", n, len(cut.share), sum)
		}
	}
	if n := whole.endedAt(11).fewest(need); n != 11 {
		t.Errorf("ended at 11: decides at %d", n)
	}
}

// How many unanimous rounds decide, by family; and where none can.
func TestFewest(t *testing.T) {
	for _, test := range []struct{ floor, rounds, family, want int }{
		{7, 20, 1, 7}, {7, 20, 8, 10}, {7, 20, 20, 12}, {7, 20, 78, 14}, {1, 20, 1, 7},
		{7, 9, 8, 9}, // all on the last round: 2^-9 is below 1/320
		{7, 8, 8, 0}, // and 2^-8 is not
		{7, 6, 1, 0}, // fewer rounds than the floor
		{20, 20, 1, 20},
	} {
		need := needed(test.family, 0.05)
		e := plan(test.floor, test.rounds, need)
		if got := e.fewest(need); got != test.want {
			t.Errorf("%+v: got %d", test, got)
		}
		same := make([]float64, test.rounds)
		if test.want > 0 && (e.against(same[:test.want], -1) < need || e.against(same[:test.want-1], -1) >= need) {
			t.Errorf("%+v: unanimous rounds decide at another one", test)
		}
	}
}

// The bound, by enumeration of all signs: whatever the magnitudes, the evidence
// against the truth ever reaches need with probability at most 1/need. A rule
// that gave every round the whole error would not hold it.
func TestCrossingProbability(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 2))
	const rounds = 13
	for _, magnitudes := range []string{"equal", "growing", "heavy", "normal"} {
		size := make([]float64, rounds)
		for i := range size {
			size[i] = map[string]float64{
				"equal": 1, "growing": float64(i + 1), "heavy": math.Abs(rng.NormFloat64() / rng.NormFloat64()), "normal": math.Abs(rng.NormFloat64()),
			}[magnitudes]
		}
		for _, need := range []float64{20, 40, 320} {
			e := plan(5, rounds, need)
			greedy := evidence{share: make([]float64, rounds)}
			for i := 4; i < rounds; i++ {
				greedy.share[i] = 1
			}
			crossed, greedyCrossed := 0, 0
			x := make([]float64, rounds)
			for signs := range uint(1) << rounds {
				for i := range x {
					x[i] = math.Copysign(size[i], float64(signs>>i&1)-0.5)
				}
				if e.against(x, 0) >= need {
					crossed++
				}
				if greedy.against(x, 0) >= need {
					greedyCrossed++
				}
			}
			all := math.Exp2(rounds)
			if p := float64(crossed) / all; p > 1/need {
				t.Errorf("%s, need %g: crosses with probability %g, allowed %g", magnitudes, need, p, 1/need)
			}
			if p := float64(greedyCrossed) / all; magnitudes == "normal" && p <= 1/need {
				t.Errorf("%s, need %g: looking at will crosses with probability %g only: the test would not see it", magnitudes, need, p)
			}
		}
	}
}

// Interval and evidence answer alike for every hypothesis, ties included.
func TestLowerAgreesWithAgainst(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 3000 {
		x := make([]float64, rng.IntN(26))
		for i := range x {
			x[i] = float64(rng.IntN(12)) - 3 // many ties
		}
		need := math.Exp(1 + rng.Float64()*6)
		e := plan(5, 20, need)
		low := e.lower(x, need)
		for m := -4.0; m <= 10; m += 0.25 {
			if got, want := e.against(x, m) >= need, m < low; got != want {
				t.Fatalf("x %v, m %g, need %g: rejected is %v, below lower bound %g is %v", x, m, need, got, low, want)
			}
		}
	}
}

// Evidence never gets weaker by another round, and an observation moved up
// never weakens it.
func TestEvidenceIsMonotone(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	e := plan(3, 20, 100)
	for range 500 {
		x := make([]float64, 20)
		for i := range x {
			x[i] = rng.NormFloat64() + 1
		}
		for n := 1; n < len(x); n++ {
			if e.against(x[:n], 0) > e.against(x[:n+1], 0) || e.lower(x[:n], 100) > e.lower(x[:n+1], 100) {
				t.Fatalf("a further round weakened the evidence: %v", x[:n+1])
			}
		}
		y := append([]float64(nil), x...)
		y[rng.IntN(len(y))] += 2
		if e.against(y, 0) < e.against(x, 0) || e.lower(y, 100) < e.lower(x, 100) {
			t.Fatalf("a larger value weakened the evidence: %v, %v", x, y)
		}
	}
}

func TestAgainstIsFinite(t *testing.T) {
	x := make([]float64, 1100) // 2^-1100 is 0
	e := evidence{share: make([]float64, len(x))}
	e.share[len(x)-1] = 1
	if v := e.against(x[:20], -1); v != 1 {
		t.Errorf("before any look: %g", v)
	}
	small := plan(7, 300, 40)
	if v := small.against(x[:300], -1); math.IsInf(v, 0) || v < 1e60 {
		t.Errorf("got %g", v)
	}
}

// The estimate and the spread, against textbook values.
func TestCenterAndSpread(t *testing.T) {
	for _, test := range []struct {
		x              []float64
		center, spread float64
	}{
		{[]float64{1}, 1, math.NaN()},
		{[]float64{1, 3}, 2, 2 * math.Sqrt(math.Pi) / 2},
		{[]float64{1, 2, 9}, 3.5, (1.0 + 8 + 7) / 3 * math.Sqrt(math.Pi) / 2}, // averages 1 1.5 2 5 5.5 9
	} {
		if got := center(test.x); got != test.center {
			t.Errorf("center of %v is %g, want %g", test.x, got, test.center)
		}
		if got := spread(test.x); math.Abs(got-test.spread) > 1e-12 && !math.IsNaN(test.spread) {
			t.Errorf("spread of %v is %g, want %g", test.x, got, test.spread)
		}
	}
	rng := rand.New(rand.NewPCG(8, 8))
	var sum float64
	for range 400 {
		x := make([]float64, 20)
		for i := range x {
			x[i] = 3 * rng.NormFloat64()
		}
		sum += spread(x) / 400
	}
	if math.Abs(sum-3) > 0.1 {
		t.Errorf("the spread of normal samples of deviation 3 is %g on average", sum)
	}
}

func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{10, 20, 50} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 1))
			x := make([]float64, n)
			for i := range x {
				x[i] = rng.NormFloat64()
			}
			need := needed(20, 0.05)
			for b.Loop() {
				decide(plan(7, n, need), x, 0.02, need)
			}
		})
	}
}
