package gorgonia

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// cuts lists the ops after which nothing but their own output is read.
func cuts(p workloads.Program) []int {
	var out []int
	for i := range len(p.Ops) - 1 {
		if !slices.ContainsFunc(p.Ops[i+1:], func(o workloads.Op) bool { return slices.Min(o.In) < i }) {
			out = append(out, i)
		}
	}
	return out
}

// segmentations are the ways to checkpoint a program that are tried: one segment
// that ends at each legal cut, two with every pair of them, and one for every cut.
func segmentations(p workloads.Program) [][]workloads.Segment {
	var ways [][]workloads.Segment
	var all []workloads.Segment
	next := 0
	for i, c := range cuts(p) {
		ways = append(ways, []workloads.Segment{{First: 0, Last: c}})
		for _, before := range cuts(p)[:i] {
			ways = append(ways, []workloads.Segment{{First: 0, Last: before}, {First: before + 1, Last: c}})
		}
		all = append(all, workloads.Segment{First: next, Last: c})
		next = c + 1
	}
	if len(all) > 2 {
		ways = append(ways, all)
	}
	return ways
}

// checkpointed builds the case with those segments.
func (c tiny) checkpointed(t *testing.T, segments []workloads.Segment) fixture {
	t.Helper()
	job := c.job(t)
	job.Program.Segments, job.Settings.Checkpoint = segments, len(segments)
	f := fixture{Backend: &Backend{}, p: job.Program}
	var err error
	if f.built, err = f.Build(t.Context(), job); err != nil {
		t.Fatalf("segments %v: %v", segments, err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.built.Against(job); err != nil {
		t.Error(err)
	}
	return f
}

// TestCheckpointComputesTheSame cuts every program wherever it can be cut:
// logits, gradients, losses and parameters are those of one graph.
func TestCheckpointComputesTheSame(t *testing.T) {
	tried := 0
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			plain := c.build(t)
			want := account(t, plain)
			for _, segments := range segmentations(plain.p) {
				tried++
				for what, v := range account(t, c.checkpointed(t, segments)) {
					for i := range v {
						if !near(v[i], want[what][i], 1e-12, 1e-3) {
							t.Fatalf("segments %v: %s[%d] is %v, want %v", segments, what, i, v[i], want[what][i])
						}
					}
				}
			}
		})
	}
	if tried < 100 {
		t.Errorf("only %d ways to cut were tried", tried)
	}
}

// account is what can be read of a build, of three steps, and after a reset.
func account(t *testing.T, f fixture) map[string][]float64 {
	t.Helper()
	out := map[string][]float64{}
	note := func(prefix, what string, batch int) {
		for name, v := range f.read(t, what, batch) {
			out[prefix+name] = v.Data
		}
	}
	for round := range 2 {
		at := fmt.Sprintf("round %d ", round)
		note(at, "logits", 1)
		note(at+"gradient of ", "grads", 1)
		for step := range 3 {
			if err := f.Run([]int{step}); err != nil {
				t.Fatal(err)
			}
			note(fmt.Sprintf("%sstep %d ", at, step), "loss", 0)
		}
		note(at+"late ", "logits", 0)
		note(at, "params", 0)
		if err := f.Reset(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestCheckpointDropsTheSame: the masks of a segment are the same both times,
// and those that the program has without segments.
func TestCheckpointDropsTheSame(t *testing.T) {
	drop := workloads.Layer{Op: workloads.OpDropout, Attr: workloads.Attr{Rate: 0.3}}
	for name, c := range map[string]tiny{
		"twice": {input: vector, layers: layers{dense("fc1", 8), drop, dense("fc2", 8), drop, plain("relu"), dense("fc3", 3)}},
		// The product with the mask would overwrite what the segment begins with.
		"reshaped": {input: image, layers: layers{conv("c1", 3, 3, 1, 1), plain("relu"), plain("flatten"), drop, dense("fc", 3)}},
	} {
		c.purpose = backends.ForTime
		plain := c.build(t)
		want := trajectory(t, plain, 6)
		for _, segments := range segmentations(plain.p) {
			got := trajectory(t, c.checkpointed(t, segments), 6)
			for i := range want {
				if !near(got[i], want[i], 1e-12, 1) {
					t.Errorf("%s: segments %v: loss of step %d is %v, want %v", name, segments, i, got[i], want[i])
				}
			}
		}
	}
}

// TestSegmentsThatCannotBe: what the chain cannot run is refused, not run otherwise.
func TestSegmentsThatCannotBe(t *testing.T) {
	c := cases["residual identity"]
	for name, segments := range map[string][]workloads.Segment{
		"a gap before":  {{First: 1, Last: 2}},
		"a gap between": {{First: 0, Last: 0}, {First: 2, Last: 3}},
		"the last op":   {{First: 0, Last: len(c.job(t).Program.Ops) - 1}},
		"over a branch": {{First: 0, Last: 3}},
	} {
		job := c.job(t)
		job.Program.Segments, job.Settings.Checkpoint = segments, len(segments)
		if _, err := (&Backend{}).Build(t.Context(), job); !errors.Is(err, backends.ErrUnsupported) {
			t.Errorf("%s: got %v, want ErrUnsupported", name, err)
		}
	}
}

// TestCheckpointHoldsLess: of a stack of sixteen equal layers in four segments,
// no more than one segment is held at a time.
func TestCheckpointHoldsLess(t *testing.T) {
	c := tiny{input: workloads.Input{Kind: "vector", Shape: []int{64}}, settings: func(s *workloads.Settings) { s.Batch = 1024 }}
	for i := range 16 {
		c.layers = append(c.layers, dense(fmt.Sprintf("fc%d", i), 64), plain("relu"))
	}
	c.layers = append(c.layers, dense("out", 3))
	plain := c.job(t)
	cut := plain
	for i := range 4 {
		cut.Program.Segments = append(cut.Program.Segments, workloads.Segment{First: 8 * i, Last: 8*i + 7})
	}
	cut.Settings.Checkpoint = 4
	whole, parts := held(t, plain), held(t, cut)
	t.Logf("%.1f MB without segments, %.1f MB with four", float64(whole)/1e6, float64(parts)/1e6)
	if float64(parts) > 0.5*float64(whole) {
		t.Errorf("four segments hold %d bytes at the most, one graph %d: want at most half", parts, whole)
	}
}

// held is what a built job holds on the heap at the most, beside what the build
// itself does: each graph is run once more after a step, and looked at before it
// lets go.
func held(t *testing.T, job backends.Job) uint64 {
	t.Helper()
	b := &Backend{}
	if _, err := b.Build(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	before, most := alive(), uint64(0)
	if err := b.Run([]int{0}); err != nil {
		t.Fatal(err)
	}
	for _, l := range b.chain.links {
		for _, g := range []*graph{l.first, l.second} {
			if g == nil {
				continue
			}
			if err := g.vm.RunAll(); err != nil {
				t.Fatal(err)
			}
			g.vm.Reset()
			most = max(most, alive())
			if err := g.release(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return most - before
}

// alive is how many bytes of the heap a garbage collection leaves.
func alive() uint64 {
	var m runtime.MemStats
	for range 2 { // what a pool holds goes with the second one
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
