package report

import (
	"math"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// interval is a figure with the range that the evidence leaves; a nil end is
// unbounded, a nil Mid is absent.
type interval struct{ Mid, Lo, Hi *float64 }

// inverse swaps a time for a rate and the ends with it.
func (i interval) inverse(scale float64) interval {
	inv := func(p *float64) *float64 {
		if p == nil || *p <= 0 || math.IsInf(*p, 0) {
			return nil
		}
		x := scale / *p
		return &x
	}
	return interval{Mid: inv(i.Mid), Lo: inv(i.Hi), Hi: inv(i.Lo)}
}

// smallerIsBetter reports whether a metric is a cost.
func smallerIsBetter(metric string) bool {
	m, ok := results.LookupMetric(metric)
	return !ok || m.Better < 0
}

// throughput is a cell's summary in examples per second.
func (c *cell) throughput() interval {
	s := c.summary
	if s == nil {
		return interval{}
	}
	i := interval{s.Median, s.Lo, s.Hi}
	switch s.Metric {
	case "throughput":
		return i
	case "step-time":
		return i.inverse(c.examples())
	}
	return interval{} // the panel's figures come from the trials alone
}

// examples is the number of examples per step.
func (c *cell) examples() float64 {
	for _, t := range c.trials {
		if n := t.Record.Work.Examples; n > 0 {
			return float64(n)
		}
	}
	return float64(max(1, c.Cell.Batch))
}

// speedup is a comparison as a ratio of speeds, head over base.
func speedup(c *compare.Comparison) interval {
	if c == nil {
		return interval{}
	}
	i := interval{c.Ratio, c.Lo, c.Hi}
	if smallerIsBetter(c.Metric) {
		return i.inverse(1)
	}
	return i
}

// cpuSpeedup is the ratio of a comparison by CPU time as one of speeds.
func cpuSpeedup(c *compare.Comparison) interval {
	i := interval{Mid: c.CPURatio}
	if smallerIsBetter(c.Metric) {
		return i.inverse(1)
	}
	return i
}

// decided reports whether a verdict says something about speed.
func decided(v compare.Verdict) bool {
	return v == compare.Improved || v == compare.Regressed || v == compare.Equivalent
}

// ranked reports whether the cell may stand in an order of speed.
func (c *cell) ranked() bool {
	return c.summary != nil && c.summary.Median != nil && c.summary.Status == compare.StatusOK
}

// showRatio formats a ratio of speeds, and its range for the line below.
func showRatio(i interval) (mid string, rng text) {
	if i.Mid == nil {
		return "", text{}
	}
	mid = times(*i.Mid)
	switch {
	case i.Lo != nil && i.Hi != nil:
		rng = same(sig(*i.Lo) + "–" + sig(*i.Hi))
	case i.Lo != nil:
		rng = same("≥" + nbsp + sig(*i.Lo))
	case i.Hi != nil:
		rng = same("≤" + nbsp + sig(*i.Hi))
	default:
		rng = text{"unbounded", "范围无界"}
	}
	return mid, rng
}

// showCount formats a rate, and its interval for the line below.
func showCount(i interval) (mid, rng string) {
	if i.Mid == nil {
		return "", ""
	}
	if i.Lo != nil && i.Hi != nil {
		rng = span(*i.Lo, *i.Hi)
	}
	return count(*i.Mid), rng
}
