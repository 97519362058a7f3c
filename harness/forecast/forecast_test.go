package forecast

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/harness"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/workloads"
)

// planOf is a suite of TinyMlp, trained and inferred, on two backends of which
// the second can share imports.
func planOf(t *testing.T) harness.Plan {
	t.Helper()
	suite := workloads.Suite{
		Name: "sample", Backends: []string{"plain", "forking"},
		Cells: []workloads.CellLine{{
			Workloads: []string{"TinyMlp"}, Modes: []workloads.Mode{workloads.Train, workloads.Infer},
			Precisions: []workloads.Precision{workloads.F32}, Devices: []string{workloads.DeviceCPU}, Data: []string{workloads.DataResident},
			Batches: []int{8}, Accumulates: []int{1}, Threads: []int{1}, Checkpoints: []workloads.Checkpointing{{}}, Allocators: []string{""},
			Steps: workloads.Steps{WarmupMax: 40, Blocks: 10, PerBlock: 2},
		}},
		Rounds:  workloads.Rounds{Min: 2, Max: 4, Until: workloads.UntilMax},
		Limits:  workloads.Limits{Trial: time.Minute, Memory: 1 << 30},
		Compare: workloads.Compare{Baseline: "plain", Metric: map[workloads.Mode]string{workloads.Train: "step-time", workloads.Infer: "step-time"}},
	}
	entries := []backends.Entry{{Info: backends.Info{Name: "plain"}}, {Info: backends.Info{Name: "forking"}, Forks: true}}
	plan, err := harness.NewPlan(suite, entries, harness.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// costs of the plan's cells: an import of 2 s, a trial of so many seconds
// besides, of which steps take all that is not given.
func costs(plan harness.Plan) []Cost {
	var all []Cost
	for _, c := range plan.Cells {
		time := Trial{N: 3, Import: 2, Build: 0.5, First: 0.25, Check: 0.25, WarmupBlocks: 10, Steady: 1, WarmupStep: 0.05, Step: 0.05, Rest: 0.5}
		check, memory := time, time
		check.First, check.WarmupBlocks, check.Step, check.Learn = 0, 0, 0, 0.25
		memory.Check, memory.WarmupBlocks = 0, 0
		all = append(all, Cost{
			Cell: c.Name, Work: c.Work, Calls: callsOf(layers(c), c.Name.Mode == "train"), Trials: map[Form]Trial{Time: time, Check: check, Memory: memory},
			Imported: 100 << 20, Peak: 150 << 20, Seen: "2026-11-21",
		})
	}
	return all
}

func near(got, want float64) bool { return math.Abs(got-want) <= 1e-9*math.Max(1, math.Abs(want)) }

// The figures are those that one works out by hand.
func TestTotals(t *testing.T) {
	plan := planOf(t)
	f := Of(plan, Sources{Here: Known{Costs: costs(plan), Between: 0.1}})
	c := f.Cells[1]
	if c.Cell.Backend != "forking" || !c.Shares || f.Cells[0].Shares {
		t.Fatalf("cells %+v", f.Cells)
	}
	// Import 2, build .5, first .25, check .25, 10 blocks of 2 warm-up steps and 20 steps of .05, rest .5; check trials have a curve of .25.
	for form, want := range map[Form]float64{Time: 5.5, Check: 3.5, Memory: 4.25, TimeShared: 3.5, CheckShared: 1.5} {
		if !near(c.Seconds[form], want) {
			t.Errorf("%s: %v s, want %v", form, c.Seconds[form], want)
		}
	}
	cell := func(rounds float64) float64 { return 3.5 + 4.25 + rounds*5.5 + (2+rounds)*0.1 }
	shared := func(rounds float64) float64 { return 1.5 + 4.25 + rounds*3.5 + (2+rounds)*0.1 }
	want := Span{4 * cell(2), 4 * cell(4)}
	if !near(f.Fresh.Min, want.Min) || !near(f.Fresh.Max, want.Max) {
		t.Errorf("fresh %v, want %v", f.Fresh, want)
	}
	// Two cells of the backend share one import in the check pass and in each round.
	want = Span{2*cell(2) + 2*shared(2) + (1+2)*2, 2*cell(4) + 2*shared(4) + (1+4)*2}
	if !near(f.Shared.Min, want.Min) || !near(f.Shared.Max, want.Max) {
		t.Errorf("shared %v, want %v", f.Shared, want)
	}
	if f.Peak != 150<<20 || f.Backends[1].Import != 2 || f.Backends[0].Rests != Measured {
		t.Errorf("%+v", f.Backends)
	}

	plan.Suite.Limits.Suite = 72 * time.Second
	f = Of(plan, Sources{Here: Known{Costs: costs(plan), Between: 0.1}})
	if f.Fresh.Max != f.Fresh.Min || f.Shared.Max != 72 {
		t.Errorf("the suite's limit does not bound the most: %v, %v", f.Fresh, f.Shared)
	}
}

// Where no learning curve was seen, its steps make the forecast: 40 of them here,
// each with a forward pass more, for as long as a trial gives them.
func TestUnseenCurves(t *testing.T) {
	plan := planOf(t)
	for step, want := range map[float64]float64{0.003: 40 * 0.004, 0.6: 10} {
		all := costs(plan)
		for i := range all {
			check, timed := all[i].Trials[Check], all[i].Trials[Time]
			check.Learn, timed.Step = 0, step
			all[i].Trials[Check], all[i].Trials[Time] = check, timed
		}
		for _, c := range Of(plan, Sources{Here: Known{Costs: all}}).Cells {
			learn := want
			if c.Cell.Mode != "train" {
				learn = 0
			}
			if got := c.Seconds[Check]; !near(got, 3.25+learn) {
				t.Errorf("steps of %v s, %s: %v s, want %v and %v of a curve", step, c.Cell.Mode, got, 3.25, learn)
			}
		}
	}
	old, later := Trial{N: 8}, Trial{N: 1, Learn: 4}
	if m := old.mean(later); m.Learn != 4 {
		t.Errorf("after older trials without a curve, one of 4 s counts as %v", m.Learn)
	}
}

// A cell that its backend cannot do has a check trial and no other.
func TestCellsThatEnd(t *testing.T) {
	plan := planOf(t)
	all := costs(plan)
	all[1].Ends, all[1].Trials = results.EndUnsupported, map[Form]Trial{Check: {N: 1, Import: 2, Rest: 1}}
	f := Of(plan, Sources{Here: Known{Costs: all}})
	if c := f.Cells[1]; c.Ends != results.EndUnsupported {
		t.Errorf("%+v", c)
	}
	if want := 3 + (3.5 + 4.25 + 2*5.5); !near(f.Backends[1].Fresh.Min, want) {
		t.Errorf("its backend takes %v, want %v", f.Backends[1].Fresh.Min, want)
	}
}

// A cell that became steady once takes as many blocks again, one that never
// did takes its cap.
func TestWarmup(t *testing.T) {
	steps := workloads.Steps{WarmupMax: 40, Blocks: 1, PerBlock: 2}
	for _, tc := range []struct{ blocks, steady, want float64 }{
		{10, 1, 20}, {30, 1, 40}, {10, 0, 40}, {10, 0.5, 30}, {0, 0, 0},
	} {
		if got := (Trial{WarmupBlocks: tc.blocks, Steady: tc.steady}).warmup(steps); got != tc.want {
			t.Errorf("%+v: %v steps", tc, got)
		}
	}
}

// What is known of this host wins over the reference, which is scaled by the
// cells that both know, or else by the canary.
func TestSources(t *testing.T) {
	plan := planOf(t)
	all := costs(plan)
	slow := all[0]
	slow = slow.scaled(3)
	src := Sources{Here: Known{Costs: []Cost{slow}, Canary: 1}, Reference: Known{Costs: all, Canary: 0.001}, Canary: 0.002}
	f := Of(plan, src)
	if f.Cells[0].Rests != Measured || !near(f.Cells[0].Seconds[Time], 16.5) {
		t.Errorf("measured: %+v", f.Cells[0])
	}
	for _, c := range f.Cells[1:] {
		if c.Rests != Shipped || !near(c.Seconds[Time], 16.5) {
			t.Errorf("by the cells that both know: %+v", c)
		}
	}
	src.Here.Costs = nil
	for _, c := range Of(plan, src).Cells {
		if c.Rests != Shipped || !near(c.Seconds[Time], 11) {
			t.Errorf("by the canary: %+v", c)
		}
	}
	if s := src.Scale(); !near(s, 2) {
		t.Errorf("scale %v", s)
	}
	for _, c := range Of(plan, Sources{}).Cells {
		if c.Rests != Unknown || len(c.Seconds) != 0 || c.Peak != 0 {
			t.Errorf("of nothing: %+v", c)
		}
	}
}

// Only forms that were never run are made from others.
func TestFormsFromOthers(t *testing.T) {
	full := Trial{N: 1, Import: 2, Build: 1, First: 1, Check: 1, WarmupBlocks: 10, WarmupStep: 1, Step: 1, Rest: 1}
	shared := full
	shared.Import = 0
	fresh := Cost{Trials: map[Form]Trial{Time: full}}
	forked := Cost{Trials: map[Form]Trial{TimeShared: shared, Memory: {N: 1, Import: 3}}}
	for _, tc := range []struct {
		cost Cost
		form Form
		want Trial
	}{
		{fresh, Time, full},
		{fresh, TimeShared, Trial{N: 1, Build: 1, First: 1, Check: 1, WarmupBlocks: 10, WarmupStep: 1, Step: 1, Rest: 1}},
		{fresh, Check, Trial{N: 1, Import: 2, Build: 1, Check: 1, WarmupStep: 1, Rest: 1}},
		{fresh, Memory, Trial{N: 1, Import: 2, Build: 1, First: 1, WarmupStep: 1, Step: 1, Rest: 1}},
		{forked, TimeShared, Trial{N: 1, Build: 1, First: 1, Check: 1, WarmupBlocks: 10, WarmupStep: 1, Step: 1, Rest: 1}},
		{forked, Time, Trial{N: 1, Import: 3, Build: 1, First: 1, Check: 1, WarmupBlocks: 10, WarmupStep: 1, Step: 1, Rest: 1}},
	} {
		if got, ok := tc.cost.trial(tc.form); !ok || got != tc.want {
			t.Errorf("%s of %v:\n got %+v, %v\nwant %+v", tc.form, tc.cost.Trials, got, ok, tc.want)
		}
	}
	if _, ok := (Cost{}).trial(Time); ok {
		t.Error("a trial of nothing")
	}
}

// A forecast that was written down is held to a run as the one that was made.
func TestAgainst(t *testing.T) {
	plan := planOf(t)
	f := Of(plan, Sources{Here: Known{Costs: costs(plan), Between: 0.1}})
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	var read Forecast
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	run := runOf(plan, 2, false, 1)
	for _, tc := range []struct {
		factor float64
		shared bool
		right  bool
	}{{1, false, true}, {1, true, true}, {1.3, false, true}, {0.8, true, true}, {1.6, false, false}, {1.6, true, false}, {0.7, false, false}, {4, false, false}} {
		run = runOf(plan, 2, tc.shared, tc.factor)
		rows, err := read.Against(run)
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) != 5 {
			t.Fatalf("%d rows: %+v", len(rows), rows)
		}
		for i, r := range rows[:4] {
			// Two rounds of at most four: the whole run may take longer than they and be foretold.
			if r.Right() != tc.right && (i < 3 || tc.right) {
				t.Errorf("%v: %s: forecast %v, came %v, off %.2f", tc, r.What, r.Forecast, r.Came, r.Off())
			}
			if tc.factor == 4 && r.Right() {
				t.Errorf("%s: forecast %v, came %v", r.What, r.Forecast, r.Came)
			}
			if tc.factor == 1 && math.Abs(r.Off()) > 0.01 {
				t.Errorf("%v: %s is off by %.3f: forecast %v, came %v", tc, r.What, r.Off(), r.Forecast, r.Came)
			}
		}
		if r := rows[4]; !r.Right() || r.Came != 150 {
			t.Errorf("%+v", r)
		}
	}
	run.Meta.Suite = "other"
	if _, err := read.Against(run); err == nil {
		t.Error("a run of another suite was compared")
	}
	run.Meta.Suite, run.Records = f.Suite, nil
	if _, err := read.Against(run); err == nil {
		t.Error("a run without trials was compared")
	}
}

// runOf is a run of the plan in which trials take factor times as long as costs
// says, with 0.1 s between them.
func runOf(plan harness.Plan, rounds int, share bool, factor float64) results.Run {
	run := results.Run{Meta: results.Meta{Suite: plan.Suite.Name, Host: results.Host{CPU: "some", Cores: 2, OS: "linux", Arch: "amd64"}, Workloads: plan.Workloads}}
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for _, c := range plan.Cells {
		run.Meta.Cells = append(run.Meta.Cells, c.Name)
	}
	add := func(c harness.Cell, kind string, round int, shared, first bool) {
		ns := func(s float64) int64 { return int64(s * factor * 1e9) }
		r := results.Record{
			Kind: kind, Round: round, Attempt: 1, Cell: c.Name, Work: c.Work, End: results.EndOK, Shared: shared, Start: at.Format(time.RFC3339Nano),
			StepsPerBlock: c.Steps.PerBlock,
		}
		peak := int64(150 << 20)
		phase := func(name string, s float64, steps int) {
			r.Phases = append(r.Phases, results.Phase{Name: name, WallNS: ns(s), Steps: steps, HWM: &peak})
			r.WallNS += ns(s)
		}
		if !shared {
			phase("import", 2, 0)
		} else if first { // in no phase
			r.WallNS += ns(2)
		}
		phase("build", 0.5, 0)
		if kind != results.KindCheck {
			phase("first", 0.25, 1)
		}
		if kind != results.KindMemory {
			phase("check", 0.25, 3)
		}
		if kind == results.KindCheck {
			phase("learn", 0.25, 40)
		}
		if kind == results.KindTime {
			r.Steady = &results.Steady{Reached: true, Steps: 20}
			r.Disturb = &results.Disturbance{CanaryNS: 7e5}
			phase("warm-up", 20*0.05, 20)
		}
		if kind != results.KindCheck {
			phase("measure", 20*0.05, 20)
		}
		r.WallNS += ns(0.5)
		run.Records = append(run.Records, r)
		at = at.Add(time.Duration(r.WallNS) + time.Duration(ns(0.1)))
	}
	pass := func(kind string, round int) {
		for _, backend := range plan.Suite.Backends {
			first := true
			for _, c := range plan.Cells {
				if c.Name.Backend == backend {
					add(c, kind, round, share && c.Entry.Forks && kind != results.KindMemory, first)
					first = false
				}
			}
		}
	}
	pass(results.KindCheck, 0)
	pass(results.KindMemory, 0)
	for round := range rounds {
		pass(results.KindTime, round+1)
	}
	return run
}
