package gomlx

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// layer shortens the tables below.
func layer(op, name string, attr workloads.Attr) workloads.Layer {
	return workloads.Layer{Op: op, Name: name, Attr: attr}
}

func dense(name string, units int) workloads.Layer {
	return layer(workloads.OpDense, name, workloads.Attr{Units: units, Bias: true})
}

func bare(op string) workloads.Layer { return workloads.Layer{Op: op} }

// model is a small program around the ops under test.
type model struct {
	name    string
	input   workloads.Input
	layers  []workloads.Layer
	sigmoid bool // loss over one logit
}

var (
	image    = workloads.Input{Kind: workloads.KindImage, Shape: []int{2, 7, 6}}
	vector   = workloads.Input{Kind: workloads.KindVector, Shape: []int{5}}
	tokens   = workloads.Input{Kind: workloads.KindTokens, Shape: []int{5}, Vocab: 11}
	sequence = workloads.Input{Kind: workloads.KindSequence, Shape: []int{5, 4}}
)

// models has every op, and every variant of a composed op.
var models = []model{
	{"dense", vector, []workloads.Layer{dense("a", 4), bare(workloads.OpReLU), layer(workloads.OpDense, "b", workloads.Attr{Units: 3})}, false},
	{"sigmoid loss", vector, []workloads.Layer{dense("a", 4), bare(workloads.OpSigmoid), dense("b", 1)}, true},
	{"gelu", vector, []workloads.Layer{dense("a", 4), bare(workloads.OpGELU), dense("b", 3)}, false},
	{"dense over steps", sequence, []workloads.Layer{dense("a", 3), bare(workloads.OpAvgPool), dense("b", 3)}, false},
	{"conv", image, []workloads.Layer{
		layer(workloads.OpConv2D, "c", workloads.Attr{Filters: 3, Kernel: 3, Bias: true}), bare(workloads.OpGELU),
		layer(workloads.OpConv2D, "d", workloads.Attr{Filters: 2, Kernel: 2}), bare(workloads.OpFlatten), dense("b", 3)}, false},
	{"conv padded strided", image, []workloads.Layer{
		layer(workloads.OpConv2D, "c", workloads.Attr{Filters: 3, Kernel: 3, Stride: 2, Pad: 1, Bias: true}), bare(workloads.OpGELU),
		layer(workloads.OpConv2D, "d", workloads.Attr{Filters: 2, Kernel: 1}), bare(workloads.OpAvgPool), dense("b", 3)}, false},
	{"conv 1x1 strided", image, []workloads.Layer{
		layer(workloads.OpConv2D, "c", workloads.Attr{Filters: 3, Kernel: 1, Stride: 2}), bare(workloads.OpFlatten), dense("b", 3)}, false},
	{"maxpool", image, []workloads.Layer{
		layer(workloads.OpConv2D, "c", workloads.Attr{Filters: 3, Kernel: 2, Bias: true}),
		layer(workloads.OpMaxPool2D, "", workloads.Attr{Size: 2}), bare(workloads.OpFlatten), dense("b", 3)}, false},
	{"maxpool overlapping", image, []workloads.Layer{
		layer(workloads.OpConv2D, "c", workloads.Attr{Filters: 3, Kernel: 2, Bias: true}),
		layer(workloads.OpMaxPool2D, "", workloads.Attr{Size: 3, Stride: 2}), bare(workloads.OpFlatten), dense("b", 3)}, false},
	{"batchnorm maps", image, []workloads.Layer{
		layer(workloads.OpConv2D, "c", workloads.Attr{Filters: 3, Kernel: 2}), layer(workloads.OpBatchNorm, "n", workloads.Attr{}),
		bare(workloads.OpGELU), bare(workloads.OpAvgPool), dense("b", 3)}, false},
	{"batchnorm vector", vector, []workloads.Layer{
		dense("a", 4), layer(workloads.OpBatchNorm, "n", workloads.Attr{Momentum: 0.3}), bare(workloads.OpGELU), dense("b", 3)}, false},
	{"batchnorm first", image, []workloads.Layer{
		layer(workloads.OpBatchNorm, "n", workloads.Attr{}), bare(workloads.OpFlatten), dense("b", 3)}, false},
	{"flatten first", image, []workloads.Layer{bare(workloads.OpFlatten), dense("a", 4), bare(workloads.OpReLU), dense("b", 3)}, false},
	{"layernorm", sequence, []workloads.Layer{
		dense("a", 4), layer(workloads.OpLayerNorm, "n", workloads.Attr{}), bare(workloads.OpLastStep), dense("b", 3)}, false},
	{"embedding", tokens, []workloads.Layer{
		layer(workloads.OpEmbedding, "e", workloads.Attr{Units: 4}), bare(workloads.OpAvgPool), dense("b", 3)}, false},
	{"lstm last", tokens, []workloads.Layer{
		layer(workloads.OpEmbedding, "e", workloads.Attr{Units: 4}),
		layer(workloads.OpLSTM, "l", workloads.Attr{Units: 3}),
		{Op: workloads.OpLSTM, Name: "m", Attr: workloads.Attr{Units: 2}, Last: true}, dense("b", 1)}, true},
	{"lstm all steps", sequence, []workloads.Layer{
		layer(workloads.OpLSTM, "l", workloads.Attr{Units: 3}), bare(workloads.OpAvgPool), dense("b", 3)}, false},
	{"attention", sequence, []workloads.Layer{
		layer(workloads.OpAttention, "t", workloads.Attr{Heads: 2}), bare(workloads.OpAvgPool), dense("b", 3)}, false},
	{"attention causal", sequence, []workloads.Layer{
		layer(workloads.OpAttention, "t", workloads.Attr{Heads: 2, Causal: true}), bare(workloads.OpAvgPool), dense("b", 3)}, false},
	{"residual maps", image, []workloads.Layer{
		layer(workloads.OpConv2D, "c", workloads.Attr{Filters: 3, Kernel: 3, Pad: 1}),
		{Op: workloads.LayerResidual, Body: []workloads.Layer{
			layer(workloads.OpConv2D, "d", workloads.Attr{Filters: 3, Kernel: 3, Pad: 1}), bare(workloads.OpGELU)}},
		bare(workloads.OpAvgPool), dense("b", 3)}, false},
	{"residual sequence", sequence, []workloads.Layer{
		{Op: workloads.LayerResidual, Body: []workloads.Layer{
			layer(workloads.OpLayerNorm, "n", workloads.Attr{}), layer(workloads.OpAttention, "t", workloads.Attr{Heads: 2})}},
		bare(workloads.OpAvgPool), dense("b", 3)}, false},
	{"dropout", vector, []workloads.Layer{
		dense("a", 8), layer(workloads.OpDropout, "", workloads.Attr{Rate: 0.5}), dense("b", 3)}, false},
}

var (
	sgd  = workloads.Layer{Op: workloads.OptSGD, Attr: workloads.Attr{Rate: 0.1, Momentum: 0.9}}
	adam = workloads.Layer{Op: workloads.OptAdam, Attr: workloads.Attr{Rate: 0.01, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7}}
)

// settings is training in float64 on four examples.
func settings() workloads.Settings {
	s := workloads.DefaultSettings()
	s.Precision, s.Batch = workloads.F64, 4
	return s
}

// spec writes the model as an author would.
func (m model) spec(optimizer workloads.Layer) workloads.Spec {
	data := workloads.Data{Generator: "class-blobs", Classes: m.layers[len(m.layers)-1].Units, Batches: 2, Seed: 7}
	switch m.input.Kind {
	case workloads.KindTokens:
		data.Generator = "planted-tokens"
	case workloads.KindSequence:
		data.Generator = "class-sequences"
	}
	loss := workloads.Layer{Op: workloads.LossSoftmax, Attr: workloads.Attr{Reduction: "mean"}}
	if m.sigmoid {
		data.Classes, loss.Op = 2, workloads.LossSigmoid
	}
	return workloads.Spec{
		Workload: "Model", Title: map[string]string{"en": m.name, "zh": m.name}, Source: map[string]string{"article": "000"},
		Input: m.input, Data: data, Layers: m.layers, Loss: loss, Optimizer: optimizer,
		Steps: workloads.Steps{Check: 3, WarmupMax: 1, Blocks: 1, PerBlock: 1},
	}
}

// resolve makes the program and the job of a model.
func (m model) job(t testing.TB, optimizer workloads.Layer, s workloads.Settings) backends.Job {
	t.Helper()
	p, err := m.spec(optimizer).Resolve(s)
	if err != nil {
		t.Fatalf("%s: %v", m.name, err)
	}
	return jobFor(t, p, s)
}

func jobFor(t testing.TB, p workloads.Program, s workloads.Settings) backends.Job {
	t.Helper()
	cache := workloads.Cache{Dir: t.TempDir()}
	weights, err := cache.Weights(p)
	if err != nil {
		t.Fatal(err)
	}
	batches, err := cache.Batches(p, "")
	if err != nil {
		t.Fatal(err)
	}
	return backends.Job{Program: p, Settings: s, Weights: weights, Batches: batches, For: backends.ForCheck}
}

func build(t testing.TB, job backends.Job) *backend {
	t.Helper()
	b := New().(*backend)
	if _, err := b.Build(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func read(t testing.TB, b *backend, what string, batch int) map[string]backends.Tensor {
	t.Helper()
	v, err := b.Read(what, batch)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// referenceOf evaluates the job's program on its batch n.
func referenceOf(t testing.TB, job backends.Job, params map[string]backends.Tensor, n int) (loss func() float64, r *reference) {
	t.Helper()
	file, err := workloads.ReadSafetensors(job.Batches)
	if err != nil {
		t.Fatal(err)
	}
	p := job.Program
	x := file["x"].Float64s()
	size := len(x) / p.Data.Batches
	r = &reference{p: p, params: map[string][]float64{}}
	for name, v := range params {
		r.params[name] = slices.Clone(v.Data)
	}
	labels := file["y"].I32[n*p.Batch : (n+1)*p.Batch]
	return func() float64 {
		l, _ := r.loss(x[n*size:(n+1)*size], labels)
		return l
	}, r
}

func near(a, b, tolerance float64) bool {
	return math.Abs(a-b) <= tolerance*(1+math.Abs(b))
}

// TestOpsAgainstReference holds loss, logits' loss, gradients and running
// statistics of every op to plain loops in float64.
func TestOpsAgainstReference(t *testing.T) {
	for _, m := range models {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			job := m.job(t, sgd, settings())
			b := build(t, job)
			params := read(t, b, "params", 0)
			loss, r := referenceOf(t, job, params, 1)
			want := loss()
			stats := maps.Clone(r.stats)

			gradients := read(t, b, "grads", 1)
			for name, g := range gradients {
				w := r.params[name]
				for i := range w {
					if i > 12 && i%5 != 0 {
						continue
					}
					const h = 1e-5
					was := w[i]
					w[i] = was + h
					up := loss()
					w[i] = was - h
					down := loss()
					w[i] = was
					if numeric := (up - down) / (2 * h); !near(g.Data[i], numeric, 1e-7) {
						t.Fatalf("gradient of %s[%d] = %.10g, finite difference %.10g", name, i, g.Data[i], numeric)
					}
				}
			}
			if got := read(t, b, "params", 0); !equalTensors(got, params) {
				t.Error("reading gradients changed the parameters")
			}
			if err := b.Run([]int{1}); err != nil {
				t.Fatal(err)
			}
			if got := read(t, b, "loss", 0)["loss"].Data[0]; !near(got, want, 1e-11) {
				t.Errorf("loss %.15g, want %.15g", got, want)
			}
			after := read(t, b, "params", 0)
			for name, s := range stats {
				for i := range s {
					if !near(after[name].Data[i], s[i], 1e-11) {
						t.Errorf("%s[%d] = %.12g after a step, want %.12g", name, i, after[name].Data[i], s[i])
					}
				}
			}
		})
	}
}

// TestInferenceAgainstReference holds logits and loss in inference, where
// batch normalisation uses its running statistics.
func TestInferenceAgainstReference(t *testing.T) {
	for _, m := range models {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			s := settings()
			s.Mode = workloads.Infer
			job := m.job(t, sgd, s)
			b := build(t, job)
			loss, r := referenceOf(t, job, read(t, b, "params", 0), 1)
			want := loss()
			_ = r
			if err := b.Run([]int{0, 1}); err != nil {
				t.Fatal(err)
			}
			if got := read(t, b, "loss", 0)["loss"].Data[0]; !near(got, want, 1e-11) {
				t.Errorf("loss %.15g, want %.15g", got, want)
			}
		})
	}
}

// TestOptimizers follows three steps of both optimizers in plain loops, from
// the gradients that the backend reports.
func TestOptimizers(t *testing.T) {
	plain := workloads.Layer{Op: workloads.OptSGD, Attr: workloads.Attr{Rate: 0.1}}
	for _, optimizer := range []workloads.Layer{sgd, plain, adam} {
		t.Run(fmt.Sprintf("%s momentum %v", optimizer.Op, optimizer.Momentum), func(t *testing.T) {
			b := build(t, models[0].job(t, optimizer, settings()))
			want := map[string][]float64{}
			for name, p := range read(t, b, "params", 0) {
				want[name] = p.Data
			}
			first, second := map[string][]float64{}, map[string][]float64{}
			for name, w := range want {
				first[name], second[name] = make([]float64, len(w)), make([]float64, len(w))
			}
			for step := 1; step <= 3; step++ {
				n := step % 2
				gradients := read(t, b, "grads", n)
				if err := b.Run([]int{n}); err != nil {
					t.Fatal(err)
				}
				a := optimizer.Attr
				for name, w := range want {
					for i, g := range gradients[name].Data {
						m, v := first[name], second[name]
						if optimizer.Op == workloads.OptSGD {
							m[i] = a.Momentum*m[i] + g
							w[i] -= a.Rate * m[i]
							continue
						}
						m[i] = a.Beta1*m[i] + (1-a.Beta1)*g
						v[i] = a.Beta2*v[i] + (1-a.Beta2)*g*g
						mHat := m[i] / (1 - math.Pow(a.Beta1, float64(step)))
						vHat := v[i] / (1 - math.Pow(a.Beta2, float64(step)))
						w[i] -= a.Rate * mHat / (math.Sqrt(vHat) + a.Epsilon)
					}
				}
				for name, p := range read(t, b, "params", 0) {
					for i, got := range p.Data {
						if !near(got, want[name][i], 1e-11) {
							t.Fatalf("step %d: %s[%d] = %.12g, want %.12g", step, name, i, got, want[name][i])
						}
					}
				}
			}
		})
	}
}

func equalTensors(a, b map[string]backends.Tensor) bool {
	return maps.EqualFunc(a, b, func(x, y backends.Tensor) bool {
		return slices.Equal(x.Data, y.Data) && slices.Equal(x.Shape, y.Shape)
	})
}
