package report

import (
	"fmt"
	"math"
	"slices"
)

// modesPlot is the chart of a panel. X is in percent, Y in pixels from the top.
type modesPlot struct {
	Unit   text
	Height int
	Foot   int // baseline of the labels below
	XTicks []tick
	YTicks []gridLine
	Front  [][4]string // pieces of the line along the Pareto front: x1 y1 x2 y2
	Points []modesPoint
}

type modesPoint struct {
	X, Y                 string
	Left, Right          string // ends of the interval of the time; empty: none
	Top, Bottom          string // the largest and the smallest peak; empty: one trial, or all alike
	Hue, Mark            string
	Front                bool
	Letter, LetterDX, LY string
	Anchor               string
}

// modesHeight is the height of the plot in pixels.
const modesHeight = 280

// spanAxis is linear from zero, or logarithmic where its values range further.
type spanAxis struct {
	logarithmic bool
	lo, hi      float64
}

// wideSpan is the ratio of the largest to the smallest value from which on an axis is
// logarithmic: on a linear one the small ones would lie on one another.
const wideSpan = 8

// newSpanAxis takes positive values: all that is drawn, the ends of intervals too.
func newSpanAxis(values []float64) spanAxis {
	values = slices.DeleteFunc(slices.Clone(values), func(x float64) bool { return !(x > 0) || math.IsInf(x, 0) })
	if len(values) == 0 {
		return spanAxis{hi: 1}
	}
	lo, hi := slices.Min(values), slices.Max(values)
	if hi/lo < wideSpan {
		return spanAxis{hi: hi * 1.06}
	}
	return spanAxis{true, round125(lo/1.1, false), round125(hi*1.1, true)}
}

// round125 is the nearest of 1, 2 and 5 times a power of ten that is not above x, or
// not below it.
func round125(x float64, up bool) float64 {
	p := math.Pow(10, math.Floor(math.Log10(x)))
	steps := []float64{1, 2, 5, 10}
	if up {
		for _, s := range steps {
			if s*p >= x {
				return s * p
			}
		}
		return 10 * p
	}
	for _, s := range slices.Backward(steps) {
		if s*p <= x {
			return s * p
		}
	}
	return p
}

// share is where x stands, 0 to 1.
func (a spanAxis) share(x float64) float64 {
	if a.logarithmic {
		return within(math.Log(x/a.lo) / math.Log(a.hi/a.lo))
	}
	return within(x / a.hi)
}

// ticks are round values on the axis.
func (a spanAxis) ticks() []float64 {
	if !a.logarithmic {
		var xs []float64
		step := roundStep(a.hi / 4)
		for i := 0; float64(i)*step <= a.hi && i < 12; i++ {
			xs = append(xs, float64(i)*step)
		}
		return xs
	}
	var all, decades []float64
	for p := math.Pow(10, math.Floor(math.Log10(a.lo))); p <= a.hi*1.001 && len(all) < 60; p *= 10 {
		for _, s := range []float64{1, 2, 5} {
			if x := s * p; x >= a.lo*0.999 && x <= a.hi*1.001 {
				all = append(all, x)
				if s == 1 {
					decades = append(decades, x)
				}
			}
		}
	}
	if len(all) > 9 && len(decades) > 1 {
		return decades
	}
	return all
}

// word says how the axis is divided.
func (a spanAxis) word() text {
	if a.logarithmic {
		return text{"logarithmic", "对数刻度"}
	}
	return text{"from zero", "从零起"}
}

// newModesPlot draws the cells that have both figures; nil where none has.
func newModesPlot(cells []modesCell) *modesPlot {
	cells = slices.DeleteFunc(slices.Clone(cells), func(m modesCell) bool { return !m.placed() })
	if len(cells) == 0 {
		return nil
	}
	memory := text{"peak of memory above the level after import", "内存峰值高出导入后的部分"}
	if onGPU(cells[0].Cell) {
		memory = text{"memory of the GPU at its peak, above the level before the build", "显存峰值高出构建前的部分"}
	}
	const mib = 1 << 20 // round values of the axis are MiB
	var xs, ys []float64
	for _, m := range cells {
		xs, ys = append(xs, *m.time.Mid), append(ys, m.bytes/mib, m.lo/mib, m.hi/mib)
		for _, end := range []*float64{m.time.Lo, m.time.Hi} {
			if end != nil {
				xs = append(xs, *end)
			}
		}
	}
	x, y := newSpanAxis(xs), newSpanAxis(ys)
	right := func(seconds float64) string { return pct(x.share(seconds)) }
	down := func(bytes float64) string { return fmt.Sprintf("%.1f", modesHeight*(1-y.share(bytes/mib))) }
	p := &modesPlot{
		Unit:   textf("across: time per step, %s; upwards: %s, %s", "横轴：每步时间，%s；纵轴：%s，%s", x.word(), memory, y.word()),
		Height: modesHeight, Foot: modesHeight + 16,
	}
	for i, s := range x.ticks() {
		t := tick{X: right(s), Label: shortest(duration(s * 1e9)), Anchor: "middle"}
		if i == 0 {
			t.Anchor = "start"
		} else if x.share(s) > 0.95 {
			t.Anchor = "end"
		}
		p.XTicks = append(p.XTicks, t)
	}
	for _, b := range y.ticks() {
		p.YTicks = append(p.YTicks, gridLine{down(b * mib), shortest(mebibytes(b * mib))})
	}
	for _, m := range cells {
		q := modesPoint{X: right(*m.time.Mid), Y: down(m.bytes), Hue: m.Backend.Hue, Mark: m.Backend.Mark(), Front: m.front, Letter: m.letter}
		if m.time.Lo != nil && m.time.Hi != nil {
			q.Left, q.Right = right(*m.time.Lo), right(*m.time.Hi)
		}
		if m.lo < m.hi {
			q.Top, q.Bottom = down(m.hi), down(m.lo)
		}
		p.Points = append(p.Points, q)
	}
	p.letters(cells, x, y)
	p.line(cells, right, down)
	return p
}

// line joins the points of the front by steps: to the right, then down.
func (p *modesPlot) line(cells []modesCell, right, down func(float64) string) {
	front := slices.DeleteFunc(slices.Clone(cells), func(m modesCell) bool { return !m.front })
	slices.SortStableFunc(front, func(a, b modesCell) int {
		switch {
		case *a.time.Mid < *b.time.Mid:
			return -1
		case *a.time.Mid > *b.time.Mid:
			return 1
		}
		return 0
	})
	for i := 1; i < len(front); i++ {
		a, b := front[i-1], front[i]
		x1, y1, x2, y2 := right(*a.time.Mid), down(a.bytes), right(*b.time.Mid), down(b.bytes)
		p.Front = append(p.Front, [4]string{x1, y1, x2, y1}, [4]string{x2, y1, x2, y2})
	}
}

// nominalWidth is the width in pixels for which letters are placed; the drawing
// itself follows the page.
const nominalWidth = 640

// letters puts the letter of each point at the first of four places around it where
// no point and no other letter stands.
func (p *modesPlot) letters(cells []modesCell, x, y spanAxis) {
	type box struct{ x0, x1, y0, y1 float64 }
	var taken []box
	at := func(i int) (float64, float64) {
		return nominalWidth * x.share(*cells[i].time.Mid), modesHeight * (1 - y.share(cells[i].bytes/(1<<20)))
	}
	for i := range cells {
		px, py := at(i)
		taken = append(taken, box{px - 5, px + 5, py - 5, py + 5})
	}
	for i := range p.Points {
		q := &p.Points[i]
		px, py := at(i)
		width := 8 * float64(len(q.Letter))
		for k, place := range []struct{ dx, dy float64 }{{9, 4}, {-9, 4}, {9, -7}, {-9, -7}, {9, 15}, {-9, 15}} {
			b := box{px + place.dx, px + place.dx + width, py + place.dy - 10, py + place.dy + 1}
			anchor := "start"
			if place.dx < 0 {
				b.x0, b.x1 = px+place.dx-width, px+place.dx
				anchor = "end"
			}
			free := b.x0 > 0 && b.x1 < nominalWidth+20 && !slices.ContainsFunc(taken, func(t box) bool { return b.x0 < t.x1 && t.x0 < b.x1 && b.y0 < t.y1 && t.y0 < b.y1 })
			if !free && k > 0 {
				continue
			}
			q.Anchor, q.LetterDX, q.LY = anchor, fmt.Sprintf("%.0f", place.dx), fmt.Sprintf("%.1f", py+place.dy)
			if free {
				taken = append(taken, b)
				break
			}
		}
	}
}
