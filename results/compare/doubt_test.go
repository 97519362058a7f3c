package compare

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/resultstest"
)

// waiting makes the trials of a backend wait for a CPU: wall times factor longer,
// CPU time as it was.
func waiting(run results.Run, backend string, factor float64, disturbed bool) results.Run {
	for i := range run.Records {
		r := &run.Records[i]
		if r.Kind != results.KindTime || r.Usage == nil {
			continue
		}
		if disturbed {
			others, wall := r.WallNS/2, *r.Disturb
			wall.OthersCPUNS = &others
			r.Disturb = &wall
		}
		if r.Cell.Backend != backend {
			continue
		}
		u := *r.Usage
		u.WallNS = int64(float64(u.WallNS) * factor)
		r.Usage = &u
		r.BlockNS = slices.Clone(r.BlockNS)
		for k := range r.BlockNS {
			r.BlockNS[k] = int64(float64(r.BlockNS[k]) * factor)
		}
	}
	return run
}

// On a busy host wall time and CPU time tell different ratios: both are told,
// and where they contradict each other nothing is decided.
func TestBusyHost(t *testing.T) {
	truth := func(c results.Cell) float64 { // eager: a third, gomlx: 1.01
		s := resultstest.Step(c)
		if c.Backend == "eager" {
			s /= 2.4
		}
		return s
	}
	for _, test := range []struct {
		name, slow, head string
		factor           float64
		disturbed        bool
		threads          int
		verdict          Verdict
		cpu              float64
		warning          string // "": none
	}{
		{"quiet", "none", "eager", 1, false, 1, Improved, 1. / 3, ""},
		{"busy, alike on both sides", "none", "eager", 1, true, 1, Improved, 1. / 3, ""},
		{"same side of the margin", "gorgonia", "eager", 2, true, 1, Improved, 1. / 3,
			"step-time is 0.167× by wall time, 0.333× by CPU time: the host was busy, trust neither without a quiet run"},
		{"contradiction", "gorgonia", "gomlx", 2, true, 1, Inconclusive, 1.01,
			"step-time is 0.505× by wall time, 1.01× by CPU time: the host was busy, so there is no verdict; trust neither without a quiet run"},
		{"wall says equal", "eager", "eager", 3, true, 1, Inconclusive, 1. / 3,
			"step-time is 1.00× by wall time, 0.333× by CPU time: the host was busy, so there is no verdict; trust neither without a quiet run"},
		{"waits by itself", "gomlx", "gomlx", 2, false, 1, Regressed, 1.01,
			"step-time is 2.02× by wall time, 1.01× by CPU time: one side waited, though nothing disturbed the host"},
		{"several threads, busy", "gomlx", "gomlx", 2, true, 2, Regressed, 1.01,
			"step-time is 2.02× by wall time, 1.01× by CPU time: the host was busy, or one side left granted threads idle"},
		{"several threads, quiet", "gomlx", "gomlx", 2, false, 2, Regressed, 1.01, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			cells := resultstest.Cells()
			for i := range cells {
				cells[i].Threads = test.threads
			}
			run := resultstest.Run(resultstest.Config{Seed: 1, Rounds: 12, Cells: cells, Step: truth})
			c, _ := find(t, Analyze(waiting(run, test.slow, test.factor, test.disturbed)), "MnistCnn", test.head)
			if c.Verdict != test.verdict || c.Ratio == nil {
				t.Errorf("%+v", c)
			}
			if c.CPURatio == nil || math.Abs(*c.CPURatio/test.cpu-1) > 0.01 {
				t.Errorf("CPU ratio %v, want %g", c.CPURatio, test.cpu)
			}
			var got []string
			for _, w := range c.Warnings {
				if strings.Contains(w, "CPU time: ") {
					got = append(got, w)
				}
			}
			if test.warning == "" && got != nil || test.warning != "" && !slices.Equal(got, []string{test.warning}) {
				t.Errorf("warnings %q, want %q", c.Warnings, test.warning)
			}
			if (c.Reason != "") != (c.Verdict == Inconclusive) {
				t.Errorf("verdict %s, reason %q", c.Verdict, c.Reason)
			}
		})
	}
}

// The ratio of CPU times is one of the metric: more throughput is less time.
func TestCPURatioOfThroughput(t *testing.T) {
	run := resultstest.Run(resultstest.Config{Seed: 1, Rounds: 12})
	for metric, want := range map[string]float64{"step-time": 0.8, "throughput": 1.25, "flops": 1.25} {
		run.Meta.Policy.Metric = map[string]string{"train": metric}
		c, _ := find(t, Analyze(run), "MnistCnn", "eager")
		if c.CPURatio == nil || math.Abs(*c.CPURatio/want-1) > 0.01 {
			t.Errorf("%s: %v, want %g", metric, c.CPURatio, want)
		}
	}
	run.Meta.Policy.Metric = map[string]string{"train": "import-time"}
	if c, _ := find(t, Analyze(run), "MnistCnn", "eager"); c.CPURatio != nil {
		t.Errorf("import-time has the CPU ratio %g of the steps", *c.CPURatio)
	}
	for i := range run.Records {
		run.Records[i].Cell.Device = "cuda"
	}
	for i := range run.Meta.Cells {
		run.Meta.Cells[i].Device = "cuda"
	}
	run.Meta.Policy.Metric = nil
	if c, _ := find(t, Analyze(run), "MnistCnn", "eager"); c.CPURatio != nil {
		t.Error("CPU time speaks for work on another device")
	}
}

func TestDisturbedRun(t *testing.T) {
	for n, want := range map[int]bool{6: false, 7: true} { // of 12 rounds
		var rounds []int
		for r := range n {
			rounds = append(rounds, r+1)
		}
		run := resultstest.Run(resultstest.Config{Seed: 1, Rounds: 12, Faults: []resultstest.Fault{
			{Cell: func(results.Cell) bool { return true }, Rounds: rounds, Disturbed: true},
		}})
		got := slices.Contains(Analyze(run).Warnings, "the host was not quiet: 84 of 144 trials were disturbed")
		if got != want {
			t.Errorf("%d of 12 rounds disturbed: warnings %q", n, Analyze(run).Warnings)
		}
	}
}

// What the harness's clock cannot confirm carries no verdict, and measuring it
// again would not help.
func TestTooShort(t *testing.T) {
	for _, test := range []struct {
		name    string
		ns      int64 // of the measured segment
		backend string
		rounds  int // of 12 that are as short
		verdict Verdict
	}{
		{"long enough", 10_000_000, "eager", 12, Improved},
		{"head", 9_999_999, "eager", 12, Inconclusive},
		{"baseline", 9_999_999, "gorgonia", 12, Inconclusive},
		{"most", 9_999_999, "eager", 7, Inconclusive},
		{"half", 9_999_999, "eager", 6, Improved},
	} {
		t.Run(test.name, func(t *testing.T) {
			run := resultstest.Run(resultstest.Config{Seed: 1, Rounds: 12})
			run.Meta.Policy.MaxRounds = 20
			for i := range run.Records {
				if r := &run.Records[i]; r.Cell.Backend == test.backend && r.Round <= test.rounds {
					u := *r.Usage
					u.WallNS, u.CPUNS = test.ns, 0
					r.Usage = &u
				}
			}
			c, _ := find(t, Analyze(run), "Mlp", "eager")
			if c.Verdict != test.verdict || c.Ratio == nil || c.Lo == nil || c.Hi == nil {
				t.Errorf("%+v", c)
			}
			want := "no verdict: most trials of " + test.backend + " measured for less than 10 ms, too short for the harness's clock to confirm"
			if short := test.verdict == Inconclusive; short != (c.Reason == want) || short != slices.Contains(c.Warnings, want) {
				t.Errorf("reason %q, warnings %q", c.Reason, c.Warnings)
			}
			for _, cell := range Undecided(run.Meta, run.Records) {
				if test.verdict == Inconclusive && cell.Backend == "eager" {
					t.Errorf("%s is to be measured again", cell.Name())
				}
			}
			run.Meta.Policy.Metric = map[string]string{"train": "import-time"}
			if c, _ := find(t, Analyze(run), "Mlp", "eager"); c.Reason != "" {
				t.Errorf("import-time: %q", c.Reason)
			}
		})
	}
}

// Where only the baseline is at fault, the comparison says so.
func TestBaselineIsTheCause(t *testing.T) {
	for _, test := range []struct {
		name    string
		faults  []resultstest.Fault
		verdict Verdict
		reason  string
	}{
		{"wrong", []resultstest.Fault{{Cell: resultstest.Backend("gorgonia", ""), Rounds: []int{3}, End: results.EndWrong, Phase: "check", Reason: "wrong: loss"}},
			Wrong, "the baseline gorgonia is wrong: wrong in check: loss"},
		{"flaky", []resultstest.Fault{{Cell: resultstest.Backend("gorgonia", ""), Rounds: []int{3}, End: results.EndCrashed, Phase: "measure", Reason: "SIGSEGV"}},
			Flaky, "the baseline gorgonia is flaky: 1 failed beside 7 valid trials; the first: crashed in measure: SIGSEGV"},
		{"failed", []resultstest.Fault{{Cell: resultstest.Backend("gorgonia", ""), End: results.EndTimeout, Phase: "first", Reason: "no reply"}},
			Missing, "the baseline gorgonia is failed: timeout in first: no reply"},
		{"unproven", []resultstest.Fault{{Cell: resultstest.Backend("gorgonia", ""), Unproven: true}},
			Inconclusive, "the baseline gorgonia is unproven: not proven the same work: no oracle for an opaque workload"},
		{"head alone", []resultstest.Fault{{Cell: resultstest.Backend("eager", ""), Rounds: []int{3}, End: results.EndCrashed, Reason: "SIGSEGV"}}, Flaky, ""},
		{"both", []resultstest.Fault{
			{Cell: resultstest.Backend("gorgonia", ""), Rounds: []int{3}, End: results.EndCrashed, Reason: "SIGSEGV"},
			{Cell: resultstest.Backend("eager", ""), Rounds: []int{4}, End: results.EndWrong, Reason: "loss"}}, Wrong, ""},
		{"none", nil, Improved, ""},
	} {
		c, _ := find(t, Analyze(resultstest.Run(resultstest.Config{Seed: 1, Rounds: 8, Faults: test.faults})), "Mlp", "eager")
		if test.name == "none" {
			c, _ = find(t, Analyze(resultstest.Run(resultstest.Config{Seed: 1, Rounds: 12})), "Mlp", "eager")
		}
		if c.Verdict != test.verdict || c.Reason != test.reason || test.reason != "" && !slices.Contains(c.Warnings, test.reason) {
			t.Errorf("%s: verdict %s, reason %q, warnings %q", test.name, c.Verdict, c.Reason, c.Warnings)
		}
	}
}

// A little more than granted is a matter of counting, whatever its share.
func TestUsedMoreThanGranted(t *testing.T) {
	for _, test := range []struct {
		wall, cpu int64
		threads   int
		warned    bool
	}{
		{10e6, 11_900_000, 1, false}, // 19 %, but below 2 ms
		{10e6, 12_100_000, 1, true},
		{100e6, 104e6, 1, false}, // 4 ms, but below 5 %
		{100e6, 106e6, 1, true},
		{10e6, 21_900_000, 2, false},
		{10e6, 22_100_000, 2, true},
	} {
		r := results.Record{Cell: results.Cell{Threads: test.threads}, Usage: &results.Usage{WallNS: test.wall, CPUNS: test.cpu}}
		got := slices.ContainsFunc(warnings([]results.Record{r}, 0), func(w string) bool { return strings.Contains(w, "used more CPU than granted") })
		if got != test.warned {
			t.Errorf("%d of %d ns on %d threads: warned is %v", test.cpu, test.wall, test.threads, got)
		}
	}
}

// Each comparison says how many unanimous rounds the first verdict takes.
func TestRoundsNeeded(t *testing.T) {
	for rounds, decided := range map[int]bool{8: false, 9: true} {
		c, _ := find(t, Analyze(resultstest.Run(resultstest.Config{Seed: 1, Rounds: rounds})), "Mlp", "eager")
		if c.RoundsNeeded != 9 || decided != (c.Verdict == Improved) {
			t.Errorf("%d rounds: %s, needs %d", rounds, c.Verdict, c.RoundsNeeded)
		}
	}
	// The policy's floor counts too.
	run := resultstest.Run(resultstest.Config{Seed: 1, Rounds: 14})
	run.Meta.Policy.MinRounds = 13
	if c, _ := find(t, Analyze(run), "Mlp", "eager"); c.RoundsNeeded != 13 {
		t.Errorf("floor 13: needs %d", c.RoundsNeeded)
	}
}
