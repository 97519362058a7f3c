package report

import (
	"math"
	"slices"

	"github.com/dlbench/dlbench/results"
)

// percentiles that the latency table shows.
var percentiles = []struct {
	name string
	q    float64
}{{"p50", 0.50}, {"p90", 0.90}, {"p99", 0.99}}

// latencySection shows percentiles of single steps.
type latencySection struct {
	section
	Panels []latencyPanel
}

type latencyPanel struct {
	Title, Detail text
	Heads         []string // the percentiles that some cell carries
	Axis          axis
	Rows          []latencyRow
	Notes         []text // the percentiles that none carries, and why
}

type latencyRow struct {
	Backend identity
	Raw     string
	Figures []latencyFigure // one per head
	Strip   *latencyStrip   // nil: no figure
	Why     text            // when the cell has no trial that counts
}

type latencyFigure struct {
	Value string
	Range string
	Why   text // when there is no value

	name       string
	ms, lo, hi float64 // milliseconds: the median over trials, the smallest and the largest
}

// latencyStrip is the percentiles of a cell on a linear axis from zero: a dot for
// p50 with the range of its trials, a tick for each of the others.
type latencyStrip struct {
	Grid     []string
	Dot      string // empty: no p50
	Lo, Hi   string // range of p50 over trials
	Ticks    []latencyTick
	From, To string // the line through all percentiles
	Hue      string
	Mark     string
}

type latencyTick struct {
	X, Class string
}

// strip draws the figures that have a value; nil where none has.
func (c *cell) strip(figures []latencyFigure, a axis) *latencyStrip {
	s := latencyStrip{Grid: a.Grid(), Hue: c.Backend.Hue, Mark: c.Backend.Mark()}
	for _, f := range figures {
		if f.Value == "" {
			continue
		}
		if s.From == "" {
			s.From = a.at(f.ms)
		}
		s.To = a.at(f.ms)
		if f.name == "p50" {
			s.Dot, s.Lo, s.Hi = a.at(f.ms), a.at(f.lo), a.at(f.hi)
		} else {
			s.Ticks = append(s.Ticks, latencyTick{a.at(f.ms), f.name})
		}
	}
	if s.From == "" {
		return nil
	}
	return &s
}

func (v *view) latency() latencySection {
	s := latencySection{section: section{
		ID: "latency", Nav: text{"Latency", "延迟"},
		Title: text{"Latency of a step", "单步延迟"},
		Lead: text{
			"Percentiles of the steps within a trial, then the median over trials; below it the smallest and the largest trial. A percentile stands only where a trial has enough steps, each timed by itself: 11 for p50, 64 for p90, 662 for p99.",
			"先取一次试验内各步的百分位数，再取各次试验的中位数；下方是各次试验中的最小值与最大值。只有逐步计时且步数足够时才给出百分位数：p50 需 11 步，p90 需 64 步，p99 需 662 步。",
		},
		Chart: chartPart{"ec-latency", text{"Interactive chart: the share of timings up to a given length", "交互图表：不超过某一时长的计时所占比例"}},
	}}
	for _, g := range v.groups {
		s.Panels = append(s.Panels, latencyPanelOf(g))
	}
	return s
}

// latencyPanelOf leaves out the percentiles that no cell carries: a column of
// excuses becomes a sentence.
func latencyPanelOf(g *group) latencyPanel {
	p := latencyPanel{Title: g.Title, Detail: g.Detail}
	figures := make([][]latencyFigure, len(g.cells)) // nil: no trial that counts
	for i, c := range g.cells {
		if len(c.timed()) > 0 {
			figures[i] = c.latencies()
		}
		p.Rows = append(p.Rows, latencyRow{Backend: c.Backend, Raw: c.ID})
	}
	absent := map[text][]text{} // why -> percentiles
	var order []text
	for k, pc := range percentiles {
		why, carried := whyNone(figures, k)
		if carried {
			p.Heads = append(p.Heads, pc.name)
			for i := range p.Rows {
				if figures[i] != nil {
					p.Rows[i].Figures = append(p.Rows[i].Figures, figures[i][k])
				}
			}
		} else if !why.Empty() {
			if absent[why] == nil {
				order = append(order, why)
			}
			absent[why] = append(absent[why], same(pc.name))
		}
	}
	for _, why := range order {
		p.Notes = append(p.Notes, textf("No %s: %s.", "不给出 %s：%s。", joined(absent[why], ", ", "、"), why))
	}
	top := 0.0
	for i, c := range g.cells {
		if figures[i] == nil {
			p.Rows[i].Why = c.why()
		}
		for _, f := range figures[i] {
			top = max(top, f.ms, f.hi)
		}
	}
	if len(p.Heads) == 0 { // only the cells that failed have something to say
		p.Rows = slices.DeleteFunc(p.Rows, func(r latencyRow) bool { return r.Why.Empty() })
		return p
	}
	p.Axis = newAxis(top, round3, text{"milliseconds per step, from zero", "每步毫秒数，从零起"})
	for i, c := range g.cells {
		p.Rows[i].Strip = c.strip(figures[i], p.Axis)
	}
	return p
}

// Bare reports whether there is nothing for a table to show.
func (p latencyPanel) Bare() bool {
	return len(p.Heads) == 0 && !slices.ContainsFunc(p.Rows, func(r latencyRow) bool { return !r.Why.Empty() })
}

// whyNone says why no cell carries the percentile k; carried if one does.
func whyNone(figures [][]latencyFigure, k int) (why text, carried bool) {
	var whys []text
	for _, f := range figures {
		if f == nil {
			continue
		}
		if f[k].Value != "" {
			return text{}, true
		}
		if !slices.Contains(whys, f[k].Why) {
			whys = append(whys, f[k].Why)
		}
	}
	return joined(whys, "; ", "；"), false
}

// latencies are the percentiles of a cell that has trials, or why one is absent.
func (c *cell) latencies() []latencyFigure {
	rs := c.timed()
	figures := make([]latencyFigure, len(percentiles))
	fewest := math.MaxInt
	for _, r := range rs {
		fewest = min(fewest, len(r.BlockNS))
	}
	for i, p := range percentiles {
		f := &figures[i]
		f.name = p.name
		switch n := results.PercentileSamples(p.q); {
		case maxBlock(rs) > 1:
			f.Why = textf("steps were timed in blocks of %d", "每 %d 步合为一块计时", maxBlock(rs))
		case fewest < n:
			f.Why = textf("needs %d steps, has %d", "需 %d 步，仅 %d 步", n, fewest)
		default:
			metric, _ := results.LookupMetric("latency-" + p.name)
			xs := values(rs, metric.Of)
			if len(xs) == 0 {
				f.Why = text{"not recorded", "没有记录"}
				continue
			}
			m, _ := median(xs)
			f.Value = duration(m * 1e9)
			f.ms, f.lo, f.hi = m*1e3, slices.Min(xs)*1e3, slices.Max(xs)*1e3
			f.Range = durations(f.lo*1e6, f.hi*1e6)
		}
	}
	return figures
}

func maxBlock(rs []*results.Record) int {
	n := 1
	for _, r := range rs {
		n = max(n, r.StepsPerBlock)
	}
	return n
}
