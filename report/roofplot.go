package report

import (
	"fmt"
	"math"
	"slices"

	"github.com/dlbench/dlbench/results"
)

// roofPlot is the roofline of one number of threads and one precision, both axes
// logarithmic. X is in percent, Y in pixels from the top.
type roofPlot struct {
	ID      string
	Title   text
	Peak    text
	Height  int
	XTicks  []tick
	YTicks  []gridLine
	Slope   [4]string // x1 y1 x2 y2 of the roof that bandwidth sets; empty: not measured
	Flat    [3]string // x1 x2 y of the roof that arithmetic sets
	Columns []roofColumn
}

// roofColumn is one workload: all of its backends share an intensity.
type roofColumn struct {
	Letter    string
	X         string
	Y         int // of the letter; near columns are staggered
	Panel     string
	Name      text
	Intensity string
	Dots      []roofDot
}

type roofDot struct {
	Y      string
	Lo, Hi string // ends of the interval; empty: none
	Hue    string
	Mark   string
}

const (
	roofHeight  = 320 // pixels of a roofline's plot
	lettersRoom = 34  // pixels above it
)

// logAxis spans whole decades around values.
type logAxis struct{ lo, hi float64 } // exponents of 10

func newLogAxis(values []float64) logAxis {
	a := logAxis{math.Inf(1), math.Inf(-1)}
	for _, x := range values {
		if x > 0 && !math.IsInf(x, 0) {
			a.lo, a.hi = min(a.lo, math.Floor(math.Log10(x))), max(a.hi, math.Ceil(math.Log10(x)))
		}
	}
	if !(a.lo < a.hi) {
		if math.IsInf(a.lo, 0) {
			a.lo = 0
		}
		a.hi = a.lo + 1
	}
	return a
}

// share is where x stands, 0 to 1.
func (a logAxis) share(x float64) float64 { return within((math.Log10(x) - a.lo) / (a.hi - a.lo)) }

// decades are the powers of ten on the axis, at most nine of them.
func (a logAxis) decades() []float64 {
	var xs []float64
	stride := math.Ceil((a.hi - a.lo) / 9)
	for e := a.lo; e <= a.hi; e += stride {
		xs = append(xs, math.Pow(10, e))
	}
	return xs
}

// roofPlots makes a roofline for each number of threads and precision of which
// the run has a peak and cells.
func (v *view) roofPlots() []roofPlot {
	var plots []roofPlot
	drawn := map[*results.Peak]bool{}
	for _, first := range v.groups {
		p := v.peak(first)
		if p == nil || drawn[p] {
			continue
		}
		drawn[p] = true
		groups := slices.DeleteFunc(slices.Clone(v.groups), func(g *group) bool { return v.peak(g) != p || len(g.placed()) == 0 })
		if len(groups) > 0 {
			plot := newRoofPlot(p, groups)
			plot.ID = fmt.Sprintf("roof%d", len(plots)+1)
			plots = append(plots, plot)
		}
	}
	return plots
}

// placed are a group's cells that have a place on a roofline.
func (g *group) placed() []*cell {
	return slices.DeleteFunc(slices.Clone(g.cells), func(c *cell) bool {
		_, ok := c.intensity()
		return !ok || c.achieved().Mid == nil
	})
}

func newRoofPlot(p *results.Peak, groups []*group) roofPlot {
	plot := roofPlot{
		Title: textf("%s, %s", "%s，%s", counts(p.Threads, "thread", "线程"), same(line(p.Precision))),
		Peak:  textf("peak %sFLOP/s", "峰值 %sFLOP/s", unitCount(p.FLOPPerSecond)), Height: roofHeight,
	}
	if k := line(p.Kernel); k == "go" {
		plot.Peak = textf("%s (plain Go without vectors: a lower bound of the peak)", "%s（纯 Go，不含向量指令：仅为峰值的下限）", plot.Peak)
	} else if k != "" {
		plot.Peak = textf("%s (%s)", "%s（%s）", plot.Peak, k)
	}
	xs, ys := []float64{}, []float64{p.FLOPPerSecond}
	for _, g := range groups {
		for _, c := range g.placed() {
			x, _ := c.intensity()
			i := c.achieved()
			xs, ys = append(xs, x), append(ys, *i.Mid)
			for _, end := range []*float64{i.Lo, i.Hi} {
				if end != nil {
					ys = append(ys, *end)
				}
			}
		}
	}
	ridge := p.FLOPPerSecond / p.BytesPerSecond
	known := p.BytesPerSecond > 0 && !math.IsInf(ridge, 0)
	if known {
		xs = append(xs, ridge)
		plot.Peak = textf("%s, memory %sB/s; from %s FLOP per byte on arithmetic is the limit", "%s，内存 %sB/s；每字节 %s FLOP 以上受限于算力", plot.Peak, unitCount(p.BytesPerSecond), sig(ridge))
	}
	x, y := newLogAxis(xs), newLogAxis(ys)
	down := func(flops float64) string { return fmt.Sprintf("%.1f", roofHeight*(1-y.share(flops))) }
	for i, d := range x.decades() {
		t := tick{X: pct(x.share(d)), Label: round3(d), Anchor: "middle"}
		if i == 0 {
			t.Anchor = "start"
		} else if x.share(d) > 0.97 {
			t.Anchor = "end"
		}
		plot.XTicks = append(plot.XTicks, t)
	}
	for _, d := range y.decades() {
		plot.YTicks = append(plot.YTicks, gridLine{down(d), unitCount(d)})
	}
	left, right := math.Pow(10, x.lo), math.Pow(10, x.hi)
	plot.Flat = [3]string{pct(0), pct(1), down(p.FLOPPerSecond)}
	if known && ridge > left {
		// The slope enters where it crosses the left or the lower edge.
		from := max(left, math.Pow(10, y.lo)/p.BytesPerSecond)
		plot.Slope = [4]string{pct(x.share(from)), down(p.BytesPerSecond * from), pct(x.share(ridge)), down(p.FLOPPerSecond)}
		plot.Flat[0] = pct(x.share(ridge))
	}
	for _, g := range groups {
		at, _ := g.placed()[0].intensity()
		col := roofColumn{X: pct(x.share(min(at, right))), Panel: g.ID, Name: joined([]text{g.Title, g.Detail}, " · ", " · "), Intensity: sig(at)}
		for _, c := range g.placed() {
			i := c.achieved()
			d := roofDot{Y: down(*i.Mid), Hue: c.Backend.Hue, Mark: c.Backend.Mark()}
			if i.Lo != nil && i.Hi != nil {
				d.Lo, d.Hi = down(*i.Lo), down(*i.Hi)
			}
			col.Dots = append(col.Dots, d)
		}
		plot.Columns = append(plot.Columns, col)
	}
	plot.letter(x, groups)
	return plot
}

// letter names the columns from left to right and staggers the letters of those
// that stand close.
func (p *roofPlot) letter(x logAxis, groups []*group) {
	order := make([]int, len(p.Columns))
	at := make([]float64, len(p.Columns))
	for i, g := range groups {
		order[i] = i
		intensity, _ := g.placed()[0].intensity()
		at[i] = x.share(intensity)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case at[a] < at[b]:
			return -1
		case at[a] > at[b]:
			return 1
		}
		return 0
	})
	last := [3]float64{-1, -1, -1} // where the newest letter of each row stands
	sorted := make([]roofColumn, 0, len(order))
	for n, i := range order {
		c := p.Columns[i]
		c.Letter = letterName(n)
		row := 0
		for k := range last {
			if at[i]-last[k] > 0.03 {
				row = k
				break
			}
		}
		last[row] = at[i]
		c.Y = -6 - 11*row
		sorted = append(sorted, c)
	}
	p.Columns = sorted
}

// letterName is A to Z, then A1 to Z1 and so on.
func letterName(n int) string {
	s := string(rune('A' + n%26))
	if n >= 26 {
		s += fmt.Sprint(n / 26)
	}
	return s
}

// unitCount is count before a unit: 90.0 G, 12 k, with the space before it.
func unitCount(v float64) string {
	switch a := math.Abs(v); {
	case a >= 999.5e9:
		return round3(v/1e12) + nbsp + "T"
	case a >= 999.5e6:
		return round3(v/1e9) + nbsp + "G"
	case a >= 999.5e3:
		return round3(v/1e6) + nbsp + "M"
	case a >= 999.5:
		return round3(v/1e3) + nbsp + "k"
	}
	return round3(v) + nbsp
}
