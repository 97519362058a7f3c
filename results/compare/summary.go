package compare

import (
	"fmt"
	"math"

	"golang.org/x/perf/benchmath"

	"github.com/dlbench/dlbench/results"
)

// confidence of the interval of a cell's median. It is of one cell at a fixed
// number of trials; what is true of the whole run at any time are the ranges
// of the comparisons.
const confidence = 0.95

// minTrials is the smallest number of trials for which the median has a
// distribution-free interval at that confidence: 1 - 2*0.5^6 = 0.97.
const minTrials = 6

// Summarize returns every planned cell under one metric, in the order of the
// plan.
func Summarize(run results.Run, m results.Metric) []Summary {
	by := sortTrials(run.Meta.Cells, run.Records)
	var list []Summary
	for _, c := range run.Meta.Cells {
		list = append(list, by[c].summary(m))
	}
	return list
}

// summary is the cell under a metric: the median across trials with its
// distribution-free interval.
func (c *cellTrials) summary(m results.Metric) Summary {
	s := Summary{
		Cell: c.cell, Metric: m.Name, Unit: m.Unit,
		Trials: len(c.timed), Failed: c.failed, Status: c.status, Reason: c.reason, Warnings: append([]string(nil), c.warnings...),
	}
	if c.status == StatusWrong {
		return s // time spent on other work is no measurement of this
	}
	values, lost := c.values(m)
	if len(values) == 0 {
		if s.Reason == "" {
			s.Reason = "no trial has a " + m.Name
		}
		return s
	}
	if lost > 0 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("%d of %d trials have no %s", lost, lost+len(values), m.Name))
	}
	if m.Segment {
		s.Slowdowns, s.TooShort = slowdowns(c.timed), c.tooShort()
	}
	var sum benchmath.Summary
	sample := benchmath.NewSample(values, &benchmath.DefaultThresholds) // sorts values
	if m.Exact {
		sum = benchmath.AssumeExact.Summary(sample, confidence)
	} else {
		sum = benchmath.AssumeNothing.Summary(sample, confidence)
	}
	s.Median = finitePtr(sum.Center)
	if m.Exact {
		for _, w := range sum.Warnings {
			s.Warnings = append(s.Warnings, w.Error())
		}
	}
	if math.IsInf(sum.Lo, 0) || math.IsInf(sum.Hi, 0) {
		if s.Reason == "" {
			s.Reason = fmt.Sprintf("%d valid %s; an interval takes %d", len(values), plural(len(values), "trial"), minTrials)
		}
		return s
	}
	s.Lo, s.Hi, s.Confidence = finitePtr(sum.Lo), finitePtr(sum.Hi), sum.Confidence
	return s
}

// values are the metric's values, and the number of trials of the same kind
// that have none. A metric is of timed trials or of memory trials, never of both.
func (c *cellTrials) values(m results.Metric) (values []float64, lost int) {
	for _, list := range [][]results.Record{c.timed, c.memory} {
		for _, r := range list {
			if v, ok := m.Of(r); ok && finitePtr(v) != nil { // NaN never ends in benchmath
				values = append(values, v)
			}
		}
		if len(values) > 0 {
			return values, len(list) - len(values)
		}
	}
	return nil, 0
}

func finitePtr(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}
