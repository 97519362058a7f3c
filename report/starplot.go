package report

import (
	"math"

	"github.com/dlbench/dlbench/results/compare/frameworks"
)

// costPlot is the row's costs on a log axis: a grid line per star.
type costPlot struct {
	Height int
	Foot   int // of the labels
	Grid   []costTick
	Marks  []costMark
}

type costTick struct{ X, Cost, Stars, Anchor string }

type costMark struct {
	Label, Hue string
	X          string
	Lo, Hi     string // empty: no interval
	LabelX     string
	DX, Anchor string
	Y          int
	Y1, Y2, YT int // ends of the interval's bars, baseline of the label
}

// costPlot places every framework on a line of its own, so no two labels meet.
func (v *view) costPlot(r frameworks.Row) *costPlot {
	top := 4.0
	for _, x := range r.Ratings {
		if x.Rated() {
			top = max(top, *x.Relative)
			if x.Hi != nil {
				top = max(top, min(*x.Hi, 2**x.Relative))
			}
		}
	}
	octaves := math.Ceil(math.Log2(top)*4) / 4
	at := func(cost float64) float64 { return 0.03 + 0.94*math.Log2(cost)/octaves }
	stride := max(1, int(math.Ceil(octaves/4))) // of labels, which must not meet on a phone
	p := &costPlot{}
	for i := 0; float64(i) <= octaves; i++ {
		cost := math.Exp2(float64(i))
		t := costTick{X: pct(at(cost)), Anchor: "middle"}
		if i%stride == 0 {
			t.Cost, t.Stars = shortTimes(cost), starCount(frameworks.Stars(cost))
		}
		if i == 0 {
			t.Anchor = "start"
		} else if at(cost) > 0.93 {
			t.Anchor = "end"
		}
		p.Grid = append(p.Grid, t)
	}
	y := 10
	for _, x := range r.Ratings {
		if !x.Rated() {
			continue
		}
		m := costMark{Label: headOf(x.Framework).Label, Hue: hue(x.Framework), X: pct(at(*x.Relative)), Y: y, Y1: y - 4, Y2: y + 4, YT: y + 4, DX: "9", Anchor: "start"}
		left, right := at(*x.Relative), at(*x.Relative)
		if x.Lo != nil && x.Hi != nil {
			left, right = max(at(*x.Lo), 0), min(at(*x.Hi), 1)
			m.Lo, m.Hi = pct(left), pct(right)
		}
		m.LabelX = pct(max(right, at(*x.Relative)))
		if right > 0.62 {
			m.LabelX, m.DX, m.Anchor = pct(min(left, at(*x.Relative))), "-9", "end"
		}
		p.Marks = append(p.Marks, m)
		y += 15
	}
	p.Height, p.Foot = y-2, y+10
	return p
}

// shortTimes writes 4×, not 4.00×.
func shortTimes(v float64) string { return round3(v) + "×" }
