package calibration

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/dlbench/dlbench/results"
)

// source is what trials are drawn from.
type source struct {
	between, within, correlation float64
	heavy                        bool // process effects from Student's t with 4 degrees of freedom
	faults                       float64
	trials, blocks               int
	course                       float64 // from the first block to the last, in all trials alike
}

func (s source) draw(random *rand.Rand) []results.Record {
	var list []results.Record
	for range s.trials {
		effect := random.NormFloat64()
		if s.heavy { // scaled to variance 1
			effect *= math.Sqrt(1 / (random.ExpFloat64() + random.ExpFloat64()))
		}
		step := 1e6 * math.Exp(s.between*effect)
		r := results.Record{Kind: results.KindTime, End: results.EndOK, StepsPerBlock: 1, Usage: &results.Usage{}}
		state := random.NormFloat64()
		for i := range s.blocks {
			common := s.course * (0.5 - float64(i)/float64(s.blocks))
			r.BlockNS = append(r.BlockNS, int64(step*math.Exp(s.within*state+common)))
			state = s.correlation*state + math.Sqrt(1-s.correlation*s.correlation)*random.NormFloat64()
		}
		faults := int64(float64(s.blocks) * 1000 * math.Exp(s.faults*effect+0.2*random.NormFloat64()))
		r.Usage.MinorFaults = &faults
		list = append(list, r)
	}
	return list
}

// Planted components are found, whatever the correlation of blocks, and their
// interval covers them.
func TestComponents(t *testing.T) {
	const runs = 400
	for name, tc := range map[string]struct {
		source
		covered float64
	}{
		"independent blocks":      {source{between: 0.03, within: 0.10, trials: 40, blocks: 30}, 0.91},
		"correlated blocks":       {source{between: 0.03, within: 0.10, correlation: 0.6, trials: 40, blocks: 60}, 0.91},
		"mostly between":          {source{between: 0.09, within: 0.05, correlation: 0.3, trials: 20, blocks: 20}, 0.89},
		"a course in common":      {source{between: 0.03, within: 0.10, correlation: 0.3, course: 0.3, trials: 40, blocks: 30}, 0.91},
		"heavy tails":             {source{between: 0.03, within: 0.10, correlation: 0.3, heavy: true, trials: 40, blocks: 30}, 0.85},
		"nothing between":         {source{between: 0, within: 0.10, correlation: 0.6, trials: 40, blocks: 60}, 0.91},
		"few trials of one block": {source{between: 0.03, within: 0, trials: 14, blocks: 1}, 0.89},
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			var between, within, correlation, share []float64
			covered := 0
			for range runs {
				n := components(tc.draw(random))
				between, within, share = append(between, n.Between), append(within, n.Within), append(share, n.Share)
				correlation = append(correlation, n.Autocorrelation)
				if n.BetweenLow <= tc.between && tc.between <= n.BetweenHigh {
					covered++
				}
				if n.Between < n.BetweenLow && n.Between > 0 || n.Between > n.BetweenHigh {
					t.Fatalf("%g is not within its own interval %g to %g", n.Between, n.BetweenLow, n.BetweenHigh)
				}
			}
			near(t, "between", median(between), tc.between, 0.12*tc.between+0.006)
			near(t, "within", median(within), tc.within, 0.08*tc.within)
			if tc.blocks > 1 {
				near(t, "autocorrelation", median(correlation), tc.correlation, 0.06)
			}
			r := tc.correlation
			mean := tc.within * tc.within / float64(tc.blocks) * (1 + r) / (1 - r)
			if tc.between > 0 {
				near(t, "share", median(share), tc.between*tc.between/(tc.between*tc.between+mean), 0.10)
			}
			t.Logf("the interval covers %.3f", float64(covered)/runs)
			if got := float64(covered) / runs; got < tc.covered {
				t.Errorf("the interval covers %.3f, expected %.2f", got, tc.covered)
			}
		})
	}
}

// One wild trial moves the standard deviation, and not the median absolute
// deviation.
func TestRobust(t *testing.T) {
	trials := source{between: 0.02, trials: 40, blocks: 10}.draw(rand.New(rand.NewPCG(3, 4)))
	for i := range trials[7].BlockNS {
		trials[7].BlockNS[i] *= 3
	}
	n := components(trials)
	if n.TrialSD < 0.1 || n.TrialMAD > 0.03 || n.TrialMAD < 0.01 {
		t.Errorf("standard deviation %g, from the median absolute deviation %g", n.TrialSD, n.TrialMAD)
	}
	if n.BetweenHigh < 2*n.BetweenLow {
		t.Errorf("the interval %g to %g does not show the wild trial", n.BetweenLow, n.BetweenHigh)
	}
}

// Trials that never differ have no noise, and no page faults to explain it.
func TestSilence(t *testing.T) {
	trials := source{trials: 20, blocks: 5}.draw(rand.New(rand.NewPCG(5, 6)))
	n := components(trials)
	for name, v := range map[string]float64{"between": n.Between, "high": n.BetweenHigh, "within": n.Within, "autocorrelation": n.Autocorrelation, "deviation": n.TrialMAD} {
		if v > 1e-9 || v < 0 || math.IsNaN(v) {
			t.Errorf("%s %g, expected 0", name, v)
		}
	}
	if f := faults(trials); f != nil {
		t.Errorf("page faults explain %+v of nothing", f)
	}
}

func TestFaults(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	cause := source{between: 0.05, within: 0.02, faults: 1, trials: 40, blocks: 20}
	if f := faults(cause.draw(random)); f == nil || f.Correlation < 0.7 || f.P > 0.01 || f.Explained < 0.4 {
		t.Errorf("faults that decide the step time: %+v", f)
	}
	cause.faults = 0
	alarms := 0
	for range 200 {
		if f := faults(cause.draw(random)); f.P <= 0.05 {
			alarms++
		}
	}
	if alarms > 20 {
		t.Errorf("%d of 200 unrelated counts of faults have p <= 0.05", alarms)
	}
	if f := faults(cause.draw(random)[:MinRounds-1]); f != nil {
		t.Errorf("of %d trials: %+v", MinRounds-1, f)
	}
}

// Against tables of Student's t.
func TestStudent(t *testing.T) {
	for freedom, want := range map[float64]float64{5: 2.5706, 13: 2.1604, 39: 2.0227, 1000: 1.9623} {
		near(t, "t", student(freedom), want, 0.01)
	}
}

func near(t *testing.T, what string, got, want, off float64) {
	t.Helper()
	if !(math.Abs(got-want) <= off) {
		t.Errorf("%s %.4f, expected %.4f within %.4f", what, got, want, off)
	}
}
