package calibration

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

// planted is an A/A run of one cell with independent noise of 2 %, in which the
// log ratio of B to A has a further part from round to round.
func planted(seed uint64, rounds int, part func(round int) float64) results.Run {
	run := aa(resultstest.Config{Seed: seed, Rounds: rounds, Noise: 0.02, Cells: oneCell()})
	for i, r := range run.Records {
		if !strings.HasSuffix(r.Cell.Backend, LabelB) {
			continue
		}
		for k := range r.BlockNS {
			run.Records[i].BlockNS[k] = int64(float64(r.BlockNS[k]) * math.Exp(part(r.Round)))
		}
	}
	return run
}

func oneCell() []results.Cell {
	c := resultstest.Cells()[0]
	var cells []results.Cell
	for _, label := range []string{LabelA, LabelB} {
		c.Backend = "eager" + label
		cells = append(cells, c)
	}
	return cells
}

// persistent is a first-order autoregression of standard deviation 10 %.
func persistent(seed uint64, rounds int, r float64) func(int) float64 {
	random := rand.New(rand.NewPCG(seed, 9))
	x := make([]float64, rounds+1)
	x[0] = 0.1 * random.NormFloat64()
	for i := 1; i <= rounds; i++ {
		x[i] = r*x[i-1] + 0.1*math.Sqrt(1-r*r)*random.NormFloat64()
	}
	return func(round int) float64 { return x[round] }
}

// Trials that are independent raise no more false alarms than alpha allows, even
// without a minimum effect, and those that persist from round to round many more;
// the correlation of rounds tells the two apart.
func TestGatesSeeDependence(t *testing.T) {
	if testing.Short() {
		t.Skip("many simulated runs")
	}
	const runs, rounds, alpha = 40, 20, 0.05
	for name, tc := range map[string]struct {
		correlation           float64
		minEffect             float64
		leastRate, mostRate   float64 // of gates with a false alarm, over all runs
		leastFlagged, mostOut int     // runs in which the correlation warns
		leastWarned           int     // runs in which it does, or the rate
	}{
		"independent":                          {0, 0, 0, 1.5 * alpha, 0, 6, 0},
		"independent, beyond a minimum effect": {0, 0.05, 0, alpha, 0, 6, 0},
		"persistent, beyond a minimum effect":  {0.95, 0.05, 3 * alpha, 1, runs / 2, runs, runs * 8 / 10},
		"persistent, without a minimum effect": {0.95, 0, 5 * alpha, 1, runs / 2, runs, runs * 8 / 10},
	} {
		t.Run(name, func(t *testing.T) {
			alarms, real, flagged, warned := 0, 0, 0, 0
			for seed := range uint64(runs) {
				run := planted(seed+1, rounds, persistent(seed+1, rounds, tc.correlation))
				run.Meta.Policy.MinEffect, run.Meta.Policy.Alpha = tc.minEffect, alpha
				c, _, err := Of(run)
				if err != nil {
					t.Fatal(err)
				}
				alarms += c.Gates.FalseAlarms
				if c.Dependent(c.Cells[0]) {
					flagged++
				}
				if c.Dependent(c.Cells[0]) || c.Alarming() {
					warned++
				}
				if realGate(run, tc.minEffect, alpha) {
					real++
				}
			}
			rate := float64(alarms) / (runs * gateCount)
			t.Logf("false alarms: %.3f of drawn gates, %d of %d real ones; %d runs flagged, %d warned", rate, real, runs, flagged, warned)
			if rate < tc.leastRate || rate > tc.mostRate {
				t.Errorf("%.3f of drawn gates raise a false alarm, expected %.3f to %.3f", rate, tc.leastRate, tc.mostRate)
			}
			if flagged < tc.leastFlagged || flagged > tc.mostOut {
				t.Errorf("the correlation of rounds warns in %d of %d runs, expected %d to %d", flagged, runs, tc.leastFlagged, tc.mostOut)
			}
			if warned < tc.leastWarned || tc.leastWarned == 0 && warned > tc.mostOut {
				t.Errorf("correlation or rate warn in %d of %d runs, expected %d, and at most %d of those that are independent", warned, runs, tc.leastWarned, tc.mostOut)
			}
		})
	}
}

// realGate reports whether the run itself, as it is, raises a false alarm.
func realGate(run results.Run, minEffect, alpha float64) bool {
	metric, _ := results.LookupMetric(compare.DefaultMetric)
	cells := run.Meta.Cells
	c := compare.Judge([]results.Run{run}, []compare.Contrast{{Base: compare.Sample{Cell: cells[0]}, Head: compare.Sample{Cell: cells[1]}, Metric: metric, MinEffect: minEffect}},
		results.Policy{Alpha: alpha, MinEffect: minEffect, MinRounds: compare.DefaultMinRounds, MaxRounds: compare.DefaultMaxRounds})[0]
	return c.Verdict == compare.Improved || c.Verdict == compare.Regressed
}

// A difference between the labels that lasts raises alarms, in the gates that are
// cut late: A/A gates of labels that do differ are not called quiet.
func TestGatesSeeLastingDifference(t *testing.T) {
	run := planted(3, 20, func(int) float64 { return 0.3 })
	pairs, _ := usable(run)
	g := drawGates(pairs, run.Meta, 0.05, 0.05)
	if g.all.FalseAlarms < gateCount/10 || g.all.FalseAlarms == gateCount || g.all.Equivalent > 0 {
		t.Errorf("%+v: expected alarms in some gates, and nothing called equivalent", g.all)
	}
}

// The last of few rounds decides where it is known that the run ended there for
// no verdict's sake, as in gates.
func TestGatesOfFewRounds(t *testing.T) {
	run := aa(resultstest.Config{Seed: 3, Rounds: 8, Noise: 0.001})
	for until, want := range map[string]int{"": 0, "max": gateCount} {
		run.Meta.Policy.Until = until
		pairs, _ := usable(run)
		if g := drawGates(pairs, run.Meta, 0.05, 0.05); g.all.Equivalent != want {
			t.Errorf("until %q: %+v, expected %d equivalent", until, g.all, want)
		}
	}
}

// Blocks are as long as they are said to be, every round is there once and in its
// place, and within a block labels are exchanged together.
func TestDraw(t *testing.T) {
	const rounds, block = 20, 10.0
	run := planted(1, 30, func(int) float64 { return 0 })
	pairs, _ := usable(run)
	random := rand.New(rand.NewPCG(1, 1))
	changes, gates := 0, 2000
	for range gates {
		from := random.IntN(11)
		records := draw(pairs, from, rounds, block, random)
		if len(records) != 2*rounds {
			t.Fatalf("%d records", len(records))
		}
		last := false
		for i := range rounds {
			a, b := records[2*i], records[2*i+1]
			planned := pairs[0].trials[from+i]
			swapped := a.BlockNS[0] != planned[0].BlockNS[0]
			if a.Round != i+1 || a.Cell != pairs[0].a || b.Cell != pairs[0].b || swapped != (b.BlockNS[0] != planned[1].BlockNS[0]) {
				t.Fatalf("round %d: %+v and %+v", i+1, a.Cell, b.Cell)
			}
			if i > 0 && swapped != last {
				changes++
			}
			last = swapped
		}
	}
	// A cut is seen where the coins on its two sides differ.
	near(t, "cuts per round", 2*float64(changes)/float64(gates*(rounds-1)), 1/block, 0.01)
}

// Trials that are too short for a verdict are not called free of alarms, nor is
// work that is not proven.
func TestGatesWithheld(t *testing.T) {
	run := aa(resultstest.Config{Seed: 3, Rounds: 10, Noise: 0.02, Step: func(c results.Cell) float64 {
		if c.Workload == "Mlp" {
			return 1e-5
		}
		return resultstest.Step(c)
	}, Faults: []resultstest.Fault{{Cell: func(c results.Cell) bool { return c.Workload == "MnistCnn" }, Unproven: true}}})
	c, _, err := Of(run)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range c.Cells {
		want := 0
		if n.Cell.Workload == "TextLstmShort" {
			want = gateCount
		}
		if n.Gates.Judged() != want {
			t.Errorf("%s: %+v: expected %d judged", n.Cell.Name(), n.Gates, want)
		}
	}
	if c.Gates.Judged() != gateCount {
		t.Errorf("all cells: %+v: a gate is judged where one of its cells is", c.Gates)
	}
}
