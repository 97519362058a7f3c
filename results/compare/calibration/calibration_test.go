package calibration

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/resultstest"
)

// aa is a synthetic A/A run.
func aa(c resultstest.Config) results.Run {
	var cells []results.Cell
	for _, cell := range resultstest.Cells() {
		if cell.Backend != "eager" || cell.Mode != "train" {
			continue
		}
		for _, label := range []string{LabelA, LabelB} {
			cell.Backend = "eager" + label
			cells = append(cells, cell)
		}
	}
	if c.Cells == nil {
		c.Cells = cells
	}
	c.Baseline = "eager" + LabelA
	return resultstest.Run(c)
}

func TestOf(t *testing.T) {
	run := aa(resultstest.Config{Seed: 3, Rounds: 25, Noise: 0.02, Check: true, Memory: true})
	c, skipped, err := Of(run)
	if err != nil || len(skipped) > 0 {
		t.Fatal(err, skipped)
	}
	if c.Started != run.Meta.Started || !reflect.DeepEqual(c.Command, run.Meta.Command) || c.Version != run.Meta.Version || c.Family != 3 || len(c.Cells) != 3 || c.Trials != 150 || c.Disturbed != 0 || !c.Quiet() {
		t.Errorf("of the run: %+v", c)
	}
	for _, n := range c.Cells {
		if n.Cell.Backend != "eager" || n.Trials != 50 || n.Rounds != 25 || n.Blocks != 20 || n.Steps != 1 {
			t.Errorf("cell %+v", n)
		}
		near(t, "trial", n.TrialSD, 0.02, 0.007)
		near(t, "pair", n.PairSD, 0.02*math.Sqrt2, 0.011)
		if n.Gates.Count != gateCount || n.Gates.FalseAlarms+n.Gates.Equivalent+n.Gates.Inconclusive != gateCount || n.Gates.Rounds != 20 {
			t.Errorf("gates %+v", n.Gates)
		}
		if n.Gates.FalseAlarms > 0 {
			t.Errorf("%d of %d A/A gates of a quiet cell raise an alarm", n.Gates.FalseAlarms, n.Gates.Count)
		}
		var last float64
		for i, d := range n.Detectable {
			if d.Rounds != Budgets[i] || d.Effect > 0 && last > 0 && d.Effect > last {
				t.Errorf("detectable %+v", n.Detectable)
			}
			last = d.Effect
		}
		if last < run.Meta.Policy.MinEffect {
			t.Errorf("%d rounds see %g, below the minimum effect %g", Budgets[len(Budgets)-1], last, run.Meta.Policy.MinEffect)
		}
	}
	if again, _, _ := Of(run); !reflect.DeepEqual(again, c) {
		t.Error("the same run gives another calibration")
	}
	if _, err := (results.Calibration{Runs: []results.CalibrationRun{c}}).Encode(); err != nil {
		t.Error(err)
	}
}

// A gate that cries wolf is seen.
func TestGatesSeeAlarms(t *testing.T) {
	run := aa(resultstest.Config{Seed: 3, Rounds: 20, Noise: 0.001})
	pairs, _ := usable(run)
	quiet := drawGates(pairs, run.Meta, 0.05, 0.05)
	if quiet.all.Equivalent != gateCount {
		t.Errorf("quiet cells: %+v", quiet.all)
	}
	// At an alpha that lets one lucky toss decide, luck is counted.
	if lax := drawGates(pairs, run.Meta, 0, 0.9); lax.all.FalseAlarms == 0 || lax.all.FalseAlarms < lax.cells[0].FalseAlarms {
		t.Errorf("without a minimum effect and with alpha 0.9: %+v, of a cell %+v", lax.all, lax.cells[0])
	}
}

func TestOfBusyHost(t *testing.T) {
	busy := resultstest.Fault{Cell: resultstest.Backend("eager"+LabelB, ""), Disturbed: true}
	some, _, err := Of(aa(resultstest.Config{Rounds: 10, Noise: 0.02, Faults: []resultstest.Fault{busy}}))
	if err != nil || some.Disturbed != 30 || some.Trials != 60 || !some.Quiet() {
		t.Errorf("half of the trials disturbed: %d of %d, %v", some.Disturbed, some.Trials, err)
	}
	busy.Cell = func(results.Cell) bool { return true }
	if all, _, err := Of(aa(resultstest.Config{Rounds: 10, Noise: 0.02, Faults: []resultstest.Fault{busy}})); err != nil || all.Quiet() {
		t.Errorf("all of the trials disturbed: %d of %d, %v", all.Disturbed, all.Trials, err)
	}
}

func TestOfLeavesOut(t *testing.T) {
	crash := resultstest.Fault{Cell: resultstest.Backend("eager"+LabelB, "MnistCnn"), Rounds: []int{3}, End: results.EndCrashed, Phase: "measure", Reason: "SIGSEGV"}
	c, skipped, err := Of(aa(resultstest.Config{Rounds: 10, Noise: 0.02, Faults: []resultstest.Fault{crash}}))
	if err != nil || len(c.Cells) != 2 || c.Family != 2 {
		t.Errorf("%d cells, family %d, %v", len(c.Cells), c.Family, err)
	}
	if len(skipped) != 1 || !strings.Contains(skipped[0], "MnistCnn/mode=train/precision=f32/batch=8/backend=eager: ") || !strings.Contains(skipped[0], "SIGSEGV") {
		t.Errorf("skipped %q", skipped)
	}
	for name, tc := range map[string]struct {
		run  results.Run
		want string
	}{
		"an ordinary run": {resultstest.Run(resultstest.Config{}), "no cell was measured twice, under the labels @A and @B of its backend, in 7 rounds or more"},
		"few rounds":      {aa(resultstest.Config{Rounds: 5}), "backend=eager: 5 rounds, it takes 7"},
		"nothing":         {results.Run{}, "nothing to calibrate with"},
	} {
		if _, _, err := Of(tc.run); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
}
