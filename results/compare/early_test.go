package compare

import (
	"math"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/resultstest"
)

// Only a run that is known to have ended for another reason than what it showed
// spends the rest of its error on its last round.
func TestEndedEarly(t *testing.T) {
	step, _ := results.LookupMetric("step-time")
	for _, test := range []struct {
		name   string
		change func(*results.Run)
		report bool // of the run itself: a verdict
		other  bool // of a question that is not its own
	}{
		{"all rounds were wanted", func(r *results.Run) { r.Meta.Policy.Until = untilMax }, true, true},
		{"until decided, ended by a limit", func(r *results.Run) { r.Meta.Policy.Until = "decided" }, true, false},
		{"not recorded", func(*results.Run) {}, true, false},
		{"resumed", func(r *results.Run) {
			r.Meta.Policy.Until = untilMax
			r.Meta.Resumes = []results.Resumption{{At: "2026-11-21T00:00:00Z"}}
		}, false, false},
		{"stopped before the run ended", func(r *results.Run) {
			var kept []results.Record
			for _, rec := range r.Records {
				if rec.Cell.Workload != "Mlp" || rec.Cell.Mode != "train" || rec.Round < 9 {
					rec.Planned = 0
					kept = append(kept, rec)
				}
			}
			r.Records = kept
		}, false, false},
	} {
		// 9 rounds of 20 decide the family of 8 only where they are the last.
		run := resultstest.Run(resultstest.Config{Seed: 1, Rounds: 9})
		run.Meta.Policy.MaxRounds = 20
		test.change(&run)
		c, _ := find(t, Analyze(run), "Mlp", "eager")
		if got := c.Verdict == Improved; got != test.report {
			t.Errorf("%s: the report says %s after %d rounds", test.name, c.Verdict, c.Rounds)
		}
		asked := Contrast{Base: Sample{Cell: c.Base}, Head: Sample{Cell: c.Head}, Metric: step, MinEffect: 0.01}
		family := make([]Contrast, 8) // the same error, another question
		for i := range family {
			family[i] = asked
		}
		if got := Judge([]results.Run{run}, family, run.Meta.Policy)[0]; (got.Verdict == Improved) != test.other {
			t.Errorf("%s: another question is answered by %s after %d rounds", test.name, got.Verdict, got.Rounds)
		}
	}
}

// A run's own question gets the answer of its report, whoever asks.
func TestOwnQuestion(t *testing.T) {
	run := resultstest.Run(resultstest.Config{Seed: 1, Rounds: 9})
	run.Meta.Policy.MaxRounds = 20
	var own []Contrast
	var want []Comparison
	for _, g := range Analyze(run).Groups {
		m, _ := results.LookupMetric(g.Metric)
		for _, c := range g.Comparisons {
			own = append(own, Contrast{Base: Sample{Cell: c.Base}, Head: Sample{Cell: c.Head}, Metric: m, MinEffect: run.Meta.Policy.MinEffect})
			want = append(want, c)
		}
	}
	decided := 0
	for i, got := range Judge([]results.Run{run}, own, run.Meta.Policy) {
		if got.Verdict != want[i].Verdict || got.Evidence != want[i].Evidence {
			t.Errorf("%s: %s, the report says %s", got.Head.Name(), got.Verdict, want[i].Verdict)
		}
		if got.Verdict == Improved {
			decided++
		}
	}
	if decided == 0 {
		t.Error("nothing was decided, so nothing was shown")
	}
}

// Rounds in which a metric is 0 cannot be left out: the others would be chosen
// for what they show.
func TestZerosWithholdTheVerdict(t *testing.T) {
	m := results.Metric{Name: "gc-per-step", Better: -1, Of: func(r results.Record) (float64, bool) { return float64(r.WallNS), true }}
	run := resultstest.Run(resultstest.Config{Seed: 1, Rounds: 20})
	c, _ := find(t, Analyze(run), "Mlp", "eager")
	for _, test := range []struct {
		name       string
		base, head func(round int) int64
		zeros      string
	}{
		{"half of the head", func(int) int64 { return 10 }, func(n int) int64 { return int64(n%2) * 13 }, "in 10 of 20 rounds"},
		{"all of the base", func(int) int64 { return 0 }, func(int) int64 { return 1 }, "in 20 of 20 rounds"},
		{"both", func(int) int64 { return 0 }, func(int) int64 { return 0 }, "in 20 of 20 rounds"},
	} {
		for i := range run.Records {
			r := &run.Records[i]
			r.WallNS = test.base(r.Round)
			if r.Cell == c.Head {
				r.WallNS = test.head(r.Round)
			}
		}
		got := Judge([]results.Run{run}, []Contrast{{Base: Sample{Cell: c.Base}, Head: Sample{Cell: c.Head}, Metric: m}}, run.Meta.Policy)[0]
		if got.Verdict != Inconclusive || !strings.Contains(got.Reason, test.zeros) {
			t.Errorf("%s: %s, %q", test.name, got.Verdict, got.Reason)
		}
	}
}

// A study of settings compares nothing in its own run and stops at nothing; a
// run of one backend alone does not go on for it.
func TestStudyOfSettings(t *testing.T) {
	cells := []results.Cell{resultstest.Cells()[0], resultstest.Cells()[0]}
	cells[1].Threads = 2
	for _, test := range []struct {
		cells []results.Cell
		want  int
	}{{cells, 2}, {cells[:1], 0}} {
		run := resultstest.Run(resultstest.Config{Seed: 1, Rounds: 8, Cells: test.cells})
		run.Meta.Baseline, run.Meta.Policy.MaxRounds = cells[0].Backend, 20
		if got := Undecided(run.Meta, run.Records); len(got) != test.want {
			t.Errorf("%d cells: %d are measured on after 8 rounds, want %d", len(test.cells), len(got), test.want)
		}
	}
}

// Where the baseline is not planned, nothing else ends a study of settings; a cell in
// one setting still ends at the floor.
func TestStudyWithoutTheBaseline(t *testing.T) {
	cells := make([]results.Cell, 5) // eager and PyTorch, PyTorch twice without eager, and JAX alone
	for i := range cells {
		cells[i] = resultstest.Cells()[0]
		if i > 0 {
			cells[i].Backend = "pytorch"
		}
		if i > 1 {
			cells[i].Allocator = "returning"
		}
	}
	cells[3].Checkpoint = 4
	cells[4].Backend = "jax"
	run := resultstest.Run(resultstest.Config{Seed: 1, Rounds: 8, Cells: cells})
	run.Meta.Baseline, run.Meta.Policy.MaxRounds = "eager", 20
	got := Undecided(run.Meta, run.Records)
	if len(got) != 2 || got[0] != cells[2] || got[1] != cells[3] {
		t.Errorf("measured on after 8 rounds: %v", got)
	}
}

// What is detectable does not depend on what was asked before.
func TestDetectableOfTwoDesigns(t *testing.T) {
	need := needed(8, 0.05)
	whole, cut := plan(7, 12, need), plan(7, 20, need).endedAt(12)
	first := whole.beyond(need)
	if second := cut.beyond(need); first == second || math.Abs(second/first-1) > 0.3 {
		t.Errorf("a planned end sees %g deviations, one that came early %g", first, second)
	}
}
