package frameworks

import (
	"math"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// Question is one question about a run: is the head better than the base, on
// each of some workloads? Its comparisons share alpha.
//
// The entry that stands for a side is the one with the smallest median, so it is
// chosen by what was measured. The family is therefore every pair of planned
// entries that could have been chosen, on every workload: the probability that
// any of these pairs is judged wrongly is at most alpha, so that of a wrong
// verdict about whichever pair was chosen is, too.
type Question struct {
	Base, Head string // names of the sides
	Metric     results.Metric
	MinEffect  float64
	Family     int
	Lines      []Line
}

// Line is a question on one workload.
type Line struct {
	Group results.Cell // of the head; Backend is empty
	// Planned is a cell of the plan that the line is about, whatever became of it.
	Planned results.Cell
	// The entries that stand for the sides; nil: none of the side is ranked.
	Base, Head *compare.Summary
	// Comparison is head against base; nil: a side is missing.
	Comparison *compare.Comparison
	// Unsupported: no entry of a side can do this work.
	Unsupported bool
}

// Result is what a line says about the head.
type Result string

// The results of a line. A side that has no ranked entry makes it absent.
const (
	Ahead     Result = "ahead"
	Behind    Result = "behind"
	Equal     Result = "equivalent"
	Undecided Result = "undecided"
	Absent    Result = "absent"
)

// Result reads the verdict.
func (l Line) Result() Result {
	if l.Comparison == nil {
		return Absent
	}
	switch l.Comparison.Verdict {
	case compare.Improved:
		return Ahead
	case compare.Regressed:
		return Behind
	case compare.Equivalent:
		return Equal
	case compare.Inconclusive:
		return Undecided
	}
	return Absent
}

// Speed is the ratio of speeds, head to base, with its interval: above 1 the head
// needs less of a metric of which less is better. nil: none, or unbounded.
func (l Line) Speed() (mid, lo, hi *float64) {
	if l.Comparison == nil {
		return nil, nil, nil
	}
	return inverse(l.Comparison.Ratio), inverse(l.Comparison.Hi), inverse(l.Comparison.Lo)
}

func inverse(p *float64) *float64 {
	if p == nil || !(*p > 0) || math.IsInf(*p, 0) {
		return nil
	}
	return new(1 / *p)
}

// Tally counts the lines of a question by result.
type Tally struct{ Ahead, Behind, Equal, Undecided, Absent int }

// Tally counts.
func (q Question) Tally() (t Tally) {
	for _, l := range q.Lines {
		switch l.Result() {
		case Ahead:
			t.Ahead++
		case Behind:
			t.Behind++
		case Equal:
			t.Equal++
		case Undecided:
			t.Undecided++
		default:
			t.Absent++
		}
	}
	return t
}

// RoundsNeeded is the least number of rounds with which the question could have
// been decided; 0 where nothing was compared.
func (q Question) RoundsNeeded() int {
	n := 0
	for _, l := range q.Lines {
		if l.Comparison != nil {
			n = max(n, l.Comparison.RoundsNeeded)
		}
	}
	return n
}

// Mean is the geometric mean over the lines of head ÷ base, with the range that
// the evidence leaves: the geometric means of the lines' ends. All intervals of a
// question hold at once, so this one holds with them. nil: one of the lines has no
// ratio, or no such end.
func (q Question) Mean() (mid, lo, hi *float64) {
	if len(q.Lines) == 0 {
		return nil, nil, nil
	}
	return q.mean(func(c *compare.Comparison) *float64 { return c.Ratio }),
		q.mean(func(c *compare.Comparison) *float64 { return c.Lo }),
		q.mean(func(c *compare.Comparison) *float64 { return c.Hi })
}

func (q Question) mean(of func(*compare.Comparison) *float64) *float64 {
	var sum float64
	for _, l := range q.Lines {
		if l.Comparison == nil {
			return nil
		}
		v := of(l.Comparison)
		if v == nil || !(*v > 0) {
			return nil
		}
		sum += math.Log(*v)
	}
	v := math.Exp(sum / float64(len(q.Lines)))
	if math.IsInf(v, 0) || v == 0 {
		return nil
	}
	return &v
}

// Separated reports whether the geometric mean over all lines is shown to differ
// by more than the minimum effect. A verdict that was withheld on a line withholds
// this one.
func (q Question) Separated() bool {
	for _, l := range q.Lines {
		if c := l.Comparison; c == nil || c.Reason != "" || c.TooShort || l.Result() == Absent {
			return false
		}
	}
	_, lo, hi := q.Mean()
	return lo != nil && *lo > 1+q.MinEffect || hi != nil && *hi < 1/(1+q.MinEffect)
}

// unsupported reports whether none of the cells can be done; none of no cells can.
func (s *Subject) unsupported(cells []results.Cell) bool {
	for _, c := range cells {
		if s.Summary(c, stepTime).Status != compare.StatusUnsupported {
			return false
		}
	}
	return true
}

// Pair is two cells of one question.
type Pair struct{ Base, Head results.Cell }

// Ask asks whether the head is better than the base on each of the groups, both
// with their best entries.
func (s *Subject) Ask(base, head Side, groups []Group, m results.Metric) Question {
	q := Question{Base: base.Name, Head: head.Name, Metric: m, MinEffect: s.Policy.MinEffect}
	for _, g := range groups {
		bases, heads := base.cells(g), head.cells(g)
		q.Family += len(bases) * len(heads)
		l := Line{Group: g.Key, Planned: g.Cells[0], Unsupported: s.unsupported(bases) || s.unsupported(heads)}
		if b, ok := s.Best(bases, m); ok {
			l.Base = &b
		}
		if h, ok := s.Best(heads, m); ok {
			l.Head = &h
		}
		q.Lines = append(q.Lines, l)
	}
	s.judge(&q)
	return q
}

// AskPairs asks about given pairs of cells, among a family of that many
// comparisons.
func (s *Subject) AskPairs(base, head string, pairs []Pair, family int, m results.Metric) Question {
	q := Question{Base: base, Head: head, Metric: m, MinEffect: s.Policy.MinEffect, Family: max(family, len(pairs))}
	for _, p := range pairs {
		l := Line{Group: p.Head.Group(), Planned: p.Head, Unsupported: s.unsupported([]results.Cell{p.Base}) || s.unsupported([]results.Cell{p.Head})}
		if b := s.Summary(p.Base, m); Ranked(b) {
			l.Base = &b
		}
		if h := s.Summary(p.Head, m); Ranked(h) {
			l.Head = &h
		}
		q.Lines = append(q.Lines, l)
	}
	s.judge(&q)
	return q
}

// judge fills in the comparisons of the lines that have both sides, each by the
// rounds of its own run.
func (s *Subject) judge(q *Question) {
	if q.Metric.Memory { // of trials that belong to no round
		return
	}
	for k, p := range s.parts {
		var contrasts []compare.Contrast
		var at []int
		for i, l := range q.Lines {
			if l.Base != nil && l.Head != nil && s.of[l.Head.Cell] == k && s.of[l.Base.Cell] == k {
				at = append(at, i)
				contrasts = append(contrasts, compare.Contrast{
					Base: compare.Sample{Cell: l.Base.Cell}, Head: compare.Sample{Cell: l.Head.Cell}, Metric: q.Metric, MinEffect: q.MinEffect,
				})
			}
		}
		for i, c := range p.sorted.JudgeWithin(q.Family, contrasts, p.policy) {
			q.Lines[at[i]].Comparison = &c
		}
	}
}

// Side is one side of a question: the entries of one framework or of several.
type Side struct {
	Name string
	Has  func(backend string) bool
}

// Side is the side of a framework.
func (s *Subject) Side(f Framework) Side {
	return Side{f.Name, func(b string) bool { return s.Of(b).ID == f.ID }}
}

func (d Side) cells(g Group) []results.Cell {
	var list []results.Cell
	for _, c := range g.Cells {
		if d.Has(c.Backend) {
			list = append(list, c)
		}
	}
	return list
}
