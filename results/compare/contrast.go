package compare

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

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
	// Barred is why the two must not be compared, in one line: the comparison is
	// missing for it. Empty: they may.
	Barred string
}

// Judge answers contrasts, which share the policy's alpha, in their order; the
// policy's own minimum effect and metrics are not looked at. Trials of one run
// are paired by round. Those of two runs have no rounds in common: they are
// paired by position, which is as good as any pairing of independent trials, but
// what changed on the host between the runs counts as a difference of the cells.
// A cell that its run did not plan gives a comparison that is missing.
func Judge(runs []results.Run, contrasts []Contrast, p results.Policy) []Comparison {
	return Sort(runs).Judge(contrasts, p)
}

// Sorted is several runs with their trials sorted by cell, for more than one
// question.
type Sorted struct {
	runs   []map[results.Cell]*cellTrials
	metas  []results.Meta
	doubts [][]string
}

// Sort sorts the trials of runs; a Sample's Run is the index here.
func Sort(runs []results.Run) Sorted {
	s := Sorted{make([]map[results.Cell]*cellTrials, len(runs)), make([]results.Meta, len(runs)), make([][]string, len(runs))}
	var sorting sync.WaitGroup
	for i, r := range runs {
		sorting.Go(func() {
			s.metas[i] = r.Meta
			s.runs[i] = sortTrials(r.Meta.Cells, r.Records)
			s.doubts[i] = slices.Concat(r.Warnings, busyRun(s.runs[i]), incompleteRun(r))
		})
	}
	sorting.Wait()
	return s
}

func (s Sorted) of(q Sample) *cellTrials { return s.runs[q.Run][q.Cell] }

// Doubts are the warnings that concern a run as a whole.
func (s Sorted) Doubts(run int) []string { return s.doubts[run] }

// Judge is the function Judge of these runs.
func (s Sorted) Judge(contrasts []Contrast, p results.Policy) []Comparison {
	p = Complete(p)
	return s.judgeBy(s.rule(len(contrasts), contrasts, p), contrasts)
}

// JudgeWithin judges contrasts that were chosen, by what was measured, among a
// family of that many: all of the family share alpha, so the choice costs
// nothing. What could have been detected is not worked out: it is simulated, and
// many questions with a family each would take long.
func (s Sorted) JudgeWithin(family int, contrasts []Contrast, p results.Policy) []Comparison {
	p = Complete(p)
	by := s.rule(max(family, len(contrasts)), contrasts, p)
	by.undetected = true
	return s.judgeBy(by, contrasts)
}

func (s Sorted) rule(family int, contrasts []Contrast, p results.Policy) rule {
	return rule{floor: p.MinRounds, rounds: p.MaxRounds, need: needed(family, p.Alpha), early: s.endedEarly(contrasts, p)}
}

func (s Sorted) judgeBy(by rule, contrasts []Contrast) []Comparison {
	list := make([]Comparison, len(contrasts))
	onAllCPUs(len(contrasts), func(i int) { list[i] = s.judge(contrasts[i], by) })
	return list
}

func (s Sorted) judge(q Contrast, by rule) Comparison {
	c := Comparison{Base: q.Base.Cell, Head: q.Head.Cell, Metric: q.Metric.Name, MinEffect: q.MinEffect, Needed: by.need}
	base, head := s.of(q.Base), s.of(q.Head)
	switch {
	case q.Barred != "":
		c.miss(q.Barred)
	case base == nil:
		c.miss(fmt.Sprintf("%s is not in the base", q.Base.Cell.Name()))
	case head == nil:
		c.miss(fmt.Sprintf("%s is not in the head", q.Head.Cell.Name()))
	default:
		pairing := pairs
		if q.Base.Run != q.Head.Run {
			pairing = inOrder
		}
		c.judge(by, base, head, pairing(base.timed, head.timed), q.Metric)
	}
	return c
}

// Summaries are the samples under their metrics, in the order of the contrasts;
// of a cell that its run did not plan it says so.
func (s Sorted) Summaries(contrasts []Contrast) (base, head []Summary) {
	base, head = make([]Summary, len(contrasts)), make([]Summary, len(contrasts))
	onAllCPUs(len(contrasts), func(i int) {
		q := contrasts[i]
		base[i], head[i] = s.Summary(q.Base, q.Metric), s.Summary(q.Head, q.Metric)
	})
	return base, head
}

// Summary is a sample under a metric; of a cell that its run did not plan it says
// so.
func (s Sorted) Summary(q Sample, m results.Metric) Summary {
	if c := s.of(q); c != nil {
		return c.summary(m)
	}
	return Summary{Cell: q.Cell, Metric: m.Name, Unit: m.Unit, Status: StatusMissing, Reason: "not planned"}
}

// onAllCPUs calls do for each number below n, on all CPUs.
func onAllCPUs(n int, do func(int)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	workers.Wait()
}

// inOrder pairs the trials of two runs by their position.
func inOrder(base, head []results.Record) []pair {
	list := make([]pair, min(len(base), len(head)))
	for i := range list {
		list[i] = pair{base[i], head[i]}
	}
	return list
}
