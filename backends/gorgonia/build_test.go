package gorgonia

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

func TestUnsupported(t *testing.T) {
	for name, c := range map[string]struct {
		tiny
		want string
	}{
		"gelu": {tiny{input: vector, layers: layers{dense("fc1", 4), plain("gelu"), dense("fc", 3)}}, "gelu: unsupported: gelu: Gorgonia has no error function"},
		"mixed": {tiny{input: vector, layers: layers{dense("fc", 3)},
			settings: func(s *workloads.Settings) { s.Precision = workloads.BF16Mix }}, "unsupported: precision bf16-mixed"},
		"cuda": {tiny{input: vector, layers: layers{dense("fc", 3)},
			settings: func(s *workloads.Settings) { s.Device = workloads.DeviceCUDA }}, "unsupported: device cuda"},
		"attention of one": {tiny{input: series, layers: layers{attention(6, false), plain("avgpool"), dense("fc", 3)}}, "unsupported: attention over 4 steps with 1 features per head"},
		"lstm of one step": {tiny{input: workloads.Input{Kind: "sequence", Shape: []int{1, 6}}, layers: layers{named("lstm", "l", 3), plain("last-step"), dense("fc", 3)}}, "unsupported: lstm over one step in training"},
		"lstm of one unit": {tiny{input: series, layers: layers{named("lstm", "l", 1), plain("avgpool"), dense("fc", 3)},
			settings: func(s *workloads.Settings) { s.Batch = 1 }}, "unsupported: lstm of one unit with one example"},
		"narrow batchnorm": {tiny{input: workloads.Input{Kind: "image", Shape: []int{2, 3, 1}}, layers: layers{named("batchnorm", "bn", 0), plain("flatten"), dense("fc", 3)}},
			"unsupported: batchnorm of shape [2 3 1]"},
		"one number": {tiny{input: workloads.Input{Kind: "sequence", Shape: []int{1, 1}}, layers: layers{plain("avgpool"), dense("fc", 3)},
			settings: func(s *workloads.Settings) { s.Batch = 1 }}, "unsupported: a copy of one number"},
		"last step of one feature": {tiny{input: workloads.Input{Kind: "sequence", Shape: []int{4, 1}}, layers: layers{plain("last-step"), dense("fc", 3)},
			settings: func(s *workloads.Settings) { s.Batch = 1 }}, "unsupported: last-step of one feature with one example"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := (&Backend{}).Build(t.Context(), c.job(t))
			if !errors.Is(err, backends.ErrUnsupported) {
				t.Fatalf("got %v, want ErrUnsupported", err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want it to say %q", err, c.want)
			}
		})
	}
}

// TestBadFiles: files that do not fit the program are refused before a step.
func TestBadFiles(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(weights, batches map[string]workloads.Tensor)
		want  string
	}{
		"no weight":    {func(w, _ map[string]workloads.Tensor) { delete(w, "fc.bias") }, `no tensor "fc.bias"`},
		"short weight": {func(w, _ map[string]workloads.Tensor) { w["fc.bias"] = workloads.Tensor{F32: []float32{1}} }, "fc.bias has 1 elements"},
		"no labels":    {func(_, b map[string]workloads.Tensor) { delete(b, "y") }, "expected x [n, 4, ...] and y [n, 4]"},
		"short batch":  {func(_, b map[string]workloads.Tensor) { x := b["x"]; x.F32 = x.F32[1:]; b["x"] = x }, "expected [3, 4] examples of [6]"},
		"bad label":    {func(_, b map[string]workloads.Tensor) { b["y"].I32[5] = 3 }, "label 5 is 3: expected 0 to 2"},
		"tokens": {func(_, b map[string]workloads.Tensor) {
			x := b["x"]
			x.I32, x.F32 = make([]int32, len(x.F32)), nil
			b["x"] = x
		}, "x is I32: expected F32"},
	} {
		t.Run(name, func(t *testing.T) {
			job := cases["dense"].job(t)
			weights, err := workloads.ReadSafetensors(job.Weights)
			if err != nil {
				t.Fatal(err)
			}
			batches, err := workloads.ReadSafetensors(job.Batches)
			if err != nil {
				t.Fatal(err)
			}
			c.spoil(weights, batches)
			_, err = (&Backend{}).build(t.Context(), job, weights, batches)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want it to say %q", err, c.want)
			}
		})
	}
}

// TestBuilt: what the backend says it holds is what the job asked for.
func TestBuilt(t *testing.T) {
	for _, name := range []string{"dense", "lstm stack", "accumulate", "attention"} {
		f := cases[name].build(t)
		if err := f.built.Against(f.job); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var held int64
		for _, p := range f.chain.params {
			for _, q := range p.pieces {
				held += int64(q.value.DataSize())
			}
		}
		if held != f.built.Params {
			t.Errorf("%s: the pieces hold %d elements, %d are claimed", name, held, f.built.Params)
		}
	}
}

// TestReadErrors: reads that make no sense say so.
func TestReadErrors(t *testing.T) {
	f := tiny{input: vector, layers: layers{dense("fc", 3)}, purpose: backends.ForTime}.build(t)
	for what, want := range map[string]string{
		"loss":    "no step was run",
		"grads":   `expected a build for "check"`,
		"weights": "expected loss, logits, grads or params",
	} {
		if _, err := f.Read(what, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("read %s: got %v, want it to say %q", what, err, want)
		}
	}
	for _, batch := range []int{-1, 3} {
		if err := f.Run([]int{batch}); err == nil {
			t.Errorf("run of batch %d succeeded", batch)
		}
		if _, err := f.Read("logits", batch); err == nil {
			t.Errorf("logits of batch %d were read", batch)
		}
	}
}

// TestCollision: two nodes of equal hash are found.
func TestCollision(t *testing.T) {
	g := G.NewGraph()
	x := G.NewVector(g, tensor.Float64, G.WithShape(4), G.WithName("x"))
	G.Must(G.SoftMax(x))
	if collides(g) {
		t.Fatal("a graph without a collision was refused")
	}
	seen := map[uint32]string{}
	for i := 0; ; i++ { // 2^16 names make a collision likely; it is found by trying
		name := fmt.Sprintf("n%d", i)
		n := G.NewVector(G.NewGraph(), tensor.Float64, G.WithShape(4), G.WithName(name))
		other, ok := seen[n.Hashcode()]
		if !ok {
			seen[n.Hashcode()] = name
			continue
		}
		G.NewVector(g, tensor.Float64, G.WithShape(4), G.WithName(name))
		G.NewVector(g, tensor.Float64, G.WithShape(4), G.WithName(other))
		break
	}
	if !collides(g) {
		t.Error("a collision was not found")
	}
}

// TestSilentMerge: two products that the graph takes for one while it grows, so
// that a layer gets the other's weights, are found by growing it twice; in
// training the gradient fails, and other names are tried. The layers' names
// were searched for such a pair.
func TestSilentMerge(t *testing.T) {
	one, other := named(workloads.OpDense, "fc33249", 6), named(workloads.OpDense, "fc60465", 6)
	for _, mode := range workloads.Modes {
		p := tiny{
			input:    vector,
			layers:   layers{{Op: workloads.LayerResidual, Body: layers{one}, Shortcut: layers{other}}, dense("fc", 3)},
			settings: func(s *workloads.Settings) { s.Mode = mode },
		}.job(t).Program
		merged, err := growSalted(p, tensor.Float64, whole(p), 0)
		if mode == workloads.Train != errors.Is(err, errGradient) {
			t.Fatalf("%s: the merged graph gave %v", mode, err)
		}
		b, err := growChecked(p, tensor.Float64, whole(p), 0)
		if err != nil {
			t.Fatalf("%s: %v", mode, err)
		}
		if b.salt == "" {
			t.Errorf("%s: took the merged graph", mode)
		}
		if mode == workloads.Infer && (collides(merged.g) || len(b.g.AllNodes()) <= len(merged.g.AllNodes())) {
			t.Errorf("%s: nothing was merged: other names are needed", mode)
		}
	}
}

func TestInfo(t *testing.T) {
	info := Info()
	for _, m := range []string{"gorgonia", "tensor"} {
		if !strings.HasPrefix(info.Versions[m], "v0.9.") {
			t.Errorf("version of %s is %q", m, info.Versions[m])
		}
	}
	if slices.Contains(info.Ops, workloads.OpGELU) || len(info.Ops) != 19 {
		t.Errorf("ops are %v", info.Ops)
	}
}
