package eager

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/workloads"
)

func layer(op, name string, a workloads.Attr, body ...workloads.Layer) workloads.Layer {
	return workloads.Layer{Op: op, Name: name, Attr: a, Body: body}
}

var (
	softmaxLoss = workloads.Layer{Op: workloads.LossSoftmax, Attr: workloads.Attr{Reduction: "mean"}}
	sgd         = layer(workloads.OptSGD, "", workloads.Attr{Rate: 0.05, Momentum: 0.9})
	adam        = layer(workloads.OptAdam, "", workloads.Attr{Rate: 0.01, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7})
)

// Three small models that between them use every op.
func smallSpecs() map[string]workloads.Spec {
	conv := func(name string, filters int) workloads.Layer {
		return workloads.Layer{Op: workloads.OpConv2D, Name: name, Attr: workloads.Attr{Filters: filters, Kernel: 3, Bias: true}, Padding: "same"}
	}
	act := func(op string) workloads.Layer { return workloads.Layer{Op: op} }
	cnn := workloads.Spec{
		Workload: "SmallResidualCnn", Input: workloads.Input{Kind: workloads.KindImage, Shape: []int{2, 6, 6}},
		Data: workloads.Data{Generator: "class-blobs", Classes: 3, Batches: 3, Seed: 1},
		Layers: []workloads.Layer{
			conv("c0", 3), layer(workloads.OpBatchNorm, "bn0", workloads.Attr{}), act(workloads.OpReLU),
			layer(workloads.LayerResidual, "", workloads.Attr{}, conv("c1", 3), layer(workloads.OpBatchNorm, "bn1", workloads.Attr{}), act(workloads.OpReLU), conv("c2", 3)),
			act(workloads.OpReLU), layer(workloads.OpMaxPool2D, "", workloads.Attr{Size: 2}), act(workloads.OpFlatten),
			layer(workloads.OpDense, "d0", workloads.Attr{Units: 8, Bias: true}), act(workloads.OpSigmoid),
			layer(workloads.OpDropout, "", workloads.Attr{Rate: 0.5}),
			layer(workloads.OpDense, "d1", workloads.Attr{Units: 3, Bias: true}),
		},
		Loss: softmaxLoss, Optimizer: adam, Steps: workloads.Steps{Check: 3, WarmupMax: 10, Blocks: 2, PerBlock: 2},
	}
	lstm := workloads.Spec{
		Workload: "SmallLstm", Input: workloads.Input{Kind: workloads.KindTokens, Shape: []int{5}, Vocab: 11},
		Data: workloads.Data{Generator: "planted-tokens", Classes: 2, Batches: 3, Seed: 1},
		Layers: []workloads.Layer{
			layer(workloads.OpEmbedding, "emb", workloads.Attr{Vocab: 11, Units: 4}),
			layer(workloads.OpLSTM, "l1", workloads.Attr{Units: 5}),
			{Op: workloads.OpLSTM, Name: "l2", Attr: workloads.Attr{Units: 3}, Last: true},
			layer(workloads.OpDense, "d", workloads.Attr{Units: 1, Bias: true}),
		},
		Loss: workloads.Layer{Op: workloads.LossSigmoid, Attr: workloads.Attr{Reduction: "mean"}}, Optimizer: adam, Steps: cnn.Steps,
	}
	attention := workloads.Spec{
		Workload: "SmallAttention", Input: workloads.Input{Kind: workloads.KindTokens, Shape: []int{6}, Vocab: 9},
		Data: workloads.Data{Generator: "planted-tokens", Classes: 3, Batches: 3, Seed: 1},
		Layers: []workloads.Layer{
			layer(workloads.OpEmbedding, "emb", workloads.Attr{Vocab: 9, Units: 6}),
			layer(workloads.LayerResidual, "", workloads.Attr{}, layer(workloads.OpLayerNorm, "ln", workloads.Attr{}), layer(workloads.OpAttention, "att", workloads.Attr{Heads: 2, Causal: true})),
			layer(workloads.LayerResidual, "", workloads.Attr{}, layer(workloads.OpDense, "up", workloads.Attr{Units: 6}), act(workloads.OpGELU)),
			act(workloads.OpAvgPool), layer(workloads.OpDense, "d", workloads.Attr{Units: 3, Bias: true}),
		},
		Loss: softmaxLoss, Optimizer: sgd, Steps: cnn.Steps,
	}
	return map[string]workloads.Spec{"cnn": cnn, "lstm": lstm, "attention": attention}
}

func smallSettings() workloads.Settings {
	s := workloads.DefaultSettings()
	s.Batch, s.Precision = 4, workloads.F64
	return s
}

func resolve(t testing.TB, s workloads.Spec, set workloads.Settings) workloads.Program {
	t.Helper()
	p, err := s.Resolve(set)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func jobOf(t testing.TB, p workloads.Program, set workloads.Settings, purpose backends.Purpose) backends.Job {
	t.Helper()
	c := workloads.Cache{Dir: filepath.Join(t.TempDir(), "cache")}
	w, err := c.Weights(p)
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Batches(p, "")
	if err != nil {
		t.Fatal(err)
	}
	return backends.Job{Program: p, Settings: set, Weights: w, Batches: b, For: purpose}
}

func engineOf[T kernel.Float](t testing.TB, job backends.Job) *engine[T] {
	t.Helper()
	e, err := newEngine[T](job, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.close)
	return e
}

// Gradients of whole programs against central differences.
func TestGradientsOfPrograms(t *testing.T) {
	for name, spec := range smallSpecs() {
		t.Run(name, func(t *testing.T) {
			set := smallSettings()
			e := engineOf[float64](t, jobOf(t, resolve(t, spec, set), set, backends.ForTime)) // dropout on: the mask is fixed within a step
			e.tape.frozen = true
			e.gradients(1, 1)
			grads := slices.Clone(e.grads)
			loss := func() float64 {
				return e.lossOf(1, e.infer(1, nil))
			}
			r := rand.New(rand.NewPCG(1, 1))
			for range 200 {
				i := r.IntN(len(e.weights))
				const h = 1e-5
				at := e.weights[i]
				e.weights[i] = at + h
				up := loss()
				e.weights[i] = at - h
				down := loss()
				e.weights[i] = at
				if want := (up - down) / (2 * h); math.Abs(grads[i]-want) > 1e-7 {
					t.Fatalf("weight %d: gradient %.10g, central difference %.10g", i, grads[i], want)
				}
			}
		})
	}
}

// trace runs some steps and returns losses and parameters.
func trace[T kernel.Float](t *testing.T, e *engine[T], steps int) (losses []float64, params []T) {
	t.Helper()
	for i := range steps {
		if err := e.step(i % e.data.batches); err != nil {
			t.Fatal(err)
		}
		losses = append(losses, e.loss)
	}
	return losses, append(slices.Clone(e.weights), e.buffers...)
}

// Recomputation changes no bit, with dropout too, and holds fewer activations.
func TestCheckpointingIsExact(t *testing.T) {
	for name, spec := range smallSpecs() {
		t.Run(name, func(t *testing.T) {
			set := smallSettings()
			set.Accumulate = 2
			plain := engineOf[float64](t, jobOf(t, resolve(t, spec, set), set, backends.ForTime))
			set.Checkpoint = 2
			p := resolve(t, spec, set)
			saved := engineOf[float64](t, jobOf(t, p, set, backends.ForTime))
			saved.tape.floats.Poison = func(b []float64) { kernel.Fill(b, math.NaN()) }
			wantLoss, want := trace(t, plain, 5)
			gotLoss, got := trace(t, saved, 5)
			if !slices.Equal(gotLoss, wantLoss) || !slices.Equal(got, want) {
				t.Errorf("checkpointed losses %v, plain %v", gotLoss, wantLoss)
			}
			if n := saved.tape.recomputed; n != 5*2*2 {
				t.Errorf("%d segments were recomputed in 5 steps of 2 micro-batches, want 20", n)
			}
			if saved.built().Segments != 2 || plain.built().Segments != 0 {
				t.Errorf("evidence: %d and %d segments, want 2 and 0", saved.built().Segments, plain.built().Segments)
			}
		})
	}
}

// A deep stack of equal layers: peak activations fall as segments are dropped.
func TestCheckpointingSavesMemory(t *testing.T) {
	spec := workloads.Spec{
		Workload: "Stack", Input: workloads.Input{Kind: workloads.KindVector, Shape: []int{64}},
		Data: workloads.Data{Generator: "class-blobs", Classes: 2, Batches: 1, Seed: 1},
		Layers: []workloads.Layer{
			{Op: workloads.LayerGroup, Attr: workloads.Attr{}, Repeat: 16, Body: []workloads.Layer{layer(workloads.OpDense, "d", workloads.Attr{Units: 64, Bias: true}), layer(workloads.OpReLU, "", workloads.Attr{})}},
			layer(workloads.OpDense, "out", workloads.Attr{Units: 2, Bias: true}),
		},
		Loss: softmaxLoss, Optimizer: sgd, Steps: workloads.Steps{Check: 3, WarmupMax: 1, Blocks: 1, PerBlock: 1},
	}
	set := smallSettings()
	set.Batch = 64
	peak := map[int]int{}
	for _, segments := range []int{0, 4} {
		set.Checkpoint = segments
		e := engineOf[float64](t, jobOf(t, resolve(t, spec, set), set, backends.ForTime))
		trace(t, e, 2)
		peak[segments] = e.tape.floats.Peak()
	}
	if peak[4]*2 > peak[0] {
		t.Errorf("peak activations: %d elements with 4 segments, %d without: expected less than half", peak[4], peak[0])
	}
}

// Two micro-batches make the same update as one big batch, where no op mixes examples.
func TestAccumulationEqualsBigBatch(t *testing.T) {
	for _, name := range []string{"lstm", "attention"} {
		spec := smallSpecs()[name]
		set := smallSettings()
		big := engineOf[float64](t, jobOf(t, resolve(t, spec, set), set, backends.ForTime))
		set.Accumulate = 4
		micro := engineOf[float64](t, jobOf(t, resolve(t, spec, set), set, backends.ForTime))
		wantLoss, want := trace(t, big, 4)
		gotLoss, got := trace(t, micro, 4)
		for i := range wantLoss {
			if math.Abs(gotLoss[i]-wantLoss[i]) > 1e-12 {
				t.Errorf("%s: loss %d is %v accumulated, %v at once", name, i, gotLoss[i], wantLoss[i])
			}
		}
		for i := range want {
			if math.Abs(got[i]-want[i]) > 1e-9 {
				t.Fatalf("%s: parameter %d is %v accumulated, %v at once", name, i, got[i], want[i])
			}
		}
	}
}

// The result depends neither on the number of threads nor on the placement of the data.
func TestThreadsAndPlacementChangeNothing(t *testing.T) {
	for name, spec := range smallSpecs() {
		var want []float32
		for _, c := range []struct {
			threads int
			data    string
		}{{1, workloads.DataResident}, {2, workloads.DataResident}, {3, workloads.DataHost}, {1, workloads.DataLoader}, {2, workloads.DataLoader}} {
			set := smallSettings()
			set.Precision, set.Threads, set.Data, set.Batch = workloads.F32, c.threads, c.data, 32
			_, got := trace(t, engineOf[float32](t, jobOf(t, resolve(t, spec, set), set, backends.ForTime)), 3)
			if want == nil {
				want = got
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %d threads, data %s: parameters differ from 1 thread, resident", name, c.threads, c.data)
			}
		}
	}
}

// A steady step takes its buffers from the arena.
func TestSteadyStepAllocatesLittle(t *testing.T) {
	set := smallSettings()
	set.Batch = 64
	e := engineOf[float64](t, jobOf(t, resolve(t, smallSpecs()["cnn"], set), set, backends.ForTime))
	trace(t, e, 3)
	made := e.tape.floats.Made()
	trace(t, e, 5)
	if now := e.tape.floats.Made(); now != made {
		t.Errorf("the arena grew from %d to %d elements in a steady state", made, now)
	}
	if live := e.tape.floats.Live(); live != 0 {
		t.Errorf("%d elements are held between steps", live)
	}
	if n := testing.AllocsPerRun(10, func() { e.step(0) }); n > 400 {
		t.Errorf("a step makes %v small allocations, want at most 400", n)
	}
}
