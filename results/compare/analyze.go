package compare

import (
	"fmt"
	"math"
	"slices"

	"github.com/dlbench/dlbench/results"
)

// Defaults of a policy that leaves them open.
const (
	DefaultMetric    = "step-time"
	DefaultAlpha     = 0.05
	DefaultMinRounds = 7
	DefaultMaxRounds = 20
)

// Analyze judges a run: each cell under its mode's primary metric, and each
// backend against the baseline of the run. It is a pure function of the run. Runs
// that were merged are judged one by one, each by its own policy and with its own
// chance of a false alarm.
func Analyze(run results.Run) Analysis {
	if len(run.Parts) > 0 {
		return analyzeParts(run)
	}
	a := newAnalyst(run.Meta, run.Records)
	out := Analysis{Baseline: run.Meta.Baseline, Policy: a.policy, Family: a.family, Warnings: append([]string(nil), run.Warnings...)}
	out.Warnings = append(out.Warnings, a.warnings...)
	out.Warnings = append(out.Warnings, busyRun(a.by)...)
	out.Warnings = append(out.Warnings, incompleteRun(run)...)
	for _, g := range a.groups {
		out.Groups = append(out.Groups, a.group(g))
	}
	return out
}

// analyzeParts joins the analyses of merged runs. The policy is that of the first;
// a reader that shows one asks each part for its own.
func analyzeParts(run results.Run) Analysis {
	var out Analysis
	for i, part := range run.Parts {
		a := Analyze(part)
		if i == 0 {
			out.Baseline, out.Policy = a.Baseline, a.Policy
		}
		out.Family += a.Family
		out.Groups = append(out.Groups, a.Groups...)
		for _, w := range a.Warnings {
			out.Warnings = append(out.Warnings, fmt.Sprintf("run %d: %s", i+1, w))
		}
	}
	return out
}

// analyst holds what the parts of an analysis share.
type analyst struct {
	baseline string
	policy   results.Policy
	family   int
	rule
	groups   []group
	by       map[results.Cell]*cellTrials
	warnings []string
}

// group is the plan of a Group.
type group struct {
	key    results.Cell
	metric results.Metric
	cells  []results.Cell
	base   *results.Cell // nil: the baseline is not planned here
}

func newAnalyst(meta results.Meta, records []results.Record) *analyst {
	a := &analyst{baseline: meta.Baseline, policy: meta.Policy, by: sortTrials(meta.Cells, records)}
	p := &a.policy
	*p = Complete(*p)
	a.plan(meta)
	a.rule = rule{floor: p.MinRounds, rounds: p.MaxRounds, need: needed(a.family, p.Alpha), early: endedEarly(meta, a.by, true)}
	if a.family > 0 && a.evidence(0).fewest(a.need) == 0 {
		a.warnings = append(a.warnings, fmt.Sprintf("no verdict is possible: %d comparisons share alpha %g, which takes more than %d rounds", a.family, p.Alpha, p.MaxRounds))
	}
	return a
}

// Complete is the policy with defaults where it says nothing that can be used.
func Complete(p results.Policy) results.Policy {
	if !(p.Alpha > 0 && p.Alpha < 1) {
		p.Alpha = DefaultAlpha
	}
	if !(p.MinEffect >= 0) || math.IsInf(p.MinEffect, 0) {
		p.MinEffect = 0
	}
	if p.MinRounds < 1 {
		p.MinRounds = DefaultMinRounds
	}
	if p.MaxRounds < 1 {
		p.MaxRounds = max(DefaultMaxRounds, p.MinRounds)
	}
	return p
}

// plan groups the cells. The family is all planned comparisons, whatever
// became of them: it must not depend on what was measured.
func (a *analyst) plan(meta results.Meta) {
	at := map[results.Cell]int{}
	for _, c := range meta.Cells {
		key := c.Group()
		i, ok := at[key]
		if !ok {
			i = len(a.groups)
			at[key] = i
			a.groups = append(a.groups, group{key: key, metric: a.metric(key.Mode)})
		}
		g := &a.groups[i]
		g.cells = append(g.cells, c)
		if a.baseline != "" && c.Backend == a.baseline {
			g.base = &c
		}
	}
	for _, g := range a.groups {
		if g.base != nil {
			a.family += len(g.cells) - 1
		}
	}
	if a.baseline == "" && len(a.groups) > 0 {
		a.warnings = append(a.warnings, "no baseline is named, so nothing is compared")
	}
}

// metric is the primary metric of a mode.
func (a *analyst) metric(mode string) results.Metric {
	m, warning := Primary(a.policy, mode)
	if warning != "" && !slices.Contains(a.warnings, warning) {
		a.warnings = append(a.warnings, warning)
	}
	return m
}

// Primary is the metric by which a policy judges a mode. Where it names one that
// cannot be judged, the warning says so.
func Primary(p results.Policy, mode string) (m results.Metric, warning string) {
	name := p.Metric[mode]
	m, ok := results.LookupMetric(name)
	if ok && m.Judgeable(0, 0) == nil {
		return m, ""
	}
	if name != "" {
		warning = fmt.Sprintf("metric %q of mode %s cannot be judged, so it is %s", name, mode, DefaultMetric)
	}
	m, _ = results.LookupMetric(DefaultMetric)
	return m, warning
}

func (a *analyst) group(g group) Group {
	out := Group{Key: g.key, Metric: g.metric.Name}
	for _, c := range g.cells {
		out.Summaries = append(out.Summaries, a.by[c].summary(g.metric))
		if a.baseline != "" && c.Backend != a.baseline {
			out.Comparisons = append(out.Comparisons, a.compare(g, c))
		}
	}
	return out
}

// incompleteRun warns of rounds that do not count.
func incompleteRun(run results.Run) []string {
	_, incomplete := results.Counted(run.Records)
	if len(incomplete) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("incomplete, so not counted: %s %s", plural(len(incomplete), "round"), join(incomplete))}
}

func join(list []int) string {
	s := fmt.Sprint(list)
	return s[1 : len(s)-1]
}
