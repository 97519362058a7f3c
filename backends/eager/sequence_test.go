package eager

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/backends/eager/pool"
)

// sequenceOps are the ops whose float32 form is not that of float64: vector loops,
// groups of examples, products made ahead of the steps that use them.
var sequenceOps = map[string]struct{ n, steps, in, h int }{
	"lstm":             {70, 60, 20, 64}, // several groups per thread, several times ahead
	"lstm one example": {1, 3, 5, 7},
	"attention":        {5, 33, 12, 4},
	"causal attention": {3, 17, 12, 2},
	"layernorm":        {40, 60, 37, 0},
	"gelu":             {40, 60, 37, 0},
	"embedding":        {40, 60, 37, 900},
}

// sequenceOp runs an op forward and back and returns its output and all gradients.
func sequenceOp[T kernel.Float](t *testing.T, name string, threads int) (results [][]T) {
	c := sequenceOps[name]
	p := pool.New(threads)
	defer p.Close()
	tape := NewTape[T](p)
	defer tape.Close()
	tape.floats.Poison = func(b []T) { kernel.Fill(b, T(math.NaN())) }
	tape.training = true
	r := rand.New(rand.NewPCG(11, 12))
	vars := []*Tensor[T]{variableOf[T](r, c.n, c.steps, c.in)}
	more := func(spread float64, shape ...int) *Tensor[T] {
		v := variableOf[T](r, shape...)
		kernel.Scale(v.Data, T(spread))
		vars = append(vars, v)
		return v
	}
	var run func() *Tensor[T]
	switch x := vars[0]; name {
	case "attention", "causal attention":
		d := c.in
		a, b, e, f := more(0.3, 3*d, d), more(1, 3*d), more(0.3, d, d), more(1, d)
		run = func() *Tensor[T] { return tape.Attention(x, a, b, e, f, c.h, name[0] == 'c') }
	case "layernorm":
		a, b := more(1, c.in), more(1, c.in)
		run = func() *Tensor[T] { return tape.LayerNorm(x, a, b, 1e-5) }
	case "gelu":
		run = func() *Tensor[T] { return tape.GELU(x) }
	case "embedding":
		ids := make([]int32, c.n*c.steps)
		for i := range ids {
			ids[i] = int32(r.IntN(c.h))
		}
		a := more(1, c.h, c.in)
		vars = vars[1:]
		run = func() *Tensor[T] { return tape.Embedding(ids, c.n, a) }
	default:
		a, b, e := more(0.2, 4*c.h, c.in), more(0.1, 4*c.h, c.h), more(1, 4*c.h)
		run = func() *Tensor[T] { return tape.LSTM(x, a, b, e) }
	}
	plain := run()
	results = append(results, slices.Clone(plain.Data))
	tape.Free(plain)
	tape.Record(true)
	y := run()
	if !slices.Equal(y.Data, results[0]) {
		t.Errorf("%s gives another output while the tape records", name)
	}
	leave(tape, y, 3)
	tape.Backward()
	for _, v := range vars {
		results = append(results, v.grad)
	}
	if live := tape.floats.Live(); live != 0 {
		t.Errorf("%s: %d floats are still held after the way back", name, live)
	}
	return results
}

// The number of threads changes no bit, and float32 stays near float64. A
// tolerance is that of sums of so many terms, relative to the largest element.
func TestSequenceOpsInFloat32(t *testing.T) {
	for name := range sequenceOps {
		t.Run(name, func(t *testing.T) {
			one, exact := sequenceOp[float32](t, name, 1), sequenceOp[float64](t, name, 1)
			for threads := 2; threads <= 5; threads++ {
				for k, x := range sequenceOp[float32](t, name, threads) {
					if !slices.Equal(x, one[k]) {
						t.Errorf("result %d is not the same with %d threads", k, threads)
					}
				}
			}
			for k, want := range exact {
				var scale, worst float64
				for _, v := range want {
					scale = max(scale, math.Abs(v))
				}
				for i, v := range want {
					if d := math.Abs(float64(one[k][i]) - v); !(d <= worst) {
						worst = d
					}
				}
				if !(worst <= 1e-5*scale) {
					t.Errorf("result %d is %.2g off, of elements up to %.2g", k, worst, scale)
				}
			}
		})
	}
}
