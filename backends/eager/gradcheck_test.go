package eager

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/backends/eager/pool"
)

// testTape is a tape whose arena poisons what is given back, so that a use
// after the return shows as NaN.
func testTape(t testing.TB, threads int) *Tape[float64] {
	p := pool.New(threads)
	t.Cleanup(p.Close)
	tape := NewTape[float64](p)
	t.Cleanup(tape.Close)
	tape.floats.Poison = func(b []float64) { kernel.Fill(b, math.NaN()) }
	tape.ints.Poison = func(b []int32) {
		for i := range b {
			b[i] = 1 << 30
		}
	}
	tape.training = true
	return tape
}

func variable(r *rand.Rand, shape ...int) *Tensor[float64] { return variableOf[float64](r, shape...) }

func variableOf[T kernel.Float](r *rand.Rand, shape ...int) *Tensor[T] {
	n := size(shape)
	x := make([]T, n)
	for i := range x {
		x[i] = T(r.NormFloat64())
	}
	return Variable(x, make([]T, n), shape...)
}

// leave puts a fixed random gradient on out, and returns its dot product with
// out: a scalar of which every gradient can be checked.
func leave[T kernel.Float](t *Tape[T], out *Tensor[T], seed uint64) float64 {
	r := rand.New(rand.NewPCG(seed, 99))
	var sum float64
	var to gradient[T]
	var g []T
	if t.recording {
		to = t.gradientOf(out)
		g = t.gradRoom(to, 0, out.len())
	}
	values := t.read(out, 0, out.len())
	for i, v := range values {
		w := T(r.NormFloat64())
		sum += float64(w * v)
		if g != nil {
			g[i] = w
		}
	}
	t.done(out, values)
	if g != nil {
		t.keepGrad(to, 0, g)
	}
	return sum
}

// checkGradients holds the tape's gradients of f with respect to vars to
// central differences, at up to 12 places of each variable.
func checkGradients(t *testing.T, tape *Tape[float64], vars []*Tensor[float64], f func() *Tensor[float64]) {
	t.Helper()
	const h = 1e-5
	value := func() float64 {
		out := f()
		defer tape.Free(out)
		return leave(tape, out, 1)
	}
	for _, v := range vars {
		v.written = false
	}
	tape.Record(true)
	leave(tape, f(), 1)
	tape.Backward()
	if live := tape.floats.Live(); live != 0 {
		t.Errorf("%d floats are still held after the way back", live)
	}
	if live := tape.ints.Live(); live != 0 {
		t.Errorf("%d ints are still held after the way back", live)
	}
	r := rand.New(rand.NewPCG(7, 7))
	for k, v := range vars {
		var scale float64
		for _, g := range v.grad {
			scale = max(scale, math.Abs(g))
		}
		for range min(12, len(v.Data)) {
			i := r.IntN(len(v.Data))
			at := v.Data[i]
			v.Data[i] = at + h
			up := value()
			v.Data[i] = at - h
			down := value()
			v.Data[i] = at
			want := (up - down) / (2 * h)
			if d := math.Abs(v.grad[i] - want); !(d <= 1e-6*(1+scale)) {
				t.Errorf("variable %d %v element %d: gradient %.10g, central difference %.10g", k, v.Shape, i, v.grad[i], want)
				return
			}
		}
	}
}

// opCases are all ops on random shapes: the variables and the function of them.
func opCases[T kernel.Float]() map[string]func(r *rand.Rand) (vars []*Tensor[T], f func(tape *Tape[T]) *Tensor[T]) {
	type tt = *Tape[T]
	type tn = *Tensor[T]
	variable := variableOf[T]
	return map[string]func(r *rand.Rand) (vars []tn, f func(tape tt) tn){
		"dense": func(r *rand.Rand) ([]tn, func(tt) tn) {
			n, in, u := 1+r.IntN(9), 1+r.IntN(20), 1+r.IntN(20)
			x, w, b := variable(r, n, in), variable(r, u, in), variable(r, u)
			return []tn{x, w, b}, func(t tt) tn { return t.Dense(x, w, b) }
		},
		"dense-sequence": func(r *rand.Rand) ([]tn, func(tt) tn) {
			x, w := variable(r, 2, 3, 5), variable(r, 4, 5)
			return []tn{x, w}, func(t tt) tn { return t.Dense(x, w, nil) }
		},
		"conv2d": func(r *rand.Rand) ([]tn, func(tt) tn) {
			k := 1 + r.IntN(4)
			n, c, f, h, wd := 1+r.IntN(3), 1+r.IntN(3), 1+r.IntN(5), k+r.IntN(6), k+r.IntN(6)
			stride, pad := 1+r.IntN(3), r.IntN(k)
			x, w, b := variable(r, n, h, wd, c), variable(r, k, k, c, f), variable(r, f)
			if r.IntN(2) == 0 {
				return []tn{x, w}, func(t tt) tn { return t.Conv2D(x, w, nil, stride, pad) }
			}
			return []tn{x, w, b}, func(t tt) tn { return t.Conv2D(x, w, b, stride, pad) }
		},
		"maxpool2d": func(r *rand.Rand) ([]tn, func(tt) tn) {
			s := 1 + r.IntN(3)
			x, stride := variable(r, 1+r.IntN(3), s+r.IntN(6), s+r.IntN(6), 1+r.IntN(3)), 1+r.IntN(3)
			return []tn{x}, func(t tt) tn { return t.MaxPool2D(x, s, stride) }
		},
		"avgpool-image": func(r *rand.Rand) ([]tn, func(tt) tn) {
			x := variable(r, 1+r.IntN(3), 1+r.IntN(5), 1+r.IntN(5), 1+r.IntN(4))
			return []tn{x}, func(t tt) tn { return t.AvgPool(x) }
		},
		"flatten-image": func(r *rand.Rand) ([]tn, func(tt) tn) {
			x := variable(r, 1+r.IntN(3), 1+r.IntN(5), 1+r.IntN(5), 1+r.IntN(4))
			return []tn{x}, func(t tt) tn { return t.Flatten(x) }
		},
		"layernorm-image": func(r *rand.Rand) ([]tn, func(tt) tn) {
			d := 2 + r.IntN(4)
			x, w, b := variable(r, 1+r.IntN(3), 1+r.IntN(4), d, 1+r.IntN(4)), variable(r, d), variable(r, d)
			return []tn{x, w, b}, func(t tt) tn { return t.layerNormImages(x, w, b, 1e-3) }
		},
		"avgpool-sequence": func(r *rand.Rand) ([]tn, func(tt) tn) {
			x := variable(r, 1+r.IntN(3), 1+r.IntN(4), 1+r.IntN(5))
			return []tn{x}, func(t tt) tn { return t.AvgPool(x) }
		},
		"batchnorm": func(r *rand.Rand) ([]tn, func(tt) tn) {
			c := 1 + r.IntN(5)
			x := variable(r, 2+r.IntN(4), 1+r.IntN(4), 1+r.IntN(4), c)
			if r.IntN(2) == 0 {
				x = variable(r, 3+r.IntN(6), c)
			}
			w, b, mean, vr := variable(r, c), variable(r, c), variable(r, c), variable(r, c)
			return []tn{x, w, b}, func(t tt) tn { return t.BatchNorm(x, w, b, mean, vr, 1e-3, 0.1) }
		},
		"layernorm": func(r *rand.Rand) ([]tn, func(tt) tn) {
			d := 2 + r.IntN(6)
			x, w, b := variable(r, 1+r.IntN(4), 1+r.IntN(4), d), variable(r, d), variable(r, d)
			return []tn{x, w, b}, func(t tt) tn { return t.LayerNorm(x, w, b, 1e-3) }
		},
		"relu":            unary[T](func(t tt, x tn) tn { return t.ReLU(x) }),
		"gelu":            unary[T](func(t tt, x tn) tn { return t.GELU(x) }),
		"sigmoid":         unary[T](func(t tt, x tn) tn { return t.Sigmoid(x) }),
		"flatten":         unary[T](func(t tt, x tn) tn { return t.Flatten(x) }),
		"dropout":         unary[T](func(t tt, x tn) tn { return t.Dropout(x, 0.4, 3) }),
		"dropout-nothing": unary[T](func(t tt, x tn) tn { return t.Dropout(x, 0, 3) }),
		"last-step":       unary[T](func(t tt, x tn) tn { return t.LastStep(x) }),
		"add-self":        unary[T](func(t tt, x tn) tn { return t.Add(x, x) }),
		"add": func(r *rand.Rand) ([]tn, func(tt) tn) {
			n, d := 1+r.IntN(5), 1+r.IntN(5)
			x, y := variable(r, n, d), variable(r, n, d)
			return []tn{x, y}, func(t tt) tn { return t.Add(x, y) }
		},
		"embedding": func(r *rand.Rand) ([]tn, func(tt) tn) {
			n, steps, v := 1+r.IntN(4), 1+r.IntN(4), 2+r.IntN(6)
			ids := make([]int32, n*steps)
			for i := range ids {
				ids[i] = int32(r.IntN(v))
			}
			table := variable(r, v, 1+r.IntN(4))
			return []tn{table}, func(t tt) tn { return t.Embedding(ids, n, table) }
		},
		"lstm": func(r *rand.Rand) ([]tn, func(tt) tn) {
			n, steps, in, h := 1+r.IntN(4), 1+r.IntN(5), 1+r.IntN(5), 1+r.IntN(6)
			x, wi, wh, b := variable(r, n, steps, in), variable(r, 4*h, in), variable(r, 4*h, h), variable(r, 4*h)
			return []tn{x, wi, wh, b}, func(t tt) tn { return t.LSTM(x, wi, wh, b) }
		},
		"attention": func(r *rand.Rand) ([]tn, func(tt) tn) {
			heads := 1 + r.IntN(3)
			n, steps, d, causal := 1+r.IntN(3), 1+r.IntN(6), heads*(1+r.IntN(4)), r.IntN(2) == 0
			x, w, b := variable(r, n, steps, d), variable(r, 3*d, d), variable(r, 3*d)
			ow, ob := variable(r, d, d), variable(r, d)
			return []tn{x, w, b, ow, ob}, func(t tt) tn { return t.Attention(x, w, b, ow, ob, heads, causal) }
		},
	}
}

// Every op, with one and with two threads, its input used twice so that
// gradients are added up too.
func TestGradientsOfOps(t *testing.T) {
	for name, build := range opCases[float64]() {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(10) {
				for threads := 1; threads <= 2; threads++ {
					tape := testTape(t, threads)
					vars, f := build(rand.New(rand.NewPCG(seed, 1)))
					checkGradients(t, tape, vars, func() *Tensor[float64] { return f(tape) })
					if len(f(testTape(t, 1)).Shape) == 0 {
						t.Error("the result has no shape")
					}
					// Twice the same input: both contributions count.
					checkGradients(t, tape, vars, func() *Tensor[float64] {
						a, b := f(tape), f(tape)
						sum := tape.Add(a, b)
						if !tape.recording {
							tape.Free(a)
							tape.Free(b)
						}
						return sum
					})
				}
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}

func unary[T kernel.Float](op func(*Tape[T], *Tensor[T]) *Tensor[T]) func(*rand.Rand) ([]*Tensor[T], func(*Tape[T]) *Tensor[T]) {
	return func(r *rand.Rand) ([]*Tensor[T], func(*Tape[T]) *Tensor[T]) {
		x := variableOf[T](r, 1+r.IntN(4), 1+r.IntN(5), 1+r.IntN(5))
		return []*Tensor[T]{x}, func(t *Tape[T]) *Tensor[T] { return op(t, x) }
	}
}

// In inference batch normalisation reads the running statistics.
func TestBatchNormInference(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	tape := testTape(t, 1)
	tape.training = false
	x, w, b, mean, vr := variable(r, 2, 3), variable(r, 3), variable(r, 3), variable(r, 3), Variable([]float64{1, 2, 3}, nil, 3)
	y := tape.BatchNorm(x, w, b, mean, vr, 0.5, 0.1)
	for i, got := range y.Data {
		c := i % 3
		want := (x.Data[i]-mean.Data[c])/math.Sqrt(vr.Data[c]+0.5)*w.Data[c] + b.Data[c]
		if math.Abs(got-want) > 1e-14 {
			t.Errorf("element %d: %v, want %v", i, got, want)
		}
	}
}

// The running statistics move by momentum, towards the unbiased variance.
func TestBatchNormRunningStatistics(t *testing.T) {
	tape := testTape(t, 1)
	x := tape.Constant([]float64{1, 2, 3, 6}, 4, 1)
	one, zero := Variable([]float64{1}, nil, 1), Variable([]float64{0}, nil, 1)
	mean, vr := Variable([]float64{10}, nil, 1), Variable([]float64{20}, nil, 1)
	tape.BatchNorm(x, one, zero, mean, vr, 1e-5, 0.25)
	if want := 0.75*10 + 0.25*3; mean.Data[0] != want {
		t.Errorf("running mean %v, want %v", mean.Data[0], want)
	}
	if want := 0.75*20 + 0.25*14/3.; math.Abs(vr.Data[0]-want) > 1e-14 {
		t.Errorf("running variance %v, want %v", vr.Data[0], want)
	}
}

func TestLossesAndTheirGradients(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, k := range []int{1, 2, 7} {
		for range 10 {
			n := 1 + r.IntN(6)
			tape := testTape(t, 1)
			x := variable(r, n, k)
			labels := make([]int32, n)
			for i := range labels {
				labels[i] = int32(r.IntN(max(k, 2)))
			}
			loss := func() float64 {
				if k == 1 {
					return tape.SigmoidCrossEntropy(x, labels, 1/float64(n))
				}
				return tape.SoftmaxCrossEntropy(x, labels, 1/float64(n))
			}
			tape.Record(true)
			x.written = false
			loss()
			tape.Drop()
			for i := range x.Data {
				const h = 1e-5
				at := x.Data[i]
				x.Data[i] = at + h
				up := loss()
				x.Data[i] = at - h
				down := loss()
				x.Data[i] = at
				if want := (up - down) / (2 * h); math.Abs(x.grad[i]-want) > 1e-8 {
					t.Fatalf("classes %d element %d: gradient %v, central difference %v", k, i, x.grad[i], want)
				}
			}
		}
	}
}

// Values known in closed form, so that a wrong op cannot hide behind a matching gradient.
func TestKnownValues(t *testing.T) {
	tape := testTape(t, 1)
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-12 {
			t.Errorf("%s = %v, want %v", what, got, want)
		}
	}
	c := func(data []float64, shape ...int) *Tensor[float64] { return tape.Constant(data, shape...) }
	near("uniform softmax loss", tape.SoftmaxCrossEntropy(c(make([]float64, 8), 2, 4), []int32{1, 2}, 0.5), math.Log(4))
	near("sigmoid loss at 0", tape.SigmoidCrossEntropy(c([]float64{0}, 1, 1), []int32{1}, 1), math.Log(2))
	near("gelu(1)", tape.GELU(c([]float64{1}, 1, 1)).Data[0], 0.8413447460685429)
	x := c([]float64{1, 2, 3, 4, 5, 6, 7, 8, 9}, 1, 3, 3, 1)
	k := c([]float64{1, 0, 0, 0}, 2, 2, 1, 1)
	y := tape.Conv2D(x, k, nil, 1, 0) // cross-correlation: the kernel is not turned
	if got := fmt.Sprint(y.Data); got != "[1 2 4 5]" {
		t.Errorf("conv2d = %s, want [1 2 4 5]", got)
	}
	y = tape.Conv2D(x, k, nil, 1, 1)
	if got := fmt.Sprint(y.Data); got != "[0 0 0 0 0 1 2 3 0 4 5 6 0 7 8 9]" {
		t.Errorf("padded conv2d = %s", got)
	}
	if got := fmt.Sprint(tape.MaxPool2D(x, 2, 1).Data); got != "[5 6 8 9]" {
		t.Errorf("maxpool2d = %s, want [5 6 8 9]", got)
	}
	// One LSTM step by hand: gates i,f,g,o with weight 1 on the input 0.5.
	one := c([]float64{1, 1, 1, 1}, 4, 1)
	h := tape.LSTM(c([]float64{0.5, 0.5}, 1, 2, 1), one, c(make([]float64, 4), 4, 1), c([]float64{0, 1, 0, 2}, 4))
	sig := func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }
	c1 := sig(0.5) * math.Tanh(0.5)
	near("lstm step 1", h.Data[0], sig(2.5)*math.Tanh(c1))
	near("lstm step 2", h.Data[1], sig(2.5)*math.Tanh(sig(1.5)*c1+c1))
}

func TestDropoutDropsAtItsRate(t *testing.T) {
	tape := testTape(t, 2)
	x := variable(rand.New(rand.NewPCG(1, 2)), 400, 250)
	kernel.Fill(x.Data, 1)
	tape.masks = 5
	first := append([]float64(nil), tape.Dropout(x, 0.3, 0).Data...)
	zeros := 0
	for _, v := range first {
		switch v {
		case 0:
			zeros++
		case 1 / 0.7:
		default:
			t.Fatalf("an element is %v, want 0 or %v", v, 1/0.7)
		}
	}
	if share := float64(zeros) / float64(len(first)); math.Abs(share-0.3) > 0.01 {
		t.Errorf("dropped %v of the elements, want 0.3", share)
	}
	same := func(masks uint64, site int) bool {
		tape.masks = masks
		for i, v := range tape.Dropout(x, 0.3, site).Data {
			if v != first[i] {
				return false
			}
		}
		return true
	}
	if !same(5, 0) || same(6, 0) || same(5, 1) {
		t.Error("a mask must depend on the seed and the op, and on nothing else")
	}
}
