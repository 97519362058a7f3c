package report

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/dlbench/dlbench/results"
)

// The data of the interactive charts are the records, to four digits.
func TestInteractiveCharts(t *testing.T) {
	run, v, _, page := drawn(t)
	o := chartOptions(t, page)
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 6e-4*math.Abs(want)+1e-12 {
			t.Errorf("%s: %v, the records say %v", what, got, want)
		}
	}
	find := func(chart string, axis int, name string, from int) int {
		for i, s := range o.Charts[chart].Option.Series {
			if i >= from && s.Name == name && s.XAxisIndex == axis {
				return i
			}
		}
		t.Fatalf("%s has no series %q on axis %d", chart, name, axis)
		return 0
	}
	for i, g := range v.groups {
		for j, c := range g.cells {
			timed := records(run, results.KindTime, c.Cell)
			rate := o.Charts["ec-throughput"].Option.Series[find("ec-throughput", i, c.Backend.Label, 0)]
			if len(rate.Data) != len(timed) {
				t.Fatalf("%s: %d rounds drawn of %d", c.Cell.Name(), len(rate.Data), len(timed))
			}
			for k, d := range rate.Data {
				x, y := xy(t, d.Value)
				near("round", x, float64(timed[k].Round))
				near(c.Cell.Name()+" rate", y, float64(c.Cell.Batch)/secondsPerStep(timed[k]))
			}
			var all []int64
			for _, r := range timed {
				all = append(all, r.BlockNS...)
			}
			slices.Sort(all)
			latency := o.Charts["ec-latency"].Option.Series[find("ec-latency", i, c.Backend.Label, 0)]
			for _, k := range []int{0, len(latency.Data) - 1} {
				x, y := xy(t, latency.Data[k].Value)
				near(c.Cell.Name()+" latency", x, float64(all[int(y)*(len(all)-1)/100])/1e6)
			}
			memory := records(run, results.KindMemory, c.Cell)[0]
			at := find("ec-memory", i, c.Backend.Label, 0)
			line := o.Charts["ec-memory"].Option.Series[at]
			for k, d := range line.Data {
				x, y := xy(t, d.Value)
				near(c.Cell.Name()+" seconds", x, float64(memory.Memory.Timeline[k].NS)/1e9)
				near(c.Cell.Name()+" MiB", y, float64(memory.Memory.Timeline[k].RSS)/(1<<20))
			}
			marks := o.Charts["ec-memory"].Option.Series[find("ec-memory", i, c.Backend.Label, at+1)]
			begin := 0.0
			for k, p := range memory.Phases[1:] {
				x, _ := xy(t, marks.Data[k].Value)
				near(c.Cell.Name()+" begin of "+p.Name, x, begin)
				if marks.Data[k].Name != "@"+p.Name {
					t.Errorf("%s: the mark %d is called %q", c.Cell.Name(), k, marks.Data[k].Name)
				}
				begin += float64(p.WallNS) / 1e9
			}
			for _, name := range []string{"import", "build", "first", "warm-up", "measure"} {
				_, got := xy(t, o.Charts["ec-time"].Option.Series[find("ec-time", i, "@"+name, 0)].Data[j].Value)
				near(c.Cell.Name()+" "+name, got, medianBy(timed, func(r *results.Record) float64 {
					k := slices.IndexFunc(r.Phases, func(p results.Phase) bool { return p.Name == name })
					return float64(r.Phases[k].WallNS) / 1e9
				}))
			}
		}
	}
	for i, g := range v.learningGroups() {
		for _, c := range g.cells {
			l := records(run, results.KindCheck, c.Cell)[0].Check.Curve
			s := o.Charts["ec-learning"].Option.Series[find("ec-learning", i, c.Backend.Label, 0)]
			if len(s.Data) != len(l.Losses) {
				t.Fatalf("%s: %d losses drawn of %d", c.Cell.Name(), len(s.Data), len(l.Losses))
			}
			for k, d := range s.Data {
				x, y := xy(t, d.Value)
				near("step", x, float64(k+1))
				near(c.Cell.Name()+" loss", y, l.Losses[k])
			}
		}
		s := o.Charts["ec-learning"].Option.Series[find("ec-learning", i, "@oracle", 0)]
		for k, d := range s.Data {
			_, y := xy(t, d.Value)
			near("oracle", y, records(run, results.KindCheck, g.cells[0].Cell)[0].Check.Curve.Oracle[k])
		}
	}
}

// Every axis of an interactive chart names its unit in both languages, and begins
// at zero unless it shows a distribution.
func TestAxesOfInteractiveCharts(t *testing.T) {
	_, _, _, page := drawn(t)
	o := chartOptions(t, page)
	if len(o.Charts) < 5 {
		t.Fatalf("%d charts", len(o.Charts))
	}
	for id, c := range o.Charts {
		for i := range c.Option.XAxis {
			for k, a := range []struct {
				Type, Name string
				Min        any
				Scale      bool
			}{c.Option.XAxis[i], c.Option.YAxis[i]} {
				if a.Type == "category" {
					continue
				}
				what := fmt.Sprintf("%s: axis %d of grid %d", id, k, i)
				if w := o.Words[a.Name]; w[0] == "" || w[1] == "" {
					t.Errorf("%s is called %q, which is no word", what, a.Name)
				}
				// Rounds are counted, not measured; a distribution is about its spread.
				if free := a.Name == "@round" || id == "ec-latency"; !free && fmt.Sprint(a.Min) != "0" {
					t.Errorf("%s begins at %v", what, a.Min)
				}
				if a.Scale && id != "ec-latency" {
					t.Errorf("%s leaves zero out", what)
				}
			}
		}
	}
}

// Every drawing that has an axis says what its unit is, in words beside it.
func TestAxesNameTheirUnits(t *testing.T) {
	_, _, page, _ := drawn(t)
	axes := page.class("axis")
	if len(axes) < 20 {
		t.Fatalf("%d axes", len(axes))
	}
	for _, a := range axes {
		row := a
		for row.Data != "tr" {
			row = element{row.Parent}
		}
		if unit := row.class("axn"); len(unit) != 1 || unit[0].text() == "" {
			t.Errorf("an axis of %q has no unit", row.Parent.Parent.Data)
		}
	}
	for _, plot := range append(page.class("cvs"), page.class("roofs")...) {
		figure := plot
		for figure.Data != "figure" {
			figure = element{figure.Parent}
		}
		if s := figure.tags("figcaption")[0].text(); len(s) < 20 {
			t.Errorf("a plot is called %q", s)
		}
	}
}
