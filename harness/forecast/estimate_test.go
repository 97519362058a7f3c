package forecast

import (
	"math"
	"testing"

	"github.com/dlbench/dlbench/results"
)

// law is a backend whose steps take so long per call, per FLOP and per byte.
type law struct{ call, flop, bytes float64 }

func (l law) cost(name string, calls, flops, params, activations int64) Cost {
	c := Cost{
		Cell: results.Cell{Workload: name, Hash: name, Mode: "train", Device: "cpu", Backend: "b", Threads: 1},
		Work: results.Work{ModelFLOPs: flops, ParamBytes: params, ActivationBytes: activations}, Calls: calls,
	}
	step := l.call*float64(calls) + l.flop*float64(flops) + l.bytes*counted(c)
	build := 0.1 + 1e-9*float64(params)
	c.Trials = map[Form]Trial{Time: {N: 1, Import: 2, Build: build, First: 2 * step, Check: 3 * step, WarmupBlocks: 10, Steady: 1, WarmupStep: step, Step: step}}
	c.Imported = 200 << 20
	c.Peak = c.Imported + int64(1.5*counted(c))
	return c
}

// A cell that was never run is estimated from others of its backend: here of a
// backend that follows the model, in three balances of calls and arithmetic.
func TestEstimate(t *testing.T) {
	for _, l := range []law{{5e-5, 1e-11, 0}, {1e-6, 2e-11, 1e-10}, {0, 1e-11, 2e-10}} {
		pool := []Cost{
			l.cost("small", 15, 4e7, 4e5, 1e5), l.cost("conv", 27, 5e8, 9e5, 9e6), l.cost("sequence", 1000, 6e8, 5e6, 3e6), l.cost("dense", 15, 2e8, 8e6, 3e5),
		}
		want := l.cost("another", 40, 2e9, 3e6, 2e7)
		got, ok := estimate(Cost{Cell: want.Cell, Work: want.Work, Calls: want.Calls}, pool)
		if !ok {
			t.Fatal("no estimate")
		}
		a, b := got.Trials[Time], want.Trials[Time]
		for name, r := range map[string]float64{
			"step": a.Step / b.Step, "warm-up": a.WarmupStep / b.WarmupStep, "build": a.Build / b.Build, "check": a.Check / b.Check,
			"peak": float64(got.Peak) / float64(want.Peak),
		} {
			if math.Abs(r-1) > 0.2 {
				t.Errorf("%+v: %s is %.2f of what it is", l, name, r)
			}
		}
		if a.Import != 2 {
			t.Errorf("import %v", a.Import)
		}
	}
}

// Another setting of a known cell is nearer than another model of as much work.
func TestEstimateTakesTheNearest(t *testing.T) {
	l := law{1e-6, 1e-11, 0}
	same, like := l.cost("same", 15, 4e8, 4e5, 1e5), l.cost("like", 15, 4e8, 4e5, 1e5)
	same = same.scaled(7)
	want := same
	want.Cell.Allocator, want.Trials, want.Peak = "tuned", nil, 0
	got, ok := estimate(want, []Cost{like, same})
	if !ok || !near(got.Trials[Time].Step, same.Trials[Time].Step) || got.Peak != same.Peak {
		t.Errorf("%+v", got)
	}
	// On another device, or in another mode, nothing is known.
	for _, change := range []func(*results.Cell){func(c *results.Cell) { c.Device = "cuda" }, func(c *results.Cell) { c.Mode = "infer" }} {
		other := want
		change(&other.Cell)
		if _, ok := estimate(other, []Cost{like, same}); ok {
			t.Errorf("an estimate for %+v", other.Cell)
		}
	}
	// A backend whose cells of that mode all end early ends this one too.
	like.Ends, same.Ends = results.EndUnsupported, results.EndUnsupported
	if got, ok := estimate(want, []Cost{like, same}); !ok || got.Ends != results.EndUnsupported {
		t.Errorf("%+v", got)
	}
	same.Ends = ""
	if got, ok := estimate(want, []Cost{like, same}); !ok || got.Ends != "" {
		t.Errorf("%+v", got)
	}
}

// An LSTM dispatches its operations at each step of the sequence.
func TestCalls(t *testing.T) {
	lstm := results.Layer{Op: "lstm", Shape: []int{64}, Params: 4*64*(128+64) + 4*64, FLOPs: 2 * 16 * 4 * 64 * (128 + 64)}
	dense := results.Layer{Op: "dense", Shape: []int{10}, Params: 650, FLOPs: 1280}
	if n := callsOf([]results.Layer{lstm, dense}, false); n != 1+10*16+1 {
		t.Errorf("%d calls", n)
	}
	if n := callsOf([]results.Layer{dense, dense}, true); n != 6 {
		t.Errorf("%d calls in training", n)
	}
}

// The environment of another version is taken for its framework.
func TestOtherVersion(t *testing.T) {
	plan := planOf(t)
	all := costs(plan)
	plan.Cells[1].Name.Backend = "forking@2.14.0"
	f := Of(plan, Sources{Here: Known{Costs: all}})
	if c := f.Cells[1]; c.Rests != Estimated || !near(c.Seconds[Time], 5.5) {
		t.Errorf("%+v", c)
	}
}
