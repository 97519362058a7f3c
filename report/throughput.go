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

// doubt is a warning about figures of the panel, with the backends it concerns.
type doubt struct {
	Text     string
	Backends []identity
}

type throughputRow struct {
	Backend identity
	Raw     string // anchor of the trials
	Strip   *strip // nil: no figure
	Rate    string // examples per second
	Range   string
	Step    string // time per step
	Ratio   string
	RatioIv string
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
			Title: text{"Throughput, workload by workload", "吞吐量，逐个负载"},
			Lead: textf(
				"Rows are sorted by speed; a colour is a framework wherever it appears on this page. Ratios are speeds relative to %s, from trials of the same round.",
				"各行按速度排序；同一颜色在全页代表同一框架。比值是相对 %s 的速度，取自同一轮中的试验。", v.baseline.Label),
		},
		Baseline:  v.baseline,
		MinEffect: percent(v.minEffect()),
	}
	for _, g := range v.groups {
		s.Panels = append(s.Panels, v.throughputPanel(g))
	}
	return s
}

func (v *view) minEffect() float64 {
	return cmp.Or(v.analysis.Policy.MinEffect, v.run.Meta.Policy.MinEffect)
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
	return p
}

func (v *view) throughputRow(c *cell, a axis, fastest float64) throughputRow {
	row := throughputRow{Backend: c.Backend, Raw: c.ID, Base: c.baseline, Failed: !c.ranked()}
	if row.Failed {
		row.Note = c.why()
	}
	i := c.throughput()
	row.Rate, row.Range = showCount(i)
	if step, ok := medianOf(c.timed(), stepNS); ok {
		row.Step = duration(step)
	}
	if i.Mid != nil {
		st := &strip{Grid: a.Grid(), Dot: a.at(*i.Mid), Hue: c.Backend.Hue, Mark: c.Backend.Mark()}
		if i.Lo != nil && i.Hi != nil {
			st.Lo, st.Hi = a.at(*i.Lo), a.at(*i.Hi)
		}
		if fastest > 0 {
			lo := fastest * (1 - v.minEffect())
			st.Band = &bar{X: a.at(lo), W: pct((fastest - lo) / a.max), Class: "band"}
		}
		row.Strip = st
	}
	if c.summary != nil {
		row.Trials = textf("%d trials", "%d 次试验", c.summary.Trials)
		if c.summary.Trials == 1 {
			row.Trials = text{"1 trial", "1 次试验"}
		}
		if c.summary.Failed > 0 {
			row.Trials = textf("%d ok, %d not", "%d 次正常，%d 次不正常", c.summary.Trials, c.summary.Failed)
		}
	}
	row.Badge = v.cellBadge(c)
	if x := c.comparison; x != nil && !c.baseline {
		row.Ratio, row.RatioIv = showRatio(speedup(x))
		switch {
		case row.Failed:
		case x.Verdict == compare.Inconclusive && x.Detectable > 0 && !math.IsInf(x.Detectable, 0):
			row.Note = textf("could have shown %s", "可分辨 %s", same(sig(x.Detectable*100)+nbsp+"%"))
		case x.Verdict == compare.Missing:
			row.Note = c.baseWhy()
		}
	}
	return row
}

// baseWhy says why a measured cell has nothing to be compared with.
func (c *cell) baseWhy() text {
	for _, b := range c.group.cells {
		if b.baseline && b.summary != nil && b.summary.Status != compare.StatusOK {
			return textf("%s: %s", "%s：%s", b.Backend.Label, statusBadge(b.summary.Status).Word)
		}
	}
	return text{"no valid pair of trials", "没有有效的配对"}
}

// doubt notes what compare warns of about a cell.
func (p *throughputPanel) doubt(c *cell) {
	for _, w := range c.warnings() {
		w = line(w)
		i := slices.IndexFunc(p.Doubts, func(d doubt) bool { return d.Text == w })
		if i < 0 {
			i = len(p.Doubts)
			p.Doubts = append(p.Doubts, doubt{Text: w})
		}
		if bs := p.Doubts[i].Backends; len(bs) == 0 || bs[len(bs)-1] != c.Backend {
			p.Doubts[i].Backends = append(bs, c.Backend)
		}
	}
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
		if c.comparison.Verdict == compare.Missing && c.summary != nil && c.summary.Median != nil {
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
