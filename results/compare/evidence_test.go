package compare

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The table in the docstring of bets, and how many rounds other families take.
func TestAllowed(t *testing.T) {
	s := signs{floor: 1}
	for _, test := range []struct {
		family int
		rounds []int // with 0, 1, 2, 3 signs against
	}{
		{1, []int{6, 12, 15, 19}},
		{8, []int{9, 15, 19, 23}},
		{50, []int{12, 18, 22, 26}},
	} {
		need := needed(test.family, 0.05)
		for k, n := range test.rounds {
			if got := s.allowed(n, need); got != k {
				t.Errorf("family %d, %d rounds: %d signs against allowed, want %d", test.family, n, got, k)
			}
			if got := s.allowed(n-1, need); got != k-1 {
				t.Errorf("family %d, %d rounds: %d signs against allowed, want %d", test.family, n-1, got, k-1)
			}
		}
	}
}

// Exactly, not by simulation: the wealth is a martingale at even odds, and no
// worse than a supermartingale below them.
func TestWealthIsMartingale(t *testing.T) {
	var s signs
	for n := range 60 {
		for k := range n + 1 {
			now := s.wealth(n, k)
			next := (s.wealth(n+1, k) + s.wealth(n+1, k+1)) / 2
			if math.Abs(next-now) > 1e-12*now {
				t.Fatalf("n %d, k %d: wealth %g is followed by %g", n, k, now, next)
			}
			if s.wealth(n+1, k+1) > s.wealth(n+1, k) {
				t.Fatalf("n %d, k %d: a sign against the bet adds to the wealth", n, k)
			}
		}
	}
	if s.wealth(0, 0) != 1 {
		t.Errorf("the wealth starts at %g", s.wealth(0, 0))
	}
}

// Ville's inequality, checked exactly by enumeration: at even odds, the
// probability ever to decide stays below 1/need, for any cap.
func TestCrossingProbability(t *testing.T) {
	for _, floor := range []int{1, 7} {
		s := signs{floor: floor}
		for _, family := range []int{1, 3, 8, 40} {
			need := needed(family, 0.05)
			for _, rounds := range []int{20, 300} {
				if p := s.power(rounds, 0.5, need); p > 1/need {
					t.Errorf("floor %d, family %d, %d rounds: crosses with probability %g, allowed %g", floor, family, rounds, p, 1/need)
				}
			}
			if p := s.power(300, 0.5, need); floor == 1 && 2*p <= 1/need {
				t.Errorf("family %d: both directions cross with probability %g, within %g: decide's factor 2 would be waste", family, 2*p, 1/need)
			}
			if p := s.power(60, 0.95, need); p < 0.99 {
				t.Errorf("family %d: 95 %% agreeing signs decide within 60 rounds with probability %g only", family, p)
			}
		}
	}
}

// Interval and e-value answer alike for every hypothesis, ties included.
func TestLowerAgreesWithEValue(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	s := signs{floor: 5}
	for range 3000 {
		x := make([]float64, rng.IntN(30))
		for i := range x {
			x[i] = float64(rng.IntN(12)) - 3 // many ties
		}
		need := math.Exp(rng.Float64() * 7)
		low := s.lower(x, need)
		for m := -4.0; m <= 10; m += 0.5 {
			if got, want := s.eValue(x, m) >= need, m < low; got != want {
				t.Fatalf("x %v, m %g, need %g: rejected is %v, below lower bound %g is %v", x, m, need, got, low, want)
			}
		}
	}
}

// Evidence never gets weaker by another round, and an observation moved up
// never weakens it.
func TestEvidenceIsMonotone(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	s := signs{floor: 3}
	for range 500 {
		x := make([]float64, 20)
		for i := range x {
			x[i] = rng.NormFloat64() + 1
		}
		for n := 1; n < len(x); n++ {
			if s.eValue(x[:n], 0) > s.eValue(x[:n+1], 0) || s.lower(x[:n], 100) > s.lower(x[:n+1], 100) {
				t.Fatalf("a further round weakened the evidence: %v", x[:n+1])
			}
		}
		y := append([]float64(nil), x...)
		y[rng.IntN(len(y))] += 2
		if s.eValue(y, 0) < s.eValue(x, 0) || s.lower(y, 100) < s.lower(x, 100) {
			t.Fatalf("a larger value weakened the evidence: %v, %v", x, y)
		}
	}
}

func TestEValueIsFinite(t *testing.T) {
	x := make([]float64, 5000)
	if v := (signs{}).eValue(x, -1); math.IsInf(v, 0) || v < 1e300 {
		t.Errorf("got %g", v)
	}
}
