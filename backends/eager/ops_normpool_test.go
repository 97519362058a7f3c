package eager

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/backends/eager/pool"
	"github.com/dlbench/dlbench/workloads"
)

// normCase is batch normalisation and the pooling after it.
type normCase struct {
	n, h, w, c, side, stride int
	relu, training           bool
}

// run computes the output, the gradients of the input, the scale and the shift, and
// what the running statistics become.
func runNormCase[T kernel.Float](t *testing.T, c normCase, threads int, fused bool) [][]T {
	p := pool.New(threads)
	defer p.Close()
	tape := NewTape[T](p)
	defer tape.Close()
	tape.floats.Poison = func(b []T) { kernel.Fill(b, T(math.NaN())) }
	r := rand.New(rand.NewPCG(5, 6))
	x, w, b := variableOf[T](r, c.n, c.h, c.w, c.c), variableOf[T](r, c.c), variableOf[T](r, c.c)
	mean, variance := variableOf[T](r, c.c), variableOf[T](r, c.c)
	for i, v := range variance.Data {
		variance.Data[i] = v * v
	}
	tape.training = c.training
	tape.Begin()
	tape.Record(true)
	var y *Tensor[T]
	if fused {
		y = tape.normPool(x, w, b, mean, variance, 1e-3, 0.1, c.relu, c.side, c.stride)
	} else {
		tape.BeforeReLU(c.relu)
		y = tape.BatchNorm(x, w, b, mean, variance, 1e-3, 0.1)
		if c.relu {
			y = tape.ReLU(y)
		}
		y = tape.MaxPool2D(y, c.side, c.stride)
	}
	out := slices.Clone(y.Data)
	goBack(t, tape, y, c)
	return [][]T{out, x.grad, w.grad, b.grad, mean.Data, variance.Data}
}

// Batch normalisation, ReLU and pooling in one op are those one by one to the last
// bit, on any number of threads.
func TestNormPoolChangesNoBit(t *testing.T) {
	t.Run("f32", normPoolIsExact[float32])
	t.Run("f64", normPoolIsExact[float64])
}

func normPoolIsExact[T kernel.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		c := normCase{n: 1 + r.IntN(6), c: 1 + r.IntN(40), side: 1 + r.IntN(3), stride: 1 + r.IntN(4), relu: r.IntN(3) > 0, training: r.IntN(4) > 0}
		c.h, c.w = c.side+r.IntN(20), c.side+r.IntN(20)
		want := runNormCase[T](t, c, 1, false)
		for threads := 1; threads <= 3; threads++ {
			for i, got := range runNormCase[T](t, c, threads, true) {
				if !slices.Equal(got, want[i]) {
					t.Fatalf("%+v, %d threads: result %d differs", c, threads, i)
				}
			}
		}
	}
}

// A model takes the op in training, and then allocates nothing in a step and holds
// less than one op after the other does.
func TestTrainingPoolsWhatItNormalises(t *testing.T) {
	spec := fusedSpec()
	spec.Layers = []workloads.Layer{
		{Op: workloads.OpConv2D, Name: "c", Attr: workloads.Attr{Filters: 16, Kernel: 3}, Padding: "same"},
		layer(workloads.OpBatchNorm, "b", workloads.Attr{}), {Op: workloads.OpReLU}, layer(workloads.OpMaxPool2D, "", workloads.Attr{Size: 2}),
		{Op: workloads.OpFlatten}, layer(workloads.OpDense, "d", workloads.Attr{Units: 3, Bias: true}),
	}
	set := smallSettings()
	set.Precision, set.Batch, set.Threads = workloads.F32, 64, 2
	job := jobOf(t, resolve(t, spec, set), set, backends.ForTime)
	fused, plain := engineOf[float32](t, job), engineOf[float32](t, job)
	plain.tape.hooks.inner = func([]float32) {}
	_, want := trace(t, plain, 4)
	_, got := trace(t, fused, 4)
	if !slices.Equal(got, want) {
		t.Error("the parameters after four steps differ from those of one op after the other")
	}
	if n := testing.AllocsPerRun(10, func() { fused.step(0) }); n != 0 {
		t.Errorf("a step allocates %v times", n)
	}
	if f, p := recordedElements(fused), recordedElements(plain); f >= p {
		t.Errorf("%d elements are held at the end of the way forward, by one op after the other %d", f, p)
	}
}

func recordedElements(e *engine[float32]) int {
	tape := e.tape
	tape.training = true
	tape.Begin()
	tape.Record(true)
	e.model.forward(tape, e.data.micro(0, 0, 1))
	defer tape.Drop()
	return int(tape.floats.Live())
}
