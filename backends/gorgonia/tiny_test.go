package gorgonia

import (
	"math"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

type layers = []workloads.Layer

var (
	vector = workloads.Input{Kind: "vector", Shape: []int{6}}
	image  = workloads.Input{Kind: "image", Shape: []int{2, 6, 5}}
	tokens = workloads.Input{Kind: "tokens", Shape: []int{5}, Vocab: 9}
	series = workloads.Input{Kind: "sequence", Shape: []int{4, 6}}
	// softmax and sigmoid are the two losses.
	softmax = workloads.Layer{Op: workloads.LossSoftmax}
	sigmoid = workloads.Layer{Op: workloads.LossSigmoid}
	sgd     = workloads.Layer{Op: workloads.OptSGD, Attr: workloads.Attr{Rate: 0.1, Momentum: 0.9}}
	adam    = workloads.Layer{Op: workloads.OptAdam, Attr: workloads.Attr{Rate: 0.01, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7}}
)

// tiny describes a program of a few hundred numbers.
type tiny struct {
	input     workloads.Input
	layers    layers
	loss      workloads.Layer
	optimizer workloads.Layer
	settings  func(*workloads.Settings)
	purpose   backends.Purpose
}

// fixture is a built program with the numbers that it was built from.
type fixture struct {
	*Backend
	p       workloads.Program
	built   backends.Built
	weights map[string]workloads.Tensor
	batches map[string]workloads.Tensor
}

func (c tiny) job(t *testing.T) backends.Job {
	t.Helper()
	if c.loss.Op == "" {
		c.loss = softmax
	}
	if c.optimizer.Op == "" {
		c.optimizer = sgd
	}
	if c.purpose == "" {
		c.purpose = backends.ForCheck
	}
	generator := map[string]string{"vector": "class-blobs", "image": "class-blobs", "tokens": "planted-tokens", "sequence": "class-sequences"}[c.input.Kind]
	classes := 3
	if c.loss.Op == workloads.LossSigmoid {
		classes = 2
	}
	spec := workloads.Spec{
		Workload: "Tiny", Title: map[string]string{"en": "t", "zh": "t"}, Source: map[string]string{"own": "test"},
		Input: c.input, Data: workloads.Data{Generator: generator, Classes: classes, Batches: 3, Seed: 7},
		Layers: c.layers, Loss: c.loss, Optimizer: c.optimizer,
		Steps: workloads.Steps{Check: 3, WarmupMax: 5, Blocks: 2, PerBlock: 1},
	}
	set := workloads.DefaultSettings()
	set.Precision, set.Batch = workloads.F64, 4
	if c.settings != nil {
		c.settings(&set)
	}
	p, err := spec.Resolve(set)
	if err != nil {
		t.Fatal(err)
	}
	cache := workloads.Cache{Dir: t.TempDir()}
	job := backends.Job{Program: p, Settings: set, For: c.purpose}
	if job.Weights, err = cache.Weights(p); err != nil {
		t.Fatal(err)
	}
	if job.Batches, err = cache.Batches(p, ""); err != nil {
		t.Fatal(err)
	}
	return job
}

func (c tiny) build(t *testing.T) fixture {
	t.Helper()
	job := c.job(t)
	f := fixture{Backend: &Backend{}, p: job.Program}
	var err error
	if f.weights, err = workloads.ReadSafetensors(job.Weights); err != nil {
		t.Fatal(err)
	}
	if f.batches, err = workloads.ReadSafetensors(job.Batches); err != nil {
		t.Fatal(err)
	}
	if f.built, err = f.Build(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// reference has the parameters that the backend holds now.
func (f fixture) reference(t *testing.T) reference {
	r := reference{p: f.p, params: map[string][]float64{}}
	for name, v := range f.read(t, "params", 0) {
		r.params[name] = v.Data
	}
	return r
}

// examples returns the numbers of a batch and its labels.
func (f fixture) examples(batch int) (x [][]float64, y []int32) {
	all, n := f.batches["x"].Float64s(), size(f.p.Input.Shape)
	for e := range f.p.Batch {
		at := (batch*f.p.Batch + e) * n
		x = append(x, all[at:at+n])
	}
	return x, f.batches["y"].I32[batch*f.p.Batch : (batch+1)*f.p.Batch]
}

func (f fixture) read(t *testing.T, what string, batch int) map[string]backends.Tensor {
	t.Helper()
	out, err := f.Read(what, batch)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (f fixture) lossOf(t *testing.T) float64 { return f.read(t, "loss", 0)["loss"].Data[0] }

// near reports whether two numbers agree to tol, relative to the larger of
// them and floor.
func near(a, b, tol, floor float64) bool {
	return math.Abs(a-b) <= tol*max(math.Abs(a), math.Abs(b), floor)
}
