package compare

import (
	"fmt"
	"math"
	"slices"

	"github.com/dlbench/dlbench/results"
)

// compare judges one backend of a group against the baseline.
func (a *analyst) compare(g group, headCell results.Cell) Comparison {
	baseCell := headCell
	baseCell.Backend = a.baseline
	c := Comparison{Base: baseCell, Head: headCell, Metric: g.metric.Name, MinEffect: a.policy.MinEffect, Needed: a.need}
	if g.base == nil {
		c.miss(fmt.Sprintf("the baseline %s is not planned for %s", a.baseline, g.key.Name()))
		return c
	}
	base, head := a.by[baseCell], a.by[headCell]
	c.judge(a.rule, base, head, pairs(base.timed, head.timed), g.metric)
	return c
}

// rule is how evidence becomes a verdict, the same for a family of comparisons.
type rule struct {
	floor, rounds int     // of the design: when it begins to decide, and ends
	need          float64 // evidence of a decision
	// early says of how many rounds one knows that the run ended there for another
	// reason than what they showed; nil: of none.
	early      func(rounds int) bool
	undetected bool // Detectable is not asked for
}

// evidence is the design for that many rounds that were made. A comparison that
// has more than were planned was planned otherwise, and ends where it does.
func (r rule) evidence(made int) evidence { return plan(r.floor, max(r.rounds, made), r.need) }

// judge fills in a comparison from the trials of its sides.
func (c *Comparison) judge(by rule, base, head *cellTrials, p []pair, m results.Metric) {
	c.RoundsNeeded = leastRounds(by.floor, by.need)
	for _, side := range []*cellTrials{base, head} {
		for _, w := range side.warnings {
			c.Warnings = append(c.Warnings, side.cell.Backend+": "+w)
		}
		if side.reason != "" {
			c.Warnings = append(c.Warnings, side.cell.Backend+": "+side.status+": "+side.reason)
		}
	}
	c.blame(base, head)
	if v, ok := barred(base.status, head.status); ok {
		c.Verdict = v
		return
	}
	x, lost, zero := logRatios(p, m)
	if lost > 0 {
		c.Warnings = append(c.Warnings, fmt.Sprintf("%d %s left out: one side has no %s", lost, plural(lost, "round"), m.Name))
	}
	c.Rounds = len(x)
	if zero > 0 {
		// A verdict by the other rounds would be one by rounds that were chosen for
		// what they showed.
		defer c.withhold(fmt.Sprintf("no verdict: %s is 0 on one side or both in %d of %d rounds, of which there is no ratio", m.Name, zero, len(p)))
	}
	if len(x) == 0 {
		c.Verdict = Missing
		c.Warnings = append(c.Warnings, "no round has both sides")
		return
	}
	delta := math.Log1p(c.MinEffect)
	test, middle := by.evidence(len(x)), center(x)
	d := decide(test, x, delta, by.need)
	if !d.decided() && len(x) >= by.floor && by.early != nil && by.early(len(x)) {
		test = test.endedAt(len(x))
		d = decide(test, x, delta, by.need)
	}
	c.Ratio = finitePtr(math.Exp(middle))
	c.Evidence = d.evidence
	if len(x) > 1 && !by.undetected {
		if v := test.detectable(spread(x), delta, by.need); finitePtr(v) != nil {
			c.Detectable = v
		}
	}
	if !d.broken {
		c.Lo, c.Hi = finitePtr(math.Exp(d.lo)), finitePtr(math.Exp(d.hi))
		if math.IsInf(d.lo, -1) {
			c.Lo = nil
		}
		if middle < d.lo || middle > d.hi {
			c.Warnings = append(c.Warnings, "the ratio moved during the run: it lies outside of the range that earlier rounds left open")
		}
	} else {
		c.Warnings = append(c.Warnings, "no single ratio explains all rounds: it moved during the run")
	}
	c.Verdict = d.verdict(m.Better)
	if base.status == StatusUnproven || head.status == StatusUnproven {
		c.Verdict = Inconclusive // work that is not proven the same is shown, not ranked
	}
	c.heed(p, m, base, head, delta)
	c.withholdShort(m, base, head)
}

// miss makes a comparison that has a side too few.
func (c *Comparison) miss(reason string) {
	c.Verdict, c.Reason = Missing, reason
	c.Warnings = append(c.Warnings, reason)
}

// barred says which verdict the sides' states force, if they force one.
func barred(states ...string) (Verdict, bool) {
	has := func(s string) bool { return slices.Contains(states, s) }
	switch {
	case has(StatusWrong):
		return Wrong, true
	case has(StatusUnsupported), has(StatusFailed), has(StatusMissing):
		return Missing, true
	case has(StatusFlaky):
		return Flaky, true
	}
	return "", false
}

// verdict words a decision for a metric of which smaller (-1) or larger (+1)
// is better.
func (d decision) verdict(better int) Verdict {
	switch {
	case d.equal:
		return Equivalent
	case d.larger && better > 0, d.smaller && better < 0:
		return Improved
	case d.larger && better < 0, d.smaller && better > 0:
		return Regressed
	}
	return Inconclusive
}

// pair is the two trials of a round.
type pair struct{ base, head results.Record }

// pairs are in the order of rounds.
func pairs(base, head []results.Record) []pair {
	of := map[int]results.Record{}
	for _, r := range base {
		of[r.Round] = r
	}
	var list []pair
	for _, r := range head { // in the order of rounds
		if b, ok := of[r.Round]; ok {
			list = append(list, pair{b, r})
		}
	}
	return list
}

// logRatios are the logs of head over base, in the order of rounds. lost counts
// pairs of which one trial has no value of the metric, zero those of which one
// has the value 0.
func logRatios(p []pair, m results.Metric) (x []float64, lost, zero int) {
	for _, q := range p {
		vb, ok1 := m.Of(q.base)
		vh, ok2 := m.Of(q.head)
		l := math.Log(vh) - math.Log(vb)
		if ok1 && ok2 && min(vb, vh) == 0 {
			zero++
			continue
		}
		if !ok1 || !ok2 || vb <= 0 || vh <= 0 || finitePtr(l) == nil {
			lost++
			continue
		}
		x = append(x, l)
	}
	return x, lost, zero
}

// median of a sample that is not empty.
func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	n := len(s)
	return s[(n-1)/2]/2 + s[n/2]/2
}
