package gate

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

// cells of one workload per name on two backends.
func cells(workloads ...string) []results.Cell {
	var list []results.Cell
	for _, w := range workloads {
		for _, b := range []string{"old", "young"} {
			list = append(list, results.Cell{Workload: w, Hash: "sha256:" + w, Mode: "train", Precision: "f32", Device: "cpu", Data: "resident", Batch: 8, Accumulate: 1, Threads: 1, Backend: b})
		}
	}
	return list
}

// config of a run in which young is slower than old by the shares given per
// workload.
func config(slower map[string]float64) resultstest.Config {
	return resultstest.Config{
		Seed: 1, Rounds: 20, Noise: 0.002, Baseline: "old", Memory: true,
		Step: func(c results.Cell) float64 {
			s := 0.005
			if c.Backend == "young" {
				s *= 1 + slower[c.Workload]
			}
			return s
		},
	}
}

func oneRun(c resultstest.Config) results.Run {
	run := resultstest.Run(c)
	run.Meta.Policy.MinEffect = 0.02
	return run
}

func mustJudge(t *testing.T, in Input) Result {
	t.Helper()
	r, err := Judge(in)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func check(t *testing.T, r Result, id string) Check {
	t.Helper()
	var ids []string
	for _, c := range r.Checks {
		if c.ID() == id {
			return c
		}
		ids = append(ids, c.ID())
	}
	t.Fatalf("no check %q among %q", id, ids)
	return Check{}
}

const name = "/mode=train/precision=f32/batch=8"

func TestOneRun(t *testing.T) {
	c := config(map[string]float64{"B": 0.05, "C": -0.05})
	c.Cells = cells("A", "B", "C")
	r := mustJudge(t, Input{Base: oneRun(c)})
	for id, want := range map[string]compare.Verdict{"A" + name + " step-time": compare.Equivalent, "B" + name + " step-time": compare.Regressed, "C" + name + " step-time": compare.Improved} {
		if got := check(t, r, id); got.Verdict != want || got.Fails != (want == compare.Regressed) {
			t.Errorf("%s is %s (fails: %v), want %s", id, got.Verdict, got.Fails, want)
		}
	}
	if r.Code() != CodeFail || r.Family != 3 || !r.OneRun {
		t.Errorf("code %d, family %d, one run %v", r.Code(), r.Family, r.OneRun)
	}
	if want := "gate failed: 1 regressed, 1 improved, 1 equivalent"; r.Headline() != want {
		t.Errorf("%q, want %q", r.Headline(), want)
	}
	// The other way around.
	from, to := Selector{"backend": "young"}, Selector{"backend": "old"}
	r = mustJudge(t, Input{Base: oneRun(c), From: from, To: to})
	if got := check(t, r, "C"+name+" step-time"); got.Verdict != compare.Regressed {
		t.Errorf("with the sides swapped C is %s", got.Verdict)
	}
}

// Nothing changed: the gate is quiet.
func TestQuiet(t *testing.T) {
	c := config(nil)
	c.Cells = cells("A", "B", "C")
	if r := mustJudge(t, Input{Base: oneRun(c)}); r.Code() != CodePass {
		t.Errorf("%d: %s", r.Code(), r.Headline())
	}
}

// Each trouble has its verdict and its code.
func TestTroubles(t *testing.T) {
	young := resultstest.Backend("young", "A")
	old := resultstest.Backend("old", "A")
	both := func(c results.Cell) bool { return c.Workload == "A" }
	fault := func(cell func(results.Cell) bool, end string, rounds ...int) []resultstest.Fault {
		return []resultstest.Fault{{Cell: cell, Rounds: rounds, End: end, Reason: "planted", Phase: "measure"}}
	}
	for _, tc := range []struct {
		name    string
		faults  []resultstest.Fault
		verdict compare.Verdict
		outcome Outcome
		code    int
		reason  string
	}{
		{"crashed", fault(young, results.EndCrashed), compare.Missing, Broken, CodeBroken, "head (young): crashed"},
		{"base crashed", fault(old, results.EndCrashed), compare.Missing, Broken, CodeBroken, "base (old): crashed"},
		{"flaky", fault(young, results.EndTimeout, 3), compare.Flaky, Broken, CodeBroken, "1 failed beside 19"},
		{"wrong", fault(young, results.EndWrong), compare.Wrong, Broken, CodeBroken, "planted"},
		{"unsupported now", fault(young, results.EndUnsupported), Vanished, Fail, CodeFail, "cannot do it any more"},
		{"supported now", fault(old, results.EndUnsupported), New, Skip, CodePass, "the base cannot do it"},
		{"never supported", fault(both, results.EndUnsupported), compare.Missing, Skip, CodePass, "neither side"},
	} {
		c := config(nil)
		c.Cells, c.Faults = cells("A", "B"), tc.faults
		r := mustJudge(t, Input{Base: oneRun(c)})
		got := check(t, r, "A"+name+" step-time")
		if got.Verdict != tc.verdict || got.Outcome != tc.outcome || r.Code() != tc.code || !strings.Contains(got.Reason, tc.reason) {
			t.Errorf("%s: %s, %s, code %d, %q; want %s, %s, %d, %q", tc.name, got.Verdict, got.Outcome, r.Code(), got.Reason, tc.verdict, tc.outcome, tc.code, tc.reason)
		}
	}
}

// A regression is the answer whatever else is open.
func TestRegressionWins(t *testing.T) {
	c := config(map[string]float64{"B": 0.10})
	c.Cells = cells("A", "B")
	c.Faults = []resultstest.Fault{{Cell: resultstest.Backend("young", "A"), End: results.EndCrashed, Reason: "planted"}}
	r := mustJudge(t, Input{Base: oneRun(c), Policy: Policy{Undecided: UndecidedFail}})
	if r.Code() != CodeFail {
		t.Errorf("code %d: %s", r.Code(), r.Headline())
	}
}

// two makes base and head runs of one backend each.
func two(slower map[string]float64, base, head []results.Cell) (results.Run, results.Run) {
	of := func(backend string, seed uint64, list []results.Cell) results.Run {
		c := config(slower)
		c.Seed, c.Baseline = seed, backend
		for _, cell := range list {
			if cell.Backend == backend {
				c.Cells = append(c.Cells, cell)
			}
		}
		run := oneRun(c)
		rename := func(cell *results.Cell) { cell.Backend = "lib" }
		for i := range run.Meta.Cells {
			rename(&run.Meta.Cells[i])
		}
		for i := range run.Records {
			rename(&run.Records[i].Cell)
		}
		return run
	}
	return of("old", 1, base), of("young", 2, head)
}

func TestTwoRuns(t *testing.T) {
	base, head := two(map[string]float64{"B": 0.05}, cells("A", "B", "Gone"), cells("A", "B", "Fresh"))
	r := mustJudge(t, Input{Base: base, Head: &head})
	for id, want := range map[string]compare.Verdict{
		"A" + name + "/backend=lib step-time": compare.Equivalent, "B" + name + "/backend=lib step-time": compare.Regressed,
		"Gone" + name + "/backend=lib": Vanished, "Fresh" + name + "/backend=lib": New,
	} {
		if got := check(t, r, id); got.Verdict != want {
			t.Errorf("%s is %s, want %s (%s)", id, got.Verdict, want, got.Reason)
		}
	}
	if r.Code() != CodeFail || r.Family != 2 {
		t.Errorf("code %d, family %d", r.Code(), r.Family)
	}
	// A new cell whose trials break is no pass.
	base, head = two(nil, cells("A"), cells("A", "Fresh"))
	for i := range head.Records {
		if r := &head.Records[i]; r.Cell.Workload == "Fresh" {
			r.End, r.Reason = results.EndCrashed, "planted"
		}
	}
	r = mustJudge(t, Input{Base: base, Head: &head})
	if got := check(t, r, "Fresh"+name+"/backend=lib"); got.Outcome != Broken || r.Code() != CodeBroken {
		t.Errorf("new and broken: %s, code %d", got.Outcome, r.Code())
	}
	// A cell that vanished fails by itself.
	base, head = two(nil, cells("A", "Gone"), cells("A"))
	if r := mustJudge(t, Input{Base: base, Head: &head}); r.Code() != CodeFail {
		t.Errorf("vanished: code %d", r.Code())
	}
	// So does one whose trials all are missing.
	base, head = two(nil, cells("A", "B"), cells("A", "B"))
	head.Records = slices.DeleteFunc(head.Records, func(r results.Record) bool { return r.Cell.Workload == "B" })
	for i := range head.Records {
		head.Records[i].Planned = 1
	}
	r = mustJudge(t, Input{Base: base, Head: &head})
	if got := check(t, r, "B"+name+"/backend=lib step-time"); got.Verdict != Vanished || r.Code() != CodeFail {
		t.Errorf("without trials: %s, code %d", got.Verdict, r.Code())
	}
	// Another program is other work.
	base, head = two(nil, cells("A", "B"), cells("A", "B"))
	for i := range head.Meta.Cells {
		if head.Meta.Cells[i].Workload == "A" {
			head.Meta.Cells[i].Hash = "sha256:other"
		}
	}
	for i := range head.Records {
		if head.Records[i].Cell.Workload == "A" {
			head.Records[i].Cell.Hash = "sha256:other"
		}
	}
	r = mustJudge(t, Input{Base: base, Head: &head, Policy: Policy{Exact: []Tolerance{{Metric: "params"}}}})
	if got := check(t, r, "A"+name+"/backend=lib step-time"); got.Verdict != compare.Missing || !got.Fails || !strings.Contains(got.Reason, "sha256:other") {
		t.Errorf("another program: %s, %q", got.Verdict, got.Reason)
	}
	if got := check(t, r, "A"+name+"/backend=lib params"); got.Verdict != compare.Equivalent {
		t.Errorf("its parameters, which did not change: %s", got.Verdict)
	}
}

func TestOtherHosts(t *testing.T) {
	base, head := two(nil, cells("A"), cells("A"))
	head.Meta.Host.CPU = "another"
	_, err := Judge(Input{Base: base, Head: &head})
	var other OtherHost
	if !errors.As(err, &other) || !strings.Contains(err.Error(), "cpu: ") || !strings.Contains(err.Error(), `"another"`) {
		t.Errorf("error %v", err)
	}
	r := mustJudge(t, Input{Base: base, Head: &head, AcrossHosts: true})
	if !slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, `"another"`) }) {
		t.Errorf("warnings %q do not name the field", r.Warnings)
	}
}

// Doubt passes or fails as the policy says; a gate that saw nothing never passes.
func TestUndecided(t *testing.T) {
	c := config(nil)
	c.Noise, c.Cells = 0.5, cells("A", "B")
	run := oneRun(c)
	r := mustJudge(t, Input{Base: run})
	if got := check(t, r, "A"+name+" step-time"); got.Verdict != compare.Inconclusive || got.Outcome != Undecided || got.Detectable == 0 {
		t.Fatalf("%s, %s, detectable %g", got.Verdict, got.Outcome, got.Detectable)
	}
	if r.Code() != CodePass {
		t.Errorf("code %d: doubt passes unless the policy says otherwise", r.Code())
	}
	if r := mustJudge(t, Input{Base: run, Policy: Policy{Undecided: UndecidedFail}}); r.Code() != CodeUndecided {
		t.Errorf("undecided: fail gives code %d", r.Code())
	}
	some := Policy{Cells: []Override{{Match: "B*", Undecided: UndecidedFail}}}
	r = mustJudge(t, Input{Base: run, Policy: some})
	if r.Code() != CodeUndecided || check(t, r, "A"+name+" step-time").Fails || !check(t, r, "B"+name+" step-time").Fails {
		t.Errorf("an override of one cell: code %d", r.Code())
	}
}

func TestSides(t *testing.T) {
	c := config(nil)
	c.Cells = cells("A")
	third := c.Cells[0]
	third.Backend = "third"
	run := oneRun(c)
	more := c
	more.Cells = append(slices.Clone(c.Cells), third)
	lone := c
	lone.Cells = c.Cells[:1]
	nameless := run
	nameless.Meta.Baseline = ""
	for _, tc := range []struct {
		run      results.Run
		from, to Selector
		says     string
	}{
		{oneRun(more), nil, nil, "2 of backend besides old: name one with --head: young, third"},
		{oneRun(lone), nil, nil, "only one backend"},
		{nameless, nil, nil, "no baseline: name a --base; its backends are old, young"},
		{run, Selector{"backend": "older"}, nil, "backend is one of old, young"},
		{run, nil, Selector{"backend": "younger"}, "backend is one of old, young"},
		{run, Selector{"backend": "old"}, Selector{"backend": "old"}, "both mean backend=old"},
		{run, Selector{"workload": "A", "batch": "8"}, nil, "--head is not given"},
	} {
		_, err := Judge(Input{Base: tc.run, From: tc.from, To: tc.to})
		if err == nil || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, %v: error %v, want %q", tc.from, tc.to, err, tc.says)
		}
	}
}

// Base and head may be told apart by any settings.
func TestSettings(t *testing.T) {
	c := config(nil)
	for _, cell := range cells("A", "B") {
		tuned := cell
		tuned.Allocator = "tuned"
		c.Cells = append(c.Cells, cell, tuned)
	}
	c.Step = func(c results.Cell) float64 {
		if c.Allocator == "tuned" {
			return 0.004
		}
		return 0.005
	}
	run := oneRun(c)
	r := mustJudge(t, Input{Base: run, From: Selector{"allocator": "tuned"}})
	if len(r.Checks) != 4 || r.Head.Select != "allocator=default" {
		t.Fatalf("%d checks, head %s", len(r.Checks), r.Head.Select)
	}
	if got := check(t, r, "A"+name+"/backend=young step-time"); got.Verdict != compare.Regressed {
		t.Errorf("%s", got.Verdict)
	}
	r = mustJudge(t, Input{Base: run, From: Selector{"backend": "old", "allocator": "tuned"}, To: Selector{"backend": "young", "allocator": "default"}})
	if len(r.Checks) != 2 || check(t, r, "B"+name+" step-time").Head.Backend != "young" {
		t.Errorf("%+v", r.Checks)
	}
	// What the head's selector does not name may be anything but the base.
	r = mustJudge(t, Input{Base: run, From: Selector{"backend": "old", "allocator": "tuned"}, To: Selector{"backend": "old"}})
	if len(r.Checks) != 2 || check(t, r, "B"+name+" step-time").Head.Allocator != "" {
		t.Errorf("%+v", r.Checks)
	}
	_, err := Judge(Input{Base: run, From: Selector{"backend": "old", "allocator": "tuned"}, To: Selector{"backend": "young"}})
	if err == nil || !strings.Contains(err.Error(), "means both") || !strings.Contains(err.Error(), "name allocator in --base and --head") {
		t.Errorf("error %v", err)
	}
}

// A metric that is 0 has no ratio: that is no verdict, and alone no pass.
func TestMetricOfZero(t *testing.T) {
	c := config(nil)
	c.Cells = cells("A")
	r := mustJudge(t, Input{Base: oneRun(c), Policy: Policy{Metrics: Metrics{"train": {"gc-per-step"}}}})
	got := check(t, r, "A"+name+" gc-per-step")
	if got.Outcome != Undecided || !strings.Contains(got.Reason, "gc-per-step is 0") || r.Code() != CodeUndecided {
		t.Errorf("%s, %s, %q, code %d", got.Verdict, got.Outcome, got.Reason, r.Code())
	}
}

func TestRequired(t *testing.T) {
	c := config(nil)
	c.Cells = cells("A", "B")
	run := oneRun(c)
	r := mustJudge(t, Input{Base: run, Policy: Policy{Required: []Pattern{"A/*", "Gone/*"}}})
	if got := check(t, r, "Gone/*"); got.Verdict != compare.Missing || r.Code() != CodeFail {
		t.Errorf("%s, code %d", got.Verdict, r.Code())
	}
	c.Faults = []resultstest.Fault{{Cell: func(results.Cell) bool { return true }, End: results.EndUnsupported, Reason: "planted"}}
	c.Cells = cells("A")
	r = mustJudge(t, Input{Base: oneRun(c), Policy: Policy{Required: []Pattern{"A/*"}}})
	if r.Code() != CodeFail {
		t.Errorf("a required cell that neither side can do: code %d", r.Code())
	}
}

func TestPolicyOfCells(t *testing.T) {
	c := config(map[string]float64{"A": 0.05, "B": 0.05})
	c.Cells = cells("A", "B")
	run := oneRun(c)
	p := Policy{MinEffect: Effects{All: 0.03}, Cells: []Override{
		{Match: "A/*", MinEffect: Effects{Of: map[string]float64{"step-time": 0.2}}, Metrics: Metrics{"train": {"step-time", "cpu-per-step"}}},
		{Match: "B/*", Ignore: new(true)}, {Match: "Typing*", Ignore: new(true)},
		{Match: "B*", Undecided: UndecidedFail}, // says nothing of ignore
	}}
	r := mustJudge(t, Input{Base: run, Policy: p})
	if got := check(t, r, "A"+name+" step-time"); got.Verdict != compare.Equivalent || got.Tolerance != 0.2 {
		t.Errorf("%s at %g", got.Verdict, got.Tolerance)
	}
	if got := check(t, r, "A"+name+" cpu-per-step"); got.Tolerance != 0.03 {
		t.Errorf("the other metric has %g", got.Tolerance)
	}
	if r.Family != 2 || !slices.Equal(r.Ignored, []string{"B" + name}) || !slices.Contains(r.Warnings, `policy: no cell matches "Typing*"`) {
		t.Errorf("family %d, ignored %q, warnings %q", r.Family, r.Ignored, r.Warnings)
	}
}
