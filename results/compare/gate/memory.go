package gate

import (
	"fmt"
	"slices"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// peaks are the values of a memory metric, one per memory trial that ended ok.
func peaks(records []*results.Record, m results.Metric) []float64 {
	var list []float64
	for _, r := range records {
		if v, ok := m.Of(*r); ok && v > 0 {
			list = append(list, v)
		}
	}
	return list
}

// judgePeaks decides a memory metric. A cell has a few memory trials, so
// there is no statistic and no probability is claimed. The tolerance is the
// whole rule, applied so that trials which disagree decide nothing: regressed
// means that every trial of the head lies above every trial of the base by more
// than the tolerance, improved the reverse, equivalent that no two lie further
// apart than it; anything between is inconclusive.
func judgePeaks(c *Check, base, head []float64) {
	lowBase, highBase := slices.Min(base), slices.Max(base)
	lowHead, highHead := slices.Min(head), slices.Max(head)
	c.BaseValue, c.HeadValue, c.Ratio = &lowBase, &lowHead, ratio(lowBase, lowHead)
	if c.Ratio != nil && len(base)+len(head) > 2 {
		c.Lo, c.Hi = ratio(highBase, lowHead), ratio(lowBase, highHead)
	}
	above := func(a, b float64) bool { return a > b*(1+c.Tolerance)*(1+1e-12) }
	switch {
	case above(lowHead, highBase):
		c.Verdict = compare.Regressed
	case above(lowBase, highHead):
		c.Verdict = compare.Improved
	case !above(highHead, lowBase) && !above(highBase, lowHead):
		c.Verdict = compare.Equivalent
	default:
		c.Verdict = compare.Inconclusive
		c.Reason = "the memory trials do not agree"
	}
	c.Warnings = append(c.Warnings, fmt.Sprintf("memory: %d trials against %d, held to the tolerance without statistics", len(head), len(base)))
}
