package resultstest

import (
	"math"
	"reflect"
	"testing"

	"github.com/dlbench/dlbench/results"
)

func TestRunIsDeterministic(t *testing.T) {
	c := Config{Seed: 7, Rounds: 3, Noise: 0.1, HeavyTails: true, Memory: true, Check: true}
	if !reflect.DeepEqual(Run(c), Run(c)) {
		t.Error("two runs of one config differ")
	}
	d := c
	d.Seed = 8
	if reflect.DeepEqual(Run(c).Records, Run(d).Records) {
		t.Error("the seed changes nothing")
	}
}

// A test that adds a fault sees no other trial change.
func TestFaultsLeaveOtherTrialsAlone(t *testing.T) {
	c := Config{Seed: 7, Rounds: 3, Noise: 0.1}
	plain := Run(c)
	c.Faults = []Fault{{Cell: Backend("gomlx", "Mlp"), Rounds: []int{2}, End: results.EndTimeout, Phase: "measure"}}
	changed := 0
	for i, r := range Run(c).Records {
		w := plain.Records[i]
		if r.End == results.EndTimeout {
			changed++
			continue
		}
		r.Start, w.Start = "", "" // later, as the fault took other time
		if !reflect.DeepEqual(r, w) {
			t.Errorf("%s in round %d changed", r.Cell.Name(), r.Round)
		}
	}
	if changed != 2 { // train and infer
		t.Errorf("%d trials failed, want 2", changed)
	}
}

// Without noise each trial has the true step time, with it the true median.
func TestTruth(t *testing.T) {
	step, _ := results.LookupMetric("step-time")
	for _, r := range Run(Config{Seed: 1, Rounds: 2}).Records {
		if v, ok := step.Of(r); !ok || math.Abs(v/Step(r.Cell)-1) > 1e-4 {
			t.Errorf("%s: %g, want %g", r.Cell.Name(), v, Step(r.Cell))
		}
	}
	above, n := 0, 0
	for _, r := range Run(Config{Seed: 1, Rounds: 100, Noise: 0.1, HeavyTails: true}).Records {
		if v, _ := step.Of(r); v > Step(r.Cell) {
			above++
		}
		n++
	}
	if p := float64(above) / float64(n); math.Abs(p-0.5) > 0.05 {
		t.Errorf("%.3f of %d trials are above the true median", p, n)
	}
}

func TestGoldenHoldsEveryEnd(t *testing.T) {
	ends := map[string]bool{}
	for _, r := range Golden().Records {
		ends[r.End] = true
	}
	for _, end := range []string{results.EndOK, results.EndUnsupported, results.EndWrong, results.EndProtocol, results.EndTimeout, results.EndOOM, results.EndCrashed, results.EndInterrupted} {
		if !ends[end] {
			t.Errorf("no trial ended %s", end)
		}
	}
}
