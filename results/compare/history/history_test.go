package history

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/resultstest"
)

// days makes a run per day; step is the true time of a cell on a day, as a
// factor.
func days(n int, step func(day int, c results.Cell) float64) []results.Run {
	var runs []results.Run
	for day := range n {
		run := resultstest.Run(resultstest.Config{
			Seed: uint64(day + 1), Rounds: 7, Noise: 0.01, Cells: resultstest.Cells()[:3],
			Step: func(c results.Cell) float64 { return resultstest.Step(c) * step(day, c) },
		})
		run.Meta.Started = time.Date(2026, 11, 1+day, 8, 0, 0, 0, time.UTC).Format(time.RFC3339)
		run.Meta.Label = fmt.Sprintf("c%02d", day)
		runs = append(runs, run)
	}
	return runs
}

// slower is 6 % more of one backend from a day on.
func slower(backend string, from int) func(int, results.Cell) float64 {
	return func(day int, c results.Cell) float64 {
		if c.Backend == backend && day >= from {
			return 1.06
		}
		return 1
	}
}

func read(o Options, runs ...results.Run) History {
	r := NewReader(o)
	for i, run := range runs {
		r.Add(fmt.Sprintf("run%02d", i), run)
	}
	return r.History()
}

func TestHistory(t *testing.T) {
	runs := days(14, slower("gorgonia", 9))
	h := read(Options{}, runs...)
	if h.Runs != 14 || len(h.Series) != 3 || len(h.Hosts) != 1 || len(h.Warnings) > 0 {
		t.Fatalf("%d runs, %d series, %d hosts, %q", h.Runs, len(h.Series), len(h.Hosts), h.Warnings)
	}
	for _, s := range h.Series {
		if len(s.Points) != 14 || s.Metric.Name != "step-time" || s.Note != "" {
			t.Errorf("%s: %d points of %s, %q", s.Cell.Name(), len(s.Points), s.Metric.Name, s.Note)
		}
		if s.Cell.Backend != "gorgonia" {
			if len(s.Changes) > 0 {
				t.Errorf("%s: %+v", s.Cell.Name(), s.Changes)
			}
			continue
		}
		if len(s.Changes) != 1 || s.Changes[0].At != 9 || !s.Worse(s.Changes[0]) {
			t.Fatalf("%s: %+v, expected one at 9, for the worse", s.Cell.Name(), s.Changes)
		}
		if r, ok := s.Changes[0].Ratio(); !ok || math.Abs(r-0.06) > 0.015 {
			t.Errorf("the step is %g, planted 0.06", r)
		}
		if c, ok := s.Change(9); !ok || c != s.Changes[0] {
			t.Errorf("at the point: %+v", c)
		}
		if _, ok := s.Change(8); ok {
			t.Error("a change at the point before it")
		}
	}
	// The order in which folders are found does not matter.
	back := slices.Clone(runs)
	slices.Reverse(back)
	again := read(Options{}, back...)
	for i := range again.Series {
		h.Series[i].Metric.Of, again.Series[i].Metric.Of = nil, nil // functions are never equal
		for j := range again.Series[i].Points {
			again.Series[i].Points[j].Run = h.Series[i].Points[j].Run
		}
	}
	if !reflect.DeepEqual(again, h) {
		t.Error("another order of the folders gives another history")
	}
}

// Labels give an order of their own, however they are shortened.
func TestByLabel(t *testing.T) {
	runs := days(12, slower("eager", 6))
	runs[3].Meta.Label = ""
	runs[4].Meta.Label = "elsewhere"
	var labels []string
	for day := range 12 {
		labels = append(labels, fmt.Sprintf("c%02d0123456789", day))
	}
	slices.Reverse(labels)
	h := read(Options{Labels: labels, Cell: regexp.MustCompile("backend=eager$")}, runs...)
	if len(h.Series) != 1 || !h.ByLabel {
		t.Fatalf("%d series", len(h.Series))
	}
	s := h.Series[0]
	if len(s.Points) != 10 || s.Points[0].Label != "c11" || s.Points[9].Label != "c00" {
		t.Errorf("points %+v", s.Points)
	}
	if len(s.Changes) != 1 || s.Points[s.Changes[0].At].Label != "c05" || s.Worse(s.Changes[0]) {
		t.Errorf("changes %+v, expected one for the better at c05", s.Changes)
	}
	want := []string{`run03 is left out: it has no label; hint: dlbench run --label TEXT`, `run04 is left out: its label "elsewhere" is not in the order of labels`}
	if !slices.Equal(h.Warnings, want) {
		t.Errorf("got %q, want %q", h.Warnings, want)
	}
	runs[0].Meta.Label = "c"
	if h := read(Options{Labels: labels}, runs[0]); len(h.Warnings) != 1 || !strings.Contains(h.Warnings[0], `stands for "c110123456789" and for "c100123456789"`) {
		t.Errorf("a label that is two: %q", h.Warnings)
	}
}

// What must not be compared is a series of its own, and it is said.
func TestSplit(t *testing.T) {
	runs := days(6, slower("", 0))
	runs[2].Meta.Host.CPU = "Another CPU"
	for i := range runs[3].Records {
		runs[3].Records[i].Shared = true
	}
	other := runs[4].Meta.Cells[1]
	other.Hash = "sha256:" + strings.Repeat("ff", 32)
	for i := range runs[4].Records {
		if runs[4].Records[i].Cell == runs[4].Meta.Cells[1] {
			runs[4].Records[i].Cell = other
		}
	}
	runs[4].Meta.Cells[1] = other
	h := read(Options{}, append(runs, runs[5])...)
	if len(h.Series) != 3+3+3+1 || len(h.Hosts) != 2 {
		t.Errorf("%d series on %d hosts", len(h.Series), len(h.Hosts))
	}
	for _, want := range []string{
		`host 2 is not host 1, so its runs are series of their own: cpu: "Synthetic CPU @ 2.00GHz", "Another CPU"`,
		"backend=gorgonia: its program changed, so there is a series for each",
		"backend=eager: runs with shared imports are series of their own",
		"run06 is left out: the same run as run05",
	} {
		if !slices.ContainsFunc(h.Warnings, func(w string) bool { return strings.Contains(w, want) }) {
			t.Errorf("no warning %q in %q", want, h.Warnings)
		}
	}
	for i := 1; i < len(h.Series); i++ {
		a, b := h.Series[i-1].Cell, h.Series[i].Cell
		if i > 1 && a != b && h.Series[i-2].Cell == b {
			t.Error("series of one cell are not side by side")
		}
	}
}

// A run without a figure keeps its place and says why; it takes no part.
func TestPointsThatDoNotCount(t *testing.T) {
	runs := days(12, slower("", 0))
	runs[5] = resultstest.Run(resultstest.Config{Rounds: 7, Cells: resultstest.Cells()[:3], Faults: []resultstest.Fault{
		{Cell: resultstest.Backend("eager", ""), End: results.EndCrashed, Phase: "measure", Reason: "SIGSEGV"},
		{Cell: resultstest.Backend("gomlx", ""), Rounds: []int{2}, End: results.EndTimeout, Phase: "measure", Reason: "no reply"},
	}})
	runs[5].Meta.Started = "2026-11-06T08:00:00Z"
	h := read(Options{}, runs...)
	for _, s := range h.Series {
		p := s.Points[5]
		switch s.Cell.Backend {
		case "eager":
			if p.Counts || p.Median != nil || !strings.Contains(p.Reason, "SIGSEGV") {
				t.Errorf("of a crash: %+v", p)
			}
		case "gomlx":
			if p.Counts || p.Median == nil || p.Reason == "" {
				t.Errorf("of a flaky cell: %+v", p)
			}
		default:
			if !p.Counts {
				t.Errorf("of a good cell: %+v", p)
			}
		}
		if len(s.Points) != 12 || len(s.Changes) > 0 {
			t.Errorf("%s: %d points, %+v", s.Cell.Name(), len(s.Points), s.Changes)
		}
	}
}

func TestFewRuns(t *testing.T) {
	h := read(Options{Metric: "faults-per-step"}, days(5, slower("", 0))...)
	for _, s := range h.Series {
		if s.Metric.Name != "faults-per-step" || !strings.Contains(s.Note, "runs that count: 5; a change shows from ") {
			t.Errorf("%s: note %q", s.Metric.Name, s.Note)
		}
	}
	r := NewReader(Options{})
	r.Skip("bad", errors.New("no run here"))
	if h := r.History(); len(h.Series) > 0 || !slices.Equal(h.Warnings, []string{"bad is left out: no run here"}) {
		t.Errorf("of nothing: %+v", h)
	}
	run := days(1, slower("", 0))[0]
	run.Meta.Started = "someday"
	run.Warnings = []string{"torn"}
	if h := read(Options{}, run); len(h.Series) != 3 || !slices.Equal(h.Warnings, []string{"run00: torn"}) {
		t.Errorf("without a date: %d series, %q", len(h.Series), h.Warnings)
	}
}
