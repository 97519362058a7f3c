package compare

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func TestDecide(t *testing.T) {
	const delta, need = 0.05, 320
	same := func(n int, v float64) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = v
		}
		return x
	}
	for _, test := range []struct {
		name string
		x    []float64
		want string
	}{
		{"nothing", nil, "open"},
		{"nine rounds", same(9, 0.2), "open"},
		{"ten rounds", same(10, 0.2), "larger"},
		{"ten rounds down", same(10, -0.2), "smaller"},
		{"ten rounds between", same(10, 0.01), "equal"},
		{"on the margin", same(20, delta), "open"},
		{"on the other margin", same(20, -delta), "open"},
		{"a small one against", append(same(1, delta-0.01), same(24, 0.2)...), "larger"},
		{"a large one against", append(same(1, -1), same(10, 0.2)...), "open"},
		{"moved", append(same(10, 0.2), same(30, -0.2)...), "broken"},
		{"moved after the decision, too little to refute it", append(same(10, 0.2), same(3, -0.2)...), "larger"},
		{"both sides", append(append(same(5, 0.2), same(5, -0.2)...), same(5, 0.2)...), "open"},
	} {
		d := decide(plan(7, 40, need), test.x, delta, need)
		got := map[decision]string{
			{larger: true}: "larger", {smaller: true}: "smaller", {equal: true}: "equal", {broken: true}: "broken", {}: "open",
		}[decision{larger: d.larger, smaller: d.smaller, equal: d.equal, broken: d.broken}]
		if got != test.want {
			t.Errorf("%s: got %q (%+v), want %q", test.name, got, d, test.want)
		}
	}
}

// The verdict and the range say the same, and so does the e-value.
func TestDecisionAgreesWithItsRange(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	seen := map[string]int{}
	for range 4000 {
		x := make([]float64, 5+rng.IntN(25))
		shift, spread := rng.NormFloat64()*0.1, math.Exp(rng.NormFloat64()-4)
		for i := range x {
			x[i] = shift + spread*rng.NormFloat64()
		}
		const delta = 0.05
		need := needed(1+rng.IntN(20), 0.05)
		d := decide(plan(7, 30, need), x, delta, need)
		if d.broken {
			seen["broken"]++
			continue
		}
		if d.larger != (d.lo > delta) || d.smaller != (d.hi < -delta) || d.equal != (d.lo > -delta && d.hi < delta) {
			t.Fatalf("%+v: verdict and range disagree", d)
		}
		if d.decided() != (d.evidence >= need) {
			t.Fatalf("%+v: verdict and e-value disagree, need %g", d, need)
		}
		seen[fmt.Sprint(d.larger, d.smaller, d.equal)]++
	}
	for _, what := range []string{"true false false", "false true false", "false false true", "false false false"} {
		if seen[what] < 50 {
			t.Errorf("%s was seen %d times only", what, seen[what])
		}
	}
}

// With the spread that Detectable is given, the effect that it names is found
// in 80 % of runs; with the spread that a run shows, about so.
func TestDetectable(t *testing.T) {
	const rounds, deviation, delta, runs = 20, 0.04, 0.05, 3000
	need := needed(8, 0.05)
	e := plan(7, rounds, need)
	effect := e.detectable(deviation, delta, need)
	rng := rand.New(rand.NewPCG(5, 5))
	found := 0
	x := make([]float64, rounds)
	for range runs {
		for i := range x {
			x[i] = math.Log1p(effect) + deviation*rng.NormFloat64()
		}
		if decide(e, x, delta, need).larger {
			found++
		}
	}
	if p := float64(found) / runs; p < 0.76 || p > 0.84 {
		t.Errorf("an effect of %.3f was found in %.0f %% of runs, want about 80 %%", effect, 100*p)
	}
	if got := plan(7, 8, need).detectable(deviation, delta, need); got != 0 {
		t.Errorf("a cap that no effect can pass: got %g", got)
	}
	if got := e.detectable(0, delta, need); math.Abs(got-math.Expm1(delta)) > 1e-12 {
		t.Errorf("no spread: got %g, want the margin %g", got, math.Expm1(delta))
	}
}
