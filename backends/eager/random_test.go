package eager

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/workloads"
)

// drawn draws programs whose shapes nobody chose: one channel, one step, one example,
// strides above the window, widths beside those of vectors and tiles, and large
// enough that several threads share the work.
type drawn struct {
	*rand.Rand
	named  int
	layers []workloads.Layer
}

func (r *drawn) of(n ...int) int { return n[r.IntN(len(n))] }

func (r *drawn) coin() bool { return r.IntN(2) == 0 }

func (r *drawn) add(l ...workloads.Layer) { r.layers = append(r.layers, l...) }

// owning is a layer that owns parameters.
func (r *drawn) owning(op string, a workloads.Attr) workloads.Layer {
	r.named++
	return layer(op, fmt.Sprintf("p%d", r.named), a)
}

// plainLayer is a layer that does not.
func plainLayer(op string) workloads.Layer { return workloads.Layer{Op: op} }

// mayRectify adds a ReLU, or not.
func (r *drawn) mayRectify() {
	if r.IntN(3) > 0 {
		r.add(plainLayer(workloads.OpReLU))
	}
}

func (r *drawn) conv(filters, kernel, stride, pad int) workloads.Layer {
	return r.owning(workloads.OpConv2D, workloads.Attr{Filters: filters, Kernel: kernel, Stride: stride, Pad: pad, Bias: r.coin()})
}

func (r *drawn) image() workloads.Input {
	c, h, w := 1+r.IntN(4), 1+r.IntN(14), 1+r.IntN(14)
	in := workloads.Input{Kind: workloads.KindImage, Shape: []int{c, h, w}}
	pooled := func() {
		side, stride := 1+r.IntN(min(3, h, w)), 1+r.IntN(3)
		r.add(layer(workloads.OpMaxPool2D, "", workloads.Attr{Size: side, Stride: stride}))
		h, w = (h-side)/stride+1, (w-side)/stride+1
	}
	for range 2 + r.IntN(5) {
		switch kind := r.IntN(8); {
		case kind <= 2:
			k, stride := 1+r.IntN(5), r.of(1, 1, 1, 2, 3)
			pad := r.IntN(k)
			if min(h, w)+2*pad < k { // a window larger than the image
				pad = k - 1
			}
			c = r.of(1, 2, 3, 4, 7, 8, 16, 31, 34)
			r.add(r.conv(c, k, stride, pad))
			h, w = (h+2*pad-k)/stride+1, (w+2*pad-k)/stride+1
			if h*w > 3 && r.IntN(3) == 0 {
				r.add(r.owning(workloads.OpBatchNorm, workloads.Attr{}))
			}
			r.mayRectify()
			if r.IntN(3) == 0 { // the end of a chain
				pooled()
			}
		case kind == 3:
			pooled()
		case kind == 4 && h*w > 3:
			r.add(r.owning(workloads.OpBatchNorm, workloads.Attr{}))
			r.mayRectify()
		case kind == 5:
			r.add(plainLayer([]string{workloads.OpReLU, workloads.OpGELU, workloads.OpSigmoid}[r.IntN(3)]))
		case kind == 6:
			body := []workloads.Layer{r.conv(c, 3, 1, 1), plainLayer(workloads.OpReLU), r.conv(c, 3, 1, 1)}
			r.add(layer(workloads.LayerResidual, "", workloads.Attr{}, body[:1+r.IntN(3)]...))
			r.mayRectify()
		case r.coin():
			r.add(layer(workloads.OpDropout, "", workloads.Attr{Rate: 0.3}))
		case w > 1:
			r.add(r.owning(workloads.OpLayerNorm, workloads.Attr{}))
		}
	}
	r.add(plainLayer([]string{workloads.OpFlatten, workloads.OpAvgPool}[r.IntN(2)]))
	return in
}

func (r *drawn) sequence() workloads.Input {
	steps, d := r.of(1, 2, 5, 17, 30), r.of(1, 3, 8, 16, 37)
	in := workloads.Input{Kind: workloads.KindSequence, Shape: []int{steps, d}}
	if r.coin() {
		in = workloads.Input{Kind: workloads.KindTokens, Shape: []int{steps}, Vocab: 31}
		r.add(r.owning(workloads.OpEmbedding, workloads.Attr{Units: d}))
	}
	attention := func() workloads.Layer {
		heads := r.of(1, 2, 4)
		if d%heads != 0 {
			heads = 1
		}
		return r.owning(workloads.OpAttention, workloads.Attr{Heads: heads, Causal: r.coin()})
	}
	for range 1 + r.IntN(3) {
		switch r.IntN(6) {
		case 0, 1:
			d = r.of(1, 5, 16, 33, 64)
			r.add(r.owning(workloads.OpLSTM, workloads.Attr{Units: d}))
		case 2:
			r.add(attention())
		case 3:
			d = r.of(1, 6, 32, 45)
			r.add(r.owning(workloads.OpDense, workloads.Attr{Units: d, Bias: r.coin()}))
			r.mayRectify()
		case 4:
			body := []workloads.Layer{attention()}
			if d > 1 {
				body = slices.Insert(body, 0, r.owning(workloads.OpLayerNorm, workloads.Attr{}))
			}
			r.add(layer(workloads.LayerResidual, "", workloads.Attr{}, body...))
		default:
			r.add(plainLayer(workloads.OpGELU))
		}
	}
	r.add(plainLayer([]string{workloads.OpFlatten, workloads.OpAvgPool, workloads.OpLastStep}[r.IntN(3)]))
	return in
}

// randomSpec draws a program and its settings, in float32.
func randomSpec(seed uint64) (workloads.Spec, workloads.Settings) {
	r := &drawn{Rand: rand.New(rand.NewPCG(seed, 5))}
	spec := workloads.Spec{
		Workload: "Random", Data: workloads.Data{Classes: 2 + r.IntN(4), Batches: 3, Seed: seed},
		Loss: softmaxLoss, Optimizer: layer(workloads.OptSGD, "", workloads.Attr{Rate: 0.01, Momentum: 0.9}),
		Steps: workloads.Steps{Check: 3, WarmupMax: 1, Blocks: 1, PerBlock: 1},
	}
	if r.coin() {
		spec.Optimizer = layer(workloads.OptAdam, "", workloads.Attr{Rate: 0.001, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-3})
	}
	if r.IntN(3) > 0 {
		spec.Input = r.image()
	} else {
		spec.Input = r.sequence()
	}
	spec.Data.Generator = map[string]string{
		workloads.KindImage: "class-blobs", workloads.KindTokens: "planted-tokens", workloads.KindSequence: "class-sequences",
	}[spec.Input.Kind]
	r.add(r.owning(workloads.OpDense, workloads.Attr{Units: r.of(1, 5, 32, 70), Bias: r.coin()}))
	r.mayRectify()
	r.add(r.owning(workloads.OpDense, workloads.Attr{Units: spec.Data.Classes, Bias: true}))
	spec.Layers = r.layers
	set := workloads.DefaultSettings()
	set.Precision, set.Batch = workloads.F32, r.of(1, 2, 6, 16, 34)
	if r.IntN(4) == 0 {
		set.Mode = workloads.Infer
	} else if set.Batch > 1 && r.IntN(3) == 0 {
		set.Accumulate = 2
	}
	return spec, set
}

// results are the losses or logits of some steps, and what was learned.
func results[T kernel.Float](t *testing.T, e *engine[T]) (out []float64) {
	t.Helper()
	for i := range 4 {
		if err := e.step(i % e.data.batches); err != nil {
			t.Fatal(err)
		}
		out = append(append(out, e.loss), e.logits...)
	}
	if live := e.tape.floats.Live() + e.tape.halves.Live() + e.tape.ints.Live(); live != 0 {
		t.Errorf("%d elements are held between steps", live)
	}
	for _, params := range [][]T{e.weights, e.buffers} {
		for _, v := range params {
			out = append(out, float64(v))
		}
	}
	return out
}

// inexact reports whether e runs ops as one that then round in another way: a
// convolution and its pooling where there is a bias, whose gradient is summed over what
// is pooled, or where it may be computed in tiles, and batch normalisation as part
// of a convolution's weights.
func inexact(e *engine[float32]) bool {
	e.tape.training = e.program.Mode == workloads.Train
	for i, c := range e.model.chains {
		if e.program.Ops[i].Op != workloads.OpConv2D || c.last == 0 || !e.tape.fuses(&c) {
			continue
		}
		w, b := e.model.byOp[i][0], e.model.byOp[i][1]
		if c.norm > 0 || b != nil && e.tape.training || w.Shape[2]%16 == 0 && w.Shape[3]%16 == 0 {
			return true
		}
	}
	return false
}

// nearly is equal but for rounding.
func nearly(got, want []float64) bool {
	var d, n float64
	for i, w := range want {
		d, n = d+(got[i]-w)*(got[i]-w), n+w*w
	}
	return math.Sqrt(d) <= 1e-4*(1e-3+math.Sqrt(n))
}

// Nothing that only decides how a program is run changes a bit of what it computes:
// threads, placement, what lies in memory that was given up, and, but where a chain
// of ops is inexact, fusion, and recomputation, which may cut a chain.
func TestRandomProgramsRunTheSameAnyWay(t *testing.T) {
	nan := float32(math.NaN())
	poison := func(e *engine[float32]) {
		e.tape.floats.Poison = func(b []float32) { kernel.Fill(b, nan) }
		e.tape.ints.Poison = func(b []int32) {
			for i := range b {
				b[i] = 1 << 30
			}
		}
		e.tape.halves.Poison = func(b []uint16) {
			for i := range b {
				b[i] = 0x7fff // NaN in both formats
			}
		}
	}
	eachRandomProgram(t, func(t *testing.T, spec workloads.Spec, base workloads.Settings) {
		precisions := []workloads.Precision{workloads.F32, workloads.BF16Mix, workloads.F16Mix}
		if base.Mode == workloads.Infer {
			precisions = []workloads.Precision{workloads.F32, workloads.BF16, workloads.F16}
		}
		for _, base.Precision = range precisions {
			rounds := false
			run := func(set workloads.Settings, prepare func(*engine[float32])) []float64 {
				p, err := spec.Resolve(set)
				if err != nil && set.Checkpoint > 0 {
					return nil // too few places to cut
				} else if err != nil {
					t.Fatal(err)
				}
				e := engineOf[float32](t, jobOf(t, p, set, backends.ForTime))
				rounds = rounds || inexact(e)
				if prepare != nil {
					prepare(e)
				}
				return results(t, e)
			}
			want := run(base, nil)
			for what, c := range map[string]struct {
				change  func(*workloads.Settings)
				prepare func(*engine[float32])
			}{
				"no fusion":  {func(*workloads.Settings) {}, func(e *engine[float32]) { e.tape.hooks.value = func([]float32) {} }},
				"poison":     {func(s *workloads.Settings) { s.Threads = 2 }, poison},
				"3 threads":  {func(s *workloads.Settings) { s.Threads, s.Data = 3, workloads.DataHost }, nil},
				"5 threads":  {func(s *workloads.Settings) { s.Threads, s.Data = 5, workloads.DataLoader }, nil},
				"1 segment":  {func(s *workloads.Settings) { s.Checkpoint = 1 }, poison},
				"3 segments": {func(s *workloads.Settings) { s.Checkpoint, s.Threads = 3, 2 }, poison},
			} {
				set := base
				if c.change(&set); set.Checkpoint > 0 && set.Mode == workloads.Infer {
					continue
				}
				got := run(set, c.prepare)
				same := got == nil || slices.EqualFunc(got, want, func(a, b float64) bool { return a == b || a != a && b != b })
				loose := rounds && (what == "no fusion" || set.Checkpoint > 0)
				if !same && !(loose && nearly(got, want)) {
					t.Errorf("%s, batch %d in %d: %s changes the result", base.Precision, base.Batch, base.Accumulate, what)
				}
			}
		}
	})
}

// Float32 stays near float64, whose kernels are others.
func TestRandomProgramsInFloat32(t *testing.T) {
	eachRandomProgram(t, func(t *testing.T, spec workloads.Spec, set workloads.Settings) {
		got := engineOf[float32](t, jobOf(t, resolve(t, spec, set), set, backends.ForTime))
		set.Precision = workloads.F64
		exact := engineOf[float64](t, jobOf(t, resolve(t, spec, set), set, backends.ForTime))
		near := func(what string, got, want []float64) {
			var d, n float64
			for i, w := range want {
				d, n = d+(got[i]-w)*(got[i]-w), n+w*w
			}
			if !(math.Sqrt(d) <= 1e-3*(1e-3+math.Sqrt(n))) {
				t.Errorf("batch %d: %s: %.2g off of %.2g", set.Batch, what, math.Sqrt(d), math.Sqrt(n))
			}
		}
		near("logits", got.infer(0, nil), exact.infer(0, nil))
		if set.Mode == workloads.Infer {
			return
		}
		got.gradients(1, 1)
		exact.gradients(1, 1)
		wide := make([]float64, len(got.grads))
		for i, v := range got.grads {
			wide[i] = float64(v)
		}
		near("gradients", wide, exact.grads)
	})
}

func eachRandomProgram(t *testing.T, do func(t *testing.T, spec workloads.Spec, set workloads.Settings)) {
	seeds := uint64(16)
	if testing.Short() {
		seeds = 6
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			spec, set := randomSpec(seed)
			do(t, spec, set)
		})
	}
}

// Engines that run at the same time in one process share the workers, not results.
func TestEnginesSideBySide(t *testing.T) {
	var wait sync.WaitGroup
	for name, spec := range smallSpecs() {
		set := smallSettings()
		set.Precision, set.Threads, set.Batch = workloads.F32, 2, 64
		job := jobOf(t, resolve(t, spec, set), set, backends.ForTime)
		_, want := trace(t, engineOf[float32](t, job), 20)
		for range 2 {
			e := engineOf[float32](t, job)
			wait.Go(func() {
				for i := range 20 {
					if err := e.step(i % e.data.batches); err != nil {
						t.Error(err)
						return
					}
				}
				if got := append(slices.Clone(e.weights), e.buffers...); !slices.Equal(got, want) {
					t.Errorf("%s: other parameters than alone", name)
				}
			})
		}
	}
	wait.Wait()
}
