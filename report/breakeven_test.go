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

// twoForms is a run of an eager entry and compiled ones of two frameworks, with
// the seconds per step and the nanoseconds of the first step that step and first
// say.
func twoForms(step func(backend string) float64, first func(backend string) int64) results.Run {
	var cells []results.Cell
	for _, w := range []string{"Mlp", "MnistCnn"} {
		for _, b := range []string{"pytorch", "pytorch-compile", "pytorch@2.1.0", "tensorflow", "tensorflow-function", "keras-jax", "keras-torch", "gorgonia", "eager"} {
			c := resultstest.Cells()[0]
			c.Workload, c.Backend = w, b
			cells = append(cells, c)
		}
	}
	run := resultstest.Run(resultstest.Config{
		Seed: 4, Cells: cells, Rounds: 14, Noise: 0.01, Baseline: "pytorch",
		Step: func(c results.Cell) float64 { return step(c.Backend) },
	})
	for i := range run.Records {
		r := &run.Records[i]
		switch r.Cell.Backend {
		case "pytorch", "pytorch@2.1.0", "tensorflow", "keras-torch", "eager":
			r.Worker.Kind = "eager"
		}
		for k := range r.Phases {
			switch r.Phases[k].Name {
			case "import":
				r.Phases[k].WallNS = 1e9
			case "build":
				r.Phases[k].WallNS = 1e8
			case "first":
				r.Phases[k].WallNS = first(r.Cell.Backend)
			}
		}
	}
	return run
}

// Only an entry beside the eager one of its own framework and version is in the
// table, and only a verdict of faster gives a number of steps: the extra start
// over what a step saves.
func TestBreakEven(t *testing.T) {
	const slow, fast = 10e-3, 5e-3
	for _, test := range []struct {
		name     string
		compiled float64 // seconds per step
		first    int64   // of the compiled entries
		want     string
		after    bool
	}{
		{"pays", fast, 2e9, "after 3", true}, // about 1.98 s over 5 ms: 390 to 400 steps
		{"starts sooner", fast, 1e6, "from the first step on", false},
		{"slower", 20e-3, 2e9, "never: its steps are slower", false},
		{"slower steps, a sooner start", 14e-3, 1e6, "ahead until step 4:", false}, // 19 ms less, 4 ms more per step
		{"equivalent", slow * 0.99, 2e9, "never: nothing is saved per step", false},
		{"on the margin", slow / 1.05, 2e9, "undecided", false},
	} {
		run := twoForms(
			func(b string) float64 {
				if strings.Contains(b, "-") {
					return test.compiled
				}
				return slow
			},
			func(b string) int64 {
				if strings.Contains(b, "-") {
					return test.first
				}
				return 20e6
			})
		v := newView(run, compare.Analyze(run))
		table := v.breakEven()
		if len(table.Rows) != 4 {
			t.Fatalf("%s: %d rows, want two forms on two workloads", test.name, len(table.Rows))
		}
		for _, row := range table.Rows {
			pair := row.Compiled.Name + " " + row.Eager.Name
			if pair != "pytorch-compile pytorch" && pair != "tensorflow-function tensorflow" {
				t.Errorf("%s: paired %s", test.name, pair)
			}
			if !strings.HasPrefix(row.Steps.EN, test.want) {
				t.Errorf("%s: %s: %q, verdict %s", test.name, pair, row.Steps.EN, row.Badge.Word.EN)
			}
			if row.After.Empty() == test.after {
				t.Errorf("%s: after %q", test.name, row.After.EN)
			}
		}
		if test.after {
			p := v.pairings()[0]
			s0, k0, _ := p.eager.startup()
			s1, k1, _ := p.compiled.startup()
			want := math.Ceil((s1 - s0) / (k0 - k1))
			if got := table.Rows[0].Steps.EN; got != "after "+whole(int64(want))+" steps" {
				t.Errorf("%q, want %v", got, want)
			}
			// There the compiled entry is ahead, one step earlier it is not.
			if s1+want*k1 > s0+want*k0 || s1+(want-1)*k1 < s0+(want-1)*k0 {
				t.Errorf("the lines do not meet at %v", want)
			}
			lo, hi, ok := strings.Cut(table.Rows[0].StepsIv.EN, "–")
			if !ok || figureOf(t, lo) > want || figureOf(t, hi) < want {
				t.Errorf("the range %q does not hold %v", table.Rows[0].StepsIv.EN, want)
			}
		}
	}
}

// A start with a warm compile cache does not hold compiling, so that its steps
// are the fewest that can be.
func TestBreakEvenOfWarmCache(t *testing.T) {
	for _, test := range []struct {
		name  string
		cache func(i int) string
		first int64
		en    string
		zh    string
		bound bool
	}{
		{"warm", func(int) string { return "warm" }, 2e9, " steps (cache warm: compiling not in it)", "（缓存已热，不含编译）", true},
		{"mixed", func(i int) string { return []string{"warm", "cold"}[i%2] }, 2e9, " steps (cache warm in some trials: compiling only partly in it)", "（部分试验缓存已热，只含部分编译）", true},
		{"cold", func(int) string { return "cold" }, 2e9, " steps", " 步之后", false},
		{"no cache", func(int) string { return "" }, 2e9, " steps", " 步之后", false},
		{"warm and sooner", func(int) string { return "warm" }, 1e6, "from the first step on (cache warm: compiling not in it)", "从第一步起（缓存已热，不含编译）", false},
	} {
		first := map[bool]int64{true: test.first, false: 20e6}
		run := twoForms(
			func(b string) float64 { return map[bool]float64{true: 5e-3, false: 10e-3}[strings.Contains(b, "-")] },
			func(b string) int64 { return first[strings.Contains(b, "-")] })
		for i := range run.Records {
			run.Records[i].Worker.CompileCache = test.cache(run.Records[i].Round)
		}
		row := newView(run, compare.Analyze(run)).breakEven().Rows[0]
		if !strings.HasSuffix(row.Steps.EN, test.en) || !strings.HasSuffix(row.Steps.ZH, test.zh) {
			t.Errorf("%s: %q, %q", test.name, row.Steps.EN, row.Steps.ZH)
		}
		for _, s := range []string{row.Steps.EN, row.Steps.ZH, row.StepsIv.EN, strings.TrimPrefix(row.After.ZH, "启动后 ")} {
			if s != "" && strings.HasPrefix(s, "≥") != test.bound {
				t.Errorf("%s: %q", test.name, s)
			}
		}
	}
}

// In a run of forked trials the imports that were read say how well a start is
// known: where the extra start is less, no number of steps follows.
func TestBreakEvenOfForkedTrials(t *testing.T) {
	for _, test := range []struct {
		name    string
		imports []int64 // of the two memory trials of each entry
		steps   string
		lo, hi  float64 // of the range of steps
	}{
		// The first step takes 1.98 s more, a step saves 5 ms of 10: 396 steps.
		{"same imports", []int64{1e9, 1e9}, "after 3", 370, 420},
		{"uncertain by 1 s", []int64{1e9, 2e9}, "after 3", 180, 620},
		{"uncertain by 3 s", []int64{1e9, 4e9}, "the start does not differ measurably", 0, 0},
		{"read once, 0.9 s", []int64{0.9e9}, "after 3", 30, 780},
		{"read once, 1.5 s", []int64{1.5e9}, "the start does not differ measurably", 0, 0},
	} {
		first := map[bool]int64{true: 2e9, false: 20e6}
		run := twoForms(
			func(b string) float64 { return map[bool]float64{true: 5e-3, false: 10e-3}[strings.Contains(b, "-")] },
			func(b string) int64 { return first[strings.Contains(b, "-")] })
		run = sharedRun(run)
		seen := map[string]int{}
		for _, r := range run.Records {
			k := seen[r.Cell.Backend]
			if r.Cell.Backend != "pytorch" && r.Cell.Backend != "pytorch-compile" || r.Round != 1 || k >= len(test.imports) {
				continue
			}
			seen[r.Cell.Backend]++
			r.Kind, r.Shared, r.Round = results.KindMemory, false, 0
			r.Phases = append([]results.Phase{{Name: "import", WallNS: test.imports[k]}}, r.Phases...)
			run.Records = append(run.Records, r)
		}
		row := newView(run, compare.Analyze(run)).breakEven().Rows[0]
		if row.Compiled.Name != "pytorch-compile" || !strings.HasPrefix(row.Steps.EN, test.steps) {
			t.Errorf("%s: %s: %q, want %q", test.name, row.Compiled.Name, row.Steps.EN, test.steps)
		}
		lo, hi, ok := strings.Cut(row.StepsIv.EN, "–")
		if ok != (test.hi > 0) {
			t.Errorf("%s: range %q", test.name, row.StepsIv.EN)
		} else if ok && (figureOf(t, lo) < test.lo || figureOf(t, lo) > 1.15*test.lo+20 || figureOf(t, hi) > test.hi || figureOf(t, hi) < 0.9*test.hi) {
			t.Errorf("%s: range %q, want about %v–%v", test.name, row.StepsIv.EN, test.lo, test.hi)
		}
	}
}

// Beside the baseline, too, a start that is not known better gives no step.
func TestAheadOfForkedTrials(t *testing.T) {
	fresh := resultstest.Run(resultstest.Config{Seed: 5, Memory: true, Rounds: 10})
	run := sharedRun(fresh)
	for i := range run.Records {
		if r := &run.Records[i]; r.Kind == results.KindMemory {
			r.Phases = slices.Clone(r.Phases)
			r.Phases[0].WallNS = []int64{1e9, 3e9}[i%2]
		}
	}
	said := map[bool]int{}
	for k, r := range map[bool]results.Run{false: fresh, true: run} {
		for _, p := range newView(r, compare.Analyze(r)).time().Panels {
			for _, row := range p.Rows {
				if strings.Contains(row.Ahead.EN, "do not differ measurably") {
					said[k]++
				}
			}
		}
	}
	if said[false] != 0 || said[true] == 0 {
		t.Errorf("starts that do not differ: %d of fresh trials, %d of forked ones", said[false], said[true])
	}
}

// The family is all rows of the table, and nothing of it touches the page's own.
func TestBreakEvenWithoutPairs(t *testing.T) {
	run, a := golden(t)
	table := newView(run, a).breakEven()
	if len(table.Rows) != 0 || !strings.Contains(table.Why.EN, "Not measured") || !strings.Contains(table.Why.ZH, "未测量") {
		t.Errorf("%d rows, %q", len(table.Rows), table.Why.EN)
	}
}

func TestCatchUp(t *testing.T) {
	for _, test := range []struct {
		extra, saved float64
		n            int64
		ok           bool
	}{
		{1, 0.1, 10, true}, {1, 0.3, 4, true}, {1, 0, 0, false}, {1, -1, 0, false}, {1, math.NaN(), 0, false}, {math.NaN(), 1, 0, false}, {math.Inf(1), 1, 0, false}, {1e9, 1e-9, 0, false},
	} {
		if n, ok := catchUp(test.extra, test.saved); n != test.n || ok != test.ok {
			t.Errorf("%v over %v: %d, %v", test.extra, test.saved, n, ok)
		}
	}
}

func TestCompileCacheOfACell(t *testing.T) {
	for _, test := range []struct {
		said []string
		want string
	}{{[]string{"", ""}, "keeps none"}, {[]string{"cold", "cold"}, "cold"}, {[]string{"warm"}, "warm"}, {[]string{"cold", "warm", "warm"}, "cold in 1 of 3 trials"}} {
		c := &cell{}
		for _, s := range test.said {
			c.trials = append(c.trials, &trial{Record: &results.Record{Kind: results.KindTime, End: results.EndOK, Worker: results.Worker{CompileCache: s}}})
		}
		if got := c.cache().EN; got != test.want {
			t.Errorf("%v: %q, want %q", test.said, got, test.want)
		}
	}
}
