package gate

import (
	"fmt"
	"slices"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// timed judges what scatters, all cells in one family.
func (j *judge) timed() {
	var contrasts []compare.Contrast
	var at []int // index of the check
	for _, p := range j.cells {
		if p.pairing.base == nil || p.pairing.head == nil {
			j.add(j.alone(p))
			continue
		}
		for _, name := range p.terms.metrics {
			m, _ := results.LookupMetric(name)
			c := Check{Kind: Timed, Metric: m.Name, Unit: m.Unit, Better: m.Better, Tolerance: p.terms.effect(name)}
			if p.otherWork {
				c.Verdict, c.Outcome = compare.Missing, Fail
				c.Reason = fmt.Sprintf("not the same work: the programs are %s and %s; hint: measure the base again", short(p.pairing.base.Hash), short(p.pairing.head.Hash))
				j.add(p, c)
				continue
			}
			contrasts = append(contrasts, compare.Contrast{
				Base: compare.Sample{Run: 0, Cell: *p.pairing.base}, Head: compare.Sample{Run: j.head, Cell: *p.pairing.head},
				Metric: m, MinEffect: c.Tolerance,
			})
			at = append(at, len(j.out.Checks))
			j.add(p, c)
		}
	}
	policy := j.own
	policy.Alpha = j.out.Alpha
	j.out.Family = len(contrasts)
	base, head := j.sorted.Summaries(contrasts)
	for i, v := range j.sorted.Judge(contrasts, policy) {
		c := &j.out.Checks[at[i]]
		c.BaseValue, c.HeadValue = base[i].Median, head[i].Median
		c.Ratio, c.Lo, c.Hi, c.Rounds, c.RoundsNeeded, c.Detectable = v.Ratio, v.Lo, v.Hi, v.Rounds, v.RoundsNeeded, v.Detectable
		c.Verdict, c.Reason, c.Warnings, c.Blind = v.Verdict, v.Reason, v.Warnings, v.TooShort
		c.Withheld = v.Verdict == compare.Inconclusive && v.Reason != ""
		if v.Rounds > 0 && v.Ratio != nil {
			j.out.Compared++
		}
	}
}

// alone is the check of a cell that one side did not plan.
func (j *judge) alone(p pairState) (pairState, Check) {
	if p.pairing.head == nil {
		return p, Check{Kind: Presence, Verdict: Vanished, Outcome: Fail, Reason: "the base has it, the head does not"}
	}
	return p, Check{Kind: Presence, Verdict: New, Outcome: Skip, Reason: "the head has it, the base does not"}
}

func (j *judge) add(p pairState, c Check) {
	c.Name, c.Base, c.Head = p.name, p.pairing.base, p.pairing.head
	j.out.Checks = append(j.out.Checks, c)
}

// exact judges the facts of cells.
func (j *judge) exact() {
	for _, t := range j.Policy.Exact {
		if t.Metric == setupBytes {
			continue
		}
		f := factOf(t.Metric)
		for _, p := range j.cells {
			if !p.measured() {
				continue
			}
			base, why := f.value(j.by[0][*p.pairing.base])
			head, whyNot := f.value(j.by[j.head][*p.pairing.head])
			j.add(p, j.fact(f, t, base, head, why, whyNot))
		}
	}
}

// fact holds two values of a fact against each other.
func (j *judge) fact(f fact, t Tolerance, base, head *float64, why, whyNot string) Check {
	c := Check{Kind: Exact, Metric: f.name, Unit: f.unit, Better: -1, Tolerance: t.Relative, BaseValue: base, HeadValue: head}
	switch {
	case base == nil && head == nil:
		c.Verdict, c.Outcome, c.Reason = compare.Missing, Skip, why
	case head == nil:
		c.Verdict, c.Outcome, c.Reason = Vanished, Fail, "head: "+whyNot
	case base == nil:
		c.Verdict, c.Outcome, c.Reason = New, Skip, "base: "+why
	default:
		c.Ratio = ratio(*base, *head)
		c.Verdict = map[int]compare.Verdict{+1: compare.Regressed, 0: compare.Equivalent, -1: compare.Improved}[beyond(*base, *head, t.Relative)]
		j.out.Compared++
	}
	return c
}

// memory judges the peaks of memory trials.
func (j *judge) memory() {
	for _, t := range j.Policy.Memory {
		m, _ := results.LookupMetric(t.Metric)
		for _, p := range j.cells {
			if !p.measured() {
				continue
			}
			base, head := peaks(j.by[0][*p.pairing.base], m), peaks(j.by[j.head][*p.pairing.head], m)
			c := Check{Kind: Memory, Metric: m.Name, Unit: m.Unit, Better: m.Better, Tolerance: t.Relative}
			switch {
			case len(base) == 0 && len(head) == 0:
				c.Verdict, c.Outcome, c.Reason = compare.Missing, Undecided, "no memory trial tells "+m.Name
			case len(head) == 0:
				c.Verdict, c.Outcome, c.Reason = Vanished, Fail, "head: no memory trial tells "+m.Name
			case len(base) == 0:
				c.Verdict, c.Outcome, c.Reason = New, Skip, "base: no memory trial tells "+m.Name
			default:
				judgePeaks(&c, base, head)
				j.out.Compared++
			}
			j.add(p, c)
		}
	}
}

// setups judges the disk that backends take, once per pair of backends.
func (j *judge) setups() {
	i := slices.IndexFunc(j.Policy.Exact, func(t Tolerance) bool { return t.Metric == setupBytes })
	if i < 0 {
		return
	}
	type backends struct{ base, head string }
	seen := map[backends]bool{}
	for _, p := range j.cells {
		if p.pairing.base == nil || p.pairing.head == nil {
			continue
		}
		b := backends{p.pairing.base.Backend, p.pairing.head.Backend}
		if seen[b] {
			continue
		}
		seen[b] = true
		base, why := setup(j.runs[0], b.base)
		head, whyNot := setup(j.runs[j.head], b.head)
		if j.runs[0].Meta.Backends[b.base].Environment == "" && j.runs[j.head].Meta.Backends[b.head].Environment == "" {
			continue // part of dlbench, or the user's own: nothing is set up
		}
		c := j.fact(factOf(setupBytes), j.Policy.Exact[i], base, head, why, whyNot)
		c.Name = "backend=" + b.head
		j.out.Checks = append(j.out.Checks, c)
	}
}
