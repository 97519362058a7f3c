package report

import (
	"cmp"
	"math"
	"slices"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// throughputSection shows speed, a panel per workload and settings.
type throughputSection struct {
	section
	Baseline  identity
	MinEffect text
	Panels    []throughputPanel
}

type throughputPanel struct {
	ID            string
	Title, Detail text
	Axis          axis
	Rows          []throughputRow
	Doubts        []doubt
}

type throughputRow struct {
	Backend identity
	Raw     string // anchor of the trials
	Strip   *strip // nil: no figure
	Rate    string // examples per second
	Range   string
	Step    string // time per step
	Ratio   string
	RatioIv text
	Decided bool // the ratio carries a verdict
	Base    bool
	Badge   badge
	Note    text
	Trials  text
	Failed  bool
}

func (v *view) throughput() throughputSection {
	s := throughputSection{
		section: section{
			ID: "throughput", Nav: text{"Throughput", "吞吐量"},
			Title: text{"Throughput, workload by workload", "各负载的吞吐量"},
			Lead: textf(
				"Examples per second: the batch divided by the median time per step over trials, below it a 95 %% interval from that of the median. Ratio: speed divided by the speed of %[1]s in the same round, the Hodges-Lehmann estimate over rounds (the median of the means of any two rounds, on the logarithm), so above 1 is faster than %[1]s; below it the range of ratios that all evidence so far leaves open. Only the last column is a verdict; the order of the rows is none.",
				"每秒样本数：批量除以各次试验每步时间的中位数，下方是由该中位数的 95%% 区间得出的区间。比值：同一轮中本后端的速度除以 %[1]s 的速度，取各轮的 Hodges-Lehmann 估计（对数比值两两均值的中位数），大于 1 即比 %[1]s 更快；下方是现有证据尚未排除的比值范围。只有末列是结论，行的次序不是。", v.baseline.Label),
			Chart: chartPart{"ec-throughput", text{"Interactive chart: every timed trial, round by round", "交互图表：逐轮显示每次计时试验"}},
		},
		Baseline:  v.baseline,
		MinEffect: v.bound(),
	}
	for _, g := range v.groups {
		s.Panels = append(s.Panels, v.throughputPanel(g))
	}
	return s
}

func (v *view) throughputPanel(g *group) throughputPanel {
	p := throughputPanel{ID: g.ID, Title: g.Title, Detail: g.Detail}
	cells := slices.Clone(g.cells)
	rate := func(c *cell) float64 {
		if m := c.throughput().Mid; m != nil && c.ranked() {
			return *m
		}
		return 0
	}
	slices.SortStableFunc(cells, func(a, b *cell) int { return cmp.Compare(rate(b), rate(a)) })
	top, fastest := 0.0, 0.0
	for _, c := range cells {
		i := c.throughput()
		for _, x := range []*float64{i.Mid, i.Hi} {
			if x != nil {
				top = max(top, *x)
			}
		}
		fastest = max(fastest, rate(c))
	}
	p.Axis = newAxis(top, roundCount, text{"examples per second, from zero", "每秒样本数，从零起"})
	for _, c := range cells {
		p.Rows = append(p.Rows, v.throughputRow(c, p.Axis, fastest))
		p.doubt(c)
	}
	for _, c := range cells { // each with its own numbers
		for _, t := range v.slowdowns(c) {
			p.Doubts = append(p.Doubts, doubt{t, false, []doubtCell{{c.Backend, text{}}}})
		}
	}
	return p
}

func (v *view) throughputRow(c *cell, a axis, fastest float64) throughputRow {
	row := throughputRow{Backend: c.Backend, Raw: c.ID, Base: c.baseline, Failed: !c.ranked()}
	if row.Failed {
		row.Note = c.why()
	}
	if c.summary != nil {
		row.Trials = counts(c.summary.Trials, "trial", "次试验")
		if c.summary.Failed > 0 {
			row.Trials = textf("%d ok, %d not", "%d 次正常，%d 次异常", c.summary.Trials, c.summary.Failed)
		}
	}
	i := c.throughput()
	row.Rate, row.Range = showCount(i)
	if step, ok := medianOf(c.timed(), stepNS); ok {
		row.Step = duration(step)
	}
	if i.Mid != nil {
		if row.Failed { // why stands below the table
			row.Note = row.Trials
		}
		st := &strip{Grid: a.Grid(), Dot: a.at(*i.Mid), Hue: c.Backend.Hue, Mark: c.Backend.Mark()}
		if i.Lo != nil && i.Hi != nil {
			st.Lo, st.Hi = a.at(*i.Lo), a.at(*i.Hi)
		}
		if fastest > 0 {
			lo := fastest * (1 - v.minEffect(c.group))
			st.Band = &bar{X: a.at(lo), W: pct((fastest - lo) / a.max), Class: "band"}
		}
		row.Strip = st
	}
	row.Badge = v.cellBadge(c)
	if x := c.comparison; x != nil && !c.baseline {
		row.Ratio, row.RatioIv = showRatio(speedup(x))
		row.Decided = decided(x.Verdict) && !row.Failed
		if !row.Failed {
			row.Note = c.note()
		}
	}
	return row
}

// detectable says how small a difference all planned rounds would have shown;
// one of more than the speed itself reads better as a ratio.
func detectable(effect float64) text {
	if effect >= 1 {
		return textf("could show ≥"+nbsp+"%s", "可分辨 ≥"+nbsp+"%s的差异", text{times(1 + effect), sig(1+effect) + " 倍"})
	}
	return textf("could show ≥"+nbsp+"%s", "可分辨 ≥"+nbsp+"%s 的差异", percent(effect))
}

// note says in a few words why a measured cell has no verdict.
func (c *cell) note() text {
	x := c.comparison
	if x == nil || c.baseline || !c.ranked() || decided(x.Verdict) {
		return text{}
	}
	if x.Verdict != compare.Inconclusive || x.Reason != "" && c.baseAtFault() {
		return c.baseWhy()
	}
	switch {
	case x.Reason != "":
		return text{"see below", "原因见下"}
	case c.fewRounds():
		return textf("%s, a verdict takes at least %d", "仅 %[1]s，至少 %[2]d 轮才能下结论", counts(x.Rounds, "round", "轮"), x.RoundsNeeded)
	case x.Detectable > 0 && !math.IsInf(x.Detectable, 0):
		return detectable(x.Detectable)
	}
	return text{}
}

// fewRounds reports whether the cell is undecided because it has fewer rounds
// than any verdict takes.
func (c *cell) fewRounds() bool {
	x := c.comparison
	return x != nil && c.ranked() && x.Verdict == compare.Inconclusive && x.Reason == "" && x.Rounds < x.RoundsNeeded
}

// base is the baseline's cell of the group; nil where it has none.
func (g *group) base() *cell {
	for _, b := range g.cells {
		if b.baseline {
			return b
		}
	}
	return nil
}

// baseAtFault reports whether the baseline of a measured cell cannot be compared
// with.
func (c *cell) baseAtFault() bool {
	b := c.group.base()
	return b == nil || b.summary != nil && b.summary.Status != compare.StatusOK
}

// baseWhy says why a measured cell has nothing to be compared with.
func (c *cell) baseWhy() text {
	if b := c.group.base(); b != nil && c.baseAtFault() {
		return textf("%s: %s", "%s：%s", b.Backend.Label, statusBadge(b.summary.Status).Word)
	}
	return text{"no valid pair of trials", "没有有效的配对"}
}

// cellBadge is the verdict on a cell, or its status where none was reached.
func (v *view) cellBadge(c *cell) badge {
	if s := c.summary; s != nil && s.Status != compare.StatusOK {
		return statusBadge(s.Status)
	}
	if c.baseline {
		if c.summary != nil && c.summary.Median != nil {
			return badge{"i-base", "b-open", text{"baseline", "基准"}}
		}
		return statusBadge("missing")
	}
	if c.comparison != nil {
		// The cell itself is fine, so what bars the comparison is the baseline's.
		if v := c.comparison.Verdict; v != compare.Inconclusive && !decided(v) && c.summary != nil && c.summary.Median != nil {
			return badge{"i-q", "b-open", text{"not comparable", "无法比较"}}
		}
		return verdictBadge(c.comparison.Verdict)
	}
	if c.summary != nil && c.summary.Median != nil {
		return statusBadge("ok")
	}
	for _, t := range c.trials {
		if e := t.Record.End; e != results.EndOK {
			return endBadge(e)
		}
	}
	return statusBadge("missing")
}
