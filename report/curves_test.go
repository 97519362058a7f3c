package report

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

// learner is a cell whose check trials have these curves, in order.
func learner(curves ...*results.Curve) *cell {
	c := &cell{Cell: results.Cell{Mode: "train", Backend: "eager"}, group: &group{}}
	for _, l := range curves {
		c.trials = append(c.trials, &trial{Record: &results.Record{
			Kind: results.KindCheck, End: results.EndOK, Check: &results.Check{Status: "ok", Error: 1e-5, Ceiling: 1e-4, Curve: l},
		}})
	}
	return c
}

// A row says what the newest curve says.
func TestLearningRow(t *testing.T) {
	old := &results.Curve{Losses: []float64{9, 9}, Examples: 1}
	l := &results.Curve{
		Losses:  []float64{2.5, 2, 1.5, 1.25, 1, 0.5, 0.25},
		Correct: []int{0, 1, 2, 4, 6, 8, 10}, Examples: 10, Epoch: 2,
		Oracle: []float64{2.5, 2.0002, 1.5},
	}
	row := learner(old, l).learningRow()
	for _, x := range []struct{ what, got, want string }{
		{"first", row.First, "2.50"}, {"last", row.Last, "0.250"}, {"steps", row.Steps.EN, "7, of 10 examples"},
		{"accuracy", row.Accuracy.EN, "70" + nbsp + "%"}, // steps 5 and 6, the last whole epoch
		{"distance", row.Distance, "1.0e-4"}, {"over", row.Over.EN, "over 3 steps"}, {"budget", row.Budget.EN, "10" + nbsp + "%"},
	} {
		if x.got != x.want {
			t.Errorf("%s: %q, want %q", x.what, x.got, x.want)
		}
	}
	if row := learner().learningRow(); row.Why.Empty() || row.First != none {
		t.Errorf("without a curve: %+v", row)
	}
	failed := learner(l)
	failed.trials[0].Record.End, failed.trials[0].Record.Reason = results.EndWrong, "loss 2: 3.1, expected 2.0"
	if row := failed.learningRow(); !strings.Contains(row.Why.EN, "expected 2.0") {
		t.Errorf("a check that failed: %+v", row)
	}
}

// A short curve says what kept it short.
func TestWhyTheCurveIsShort(t *testing.T) {
	c := learner(&results.Curve{Losses: []float64{2, 1}, Examples: 4, Epoch: 1})
	c.trials[0].Record.Check.CurveWhy = "check: no memory for 40 steps"
	if row := c.learningRow(); !row.Why.Empty() || row.Short.EN != "check: no memory for 40 steps" || !strings.HasPrefix(row.Short.ZH, "英文原文：") {
		t.Errorf("%+v", row)
	}
}

// A row without a curve says what ended it, in both languages.
func TestWhyThereIsNoCurve(t *testing.T) {
	for _, x := range []struct{ why, zh string }{
		{"the curve does not begin like the judged steps", "曲线的开头与核对过的各步不符"},
		{"timeout in learn: no answer to 3 steps within 20s; the process tree was killed", "“学习曲线”阶段超时；20s 内未答复 3 步的请求，已终止进程树"},
	} {
		c := learner(nil)
		c.trials[0].Record.Check.CurveWhy = x.why
		if row := c.learningRow(); row.Why.EN != x.why || row.Why.ZH != x.zh {
			t.Errorf("%+v", row.Why)
		}
	}
}

func TestAccuracies(t *testing.T) {
	for _, test := range []struct {
		name  string
		curve results.Curve
		want  []point
	}{
		{"epochs", results.Curve{Correct: []int{1, 3, 5, 7, 9}, Examples: 10, Epoch: 2}, []point{{2, 20}, {4, 60}}},
		{"less than two epochs", results.Curve{Correct: []int{1, 3, 5}, Examples: 10, Epoch: 2}, []point{{1, 10}, {2, 30}, {3, 50}}},
		{"no epoch", results.Curve{Correct: []int{1, 3}, Examples: 4}, []point{{1, 25}, {2, 75}}},
		{"not told", results.Curve{Losses: []float64{1}, Examples: 4, Epoch: 1}, nil},
		{"more right than there are", results.Curve{Correct: []int{1, 5}, Examples: 4, Epoch: 1}, nil},
		{"less than none right", results.Curve{Correct: []int{1, -1}, Examples: 4, Epoch: 1}, nil},
		{"counts of fewer steps", results.Curve{Losses: []float64{3, 2, 1}, Correct: []int{1, 2}, Examples: 4, Epoch: 1}, nil},
		{"no examples", results.Curve{Correct: []int{1}, Epoch: 1}, nil},
	} {
		if test.curve.Losses == nil {
			test.curve.Losses = make([]float64, len(test.curve.Correct))
		}
		got := accuracies(&test.curve)
		if len(got) != len(test.want) {
			t.Errorf("%s: %v", test.name, got)
			continue
		}
		for i := range got {
			if got[i] != test.want[i] {
				t.Errorf("%s: %v, want %v", test.name, got, test.want)
			}
		}
	}
}

// One curve that explodes leaves the others their height, and is told.
func TestWildCurveIsCutOff(t *testing.T) {
	of := func(losses ...float64) *cell {
		return learner(&results.Curve{Losses: losses, Examples: 1, Epoch: 1, Oracle: []float64{2, 1}})
	}
	calm, lively, wild := of(2, 1.5, 1), of(2, 5.9, 3), of(2, 1e6, 1e30)
	for _, x := range []struct {
		name   string
		cells  []*cell
		top    float64
		beyond int
	}{
		{"calm", []*cell{calm, calm}, 2, 0},
		{"less than three times", []*cell{calm, lively, calm}, 5.9, 0},
		{"one of two", []*cell{wild, calm}, 6, 1},
		{"one of three", []*cell{calm, calm, wild}, 6, 1},
		{"most", []*cell{wild, wild, calm}, 1e30, 0}, // then it is what is usual
		{"none", nil, 2, 0},
	} {
		top, beyond := lossTop(x.cells, []float64{2, 1})
		if top != x.top || beyond != x.beyond {
			t.Errorf("%s: %v, %d beyond; want %v, %d", x.name, top, beyond, x.top, x.beyond)
		}
	}
	for _, c := range []struct {
		cells []*cell
		ends  bool // at three times the usual loss
	}{{[]*cell{calm, wild}, true}, {[]*cell{calm, calm}, false}} {
		drawn, err := json.Marshal(learningChart([]*group{{cells: c.cells}}))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(drawn), `"max":6`); got != c.ends {
			t.Errorf("the interactive chart ends at the same loss: %v, want %v\n%s", got, c.ends, drawn)
		}
	}
	p := lossPlot([]*cell{calm, wild})
	if p.Beyond.EN != "Curves that exceed the axis, drawn along its upper edge there: 1 of 2." || !strings.HasPrefix(p.Beyond.ZH, "2 条曲线中有 1 条") {
		t.Errorf("%+v", p.Beyond)
	}
	if p := lossPlot([]*cell{calm, calm}); !p.Beyond.Empty() {
		t.Errorf("%+v", p.Beyond)
	}
}

// What is not finite leaves a gap in a drawing, and the last point stays.
func TestCurvesOfHostileRecords(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	many := make([]float64, 997)
	for i := range many {
		many[i] = float64(i)
	}
	for name, losses := range map[string][]float64{
		"not finite": {nan, 1, inf, math.Inf(-1), 2}, "nothing finite": {nan, nan}, "huge": {math.MaxFloat64, 1}, "negative": {-1, -2}, "many": many,
	} {
		l := &results.Curve{Losses: losses, Correct: []int{-5, math.MaxInt32}, Examples: 1, Epoch: math.MaxInt32, Oracle: []float64{0, nan, 1}}
		c := learner(l)
		p := lossPlot([]*cell{c})
		drawn := p.Oracle
		for _, x := range p.Lines {
			drawn += " " + x.Points
		}
		for _, bad := range []string{"NaN", "Inf", "-"} {
			if strings.Contains(drawn, bad) {
				t.Errorf("%s: %s in %s", name, bad, drawn)
			}
		}
		if n := len(strings.Fields(drawn)); n > curvePoints+5 {
			t.Errorf("%s: %d points", name, n)
		}
		if name == "not finite" && len(strings.Fields(p.Lines[0].Points)) != 2 {
			t.Errorf("drawn: %s", p.Lines[0].Points)
		}
		if name == "many" && !strings.HasSuffix(p.Lines[0].Points, " "+polyline([]point{{997, 996}}, p.X, newAxis(996, round3, text{}))) {
			t.Errorf("the last point is lost: %s", p.Lines[0].Points[len(p.Lines[0].Points)-20:])
		}
		if strings.Count(p.Borders, "M") > epochBorders {
			t.Errorf("%s: %d epochs", name, strings.Count(p.Borders, "M"))
		}
		accuracyPlot([]*cell{c})
		c.learningRow()
	}
}

// A run without curves says so, and what makes them.
func TestNoCurves(t *testing.T) {
	run := resultstest.Run(resultstest.Config{Seed: 1, Rounds: 2})
	s := newView(run, compare.Analyze(run)).learning()
	if !strings.Contains(s.Missing.EN, "Not measured") || !strings.Contains(s.Missing.ZH, "未测量") || s.Command.EN != "dlbench run --suite <your suite file>" || len(s.Panels) != 0 {
		t.Errorf("%q %q, %d panels", s.Missing.EN, s.Command, len(s.Panels))
	}
	with := resultstest.Run(resultstest.Config{Seed: 1, Rounds: 2, Check: true})
	s = newView(with, compare.Analyze(with)).learning()
	if !s.Missing.Empty() || len(s.Panels) != 3 { // the three training groups
		t.Errorf("%q, %d panels", s.Missing.EN, len(s.Panels))
	}
}

// The page draws so many curves and says what it leaves out.
func TestCurvesAreBounded(t *testing.T) {
	run := resultstest.Run(resultstest.Config{Seed: 3, Cells: manyCells(50, 6), Rounds: 1, Check: true})
	s := newView(run, compare.Analyze(run)).learning()
	drawn := 0
	for _, p := range s.Panels {
		drawn += len(p.Loss.Lines)
	}
	if drawn != drawnCurves || !strings.Contains(s.Left.EN, "240 of 300") {
		t.Errorf("%d curves drawn, %q", drawn, s.Left.EN)
	}
}
