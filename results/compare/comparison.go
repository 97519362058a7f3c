// Package compare judges performance: medians with distribution-free
// intervals, paired ratios with a sequential test, and the verdict words. It is
// the only place that does, and the only user of benchmath.
package compare

import "github.com/dlbench/dlbench/results"

// Verdict is the outcome of a comparison.
type Verdict string

// The verdicts.
const (
	Regressed    Verdict = "regressed"  // head is worse than base by at least the minimum effect
	Improved     Verdict = "improved"   // head is better by at least the minimum effect
	Equivalent   Verdict = "equivalent" // shown to differ by less than the minimum effect
	Inconclusive Verdict = "inconclusive"
	Missing      Verdict = "missing" // one side has no valid trial
	Flaky        Verdict = "flaky"   // one side has failed trials beside valid ones
	Wrong        Verdict = "wrong"   // one side did other work
)

// The states of a cell. Only cells that are ok are ranked.
const (
	StatusOK          = "ok"
	StatusUnproven    = "unproven" // timed, but not proven to have done the same work as the others
	StatusFlaky       = "flaky"    // failed trials beside valid ones
	StatusWrong       = "wrong"    // did other work
	StatusUnsupported = "unsupported"
	StatusFailed      = "failed"  // no valid trial, and a failure
	StatusMissing     = "missing" // no trial that counts
)

// Summary is one cell under one metric.
type Summary struct {
	Cell       results.Cell
	Metric     string
	Unit       string
	Median     *float64 // across trials; nil: see Reason
	Lo, Hi     *float64 // distribution-free interval of the median; nil: too few trials
	Confidence float64  // of the interval, as reached
	Trials     int      // valid
	Failed     int
	Status     string // one of the Status… constants
	Reason     string // one line; empty when ok with an interval
	Warnings   []string
	// TooShort: most trials measured for too short a time to be confirmed.
	TooShort bool
	// Slowdowns explain slow trials, of metrics of the measured segment only.
	Slowdowns []Slowdown
}

// Comparison is head against base: one cell of a backend against the same
// workload and settings of the baseline. Ratio is head / base of the metric,
// the Hodges-Lehmann estimate over rounds; Lo and Hi are the range of ratios that the same
// evidence as the verdict's does not exclude (nil: unbounded on that side).
type Comparison struct {
	Base, Head results.Cell
	Metric     string
	MinEffect  float64 // relative; smaller differences are none
	Ratio      *float64
	Lo, Hi     *float64
	// CPURatio is the ratio by CPU time per step in place of wall time, the median
	// over the same rounds. It is a witness, never judged; nil: CPU time does not
	// speak for the metric.
	CPURatio *float64
	Rounds   int
	// RoundsNeeded is the smallest number of rounds after which the family's
	// evidence can decide, if all of them agree; 0: nothing is compared.
	RoundsNeeded int
	Evidence     float64 // the largest reached for the verdict; while undecided, for any verdict
	Needed       float64 // the evidence that a verdict takes
	Detectable   float64 // smallest relative effect that the cap of rounds would have shown with 80 % probability, given the spread; 0: none
	Verdict      Verdict
	// TooShort: the trials of a side are too short to be confirmed, and more of them
	// would be as short.
	TooShort bool
	// Reason is why there is no verdict though the head's own trials are fine: the
	// baseline's state, or doubts that weigh more than the evidence. One line, also
	// among the warnings; empty otherwise.
	Reason   string
	Warnings []string
}

// Group is all backends on one workload and settings.
type Group struct {
	Key         results.Cell // Backend is empty
	Metric      string       // primary
	Summaries   []Summary    // in the order of the plan
	Comparisons []Comparison // every backend but the baseline, same order
}

// Analysis is everything that a report says about speed.
type Analysis struct {
	Baseline string
	Policy   results.Policy
	Family   int // comparisons that share alpha
	Groups   []Group
	Warnings []string
}
