package report

import "math"

// strip is a drawing of one row of a table: a dot on a linear axis from zero
// with its interval as an I-beam. X is in percent, Y in pixels, so that it
// needs no script and text keeps its size.
type strip struct {
	Grid   []string
	Band   *bar // within the minimum effect of the fastest
	Dot    string
	Lo, Hi string // empty: no interval
	Hue    string
	Mark   string
}

// bar is one rectangle of a drawing, with its class.
type bar struct {
	X, W  string
	Class string
}

// tick is one label of an axis.
type tick struct {
	X, Label string
	Anchor   string
}

// axis is a linear scale from zero.
type axis struct {
	max   float64
	Ticks []tick
	Unit  text
}

// newAxis covers 0 to top with about three round ticks; label formats one.
func newAxis(top float64, label func(float64) string, unit text) axis {
	if !(top > 0) || math.IsInf(top, 0) {
		top = 1
	}
	a := axis{max: top * 1.04, Unit: unit}
	for i, x := range a.steps() {
		t := tick{X: pct(x / a.max), Label: label(x), Anchor: "middle"}
		if i == 0 {
			t.Anchor = "start"
		} else if x/a.max > 0.93 {
			t.Anchor = "end"
		}
		a.Ticks = append(a.Ticks, t)
	}
	return a
}

// steps are about three round values from zero to the end of the axis.
func (a axis) steps() []float64 {
	var xs []float64
	step := roundStep(a.max / 1.04 / 3)
	for i := 0; float64(i)*step <= a.max && i < 12; i++ {
		xs = append(xs, float64(i)*step)
	}
	return xs
}

// at is the position of x on the axis.
func (a axis) at(x float64) string { return pct(x / a.max) }

// Grid are the positions of the ticks.
func (a axis) Grid() []string {
	xs := make([]string, len(a.Ticks))
	for i, t := range a.Ticks {
		xs[i] = t.X
	}
	return xs
}

// roundStep is the nearest of 1, 2 and 5 times a power of ten, not below x/1.5.
func roundStep(x float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(x)))
	switch f := x / p; {
	case f < 1.5:
		return p
	case f < 3.5:
		return 2 * p
	case f < 7.5:
		return 5 * p
	}
	return 10 * p
}

// stack lays parts side by side from zero.
func (a axis) stack(parts []float64, classes []string) []bar {
	var bars []bar
	x := 0.0
	for i, p := range parts {
		if p > 0 {
			bars = append(bars, bar{X: a.at(x), W: pct(p / a.max), Class: classes[i]})
			x += p
		}
	}
	return bars
}
