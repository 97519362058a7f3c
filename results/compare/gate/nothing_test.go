package gate

import (
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

func TestNothingCompared(t *testing.T) {
	c := config(nil)
	c.Cells = cells("A")
	empty := oneRun(c)
	empty.Records = nil
	c.Rounds = 1
	single := oneRun(c)
	ignored := Policy{Cells: []Override{{Match: "*", Ignore: new(true)}}}
	for what, in := range map[string]Input{
		"no trial is there": {Base: empty}, "1 round": {Base: single}, "no cell is left": {Base: single, Policy: ignored},
		"facts alone do not make a pass": {Base: single, Policy: Policy{Exact: []Tolerance{{"params", 0}}}},
	} {
		r := mustJudge(t, in)
		if r.Code() != CodeUndecided || r.Nothing() == "" {
			t.Errorf("%s: code %d, %q", what, r.Code(), r.Nothing())
		}
	}
	for i := range single.Records { // a thousandth of the time
		if u := single.Records[i].Usage; u != nil {
			u.WallNS /= 1000
		}
	}
	if r := mustJudge(t, Input{Base: single}); !strings.Contains(r.Nothing(), "whatever is measured more: A"+name+": no verdict: most trials of old measured for less than 10 ms") || r.Code() != CodeUndecided {
		t.Errorf("trials that are too short: code %d, %q", r.Code(), r.Nothing())
	}
	single = oneRun(c)
	c.Faults = []resultstest.Fault{{Cell: resultstest.Backend("old", "A"), Unproven: true}}
	c.Rounds = 20
	if r := mustJudge(t, Input{Base: oneRun(c)}); !strings.Contains(r.Nothing(), "whatever is measured more: A"+name+": the baseline old is unproven") {
		t.Errorf("trials that are not proven: code %d, %q", r.Code(), r.Nothing())
	}
	c.Faults = nil
	r := mustJudge(t, Input{Base: oneRun(c), Policy: Policy{Alpha: 1e-12}})
	if r.Alpha != 1e-12 || !strings.Contains(r.Nothing(), "no verdict is possible") {
		t.Errorf("an alpha out of reach of 20 rounds: %q", r.Nothing())
	}
	r = mustJudge(t, Input{Base: single})
	if !strings.Contains(r.Nothing(), "1 round, and one takes") {
		t.Errorf("one trial: %q", r.Nothing())
	}
}

// What rounds say nothing about is not to be measured more: the check's own reason
// stands there.
func TestNothingWithoutValues(t *testing.T) {
	c := config(nil)
	c.Cells = cells("A")
	run := oneRun(c)
	for i := range run.Records {
		if u := run.Records[i].Usage; u != nil {
			u.GCNS = nil
		}
	}
	r := mustJudge(t, Input{Base: run, Policy: Policy{Metrics: Metrics{"train": {"gc-per-step"}}, Exact: []Tolerance{{"params", 0}}}})
	if got, want := r.Headline(), "gate undecided: no verdict is possible: A"+name+": no trial of the base has a gc-per-step"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	// Beside a check that does lack rounds, these are counted of that one.
	c.Rounds = 1
	run = oneRun(c)
	for i := range run.Records {
		if u := run.Records[i].Usage; u != nil {
			u.GCNS = nil
		}
	}
	r = mustJudge(t, Input{Base: run, Policy: Policy{Metrics: Metrics{"train": {"gc-per-step", "step-time"}}}})
	if !strings.Contains(r.Nothing(), "1 round, and one takes") {
		t.Errorf("%q", r.Nothing())
	}
}

// Where the run ended before its rounds, the gate says how to go on; where it has
// all of them it does not.
func TestNothingNamesUntilMax(t *testing.T) {
	c := config(nil)
	c.Cells, c.Rounds = cells("A"), 7
	run := oneRun(c)
	run.Meta.Policy.Alpha = 0.001
	const hint = "dlbench run --until max … --resume goes on to the 20 that were planned"
	if r := mustJudge(t, Input{Base: run}); !strings.Contains(r.Nothing(), "7 rounds, and one takes") || !strings.HasSuffix(r.Nothing(), hint) {
		t.Errorf("%q", r.Nothing())
	}
	if got := TooFewRounds(7, 8, 7); strings.Contains(got, "--until") || got != "7 rounds, and one takes 8 at least; measure more" {
		t.Errorf("%q", got)
	}
}

// Of a verdict that was withheld no effect would have been seen.
func TestWithheldSeesNothing(t *testing.T) {
	c := config(nil)
	c.Noise, c.Cells = 0.5, cells("A")
	id := "A" + name + " step-time"
	for what, change := range map[string]func(*results.Run){
		"too short": func(r *results.Run) {
			for i := range r.Records {
				if u := r.Records[i].Usage; u != nil {
					u.WallNS /= 1000
				}
			}
		},
		"not proven": func(r *results.Run) {
			for i := range r.Records {
				if r.Records[i].Cell.Backend == "young" {
					r.Records[i].Check = &results.Check{Status: "unproven", Reason: "planted"}
				}
			}
		},
	} {
		run := oneRun(c)
		if got := check(t, mustJudge(t, Input{Base: run}), id); got.Detectable == 0 || got.Blind || got.Withheld {
			t.Fatalf("%s: %+v before", what, got)
		}
		change(&run)
		if got := check(t, mustJudge(t, Input{Base: run}), id); got.Detectable != 0 || !got.Blind || got.Verdict != compare.Inconclusive || got.Rounds != 20 {
			t.Errorf("%s: %s in %d rounds, detectable %g, blind %v", what, got.Verdict, got.Rounds, got.Detectable, got.Blind)
		}
	}
}
