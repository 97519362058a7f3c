// Package gate decides whether a change may pass: cells of a base held against
// cells of a head, by the verdicts of package compare for what scatters and by
// plain comparison for what is exact, under a policy that people write. One
// Result holds the answer; every output is made from it.
package gate

import (
	"fmt"
	"strings"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// The verdicts that a gate has besides those of package compare.
const (
	Vanished compare.Verdict = "vanished" // the base has it, the head does not
	New      compare.Verdict = "new"      // the head has it, the base does not
)

// Outcome is what a check means for the build.
type Outcome string

// The outcomes.
const (
	Pass      Outcome = "pass"
	Fail      Outcome = "fail"      // regressed, vanished, or required and not there
	Broken    Outcome = "broken"    // trials did not end ok: there is nothing to judge
	Undecided Outcome = "undecided" // measured, and the data do not say
	Skip      Outcome = "skip"      // nothing to hold against anything: new, or impossible on both sides
)

// Kind is how a check is decided.
type Kind string

// The kinds of check.
const (
	Timed    Kind = "timed"    // by the sequential test of package compare
	Exact    Kind = "exact"    // a fact: any difference beyond the tolerance counts
	Memory   Kind = "memory"   // a peak of a few memory trials: see memory.go
	Presence Kind = "presence" // whether the cell is there at all
)

// Check is one question of a gate and its answer.
type Check struct {
	// Name is of what both sides share: the cell's name without the parts that tell
	// base and head apart.
	Name       string
	Base, Head *results.Cell // nil: that side did not plan it
	Kind       Kind
	Metric     string // empty for Presence
	Unit       string
	Better     int // -1: smaller is better, +1: larger is
	// BaseValue and HeadValue are medians over trials of what is timed, the value of
	// what is exact, the smallest of memory trials; nil: none.
	BaseValue, HeadValue *float64
	// Ratio is head / base; of what is timed with the range that the evidence does
	// not exclude (nil: unbounded on that side).
	Ratio, Lo, Hi *float64
	// Tolerance is relative: the minimum effect of what is timed, else what the
	// policy tolerates.
	Tolerance float64
	// Of what is timed: the rounds that both sides have, the fewest that can decide
	// (0: none of those that were planned), and the smallest relative effect that
	// would have been shown, 0: none.
	Rounds, RoundsNeeded int
	Detectable           float64
	// Blind: more rounds would not decide it, because trials are too short to be
	// confirmed or are not proven the same work.
	Blind bool
	// Withheld: the evidence was not let decide it, for Reason. Neither then nor
	// where it is Blind is anything Detectable: no effect would have been shown.
	Withheld bool
	Verdict  compare.Verdict
	Outcome  Outcome
	// Fails tells that the build fails for it.
	Fails bool
	// Reason is why there is no verdict, or what the check is about, in one line;
	// empty where the figures say all.
	Reason   string
	Warnings []string
}

// ID names a check among those of its gate, the same in every run of it.
func (c Check) ID() string {
	if c.Metric == "" {
		return c.Name
	}
	return c.Name + " " + c.Metric
}

// CouldDecide reports whether a timed check has the rounds that a verdict takes.
func (c Check) CouldDecide() bool { return c.RoundsNeeded > 0 && c.Rounds >= c.RoundsNeeded }

// Side is where the trials of base or head come from.
type Side struct {
	Dir     string // of the run
	Suite   string
	Started string
	Version string // of dlbench
	Select  string // which of its cells, as Selector.String; empty: all
}

// Result is the answer of a gate.
type Result struct {
	Base, Head Side
	OneRun     bool // both sides are of one run, measured in turn
	Policy     Policy
	Alpha      float64 // that the family shares
	Family     int     // timed checks
	Checks     []Check
	Ignored    []string // names of cells that the policy leaves out
	Warnings   []string // what is to be doubted about the whole
	Compared   int      // checks that held one value against another
	MaxRounds  int      // that were planned for both sides
}

// The codes with which a gate ends, as a process does. In a gate with several
// troubles the first of 1, 4, 3 that applies is the code: a regression is one
// whatever else is open, and trials that broke may hide one.
const (
	CodePass      = 0
	CodeFail      = 1
	CodeUndecided = 3
	CodeBroken    = 4
)

// Code is the exit code.
func (r Result) Code() int {
	n := r.failing()
	switch {
	case n[Fail] > 0:
		return CodeFail
	case n[Broken] > 0:
		return CodeBroken
	case r.Nothing() != "" || n[Undecided] > 0:
		return CodeUndecided
	}
	return CodePass
}

// failing counts the checks for which the build fails.
func (r Result) failing() map[Outcome]int {
	n := map[Outcome]int{}
	for _, c := range r.Checks {
		if c.Fails {
			n[c.Outcome]++
		}
	}
	return n
}

// Nothing says in one line why the gate has looked at nothing, whatever its
// policy says about doubt; empty where it has. A gate that cannot see must not
// pass.
func (r Result) Nothing() string {
	if len(r.Checks) == 0 {
		return "nothing was compared: no cell is left"
	}
	if r.Compared == 0 {
		return "nothing was compared: " + reasonOf(r.Checks)
	}
	timed, measured, need := 0, 0, 0
	var blind, missing []Check // what rounds say nothing about
	for _, c := range r.Checks {
		if c.Kind != Timed || c.Outcome == Skip {
			continue
		}
		if c.Outcome != Undecided || c.Verdict == compare.Inconclusive && c.CouldDecide() && !c.Blind {
			return ""
		}
		timed++
		switch {
		case c.Blind:
			blind = append(blind, c)
		case c.Verdict == compare.Missing || c.Withheld:
			missing = append(missing, c)
		default:
			measured, need = max(measured, c.Rounds), max(need, c.RoundsNeeded)
		}
	}
	switch {
	case timed == 0:
		return ""
	case len(blind) == timed:
		return "no verdict is possible, whatever is measured more: " + reasonOf(blind)
	case len(blind)+len(missing) == timed:
		return "no verdict is possible: " + reasonOf(append(missing, blind...))
	case need == 0:
		return fmt.Sprintf("no verdict is possible: the rounds of the run are too few for %d timed checks at alpha %g; plan more rounds", r.Family, r.Alpha)
	}
	return "no verdict is possible: " + TooFewRounds(measured, need, r.MaxRounds)
}

// TooFewRounds says that a verdict takes more rounds than were made, and how to
// make them where the run ended before those that were planned: a suite with
// until: decided stops by its own comparisons, which may be decided before others.
func TooFewRounds(made, need, planned int) string {
	s := fmt.Sprintf("%d %s, and one takes %d at least; measure more", made, rounds(made), need)
	if made < planned {
		s += fmt.Sprintf(": dlbench run --until max … --resume goes on to the %d that were planned", planned)
	}
	return s
}

// reasonOf is the first reason among checks.
func reasonOf(checks []Check) string {
	for _, c := range checks {
		if c.Reason != "" {
			return c.Name + ": " + c.Reason
		}
	}
	return "no check has values on both sides"
}

func rounds(n int) string {
	if n == 1 {
		return "round"
	}
	return "rounds"
}

// Headline is the answer in one line.
func (r Result) Headline() string {
	word := map[int]string{CodePass: "passed", CodeFail: "failed", CodeBroken: "failed: trials did not end ok", CodeUndecided: "undecided"}[r.Code()]
	if why := r.Nothing(); why != "" && r.Code() == CodeUndecided {
		return "gate undecided: " + why
	}
	order := []compare.Verdict{compare.Regressed, Vanished, compare.Wrong, compare.Flaky, compare.Missing, compare.Inconclusive, compare.Improved, compare.Equivalent, New}
	count := map[compare.Verdict]int{}
	for _, c := range r.Checks {
		count[c.Verdict]++
	}
	var parts []string
	for _, v := range order {
		if n := count[v]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, v))
		}
	}
	return fmt.Sprintf("gate %s: %s", word, strings.Join(parts, ", "))
}
