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
	Rows          []latencyRow
}

type latencyRow struct {
	Backend identity
	Raw     string
	Figures []latencyFigure // one per percentile
	Why     text            // when the cell has no trial that counts
}

type latencyFigure struct {
	Label text
	Value string
	Range string
	Why   text // when there is no value
}

func (v *view) latency() latencySection {
	s := latencySection{section: section{
		ID: "latency", Nav: text{"Latency", "延迟"},
		Title: text{"Latency of a step", "单步延迟"},
		Lead: text{
			"Percentiles of the steps within a trial, then the median over trials; below it the range over trials. A percentile stands only where a trial has enough steps to carry it: 11 for p50, 64 for p90, 662 for p99.",
			"先取一次试验内各步的百分位数，再取各次试验的中位数；下方是各次试验的范围。步数足够时才给出百分位数：p50 需 11 步，p90 需 64 步，p99 需 662 步。",
		},
	}}
	for _, g := range v.groups {
		p := latencyPanel{Title: g.Title, Detail: g.Detail}
		for _, c := range g.cells {
			row := latencyRow{Backend: c.Backend, Raw: c.ID}
			if len(c.timed()) == 0 {
				row.Why = c.why()
			} else {
				row.Figures = c.latencies()
			}
			p.Rows = append(p.Rows, row)
		}
		s.Panels = append(s.Panels, p)
	}
	return s
}

// latencies are the percentiles of a cell that has trials, or why a percentile
// is absent.
func (c *cell) latencies() []latencyFigure {
	rs := c.timed()
	figures := make([]latencyFigure, len(percentiles))
	fewest := math.MaxInt
	for _, r := range rs {
		fewest = min(fewest, len(r.BlockNS))
	}
	for i, p := range percentiles {
		f := &figures[i]
		f.Label = same(p.name)
		switch n := results.PercentileSamples(p.q); {
		case maxBlock(rs) > 1:
			f.Why = textf("steps were timed in blocks of %d", "按每 %d 步一块计时", maxBlock(rs))
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
			f.Range = durations(slices.Min(xs)*1e9, slices.Max(xs)*1e9)
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
