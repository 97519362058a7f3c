package compare

import (
	"math"
	"math/rand/v2"
	"testing"
)

// world draws the log ratios of a family of comparisons, round by round.
// truth is the median of each comparison's log ratio.
type world struct {
	name  string
	truth []float64
	round func(rng *rand.Rand, round int, x []float64) // fills in one log ratio per comparison
}

const (
	simFamily = 8
	simDelta  = 0.04879016416943205 // log 1.05
)

// even is a family in which the truth is v for all.
func even(v float64) []float64 {
	t := make([]float64, simFamily)
	for i := range t {
		t[i] = v
	}
	return t
}

// worlds are the null situations that the rule must withstand. In all of
// them the comparisons share their baseline's trials, as in a run.
func worlds() []world {
	normal := func(sd float64, truth []float64) func(*rand.Rand, int, []float64) {
		return func(rng *rand.Rand, _ int, x []float64) {
			base := sd * rng.NormFloat64()
			for i := range x {
				x[i] = truth[i] + sd*rng.NormFloat64() - base
			}
		}
	}
	mixed := []float64{simDelta, -simDelta, 0, simDelta, -simDelta, 0, 3 * simDelta, -3 * simDelta}
	return []world{
		{"A/A", even(0), normal(0.09, even(0))},
		{"A/A, quiet", even(0), normal(0.005, even(0))},
		{"at the upper margin", even(simDelta), normal(0.05, even(simDelta))},
		{"at the lower margin", even(-simDelta), normal(0.05, even(-simDelta))},
		{"mixed", mixed, normal(0.05, mixed)},
		{"heavy tails at the margin", even(simDelta), func(rng *rand.Rand, _ int, x []float64) {
			for i := range x {
				x[i] = simDelta + 0.02*rng.NormFloat64()/rng.NormFloat64() // Cauchy
			}
		}},
		{"host slows down by half", even(simDelta), func(rng *rand.Rand, round int, x []float64) {
			// Both sides of a pair slow down, one after the other in random
			// order; their spread doubles on the way.
			sd := 0.03 * (1 + float64(round)/20)
			for i := range x {
				within := 0.02 * (2*rng.Float64() - 1)
				x[i] = simDelta + within + sd*(rng.NormFloat64()-rng.NormFloat64())
			}
		}},
		{"two modes beyond either margin", even(0), func(rng *rand.Rand, _ int, x []float64) {
			for i := range x { // the least favourable: a coin between slower and faster
				x[i] = math.Copysign(0.3, rng.Float64()-0.5) + 0.01*rng.NormFloat64()
			}
		}},
		{"depends on the past", even(simDelta), func() func(*rand.Rand, int, []float64) {
			var last [simFamily]float64
			return func(rng *rand.Rand, _ int, x []float64) {
				for i := range x { // the spread follows the last value; the median does not
					x[i] = simDelta + (0.02+math.Abs(last[i]))*math.Copysign(rng.ExpFloat64(), rng.Float64()-0.5)
					last[i] = max(-1, min(1, x[i]-simDelta))
				}
			}
		}()},
	}
}

// simulate plays one run: rounds until every comparison is decided or the cap
// is reached, each stopping at its own data-dependent time. It reports whether
// any verdict was false and whether any range missed the truth at any time.
func simulate(rng *rand.Rand, w world, e evidence, need float64) (falseVerdict, missed bool) {
	const floor, rounds = 7, 20
	xs := make([][]float64, simFamily)
	stopped := make([]bool, simFamily)
	x := make([]float64, simFamily)
	for round := 1; round <= rounds; round++ {
		w.round(rng, round, x)
		for i, theta := range w.truth {
			if stopped[i] {
				continue
			}
			xs[i] = append(xs[i], x[i])
			if round < floor {
				continue
			}
			d := decide(e, xs[i], simDelta, need)
			missed = missed || theta < d.lo || theta > d.hi
			falseVerdict = falseVerdict || d.larger && theta <= simDelta || d.smaller && theta >= -simDelta || d.equal && math.Abs(theta) >= simDelta
			stopped[i] = d.decided()
		}
	}
	return falseVerdict, missed
}

// rates are the shares of runs with any false verdict and any missing range.
func rates(w world, e evidence, runs int, need float64) (wrong, missed float64) {
	rng := rand.New(rand.NewPCG(20261120, 9))
	for range runs {
		f, m := simulate(rng, w, e, need)
		if f {
			wrong += 1 / float64(runs)
		}
		if m {
			missed += 1 / float64(runs)
		}
	}
	return wrong, missed
}

const (
	simRuns  = 800
	simAlpha = 0.2 // large, so that few runs say much
)

// simLimit is alpha and three standard errors.
var simLimit = simAlpha + 3*math.Sqrt(simAlpha*(1-simAlpha)/simRuns)

// A run holds any false verdict, or any range that misses, with probability at
// most alpha.
func TestFamilywiseError(t *testing.T) {
	if testing.Short() {
		t.Skip("many simulated runs")
	}
	need := needed(simFamily, simAlpha)
	for _, w := range worlds() {
		wrong, missed := rates(w, plan(7, 20, need), simRuns, need)
		t.Logf("%-32s false verdict %.3f, range misses %.3f", w.name, wrong, missed)
		if wrong > simLimit || missed > simLimit {
			t.Errorf("%s: %.3f of runs hold a false verdict, %.3f a range that misses; at most %.3f is allowed", w.name, wrong, missed, simAlpha)
		}
	}
}

// The simulation can fail: it catches a rule that gives every round the whole
// error, and one that forgets the family.
func TestFamilywiseErrorCanFail(t *testing.T) {
	if testing.Short() {
		t.Skip("many simulated runs")
	}
	w := worlds()[2]
	need := needed(simFamily, simAlpha)
	greedy := evidence{share: make([]float64, 20)}
	for i := 6; i < 20; i++ {
		greedy.share[i] = 1
	}
	if _, missed := rates(w, greedy, simRuns, need); missed <= simLimit {
		t.Errorf("%s: looking at will, %.3f of runs hold a range that misses, which would go unnoticed", w.name, missed)
	}
	need = needed(1, simAlpha)
	if _, missed := rates(w, plan(7, 20, need), simRuns, need); missed <= simLimit {
		t.Errorf("%s: without the family, %.3f of runs hold a range that misses, which would go unnoticed", w.name, missed)
	}
}

// Full size: go test -bench Familywise -benchtime 20000x.
func BenchmarkFamilywise(b *testing.B) {
	for _, w := range worlds() {
		b.Run(w.name, func(b *testing.B) {
			need := needed(simFamily, 0.05)
			wrong, missed := rates(w, plan(7, 20, need), b.N, need)
			b.ReportMetric(wrong, "false/run")
			b.ReportMetric(missed, "missed/run")
		})
	}
}

// How fast a plain effect is decided, at the noise of this kind of benchmark.
func TestDecisionTime(t *testing.T) {
	if testing.Short() {
		t.Skip("many simulated runs")
	}
	rng := rand.New(rand.NewPCG(6, 6))
	need := needed(simFamily, 0.05)
	for _, test := range []struct {
		effect, spread float64
		share          float64 // of runs that must be decided within 20 rounds
		mean           float64 // rounds, at most
	}{
		{math.Log(2), 0.12, 0.99, 10.1},
		{math.Log(1.3), 0.05, 0.99, 10.1},
		{0, 0.01, 0.99, 10.1}, // equivalent
		{0, 0.025, 0.95, 13},
		{math.Log(1.1), 0.03, 0.95, 14},
	} {
		const runs = 400
		decided, rounds := 0, 0
		for range runs {
			var x []float64
			for len(x) < 20 {
				x = append(x, test.effect+test.spread*rng.NormFloat64())
				if decide(plan(7, 20, need), x, simDelta, need).decided() {
					decided++
					break
				}
			}
			rounds += len(x)
		}
		share, mean := float64(decided)/runs, float64(rounds)/runs
		t.Logf("effect %+.3f, spread %.3f: decided %.2f, mean rounds %.1f", test.effect, test.spread, share, mean)
		if share < test.share || mean > test.mean {
			t.Errorf("effect %+.3f, spread %.3f: %.2f decided in %.1f rounds on average; want %.2f in %.1f", test.effect, test.spread, share, mean, test.share, test.mean)
		}
	}
}
