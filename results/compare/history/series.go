package history

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/compare/changepoint"
)

// point is a run in a series. What was not proven the same work is shown among
// the others, since all runs of a cell do the same; a flaky cell does not count,
// for its survivors may be the fast ones.
func point(e entry, m measured) Point {
	p := Point{
		Run: e.name, Started: e.meta.Started, Label: e.meta.Label, Median: m.Median, Lo: m.Lo, Hi: m.Hi,
		Trials: m.Trials, Status: m.Status, Reason: m.Reason,
		Counts: m.Median != nil && (m.Status == compare.StatusOK || m.Status == compare.StatusUnproven),
	}
	if !p.Counts {
		p.Reason = cmp.Or(p.Reason, p.Status)
	}
	return p
}

// values are the medians that count, and their points.
func (s Series) values() (at []int, x []float64) {
	for i, p := range s.Points {
		if p.Counts {
			at, x = append(at, i), append(x, *p.Median)
		}
	}
	return at, x
}

// search finds the changes of a series.
func (s *Series) search(alpha float64) {
	at, x := s.values()
	o := changepoint.Options{Alpha: alpha}
	if fewest := changepoint.Fewest(o); len(x) < fewest {
		s.Note = fmt.Sprintf("runs that count: %d; a change shows from %d on", len(x), fewest)
		return
	}
	found, err := changepoint.Find(x, o)
	if err != nil { // a metric is finite
		s.Note = err.Error()
		return
	}
	for i, c := range found {
		from, to := 0, len(x)
		if i > 0 {
			from = found[i-1].At
		}
		if i+1 < len(found) {
			to = found[i+1].At
		}
		s.Changes = append(s.Changes, Change{At: at[c.At], Before: median(x[from:c.At]), After: median(x[c.At:to]), P: c.P})
	}
}

// Change is the change at a point, if there is one.
func (s Series) Change(at int) (Change, bool) {
	i := slices.IndexFunc(s.Changes, func(c Change) bool { return c.At == at })
	if i < 0 {
		return Change{}, false
	}
	return s.Changes[i], true
}

// Worse says of a change whether it is one for the worse; false too where
// neither more nor less is better.
func (s Series) Worse(c Change) bool {
	return float64(s.Metric.Better)*(c.After-c.Before) < 0
}

// median of a sample that is not empty.
func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	n := len(s)
	return s[(n-1)/2]/2 + s[n/2]/2
}
