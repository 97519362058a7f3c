package compare

import (
	"fmt"

	"github.com/dlbench/dlbench/results"
)

// Sample is the trials of one cell in one of several runs.
type Sample struct {
	Run  int // index
	Cell results.Cell
}

// Contrast asks for one comparison: any two cells, of one run or of two.
type Contrast struct {
	Base, Head Sample
	Metric     results.Metric
	MinEffect  float64 // relative
}

// Judge answers contrasts, which share the policy's alpha, in their order; the
// policy's own minimum effect and metrics are not looked at. Trials of one run
// are paired by round. Those of two runs have no rounds in common: they are
// paired by position, which is as good as any pairing of independent trials, but
// what changed on the host between the runs counts as a difference of the cells.
// A cell that its run did not plan gives a comparison that is missing.
func Judge(runs []results.Run, contrasts []Contrast, p results.Policy) []Comparison {
	p = complete(p)
	by := rule{floor: p.MinRounds, rounds: p.MaxRounds, need: needed(len(contrasts), p.Alpha)}
	sorted := make([]map[results.Cell]*cellTrials, len(runs))
	for i, r := range runs {
		sorted[i] = sortTrials(r.Meta.Cells, r.Records)
	}
	list := make([]Comparison, 0, len(contrasts))
	for _, q := range contrasts {
		c := Comparison{Base: q.Base.Cell, Head: q.Head.Cell, Metric: q.Metric.Name, MinEffect: q.MinEffect, Needed: by.need}
		base, head := sorted[q.Base.Run][q.Base.Cell], sorted[q.Head.Run][q.Head.Cell]
		switch {
		case base == nil:
			c.miss(fmt.Sprintf("%s is not in the base", q.Base.Cell.Name()))
		case head == nil:
			c.miss(fmt.Sprintf("%s is not in the head", q.Head.Cell.Name()))
		default:
			trials := pairs(base.timed, head.timed)
			if q.Base.Run != q.Head.Run {
				trials = inOrder(base.timed, head.timed)
			}
			c.judge(by, base, head, trials, q.Metric)
		}
		list = append(list, c)
	}
	return list
}

// inOrder pairs the trials of two runs by their position.
func inOrder(base, head []results.Record) []pair {
	list := make([]pair, min(len(base), len(head)))
	for i := range list {
		list[i] = pair{base[i], head[i]}
	}
	return list
}
