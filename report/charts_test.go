package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
)

// Every dot and interval of the throughput strips stands where the records say.
func TestThroughputDrawings(t *testing.T) {
	run, v, page, _ := drawn(t)
	dots := 0
	for _, g := range v.groups {
		table := page.id(t, g.ID)
		per := scale(t, table.class("axis")[0])
		rows := rowsOf(table)
		for _, c := range g.cells {
			row := rows[c.Backend.Label]
			rate := 1 / medianBy(records(run, results.KindTime, c.Cell), secondsPerStep) * float64(c.Cell.Batch)
			dot := row.class("m")
			about(t, c.Cell.Name(), figureOf(t, dot[len(dot)-1].attr("cx"))*per, rate, per)
			ends := row.class("iv")[0].tags("line")[0]
			about(t, c.Cell.Name()+" from", figureOf(t, ends.attr("x1"))*per, float64(c.Cell.Batch) / *c.summary.Hi, per)
			about(t, c.Cell.Name()+" to", figureOf(t, ends.attr("x2"))*per, float64(c.Cell.Batch) / *c.summary.Lo, per)
			dots++
		}
	}
	if dots != 12 {
		t.Errorf("%d dots", dots)
	}
}

// tableAfter is the n-th table of a section that holds rows of backends and an axis.
func tablesOf(section element) []element {
	return section.all(func(e element) bool { return e.Data == "table" && len(e.class("axis")) > 0 })
}

// A stack of bars: widths add up from zero, each the median of its records.
func TestStackedDrawings(t *testing.T) {
	run, v, page, _ := drawn(t)
	const mib = 1 << 20
	phases := func(c *cell) []float64 {
		var want []float64
		for _, name := range []string{"import", "build", "first", "warm-up", "measure"} {
			want = append(want, medianBy(records(run, results.KindTime, c.Cell), func(r *results.Record) float64 {
				i := slices.IndexFunc(r.Phases, func(p results.Phase) bool { return p.Name == name })
				return float64(r.Phases[i].WallNS) / 1e9
			}))
		}
		return want
	}
	bytes := func(c *cell) []float64 {
		r := records(run, results.KindMemory, c.Cell)[0]
		if r.Memory.PeakPSS == nil {
			return nil
		}
		want := []float64{float64(*r.Memory.ImportPSS)}
		rest := float64(*r.Memory.PeakPSS - *r.Memory.ImportPSS)
		w := r.Work
		for _, n := range []int64{w.ParamBytes, w.GradientBytes, w.OptimizerBytes, w.ActivationBytes, w.InputBytes} {
			if n > 0 {
				want, rest = append(want, float64(n)), rest-float64(n)
			}
		}
		want = append(want, rest)
		for i := range want {
			want[i] /= mib
		}
		return want
	}
	for _, test := range []struct {
		section string
		want    func(*cell) []float64
	}{{"time", phases}, {"memory", bytes}} {
		tables := tablesOf(page.id(t, test.section))
		if len(tables) != len(v.groups) {
			t.Fatalf("%s: %d tables", test.section, len(tables))
		}
		for i, g := range v.groups {
			per := scale(t, tables[i].class("axis")[0])
			rows := rowsOf(tables[i])
			for _, c := range g.cells {
				want := test.want(c)
				var bars []element
				if b := rows[c.Backend.Label].class("bar"); len(b) > 0 {
					bars = b[0].tags("rect")
				}
				if len(bars) != len(want) {
					t.Errorf("%s: %s: %d parts drawn, %d recorded", test.section, c.Cell.Name(), len(bars), len(want))
					continue
				}
				at := 0.0
				for k, b := range bars {
					about(t, fmt.Sprintf("%s: %s: part %d", test.section, c.Cell.Name(), k), figureOf(t, b.attr("width"))*per, want[k], per)
					about(t, fmt.Sprintf("%s: %s: begin of part %d", test.section, c.Cell.Name(), k), figureOf(t, b.attr("x"))*per, at, per)
					at += want[k]
				}
			}
		}
	}
}

// The bars of the roofline are shares of the peak, its dots FLOP/s over FLOP per
// byte on logarithmic axes.
func TestRooflineDrawings(t *testing.T) {
	run, v, page, _ := drawn(t)
	peak := run.Meta.Peaks[0]
	section := page.id(t, "roofline")
	// Of the synthetic layers, 200 704 and 2 560 FLOPs forward, the first one needs
	// no gradient of its input.
	step := func(c *cell) float64 {
		if c.Cell.Mode == "train" {
			return float64(c.work().ModelFLOPs) * (2*200_704 + 3*2_560) / (3 * 203_264)
		}
		return float64(c.work().ModelFLOPs)
	}
	flops := func(c *cell) float64 {
		return step(c) / medianBy(records(run, results.KindTime, c.Cell), secondsPerStep)
	}
	for i, table := range tablesOf(section) {
		per := scale(t, table.class("axis")[0])
		rows := rowsOf(table)
		for _, c := range v.groups[i].cells {
			bar := rows[c.Backend.Label].class("bar")[0].tags("rect")[0]
			about(t, c.Cell.Name(), figureOf(t, bar.attr("width"))*per, 100*flops(c)/peak.FLOPPerSecond, per)
		}
	}
	plot := section.class("roofs")[0]
	// Two labels of each axis say where its decades stand.
	decade := func(texts []element, at string) func(float64) float64 {
		a, b := texts[0], texts[len(texts)-1]
		x0, x1 := figureOf(t, a.attr(at)), figureOf(t, b.attr(at))
		l0, l1 := math.Log10(figureOf(t, a.text())), math.Log10(figureOf(t, b.text()))
		return func(p float64) float64 { return math.Pow(10, l0+(p-x0)/(x1-x0)*(l1-l0)) }
	}
	labels := plot.all(func(e element) bool { return e.Data == "text" && !e.has("let") })
	var ys, xs []element
	for _, l := range labels {
		if l.attr("x") == "-6" {
			ys = append(ys, l)
		} else {
			xs = append(xs, l)
		}
	}
	y, x := decade(ys, "y"), decade(xs, "x")
	n := 0
	for k, column := range plot.class("col") {
		name := section.class("keys")[0].tags("a")[k].text()
		for _, g := range v.groups {
			if joined([]text{g.Title, g.Detail}, " · ", " · ").EN != name {
				continue
			}
			w := g.cells[0].work()
			bytes := w.InputBytes + w.ParamBytes + w.ActivationBytes
			if g.Key.Mode == "train" {
				bytes = w.InputBytes + 2*w.ActivationBytes + 3*w.ParamBytes + 2*w.GradientBytes + 2*w.OptimizerBytes
			}
			for j, dot := range column.class("m") {
				n++
				if got, want := y(figureOf(t, dot.attr("cy"))), flops(g.cells[j]); math.Abs(got/want-1) > 0.02 {
					t.Errorf("%s: the dot stands at %.4g FLOP/s, the records say %.4g", g.cells[j].Cell.Name(), got, want)
				}
				if got, want := x(figureOf(t, dot.attr("cx"))), step(g.cells[j])/float64(bytes); math.Abs(got/want-1) > 0.02 {
					t.Errorf("%s: the dot stands at %.4g FLOP per byte, the records say %.4g", g.cells[j].Cell.Name(), got, want)
				}
			}
		}
	}
	if n != 12 {
		t.Errorf("%d dots", n)
	}
	for _, line := range plot.class("rf") {
		for _, end := range []string{"1", "2"} {
			got := y(figureOf(t, line.attr("y"+end)))
			if want := min(peak.FLOPPerSecond, peak.BytesPerSecond*x(figureOf(t, line.attr("x"+end)))); math.Abs(got/want-1) > 0.03 {
				t.Errorf("the roof stands at %.4g FLOP/s, the model says %.4g", got, want)
			}
		}
	}
}

// A dot for p50, ticks for p90 and p99.
func TestLatencyDrawings(t *testing.T) {
	run, v, page, _ := drawn(t)
	at := func(c *cell, q float64) float64 {
		m, _ := results.LookupMetric(fmt.Sprintf("latency-p%.0f", 100*q))
		return 1e3 * medianBy(records(run, results.KindTime, c.Cell), func(r *results.Record) float64 {
			x, ok := m.Of(*r)
			if !ok {
				t.Fatalf("no p%v", 100*q)
			}
			return x
		})
	}
	tables := tablesOf(page.id(t, "latency"))
	if len(tables) != 4 {
		t.Fatalf("%d tables", len(tables))
	}
	for i, g := range v.groups {
		per := scale(t, tables[i].class("axis")[0])
		rows := rowsOf(tables[i])
		for _, c := range g.cells {
			strip := rows[c.Backend.Label].class("lats")[0]
			about(t, c.Cell.Name()+" p50", figureOf(t, strip.class("m")[0].attr("cx"))*per, at(c, 0.50), per)
			about(t, c.Cell.Name()+" p90", figureOf(t, strip.class("p90")[0].attr("x1"))*per, at(c, 0.90), per)
			about(t, c.Cell.Name()+" p99", figureOf(t, strip.class("p99")[0].attr("x1"))*per, at(c, 0.99), per)
		}
	}
}

// points reads a polyline.
func points(t testing.TB, e element) [][2]float64 {
	t.Helper()
	var ps [][2]float64
	for _, f := range strings.Fields(e.attr("points")) {
		x, y, _ := strings.Cut(f, ",")
		ps = append(ps, [2]float64{figureOf(t, x), figureOf(t, y)})
	}
	return ps
}

// rising reads a vertical axis back: value per pixel from the bottom up.
func rising(t testing.TB, svg element, bottom float64) float64 {
	t.Helper()
	labels := svg.all(func(e element) bool { return e.Data == "text" && e.attr("x") == "-5" })
	if labels[0].text() != "0" || figureOf(t, labels[0].attr("y")) != bottom {
		t.Errorf("a vertical axis begins with %q at %s", labels[0].text(), labels[0].attr("y"))
	}
	last := labels[len(labels)-1]
	return figureOf(t, last.text()) / (bottom - figureOf(t, last.attr("y")))
}

// along reads the horizontal axis below a plot: value per thousandth of its width.
func along(t testing.TB, svg element) float64 {
	t.Helper()
	labels := svg.all(func(e element) bool { return e.Data == "text" && strings.HasSuffix(e.attr("x"), "%") })
	last := labels[len(labels)-1]
	return figureOf(t, last.text()) / (10 * figureOf(t, last.attr("x")))
}

// The curves are the losses of the check trials, the dashed line the oracle's.
func TestCurveDrawings(t *testing.T) {
	run, v, page, _ := drawn(t)
	plots := page.id(t, "learning").class("cvs")
	groups := v.learningGroups()
	if len(plots) != 2*len(groups) || len(groups) != 3 {
		t.Fatalf("%d plots of %d groups", len(plots), len(groups))
	}
	for i, g := range groups {
		plot := plots[2*i]
		up, right := rising(t, plot, curveHeight), along(t, plot)
		lines := plot.class("cv")
		for j, c := range g.cells {
			l := records(run, results.KindCheck, c.Cell)[0].Check.Curve
			ps := points(t, lines[j])
			if len(ps) != len(l.Losses) {
				t.Fatalf("%s: %d points of %d losses", c.Cell.Name(), len(ps), len(l.Losses))
			}
			for k, p := range ps {
				about(t, c.Cell.Name()+" loss", (curveHeight-p[1])*up, l.Losses[k], 2)
				about(t, c.Cell.Name()+" step", p[0]*right, float64(k+1), 2)
			}
			accuracy := points(t, plots[2*i+1].class("cv")[j])
			if len(accuracy) != len(l.Losses)/l.Epoch {
				t.Fatalf("%s: %d epochs", c.Cell.Name(), len(accuracy))
			}
			right := 0
			for _, n := range l.Correct[:l.Epoch] {
				right += n
			}
			about(t, c.Cell.Name()+" accuracy", (curveHeight-accuracy[0][1])*rising(t, plots[2*i+1], curveHeight), 100*float64(right)/float64(l.Epoch*l.Examples), 1)
		}
		oracle := points(t, plot.class("orc")[0])
		want := records(run, results.KindCheck, g.cells[0].Cell)[0].Check.Curve.Oracle
		if len(oracle) != len(want) {
			t.Fatalf("%d points of the oracle's %d", len(oracle), len(want))
		}
		for k, p := range oracle {
			about(t, "oracle", (curveHeight-p[1])*up, want[k], 2)
		}
	}
}

// The timelines are those of the memory trials, with the borders of their phases.
func TestTimelineDrawings(t *testing.T) {
	run, v, page, _ := drawn(t)
	plots := page.id(t, "memory").class("tl")
	cells := v.cells()
	if len(plots) != len(cells) {
		t.Fatalf("%d timelines of %d cells", len(plots), len(cells))
	}
	for i, c := range cells {
		r := records(run, results.KindMemory, c.Cell)[0]
		up, right := rising(t, plots[i], plotHeight), along(t, plots[i])
		ps := points(t, plots[i].tags("polyline")[0])
		if first, last := ps[0], ps[len(ps)-1]; first[1] != plotHeight || last[1] != plotHeight || first[0] != ps[1][0] || last[0] != ps[len(ps)-2][0] {
			t.Errorf("%s: the area does not stand on the axis", c.Cell.Name())
		}
		ps = ps[1 : len(ps)-1]
		if len(ps) != len(r.Memory.Timeline) {
			t.Fatalf("%d points of %d", len(ps), len(r.Memory.Timeline))
		}
		for k, p := range ps {
			q := r.Memory.Timeline[k]
			about(t, c.Cell.Name()+" MiB", (plotHeight-p[1])*up, float64(q.RSS)/(1<<20), up)
			about(t, c.Cell.Name()+" seconds", p[0]*right, float64(q.NS)/1e9, 10*right)
		}
		at := 0.0
		rects := plots[i].tags("rect")
		for k, p := range r.Phases[1:] { // the import lies before it
			about(t, c.Cell.Name()+" begin of "+p.Name, figureOf(t, rects[k].attr("x"))*10*right, at, 10*right)
			at += float64(p.WallNS) / 1e9
		}
		if len(rects) != len(r.Phases)-1 {
			t.Errorf("%d phases drawn of %d", len(rects), len(r.Phases)-1)
		}
	}
}
