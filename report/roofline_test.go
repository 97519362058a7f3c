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

func TestLeastBytes(t *testing.T) {
	w := results.Work{ModelFLOPs: 1, ParamBytes: 100, ActivationBytes: 1000, GradientBytes: 90, OptimizerBytes: 200, InputBytes: 7}
	for _, test := range []struct {
		name string
		cell results.Cell
		edit func(*results.Work)
		want float64
		ok   bool
	}{
		{"train", results.Cell{Mode: "train", Accumulate: 1}, nil, 7 + 2000 + 300 + 180 + 400, true},
		{"not said", results.Cell{Mode: "train"}, nil, 7 + 2000 + 300 + 180 + 400, true},
		{"accumulated", results.Cell{Mode: "train", Accumulate: 4}, nil, 7 + 2000 + 900 + 720 + 400, true},
		{"SGD without momentum", results.Cell{Mode: "train"}, func(w *results.Work) { w.OptimizerBytes = 0 }, 7 + 2000 + 300 + 180, true},
		{"infer", results.Cell{Mode: "infer"}, func(w *results.Work) { w.GradientBytes, w.OptimizerBytes = 0, 0 }, 7 + 100 + 1000, true},
		{"older train", results.Cell{Mode: "train"}, func(w *results.Work) { w.GradientBytes, w.OptimizerBytes, w.InputBytes = 0, 0, 0 }, 0, false},
		{"no gradients", results.Cell{Mode: "train"}, func(w *results.Work) { w.GradientBytes = 0 }, 0, false},
		{"older infer", results.Cell{Mode: "infer"}, func(w *results.Work) { w.InputBytes = 0 }, 0, false},
	} {
		w := w
		if test.edit != nil {
			test.edit(&w)
		}
		if got, ok := leastBytes(test.cell, w); ok != test.ok || got != test.want {
			t.Errorf("%s: %v, %v; want %v, %v", test.name, got, ok, test.want, test.ok)
		}
	}
}

func TestRoof(t *testing.T) {
	p := &results.Peak{FLOPPerSecond: 80e9, BytesPerSecond: 10e9}
	for intensity, want := range map[float64]float64{1: 10e9, 8: 80e9, 7: 70e9, 900: 80e9, 0: 80e9} {
		if got := roof(p, intensity); got != want {
			t.Errorf("at %v FLOP per byte the roof is %v, want %v", intensity, got, want)
		}
	}
	if got := roof(&results.Peak{FLOPPerSecond: 80e9}, 1); got != 80e9 {
		t.Errorf("without a bandwidth the roof is %v", got)
	}
}

// The shares are FLOPs over time over the peak, and nothing is cut at 100 %.
func TestRoofline(t *testing.T) {
	run := resultstest.Run(resultstest.Config{Seed: 2, Rounds: 7})
	a := compare.Analyze(run)
	s := newView(run, a).roofline()
	if !s.Missing.Empty() || len(s.Plots) != 1 || s.Above {
		t.Fatalf("missing %q, %d plots, above %v", s.Missing.EN, len(s.Plots), s.Above)
	}
	v := newView(run, a)
	for i, p := range s.Panels {
		for j, row := range p.Rows {
			c := v.groups[i].cells[j]
			flops, _ := c.operations()
			seconds := resultstest.Step(c.Cell)
			share := flops / seconds / run.Meta.Peaks[0].FLOPPerSecond
			if want := percent(share); row.Share != want && math.Abs(share/resultShare(t, row)-1) > 0.01 {
				t.Errorf("%s: share %q, want %q", c.Cell.Name(), row.Share.EN, want.EN)
			}
			if row.Above || row.ShareIv.Empty() || row.Bar == nil {
				t.Errorf("%s: %+v", c.Cell.Name(), row)
			}
		}
	}
	if got := s.Plots[0].Peak.EN; !strings.HasPrefix(got, "peak 90"+nbsp+"GFLOP/s (avx2), memory 12"+nbsp+"GB/s; from 7.50 FLOP per byte") {
		t.Errorf("the peak reads %q", got)
	}
	run.Meta.Peaks[0].Kernel = "go"
	if got := newView(run, a).roofline().Plots[0].Peak.EN; !strings.Contains(got, "lower bound") {
		t.Errorf("a peak without vectors reads %q", got)
	}
	run.Meta.Peaks[0].FLOPPerSecond = 1e9 // a tenth of what the cells reach
	s = newView(run, a).roofline()
	row := s.Panels[0].Rows[0]
	if !s.Above || !row.Above || !(resultShare(t, row) > 2) {
		t.Errorf("more than the peak: share %q, flagged %v", row.Share.EN, row.Above)
	}
	older := run
	older.Records = slices.Clone(run.Records)
	for i := range older.Records {
		older.Records[i].Work.InputBytes = 0 // so that only the peak is left to exceed
	}
	s = newView(older, a).roofline()
	if row := s.Panels[0].Rows[0]; !row.Above || row.OfRoof.EN != none || len(s.Plots) != 0 {
		t.Errorf("more than the peak without an intensity: %+v", row)
	}
	if page := renderHTML(t, run, a); !strings.Contains(page, "“Above the model”") || !strings.Contains(page, "“超出模型”") {
		t.Error("the page does not explain what is above the model")
	}
}

// resultShare reads a share back.
func resultShare(t *testing.T, row roofRow) float64 {
	t.Helper()
	return figureOf(t, strings.TrimSuffix(row.Share.ZH, "%")) / 100
}

// Without a peak of the same threads, precision and device there is no share.
func TestRoofNeedsItsPeak(t *testing.T) {
	fresh := resultstest.Run(resultstest.Config{Seed: 2, Rounds: 7})
	a := compare.Analyze(fresh)
	for _, test := range []struct {
		name string
		edit func(*results.Peak)
		want string
	}{
		{"threads", func(p *results.Peak) { p.Threads = 2 }, "no peak measured for f32 and 1 thread"},
		{"precision", func(p *results.Peak) { p.Precision = "f64" }, "no peak measured for f32 and 1 thread"},
		{"zero", func(p *results.Peak) { p.FLOPPerSecond = 0 }, "no peak measured for f32 and 1 thread"},
		{"infinite", func(p *results.Peak) { p.FLOPPerSecond = math.Inf(1) }, "no peak measured for f32 and 1 thread"},
	} {
		run := fresh
		run.Meta.Peaks = []results.Peak{fresh.Meta.Peaks[0]}
		test.edit(&run.Meta.Peaks[0])
		s := newView(run, a).roofline()
		if row := s.Panels[0].Rows[0]; row.Why.EN != test.want || row.Bar != nil || row.Share.EN != none {
			t.Errorf("%s: %+v", test.name, row)
		}
		if len(s.Plots) != 0 {
			t.Errorf("%s: a roofline without a roof", test.name)
		}
	}
	run := fresh
	run.Meta.Peaks = nil
	s := newView(run, a).roofline()
	if !strings.Contains(s.Missing.EN, "Not measured") || !strings.Contains(s.Missing.ZH, "未测量") || s.Command.EN != "dlbench run --suite <your suite file>" {
		t.Errorf("without peaks: %q %q", s.Missing.EN, s.Command)
	}
	gpu := newView(fresh, a)
	g := &group{Key: fresh.Meta.Cells[0]}
	g.Key.Device = "cuda"
	if gpu.peak(g) != nil {
		t.Error("a cell on a GPU has the peak of the CPUs")
	}
}

// Letters name the columns from left to right, and near ones stand apart.
func TestRooflineLetters(t *testing.T) {
	p := roofPlot{Columns: []roofColumn{{X: "b"}, {X: "a"}, {X: "c"}}}
	var groups []*group
	for _, x := range []float64{10.2, 10, 10.4} {
		w := results.Work{ModelFLOPs: int64(x * 1000), InputBytes: 1000, Examples: 1}
		step := 1.0
		c := &cell{Cell: results.Cell{Mode: "infer"}, trials: []*trial{{Record: &results.Record{Work: w}}},
			summary: &compare.Summary{Metric: "step-time", Median: &step, Status: compare.StatusOK}}
		g := &group{cells: []*cell{c}}
		groups = append(groups, g)
	}
	p.letter(logAxis{0, 3}, groups)
	got := ""
	rows := map[int]bool{}
	for _, c := range p.Columns {
		got += c.Letter + c.X
		rows[c.Y] = true
	}
	if got != "AaBbCc" || len(rows) != 3 {
		t.Errorf("letters %s in %d rows", got, len(rows))
	}
	for n, want := range map[int]string{0: "A", 25: "Z", 26: "A1", 53: "B2"} {
		if got := letterName(n); got != want {
			t.Errorf("column %d is %s, want %s", n, got, want)
		}
	}
}
