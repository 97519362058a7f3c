package frameworks

import (
	"math"
	"slices"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// Aspect is a row of the star table [T1].
type Aspect string

// The rows of the articles' star table, in their order.
const (
	Training    Aspect = "training speed"
	Inference   Aspect = "inference speed"
	Memory      Aspect = "memory efficiency"
	Distributed Aspect = "distributed training"
	Mobile      Aspect = "mobile deployment"
)

// Aspects are all rows.
var Aspects = []Aspect{Training, Inference, Memory, Distributed, Mobile}

// Stars is the printed rule: five for the lowest cost of the row, one less with
// each doubling of it, to the nearest half (a quarter goes up), at least one.
// relative is cost ÷ lowest cost.
func Stars(relative float64) float64 {
	if !(relative > 0) || math.IsInf(relative, 0) {
		return 0
	}
	return min(max(math.Floor(2*(5-math.Log2(relative))+0.5)/2, 1), 5)
}

// Row is one aspect of the star table.
type Row struct {
	Aspect  Aspect
	Groups  []Group  // that count: every rated framework finished them
	Left    []Left   // workloads that a framework in the row could not finish
	Ratings []Rating // one per framework of the run, in its order
	Lowest  int      // index of the rating with the lowest cost; -1: none is rated
	// Questions are about pairs of rated frameworks, see separate; none about memory,
	// which has no verdicts.
	Questions []Question
	// Made and Needed: the rounds that were made, where no verdict on any pair of the
	// row was possible with so few, and those that one takes. The row has no stars
	// then: everyone would share the best rating. 0: verdicts were possible.
	Made, Needed int
	asked        map[[2]string]int
}

// Left is a workload that leaves a row.
type Left struct {
	Key        results.Cell // Backend is empty
	Unfinished []Framework  // of those in the row
	Unplanned  []Framework  // of those in the row: the run plans no entry of them
	// Nothing are those in the row that finished it, proven right, at a cost of nothing:
	// their peak of memory does not exceed the level after import, and no ratio can be
	// taken of that.
	Nothing []Framework
	// Short are those in the row whose best trials were too short to be confirmed: no
	// verdict is possible there, which would leave all of the row without one.
	Short []Framework
}

// Rating is a framework in a row.
type Rating struct {
	Framework Framework
	// Relative is the framework's cost over that of the lowest: the geometric mean
	// over the row's groups. Lo and Hi are what the evidence leaves of it; nil:
	// unbounded, without verdicts, or the lowest itself.
	Relative, Lo, Hi *float64
	// Process is what the whole process took at its peak in bytes, libraries and all,
	// of a row about memory: the geometric mean over the row's groups of the cells
	// that the cost is of. nil: not rated, or another row.
	Process      *float64
	Own          float64 // stars by its own cost; 0: not rated
	Stars        float64 // with the higher rating of whom it is not separated from
	Shared       []Framework
	Finished, Of int // groups that it finished, of those planned in the row for anyone
	Planned      int // groups that were planned for it
	Nothing      int // groups that it finished at a cost of nothing, see Left; not among Finished
	Entries      []EntryCost
}

// EntryCost is one entry of a framework in a row.
type EntryCost struct {
	Backend  string
	Relative *float64 // to the lowest framework's; nil: it did not finish all of the row
	Best     int      // in how many groups it stands for its framework
	Finished int
}

// Rated reports whether the framework has stars.
func (r Rating) Rated() bool { return r.Own > 0 }

// Rows rates all frameworks of the run in all aspects.
func (s *Subject) Rows() []Row {
	var rows []Row
	for _, a := range Aspects {
		rows = append(rows, s.row(a))
	}
	return rows
}

// planned are the groups and the metric of an aspect. Memory is what the workload
// cost above the level after import, since that level is the size of a library,
// which no workload changes; and that of training, where there is any: at
// inference there is little else than parameters.
func (s *Subject) planned(a Aspect) ([]Group, results.Metric) {
	switch a {
	case Training:
		return s.Mode("train"), stepTime
	case Inference:
		return s.Mode("infer"), stepTime
	case Memory:
		if groups := s.Mode("train"); len(groups) > 0 {
			return groups, aboveImport
		}
		return s.Mode("infer"), aboveImport
	}
	return nil, results.Metric{}
}

// row rates the frameworks in one aspect. A workload that a framework of the row
// could not finish, or that was measured too short, leaves the row for all; a framework that finished less than
// half of the workloads is not in the row, so that it does not empty it.
func (s *Subject) row(a Aspect) Row {
	groups, m := s.planned(a)
	row := Row{Aspect: a, Lowest: -1, asked: map[[2]string]int{}}
	in := map[string]bool{}
	for _, f := range s.Frameworks {
		r := Rating{Framework: f, Of: len(groups)}
		for _, g := range groups {
			if len(s.Entries(g, f.ID)) > 0 {
				r.Planned++
			}
			if _, ok := s.Best(s.Entries(g, f.ID), m); ok {
				r.Finished++
			} else if s.nothing(s.Entries(g, f.ID), m) {
				r.Nothing++
			}
		}
		in[f.ID] = r.Finished > 0 && 2*r.Finished >= r.Of
		row.Ratings = append(row.Ratings, r)
	}
	for _, g := range groups {
		l := Left{Key: g.Key}
		for _, f := range s.Frameworks {
			switch best, ok := s.Best(s.Entries(g, f.ID), m); {
			case !in[f.ID]:
			case ok && best.TooShort:
				l.Short = append(l.Short, f)
			case ok:
			case len(s.Entries(g, f.ID)) == 0:
				l.Unplanned = append(l.Unplanned, f)
			case s.nothing(s.Entries(g, f.ID), m):
				l.Nothing = append(l.Nothing, f)
			default:
				l.Unfinished = append(l.Unfinished, f)
			}
		}
		if l.Unfinished == nil && l.Unplanned == nil && l.Nothing == nil && l.Short == nil {
			row.Groups = append(row.Groups, g)
		} else {
			row.Left = append(row.Left, l)
		}
	}
	s.rate(&row, in, m)
	return row
}

// nothing reports whether one of the cells was proven and measured, at 0 or less.
func (s *Subject) nothing(cells []results.Cell, m results.Metric) bool {
	return slices.ContainsFunc(cells, func(c results.Cell) bool {
		x := s.Summary(c, m)
		return x.Status == compare.StatusOK && x.Median != nil && *x.Median <= 0
	})
}

// rate fills in costs and stars. A row of one framework has none: there is
// nothing that it could be rated against.
func (s *Subject) rate(row *Row, in map[string]bool, m results.Metric) {
	rated := 0
	for i := range row.Ratings {
		if in[row.Ratings[i].Framework.ID] {
			rated++
		}
	}
	if rated < 2 || len(row.Groups) == 0 {
		return
	}
	costs := make([]float64, len(row.Ratings))
	for i, r := range row.Ratings {
		if in[r.Framework.ID] {
			costs[i] = s.cost(row.Groups, func(g Group) []results.Cell { return s.Entries(g, r.Framework.ID) }, m)
			if row.Lowest < 0 || costs[i] < costs[row.Lowest] {
				row.Lowest = i
			}
		}
	}
	lowest := costs[row.Lowest]
	for i := range row.Ratings {
		r := &row.Ratings[i]
		s.entries(r, row.Groups, lowest, m)
		if !in[r.Framework.ID] {
			continue
		}
		r.Relative = new(costs[i] / lowest)
		r.Own = Stars(*r.Relative)
		r.Stars = r.Own
		if m.Memory {
			r.Process = s.process(row.Groups, r.Framework.ID, m)
		}
	}
	if !m.Memory {
		s.separate(row, in, m)
	}
}

// cost is the geometric mean over groups of the best entry's median.
func (s *Subject) cost(groups []Group, cells func(Group) []results.Cell, m results.Metric) float64 {
	var sum float64
	for _, g := range groups {
		best, _ := s.Best(cells(g), m)
		sum += math.Log(*best.Median)
	}
	return math.Exp(sum / float64(len(groups)))
}

// process is the geometric mean of the whole process's peaks in the cells that
// stand for a framework under a metric; nil: one of them has none.
func (s *Subject) process(groups []Group, id string, m results.Metric) *float64 {
	var sum float64
	for _, g := range groups {
		best, _ := s.Best(s.Entries(g, id), m)
		whole := s.Summary(best.Cell, metric("peak-memory"))
		if !Ranked(whole) {
			return nil
		}
		sum += math.Log(*whole.Median)
	}
	return new(math.Exp(sum / float64(len(groups))))
}

// entries are those of a framework, each by itself.
func (s *Subject) entries(r *Rating, groups []Group, lowest float64, m results.Metric) {
	at := map[string]int{}
	for _, g := range groups {
		cells := s.Entries(g, r.Framework.ID)
		best, ok := s.Best(cells, m)
		for _, c := range cells {
			i, seen := at[c.Backend]
			if !seen {
				i = len(r.Entries)
				at[c.Backend] = i
				r.Entries = append(r.Entries, EntryCost{Backend: c.Backend})
			}
			if Ranked(s.Summary(c, m)) {
				r.Entries[i].Finished++
			}
			if ok && best.Cell == c {
				r.Entries[i].Best++
			}
		}
	}
	for i := range r.Entries {
		if e := &r.Entries[i]; e.Finished == len(groups) {
			e.Relative = new(s.cost(groups, func(g Group) []results.Cell { return []results.Cell{g.Planned[e.Backend]} }, m) / lowest)
		}
	}
}

// separate asks whom the evidence separates: everyone from the lowest, TensorFlow
// from PyTorch, and those whose own ratings differ. The cost over the lowest is
// then the ratio as verdicts see it, paired by round, so that it lies in its own
// interval. One that is not separated from another shares the higher of their
// ratings, each by its own cost: sharing does not go on from one to the next.
func (s *Subject) separate(row *Row, in map[string]bool, m results.Metric) {
	ask := func(a, b Framework) {
		if _, asked := row.Question(a.ID, b.ID); asked || a.ID == b.ID || !in[a.ID] || !in[b.ID] {
			return
		}
		row.asked[[2]string{a.ID, b.ID}] = len(row.Questions)
		row.Questions = append(row.Questions, s.Ask(s.Side(b), s.Side(a), row.Groups, m))
	}
	for _, r := range row.Ratings {
		ask(r.Framework, row.Ratings[row.Lowest].Framework)
	}
	ask(Of("tensorflow"), Of("pytorch"))
	lowest := row.Ratings[row.Lowest].Framework
	for i := range row.Ratings {
		r := &row.Ratings[i]
		q, ok := row.Question(r.Framework.ID, lowest.ID)
		if !ok {
			continue
		}
		mid, lo, hi := q.Mean()
		r.Lo, r.Hi = lo, hi
		if mid != nil {
			r.Relative, r.Own = mid, Stars(*mid)
			r.Stars = r.Own
		}
	}
	if row.tooFew(); row.Needed > 0 {
		row.Lowest = -1
		for i := range row.Ratings {
			row.Ratings[i].Own, row.Ratings[i].Stars = 0, 0
		}
		return
	}
	for _, r := range row.Ratings {
		for _, other := range row.Ratings {
			if other.Own > r.Own {
				ask(r.Framework, other.Framework)
			}
		}
	}
	for i := range row.Ratings {
		for j := range row.Ratings {
			r, other := &row.Ratings[i], row.Ratings[j]
			if q, ok := row.Question(r.Framework.ID, other.Framework.ID); ok && other.Own > r.Own && !q.Separated() {
				r.Stars = max(r.Stars, other.Own)
				r.Shared = append(r.Shared, other.Framework)
			}
		}
	}
}

// tooFew notes the rounds where none of the lines had enough to bound its ratio on
// either side. With as many as a verdict takes at least, the design may still keep
// its first look for a later round.
func (row *Row) tooFew() {
	made, needed := 0, 0
	for _, q := range row.Questions {
		for _, l := range q.Lines {
			c := l.Comparison
			if c == nil || c.Lo != nil || c.Hi != nil {
				return
			}
			made, needed = max(made, c.Rounds), max(needed, c.RoundsNeeded)
		}
	}
	row.Made, row.Needed = made, max(needed, made+1)
}

// Question is the one whether the head is better than the base, if it was asked
// of that pair. Asked the other way round it is the same question.
func (row Row) Question(head, base string) (Question, bool) {
	if i, ok := row.asked[[2]string{head, base}]; ok {
		return row.Questions[i], true
	}
	if i, ok := row.asked[[2]string{base, head}]; ok {
		return row.Questions[i].Reversed(), true
	}
	return Question{}, false
}

// Reversed is the same question with the sides exchanged: its evidence is the
// same, and so are its verdicts.
func (q Question) Reversed() Question {
	r := q
	r.Base, r.Head = q.Head, q.Base
	r.Lines = slices.Clone(q.Lines)
	for i := range r.Lines {
		l := &r.Lines[i]
		l.Base, l.Head = l.Head, l.Base
		if l.Comparison == nil {
			continue
		}
		c := *l.Comparison
		c.Base, c.Head = c.Head, c.Base
		c.Ratio, c.Lo, c.Hi, c.CPURatio = inverse(c.Ratio), inverse(c.Hi), inverse(c.Lo), inverse(c.CPURatio)
		switch c.Verdict {
		case compare.Improved:
			c.Verdict = compare.Regressed
		case compare.Regressed:
			c.Verdict = compare.Improved
		}
		l.Comparison = &c
	}
	return r
}
