package report

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

func TestGoldenModes(t *testing.T) {
	run := resultstest.Modes()
	page := renderHTML(t, run, compare.Analyze(run))
	compareGolden(t, "modes.html", between(t, page, `<section id="modes"`, "</section>"))
	compareGolden(t, "modes-forecasts.html", between(t, page, `<h3 id="forecasts">`, "</table>"))
	compareGolden(t, "modes-capabilities.html", between(t, page, `<h3 id="capabilities">`, "</table>"))
}

// The section is there where a backend ran a workload with more than one setting,
// and the numbers of sections have no gap.
func TestModesNeedSettings(t *testing.T) {
	modes, plain := resultstest.Modes(), resultstest.Golden()
	one := modes
	one.Meta.Cells = slices.DeleteFunc(slices.Clone(modes.Meta.Cells), func(c results.Cell) bool { // each backend another setting
		return settingOf(c) != map[string]setting{"eager": {"f32", 1, 0, "resident", ""}, "pytorch": {"bf16-mixed", 1, 0, "resident", ""}, "jax": {"f32", 4, 0, "resident", ""}}[c.Backend]
	})
	one.Records = slices.DeleteFunc(slices.Clone(modes.Records), func(r results.Record) bool { return !slices.Contains(one.Meta.Cells, r.Cell) })
	for _, test := range []struct {
		name   string
		run    results.Run
		panels int
	}{{"several settings", modes, 2}, {"no setting", plain, 0}, {"one setting for each backend", one, 0}} {
		p, err := newPage(newView(test.run, compare.Analyze(test.run)))
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Modes.Panels) != test.panels {
			t.Errorf("%s: %d panels", test.name, len(p.Modes.Panels))
		}
		listed := false
		for i, s := range p.Nav {
			listed = listed || s.ID == "modes"
			if s.No != i+1 || s.ID == "" {
				t.Errorf("%s: section %d is %q with the number %d", test.name, i+1, s.ID, s.No)
			}
		}
		if listed != (test.panels > 0) {
			t.Errorf("%s: listed %v", test.name, listed)
		}
	}
}

// amount reads a figure with its unit, in seconds or bytes.
func amount(t testing.TB, s string) float64 {
	t.Helper()
	n, unit, _ := strings.Cut(s, nbsp)
	scale, ok := map[string]float64{"": 1, "ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1, "MiB": 1 << 20}[unit]
	if !ok {
		t.Fatalf("%q has no unit of time or memory", s)
	}
	return figureOf(t, n) * scale
}

// scaled reads an axis back from two of its labels.
func scaled(t testing.TB, labels []element, at string, logarithmic bool) func(string) float64 {
	t.Helper()
	f := func(x float64) float64 { return x }
	inverse := f
	if logarithmic {
		f, inverse = math.Log, math.Exp
	}
	a, b := labels[0], labels[len(labels)-1]
	x0, x1 := figureOf(t, a.attr(at)), figureOf(t, b.attr(at))
	v0, v1 := f(amount(t, a.text())), f(amount(t, b.text()))
	if !logarithmic && amount(t, a.text()) != 0 {
		t.Errorf("a linear axis begins with %q", a.text())
	}
	return func(p string) float64 { return inverse(v0 + (figureOf(t, p)-x0)/(x1-x0)*(v1-v0)) }
}

// Points, intervals and the front stand where the records put them.
func TestModesDrawings(t *testing.T) {
	run := resultstest.Modes()
	a := compare.Analyze(run)
	v, page := newView(run, a), parsePage(t, renderHTML(t, run, a))
	kinds := map[bool]int{}
	for _, p := range v.modesPanels() {
		box := page.id(t, p.ID)
		svg := box.class("modes")[0]
		labels := svg.all(func(e element) bool { return e.Data == "text" && !e.has("let") })
		var xs, ys []element
		for _, l := range labels {
			if l.attr("x") == "-6" {
				ys = append(ys, l)
			} else {
				xs = append(xs, l)
			}
		}
		acrossWords, upWords, _ := strings.Cut(box.class("axn")[0].text(), ";")
		logX, logY := strings.Contains(acrossWords, "logarithmic"), strings.Contains(upWords, "logarithmic")
		kinds[logX], kinds[logY] = kinds[logX]+1, kinds[logY]+1
		x, y := scaled(t, xs, "x", logX), scaled(t, ys, "y", logY)
		type point struct{ time, bytes float64 }
		var want []point
		for _, backend := range []string{"eager", "pytorch", "jax"} {
			for _, c := range run.Meta.Cells {
				if c.Workload != p.cells[0].Cell.Workload || c.Backend != backend {
					continue
				}
				timed, memory := records(run, results.KindTime, c), records(run, results.KindMemory, c)
				if timed[0].End != results.EndOK {
					continue
				}
				q := point{medianBy(timed, secondsPerStep), medianBy(memory, func(r *results.Record) float64 { return float64(*r.Memory.PeakPSS - *r.Memory.ImportPSS) })}
				if q.bytes > 0 {
					want = append(want, q)
				}
			}
		}
		dots, rings := svg.class("m"), svg.class("ring")
		if len(dots) != len(want) || len(want) < 10 {
			t.Fatalf("%s: %d points drawn of %d", p.ID, len(dots), len(want))
		}
		near := func(what string, got, want float64) {
			t.Helper()
			if math.Abs(got/want-1) > 0.01 {
				t.Errorf("%s: %s is drawn at %.5g, the records say %.5g", p.ID, what, got, want)
			}
		}
		ringed := map[string]bool{}
		for _, r := range rings {
			ringed[r.attr("cx")+" "+r.attr("cy")] = true
		}
		for i, d := range dots {
			near("a time", x(d.attr("cx")), want[i].time)
			near("a peak", y(d.attr("cy")), want[i].bytes)
			beaten := slices.ContainsFunc(want, func(o point) bool { return o != want[i] && o.time <= want[i].time && o.bytes <= want[i].bytes })
			if ringed[d.attr("cx")+" "+d.attr("cy")] == beaten {
				t.Errorf("%s: point %d is beaten: %v, and has a ring: %v", p.ID, i, beaten, !beaten)
			}
		}
		if len(rings) == 0 || len(rings) == len(dots) || len(svg.class("pf")) != 2*(len(rings)-1) {
			t.Errorf("%s: %d rings of %d points, %d pieces of the front", p.ID, len(rings), len(dots), len(svg.class("pf")))
		}
		across := 0
		for _, l := range svg.class("iv") {
			if l.attr("y1") == l.attr("y2") {
				across++
			}
		}
		if across != len(dots) || len(svg.class("iv")) < 2*len(dots)-2 {
			t.Errorf("%s: %d intervals of the time and %d in all at %d points", p.ID, across, len(svg.class("iv")), len(dots))
		}
	}
	if kinds[true] == 0 || kinds[false] == 0 {
		t.Errorf("the fixture has %d logarithmic axes and %d linear ones", kinds[true], kinds[false])
	}
}

// The rows hold each setting against the plain one of its own backend.
func TestModesRows(t *testing.T) {
	run := resultstest.Modes()
	s := newView(run, compare.Analyze(run)).modes()
	found := map[string]modesRow{}
	for i, p := range s.Panels {
		for _, r := range p.Rows {
			found[string(rune('1'+i))+" "+r.Backend.Name+" "+r.Setting.EN] = r
		}
	}
	for name, want := range map[string]struct{ badge, why string }{
		"1 pytorch f32":                  {"", ""},
		"1 pytorch bf16-mixed":           {"faster", ""},
		"2 eager bf16-mixed":             {"slower", ""},
		"2 eager f32, checkpointed in 4": {"slower", ""},
		"2 jax bf16-mixed, accumulated over 4, checkpointed in 4":   {"unsupported", "checkpoints in bf16-mixed"},
		"1 pytorch f32, accumulated over 4":                         {"slower", "does not exceed the level after import"},
		"2 eager bf16-mixed, accumulated over 4, checkpointed in 4": {"slower", ""},
		"2 pytorch f32, accumulated over 4":                         {"slower", ""},
		"1 jax f32, checkpointed in 4":                              {"slower", ""},
		"2 jax bf16-mixed":                                          {"equivalent", ""},
	} {
		r, ok := found[name]
		if !ok {
			t.Errorf("no row %q", name)
			continue
		}
		got := ""
		if r.Badge != nil {
			got = r.Badge.Word.EN
		}
		if got != want.badge || (want.badge == "") != r.Plain || !strings.Contains(r.Why.EN, want.why) || (want.why == "") != r.Why.Empty() {
			t.Errorf("%s: %q, plain %v, %q", name, got, r.Plain, r.Why.EN)
		}
	}
	if len(found) != 30 {
		t.Errorf("%d rows", len(found))
	}
}

func TestPareto(t *testing.T) {
	at := func(backend string, seconds, bytes float64) modesCell {
		m := modesCell{cell: &cell{Cell: results.Cell{Backend: backend}}, bytes: bytes, remembered: bytes >= 0}
		if seconds > 0 {
			m.time.Mid = &seconds
		}
		return m
	}
	p := modesPanel{cells: []modesCell{
		at("a", 1, 10), at("a", 2, 5), at("a", 2, 6), at("b", 3, 5), at("b", 4, 4), at("b", 4, 4), at("b", 0, 1), at("b", 0.5, -1), at("b", 0.5, 0), at("b", 5, 5),
	}}
	p.pareto()
	var front, own []bool
	for _, m := range p.cells {
		front, own = append(front, m.front), append(own, m.ownFront)
	}
	if want := []bool{true, true, false, false, true, true, false, false, false, false}; !slices.Equal(front, want) {
		t.Errorf("front %v, want %v", front, want)
	}
	if want := []bool{true, true, false, true, true, true, false, false, false, false}; !slices.Equal(own, want) {
		t.Errorf("of their own backends %v, want %v", own, want)
	}
}

func TestSpanAxis(t *testing.T) {
	for _, test := range []struct {
		values      []float64
		logarithmic bool
		ticks       []float64
	}{
		{[]float64{3, 10}, false, []float64{0, 2, 4, 6, 8, 10}},
		{[]float64{3, 90}, true, []float64{2, 5, 10, 20, 50, 100}},
		{[]float64{0.5, 60_000}, true, []float64{1, 10, 100, 1000, 10_000, 100_000}},
		{[]float64{0, -1, math.Inf(1), math.NaN()}, false, []float64{0, 0.2, 0.4, 0.6, 0.8, 1}},
	} {
		a := newSpanAxis(test.values)
		var got []string
		for _, x := range a.ticks() {
			got = append(got, round3(x))
		}
		var want []string
		for _, x := range test.ticks {
			want = append(want, round3(x))
		}
		if a.logarithmic != test.logarithmic || !slices.Equal(got, want) {
			t.Errorf("%v: %+v, ticks %v, want %v", test.values, a, got, want)
		}
	}
}

// Where the data lie is a setting like the others: a run of placements shows what
// copying and loading cost.
func TestPlacements(t *testing.T) {
	var cells []results.Cell
	for _, backend := range []string{"eager", "pytorch"} {
		for _, data := range []string{"host", "resident", "loader"} {
			c := resultstest.Cells()[1]
			c.Backend, c.Data = backend, data
			cells = append(cells, c)
		}
	}
	run := resultstest.Run(resultstest.Config{
		Seed: 5, Cells: cells, Rounds: 13, Noise: 0.01, Memory: true, Baseline: "pytorch",
		Step: func(c results.Cell) float64 {
			return 10e-3 * map[string]float64{"resident": 1, "host": 1.001, "loader": 2}[c.Data]
		},
	})
	s := newView(run, compare.Analyze(run)).modes()
	if len(s.Panels) != 1 || len(s.Panels[0].Rows) != 6 {
		t.Fatalf("%d panels", len(s.Panels))
	}
	for i, want := range []struct{ setting, zh, badge string }{{"f32, data copied in each step", "f32，每步复制数据", "equivalent"}, {"f32", "f32", ""}, {"f32, data by the framework’s loader", "f32，由框架自带的加载器供数", "slower"}} {
		r := s.Panels[0].Rows[i]
		got := ""
		if r.Badge != nil {
			got = r.Badge.Word.EN
		}
		if r.Setting != (text{want.setting, want.zh}) || got != want.badge {
			t.Errorf("row %d: %q, %q", i, r.Setting, got)
		}
	}
}

// Allocators share the chart of their workload, and a setting is held against the plain
// one with its own allocator: the allocator alone is no setting that makes a chart.
func TestAllocatorsShareAChart(t *testing.T) {
	charts := func(kept func(results.Cell) bool) []modesPanel {
		var cells []results.Cell
		for _, backend := range []string{"eager", "pytorch"} {
			for _, allocator := range []string{"", "returning"} {
				for _, checkpoint := range []int{0, 4} {
					c := resultstest.Cells()[0]
					c.Backend, c.Allocator, c.Checkpoint = backend, allocator, checkpoint
					if kept(c) {
						cells = append(cells, c)
					}
				}
			}
		}
		run := resultstest.Run(resultstest.Config{
			Seed: 5, Cells: cells, Rounds: 13, Noise: 0.01, Memory: true, Baseline: "pytorch",
			Step: func(c results.Cell) float64 {
				return 10e-3 * map[string]float64{"": 1, "returning": 3}[c.Allocator] * map[int]float64{0: 1, 4: 1.5}[c.Checkpoint]
			},
		})
		return newView(run, compare.Analyze(run)).modes().Panels
	}
	panels := charts(func(c results.Cell) bool { return c.Backend != "eager" || c.Allocator == "" })
	if len(panels) != 1 || len(panels[0].Rows) != 6 || strings.Contains(panels[0].Detail.EN, "allocator") {
		t.Fatalf("panels %+v", panels)
	}
	const returns = ", allocator that returns freed blocks"
	for i, want := range []struct {
		setting string
		plain   bool
	}{{"f32", true}, {"f32, checkpointed in 4", false}, {"f32", true}, {"f32, checkpointed in 4", false}, {"f32" + returns, true}, {"f32, checkpointed in 4" + returns, false}} {
		r := panels[0].Rows[i]
		if r.Setting.EN != want.setting || r.Plain != want.plain {
			t.Errorf("row %d: %q, plain %v", i, r.Setting.EN, r.Plain)
		}
		if r.Plain {
			continue
		}
		if ratio := figureOf(t, strings.TrimSuffix(r.Ratio, "×")); math.Abs(ratio*1.5-1) > 0.05 {
			t.Errorf("row %d: %s the speed of the plain one, want 1/1.5 with the same allocator", i, r.Ratio)
		}
	}
	if zh := panels[0].Rows[5].Setting.ZH; zh != "f32，检查点 4 段，释放即归还的内存分配器" {
		t.Error(zh)
	}
	if panels := charts(func(c results.Cell) bool { return c.Checkpoint == 0 }); len(panels) != 0 {
		t.Errorf("%d charts of nothing but allocators", len(panels))
	}
}
