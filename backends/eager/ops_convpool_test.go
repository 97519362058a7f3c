package eager

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/backends/eager/pool"
	"github.com/dlbench/dlbench/workloads"
)

// poolCase is a convolution and the pooling after it.
type poolCase struct {
	n, h, w, c, filters, kernel, stride, pad int
	side, poolStride                         int
	relu, bias                               bool
}

func newPoolCase(r *rand.Rand) (c poolCase) {
	c = poolCase{n: 1 + r.IntN(12), c: 1 + r.IntN(6), filters: 1 + r.IntN(40), kernel: 1 + r.IntN(4), stride: 1 + r.IntN(2), relu: r.IntN(3) > 0, bias: r.IntN(3) > 0}
	c.pad, c.side, c.poolStride = r.IntN(c.kernel), 1+r.IntN(3), 1+r.IntN(4)
	if r.IntN(3) == 0 { // what is computed in tiles
		c.c, c.filters, c.kernel, c.stride, c.pad = 16*(1+r.IntN(2)), 16*(1+r.IntN(3)), 3, 1, r.IntN(3)
	}
	c.h, c.w = c.kernel+c.stride*(c.side+r.IntN(12)), c.kernel+c.stride*(c.side+r.IntN(12))
	return c
}

// tiled reports whether the two ways may take different kernels: they choose by the
// positions that they compute.
func (c *poolCase) tiled() bool { return c.c%16 == 0 && c.filters%16 == 0 }

// apply is the case on a tape, as one op or op by op.
func apply[T kernel.Float](c *poolCase, tape *Tape[T], x, w, b *Tensor[T], fused bool) *Tensor[T] {
	if fused {
		return tape.convPool(x, w, b, c.stride, c.pad, c.relu, c.side, c.poolStride)
	}
	tape.BeforeReLU(c.relu)
	y := tape.Conv2D(x, w, b, c.stride, c.pad)
	if c.relu {
		y = tape.ReLU(y)
	}
	return tape.MaxPool2D(y, c.side, c.poolStride)
}

// goBack goes back from a gradient on y, after which the tape may hold nothing.
func goBack[T kernel.Float](t *testing.T, tape *Tape[T], y *Tensor[T], c any) {
	t.Helper()
	leave(tape, y, 3)
	tape.Backward()
	if live := tape.floats.Live() + tape.ints.Live(); live != 0 {
		t.Errorf("%+v: %d elements are held after the way back", c, live)
	}
}

// runPoolCase computes the output and the gradients of the input, the weights and the bias.
func runPoolCase[T kernel.Float](t *testing.T, c poolCase, threads int, fused bool) (out [4][]T) {
	p := pool.New(threads)
	defer p.Close()
	tape := NewTape[T](p)
	defer tape.Close()
	tape.floats.Poison = func(b []T) { kernel.Fill(b, T(math.NaN())) }
	r := rand.New(rand.NewPCG(5, 6))
	x, w := variableOf[T](r, c.n, c.h, c.w, c.c), variableOf[T](r, c.kernel, c.kernel, c.c, c.filters)
	var b *Tensor[T]
	if c.bias {
		b = variableOf[T](r, c.filters)
	}
	tape.training = true
	tape.Begin()
	tape.Record(true)
	y := apply(&c, tape, x, w, b, fused)
	out[0] = slices.Clone(y.Data)
	goBack(t, tape, y, c)
	out[1], out[2] = x.grad, w.grad
	if b != nil {
		out[3] = b.grad
	}
	return out
}

// Convolution, ReLU and pooling in one op are those one by one to the last bit, but
// for the order in which the bias's gradient is summed, on any number of threads.
func TestConvPoolChangesNoBit(t *testing.T) {
	t.Run("f32", convPoolIsExact[float32])
	t.Run("f64", convPoolIsExact[float64])
}

func convPoolIsExact[T kernel.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		c := newPoolCase(r)
		want := runPoolCase[T](t, c, 1, false)
		for threads := 1; threads <= 3; threads++ {
			got := runPoolCase[T](t, c, threads, true)
			for f, v := range got[3] {
				if d := math.Abs(float64(v - want[3][f])); !(d <= 1e-3) {
					t.Fatalf("%+v: bias %d has the gradient %v, want %v", c, f, v, want[3][f])
				}
			}
			if threads == 1 && c.tiled() {
				for i := range got[:3] {
					for j, v := range got[i] {
						if d := math.Abs(float64(v - want[i][j])); !(d <= 1e-3) {
							t.Fatalf("%+v: result %d, element %d is %v, want %v", c, i, j, v, want[i][j])
						}
					}
				}
				want = got
			}
			if threads == 1 {
				want[3] = got[3] // summed in another order
			}
			for i, got := range got {
				if !slices.Equal(got, want[i]) {
					t.Fatalf("%+v, %d threads: %s differs", c, threads, []string{"the output", "the input's gradient", "the weights'", "the bias's"}[i])
				}
			}
		}
	}
}

// A NaN in the images or the filters reaches the same elements whether the ops run
// as one or one by one.
func TestConvPoolKeepsNaN(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	p := pool.New(2)
	defer p.Close()
	tape := NewTape[float32](p)
	defer tape.Close()
	nan := float32(math.NaN())
	for i := range 120 {
		c := newPoolCase(r)
		x, w := variableOf[float32](r, c.n, c.h, c.w, c.c), variableOf[float32](r, c.kernel, c.kernel, c.c, c.filters)
		bad := x
		if i%4 == 0 && !c.tiled() { // by tiles all positions read a filter, by rows of the window none outside of the image
			bad = w
		}
		for range 2 {
			bad.Data[r.IntN(bad.len())] = nan
		}
		var got [2][]float32
		for k := range got {
			tape.Begin()
			got[k] = slices.Clone(apply(&c, tape, x, w, nil, k == 1).Data)
		}
		for j, v := range got[1] {
			if (v != v) != (got[0][j] != got[0][j]) {
				t.Fatalf("%+v: element %d is %v as one op, %v op by op", c, j, v, got[0][j])
			}
		}
	}
}

// A model runs as one op what is read by its successor alone, in float32 without
// hooks, and keeps nothing of what lies between.
func TestChainsRunAsOneOp(t *testing.T) {
	ops := func(e interface{ count() (int, int) }) string {
		fused, pooled := e.count()
		return fmt.Sprint(fused, " fused, ", pooled, " pooled by themselves")
	}
	set := smallSettings()
	for _, c := range []struct {
		what string
		prec workloads.Precision
		hook bool
		want string
	}{
		{"float32", workloads.F32, false, "1 fused, 1 pooled by themselves"}, // the second pooling is of a sum
		{"float32 with a hook", workloads.F32, true, "0 fused, 2 pooled by themselves"},
		{"bfloat16", workloads.BF16Mix, false, "0 fused, 2 pooled by themselves"},
	} {
		set.Precision = c.prec
		e := engineOf[float32](t, jobOf(t, resolve(t, fusedSpec(), set), set, backends.ForTime))
		if c.hook {
			e.tape.hooks.inner = func([]float32) {}
		}
		if got := ops(recorded[float32]{e}); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
	set.Precision = workloads.F64
	e := engineOf[float64](t, jobOf(t, resolve(t, fusedSpec(), set), set, backends.ForTime))
	if got := ops(recorded[float64]{e}); got != "0 fused, 2 pooled by themselves" {
		t.Errorf("float64: %s", got)
	}
}

// recorded counts what an engine's tape records.
type recorded[T kernel.Float] struct{ e *engine[T] }

func (r recorded[T]) count() (fused, pooled int) {
	tape := r.e.tape
	tape.training = true
	tape.Begin()
	tape.Record(true)
	r.e.model.forward(tape, r.e.data.micro(0, 0, 1))
	for _, n := range tape.nodes {
		switch n.way.(type) {
		case *convPoolBack[T]:
			fused++
		case *maxPoolBack[T]:
			pooled++
		}
	}
	tape.Drop()
	return fused, pooled
}

// What another op reads too is not the inside of a chain.
func TestChainsHaveOneReader(t *testing.T) {
	m := &model[float32]{program: workloads.Program{Ops: []workloads.Op{{Op: workloads.OpConv2D}, {Op: workloads.OpReLU}, {Op: workloads.OpMaxPool2D}, {Op: workloads.OpAdd}}}}
	for _, c := range []struct {
		lastUse []int
		last    int
	}{{[]int{1, 2, 3, 4}, 2}, {[]int{1, 3, 3, 4}, 0}, {[]int{3, 2, 3, 4}, 0}} {
		m.lastUse = c.lastUse
		if got := m.chainFrom(0); got.last != c.last {
			t.Errorf("outputs last read by ops %v: the chain ends with op %d, want %d", c.lastUse, got.last, c.last)
		}
	}
}

// Batch normalisation in inference is part of the convolution before it, with and
// without a bias, ReLU and pooling: the logits are those of the ops one by one but
// for rounding. In training and on the way back it is not.
func TestInferenceFoldsBatchNorm(t *testing.T) {
	spec := fusedSpec()
	norm := func(name string) workloads.Layer { return layer(workloads.OpBatchNorm, name, workloads.Attr{}) }
	conv := func(name string, bias bool) workloads.Layer {
		return workloads.Layer{Op: workloads.OpConv2D, Name: name, Attr: workloads.Attr{Filters: 5, Kernel: 3, Bias: bias}, Padding: "same"}
	}
	relu, pooled := workloads.Layer{Op: workloads.OpReLU}, layer(workloads.OpMaxPool2D, "", workloads.Attr{Size: 2})
	spec.Layers = []workloads.Layer{
		conv("c0", true), norm("b0"), relu, pooled,
		conv("c1", false), norm("b1"), relu,
		conv("c2", true), norm("b2"), relu,
		conv("c3", false), norm("b3"),
		conv("c4", true), norm("b4"), pooled,
		{Op: workloads.OpFlatten},
		layer(workloads.OpDense, "d", workloads.Attr{Units: 3, Bias: true}),
	}
	set := smallSettings()
	set.Mode, set.Precision = workloads.Infer, workloads.F32
	p := resolve(t, spec, set)
	job := jobOf(t, p, set, backends.ForTime)
	fused, plain, exact := engineOf[float32](t, job), engineOf[float32](t, job), engineOf[float64](t, job)
	plain.tape.hooks.inner = func([]float32) {}
	unsettle(fused)
	unsettle(plain)
	unsettle(exact)
	for _, err := range []error{fused.step(1), plain.step(1), exact.step(1)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range exact.logits {
		if d := math.Abs(fused.logits[i] - want); !(d <= 1e-5*(1+math.Abs(want))) {
			t.Errorf("logit %d is %v, want %v", i, fused.logits[i], want)
		}
	}
	if slices.Equal(fused.logits, plain.logits) {
		t.Error("the logits are those of the ops one by one to the last bit: nothing was folded")
	}
	tape, c := fused.tape, &chain{norm: 1}
	for _, state := range [][2]bool{{true, false}, {false, true}} {
		if tape.training, tape.recording = state[0], state[1]; tape.fuses(c) {
			t.Errorf("folded in training %v, while recording %v", state[0], state[1])
		}
	}
}

// unsettle gives an engine running statistics and parameters of batch normalisation
// that are not those of no normalisation.
func unsettle[T kernel.Float](e *engine[T]) {
	r := rand.New(rand.NewPCG(8, 9))
	for _, q := range e.program.Params {
		if len(q.Shape) > 1 {
			continue
		}
		data := e.model.params[q.Name].Data
		for i := range data {
			data[i] = T(r.Float64()) + 0.25
		}
		if strings.HasSuffix(q.Name, ".weight") { // scales of either sign, and of none
			for i := range data {
				data[i] -= 0.75
			}
			data[0] = 0
		}
	}
}
