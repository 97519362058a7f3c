package compare

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/resultstest"
)

// find returns the comparison and the summary of a backend in a workload's
// first group.
func find(t *testing.T, a Analysis, workload, backend string) (Comparison, Summary) {
	t.Helper()
	for _, g := range a.Groups {
		if g.Key.Workload != workload {
			continue
		}
		var c Comparison
		if i := slices.IndexFunc(g.Comparisons, func(c Comparison) bool { return c.Head.Backend == backend }); i >= 0 {
			c = g.Comparisons[i]
		}
		if i := slices.IndexFunc(g.Summaries, func(s Summary) bool { return s.Cell.Backend == backend }); i >= 0 {
			return c, g.Summaries[i]
		}
	}
	t.Fatalf("no %s on %s", backend, workload)
	panic("unreachable")
}

func TestAnalyze(t *testing.T) {
	run := resultstest.Run(resultstest.Config{Seed: 1, Rounds: 12, Noise: 0.01})
	a := Analyze(run)
	if a.Baseline != "gorgonia" || a.Family != 8 || len(a.Groups) != 4 || len(a.Warnings) != 0 {
		t.Fatalf("baseline %q, family %d, %d groups, warnings %q", a.Baseline, a.Family, len(a.Groups), a.Warnings)
	}
	for _, g := range a.Groups {
		if len(g.Summaries) != 3 || len(g.Comparisons) != 2 || g.Metric != "step-time" || g.Key.Backend != "" {
			t.Fatalf("group %s: %d summaries, %d comparisons, metric %s", g.Key.Name(), len(g.Summaries), len(g.Comparisons), g.Metric)
		}
		for _, s := range g.Summaries {
			truth := resultstest.Step(s.Cell)
			if s.Status != StatusOK || s.Trials != 12 || s.Reason != "" || s.Unit != "sec/step" {
				t.Errorf("%s: %+v", s.Cell.Name(), s)
			}
			if !(*s.Lo <= *s.Median && *s.Median <= *s.Hi) || math.Abs(*s.Median/truth-1) > 0.02 || s.Confidence < 0.95 {
				t.Errorf("%s: median %g in [%g, %g] at %g, truth %g", s.Cell.Name(), *s.Median, *s.Lo, *s.Hi, s.Confidence, truth)
			}
		}
		for i, want := range []struct {
			verdict Verdict
			ratio   float64
		}{{Improved, 0.8}, {Equivalent, 1.01}} {
			c := g.Comparisons[i]
			if c.Verdict != want.verdict || c.Rounds != 12 || c.Needed != 320 || c.Evidence < 320 || len(c.Warnings) != 0 {
				t.Errorf("%s: %+v", c.Head.Name(), c)
			}
			if !(*c.Lo <= want.ratio && want.ratio <= *c.Hi && *c.Lo <= *c.Ratio && *c.Ratio <= *c.Hi) {
				t.Errorf("%s: ratio %g in [%g, %g], truth %g", c.Head.Name(), *c.Ratio, *c.Lo, *c.Hi, want.ratio)
			}
			if c.Detectable < 0.05 || c.Detectable > 0.12 {
				t.Errorf("%s: detectable %g", c.Head.Name(), c.Detectable)
			}
		}
	}
}

// A metric of which more is better turns the words around, not the facts.
func TestAnalyzeThroughput(t *testing.T) {
	run := resultstest.Run(resultstest.Config{Seed: 1, Rounds: 12, Noise: 0.01})
	run.Meta.Policy.Metric = map[string]string{"train": "throughput", "infer": "step-time"}
	c, s := find(t, Analyze(run), "MnistCnn", "eager")
	if c.Verdict != Improved || c.Metric != "throughput" || math.Abs(*c.Ratio-1.25) > 0.03 || s.Unit != "examples/sec" {
		t.Errorf("%+v", c)
	}
	run.Meta.Baseline = "eager"
	c, _ = find(t, Analyze(run), "MnistCnn", "gorgonia")
	if c.Verdict != Regressed || math.Abs(*c.Ratio-0.8) > 0.03 {
		t.Errorf("%+v", c)
	}
}

func TestAnalyzeIsDeterministicAndOrderFree(t *testing.T) {
	run := resultstest.Golden()
	want := Analyze(run)
	before := reflect.ValueOf(run).Interface()
	if got := Analyze(run); !reflect.DeepEqual(got, want) {
		t.Error("the same run was judged differently")
	}
	if !reflect.DeepEqual(run, before) {
		t.Error("the run was changed")
	}
	// Timed trials may stand in the file in any order; the rounds count.
	rng := rand.New(rand.NewPCG(1, 2))
	timed := slices.IndexFunc(run.Records, func(r results.Record) bool { return r.Kind == results.KindTime })
	rest := run.Records[timed:]
	rng.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	got := Analyze(run)
	for i, g := range got.Groups {
		for j, c := range g.Comparisons {
			w := want.Groups[i].Comparisons[j]
			c.Warnings, w.Warnings = nil, nil // name the first failure in the file
			if !reflect.DeepEqual(c, w) {
				t.Errorf("shuffled: got %+v\nwant %+v", c, w)
			}
		}
	}
}

func TestStates(t *testing.T) {
	a := Analyze(resultstest.Golden())
	for _, test := range []struct {
		workload, backend, status string
		verdict                   Verdict
		reason, warning           string
	}{
		{"Mlp", "eager", StatusOK, Improved, "", ""},
		{"Mlp", "onnxruntime", StatusWrong, Wrong, "param/fc1.weight: 2.8713, expected 2.7011", "onnxruntime: wrong"},
		{"Mlp", "pytorch", StatusFailed, Missing, "timeout in first: no reply within 60 s", "pytorch: failed"},
		{"Mlp", "tensorflow", StatusFailed, Missing, "oom in build: 4.1 GiB used", ""},
		{"Mlp", "jax", StatusFailed, Missing, "protocol in import", ""},
		{"Mlp", "opaque", StatusUnproven, Inconclusive, "not proven the same work: no oracle", "opaque: unproven"},
		{"MnistCnn", "gomlx", StatusFlaky, Flaky, "1 failed beside 10 valid trials; the first: crashed in measure: killed by SIGKILL", "gomlx: flaky"},
		{"TextLstmShort", "gorgonia", StatusUnsupported, "", "unsupported in build: lstm lstm1", ""},
		{"TextLstmShort", "eager", StatusOK, Missing, "", "gorgonia: unsupported"},
		{"MnistCnn", "eager", StatusOK, Improved, "", "2 of 11 trials disturbed (CPU time stolen by the hypervisor, other processes ran, the canary was slow)"},
	} {
		c, s := find(t, a, test.workload, test.backend)
		name := test.workload + " " + test.backend
		if s.Status != test.status || c.Verdict != test.verdict || !strings.Contains(s.Reason, test.reason) {
			t.Errorf("%s: status %s, verdict %s, reason %q", name, s.Status, c.Verdict, s.Reason)
		}
		if test.warning != "" && !strings.Contains(strings.Join(c.Warnings, "\n"), test.warning) {
			t.Errorf("%s: warnings %q, want %q", name, c.Warnings, test.warning)
		}
		if (c.Verdict == Wrong || c.Verdict == Missing || c.Verdict == Flaky) && (c.Ratio != nil || c.Lo != nil || c.Hi != nil) {
			t.Errorf("%s: a ratio beside the verdict %s", name, c.Verdict)
		}
		if (s.Median != nil) != (s.Status == StatusOK || s.Status == StatusFlaky || s.Status == StatusUnproven) {
			t.Errorf("%s: median %v of a cell that is %s", name, s.Median, s.Status)
		}
		if s.Lo == nil && s.Reason == "" {
			t.Errorf("%s: neither interval nor reason", name)
		}
	}
	if !slices.Contains(a.Warnings, "incomplete, so not counted: round 12") {
		t.Errorf("warnings %q", a.Warnings)
	}
}

func TestWarnings(t *testing.T) {
	run := resultstest.Run(resultstest.Config{Seed: 1, Rounds: 8, Faults: []resultstest.Fault{
		{Cell: resultstest.Backend("eager", "Mlp"), Rounds: []int{1, 2}, NotSteady: true},
	}})
	for i, r := range run.Records {
		if r.Cell.Backend == "gomlx" && r.Cell.Workload == "Mlp" && r.Round > 3 {
			u := *r.Usage
			u.CPUNS = u.WallNS * 8 / 5
			run.Records[i].Usage = &u
		}
		if r.Cell.Backend == "eager" && r.Cell.Workload == "MnistCnn" && r.Round == 2 {
			run.Records[i].BlockNS = nil
		}
	}
	a := Analyze(run)
	for backend, want := range map[string]string{
		"eager": "eager: 2 of 8 trials not steady after the longest warm-up",
		"gomlx": "gomlx: 5 of 8 trials used more CPU than granted (up to 1.60 CPUs, granted 1)",
	} {
		if c, _ := find(t, a, "Mlp", backend); !slices.Equal(c.Warnings, []string{want}) {
			t.Errorf("got %q, want %q", c.Warnings, want)
		}
	}
	c, s := find(t, a, "MnistCnn", "eager")
	if c.Rounds != 7 || !slices.Contains(c.Warnings, "1 round left out: one side has no step-time") || !slices.Contains(s.Warnings, "1 of 8 trials have no step-time") {
		t.Errorf("%d rounds, warnings %q and %q", c.Rounds, c.Warnings, s.Warnings)
	}
}

// A ratio that changes in the middle of a run is not hidden in its median.
func TestRatioThatMoves(t *testing.T) {
	for rounds, want := range map[int]string{20: "the ratio moved during the run", 70: "no single ratio explains all rounds"} {
		run := resultstest.Run(resultstest.Config{Seed: 1, Rounds: rounds})
		for _, r := range run.Records {
			if r.Cell.Backend == "eager" && r.Round > 10 {
				for i := range r.BlockNS {
					r.BlockNS[i] += r.BlockNS[i] / 8 // 0.8 becomes 0.9
				}
			}
		}
		c, _ := find(t, Analyze(run), "Mlp", "eager")
		if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], want) {
			t.Errorf("%d rounds: warnings %q, want %q", rounds, c.Warnings, want)
		}
		if broken := rounds == 70; broken != (c.Verdict == Inconclusive) || broken != (c.Lo == nil) {
			t.Errorf("%d rounds: %+v", rounds, c)
		}
	}
}

func TestFewTrials(t *testing.T) {
	a := Analyze(resultstest.Run(resultstest.Config{Seed: 1, Rounds: 5}))
	c, s := find(t, a, "Mlp", "eager")
	if s.Median == nil || s.Lo != nil || s.Hi != nil || s.Reason != "5 valid trials; an interval takes 6" {
		t.Errorf("%+v", s)
	}
	if c.Verdict != Inconclusive || c.Ratio == nil || c.Lo != nil || c.Hi != nil {
		t.Errorf("%+v", c)
	}
}

func TestBaselines(t *testing.T) {
	run := resultstest.Run(resultstest.Config{Seed: 1, Rounds: 8})
	none := run
	none.Meta.Baseline = ""
	if a := Analyze(none); a.Family != 0 || len(a.Groups[0].Comparisons) != 0 || len(a.Groups[0].Summaries) != 3 || len(a.Warnings) != 1 {
		t.Errorf("no baseline: family %d, %d comparisons, warnings %q", a.Family, len(a.Groups[0].Comparisons), a.Warnings)
	}
	// The baseline is planned for three groups of four.
	part := run
	part.Meta.Cells = slices.DeleteFunc(slices.Clone(run.Meta.Cells), func(c results.Cell) bool { return c.Workload == "MnistCnn" && c.Backend == "gorgonia" })
	a := Analyze(part)
	c, _ := find(t, a, "MnistCnn", "eager")
	if a.Family != 6 || c.Verdict != Missing || len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "the baseline gorgonia is not planned for MnistCnn") {
		t.Errorf("family %d, %+v", a.Family, c)
	}
}

func TestPolicies(t *testing.T) {
	run := resultstest.Run(resultstest.Config{Seed: 1, Rounds: 8, Noise: 0.01})
	run.Meta.Policy = results.Policy{Metric: map[string]string{"train": "threads", "infer": "no-such"}, Alpha: math.NaN(), MinEffect: math.Inf(1)}
	a := Analyze(run)
	if a.Policy.Alpha != DefaultAlpha || a.Policy.MinEffect != 0 || a.Policy.MinRounds != DefaultMinRounds || a.Policy.MaxRounds != DefaultMaxRounds || len(a.Warnings) != 2 {
		t.Errorf("%+v, warnings %q", a.Policy, a.Warnings)
	}
	run.Meta.Policy = results.Policy{Alpha: 0.05, MinEffect: 0.05, MinRounds: 7, MaxRounds: 8}
	a = Analyze(run)
	if len(a.Warnings) != 1 || !strings.Contains(a.Warnings[0], "no verdict is possible: 8 comparisons share alpha 0.05") {
		t.Errorf("warnings %q", a.Warnings)
	}
}

func TestSummarize(t *testing.T) {
	run := resultstest.Run(resultstest.Config{Seed: 1, Rounds: 8, Noise: 0.01, Memory: true})
	for _, m := range results.Metrics {
		list := Summarize(run, m)
		if len(list) != len(run.Meta.Cells) {
			t.Fatalf("%s: %d summaries", m.Name, len(list))
		}
		for i, s := range list {
			if s.Cell != run.Meta.Cells[i] || s.Metric != m.Name {
				t.Errorf("%s: summary %d is of %s", m.Name, i, s.Cell.Name())
			}
			switch {
			case m.Name == "peak-memory" && s.Cell.Mode == "infer" && strings.HasPrefix(s.Cell.Backend, "g"):
				if s.Median != nil || s.Reason != "no trial has a peak-memory" {
					t.Errorf("%s: %+v", s.Cell.Name(), s)
				}
			case m.Name == "peak-memory":
				if s.Median == nil || s.Lo != nil || s.Reason != "1 valid trial; an interval takes 6" {
					t.Errorf("%s: %+v", s.Cell.Name(), s)
				}
			case m.Exact:
				if s.Median == nil || *s.Lo != *s.Median || *s.Hi != *s.Median || len(s.Warnings) != 0 {
					t.Errorf("%s: %+v", s.Cell.Name(), s)
				}
			}
		}
	}
}

func TestSameHost(t *testing.T) {
	a := resultstest.Run(resultstest.Config{Rounds: 1}).Meta.Host
	b := a
	b.CPU = "other"
	if got := SameHost(a, b); len(got) != 1 || !strings.Contains(got[0], "cpu") {
		t.Errorf("got %q", got)
	}
	if got := SameHost(a, a); got != nil {
		t.Errorf("got %q", got)
	}
}
