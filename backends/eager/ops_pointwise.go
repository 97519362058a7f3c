package eager

import (
	"math"

	"github.com/dlbench/dlbench/backends/eager/kernel"
)

// pointGrain is how many cheap elements one thread takes at least.
const pointGrain = 1 << 13

// pointwise computes y = f(x) and dx = df(dy, x, y) over ranges. backX and
// backY say which of the two df reads: the other may be nil.
func (t *Tape[T]) pointwise(x *Tensor[T], f func(y, x []T), df func(dx, dy, x, y []T), backX, backY bool) *Tensor[T] {
	y := t.output(x.Shape...)
	n := x.len()
	block := t.block(n, 1, 1)
	for from := 0; from < n; from += block {
		to := min(from+block, n)
		xs, ys := t.read(x, from, to), t.room(y, from, to)
		t.each(to-from, pointGrain, func(a, b int) { f(ys[a:b], xs[a:b]) })
		t.keep(y, from, ys)
		t.done(x, xs)
	}
	return t.emit(y, func() {
		g := t.gradientOf(x)
		for from := 0; from < n; from += block {
			to := min(from+block, n)
			dy, dx := t.readGrad(y, from, to), t.gradRoom(g, from, to)
			var xs, ys []T
			if backX {
				xs = t.read(x, from, to)
			}
			if backY {
				ys = t.read(y, from, to)
			}
			part := dx
			if g.add {
				part = t.floats.Get(to - from)
			}
			t.each(to-from, pointGrain, func(a, b int) {
				df(part[a:b], dy[a:b], xs[min(a, len(xs)):min(b, len(xs))], ys[min(a, len(ys)):min(b, len(ys))])
			})
			if g.add {
				kernel.Add(dx, part)
				t.floats.Put(part)
			}
			t.keepGrad(g, from, dx)
			if backX {
				t.done(x, xs)
			}
			if backY {
				t.done(y, ys)
			}
			t.doneGrad(y, dy)
		}
	}, x)
}

// ReLU is max(x, 0), and NaN of NaN; the gradient at 0 is 0.
func (t *Tape[T]) ReLU(x *Tensor[T]) *Tensor[T] {
	return t.pointwise(x, kernel.ReLU[T], func(dx, dy, _, y []T) { kernel.ReLUBack(dx, dy, y) }, false, true)
}

// Sigmoid is 1/(1+exp(-x)).
func (t *Tape[T]) Sigmoid(x *Tensor[T]) *Tensor[T] {
	return t.pointwise(x, kernel.Sigmoid[T], func(dx, dy, _, y []T) {
		for i, v := range y {
			dx[i] = dy[i] * v * (1 - v)
		}
	}, false, true)
}

// GELU is x*Phi(x), exact (Hendrycks and Gimpel, Gaussian Error Linear Units,
// 2016, arXiv:1606.08415).
func (t *Tape[T]) GELU(x *Tensor[T]) *Tensor[T] {
	return t.pointwise(x, func(y, x []T) {
		for i, v := range x {
			y[i] = T(float64(v) * normalCDF(float64(v)))
		}
	}, func(dx, dy, x, _ []T) {
		for i, v := range x {
			z := float64(v)
			density := math.Exp(-z*z/2) / math.Sqrt(2*math.Pi)
			dx[i] = dy[i] * T(normalCDF(z)+z*density)
		}
	}, true, false)
}

func normalCDF(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }

// Add is the sum of two equal shapes.
func (t *Tape[T]) Add(a, b *Tensor[T]) *Tensor[T] {
	y := t.output(a.Shape...)
	n := y.len()
	block := t.block(n, 1, 1)
	for from := 0; from < n; from += block {
		to := min(from+block, n)
		as, bs, ys := t.read(a, from, to), t.read(b, from, to), t.room(y, from, to)
		t.each(to-from, pointGrain, func(i, j int) {
			copy(ys[i:j], as[i:j])
			kernel.Add(ys[i:j], bs[i:j])
		})
		t.keep(y, from, ys)
		t.done(a, as)
		t.done(b, bs)
	}
	return t.emit(y, func() {
		for _, x := range []*Tensor[T]{a, b} {
			if x.needs {
				t.passBack(y, x)
			}
		}
	}, a, b)
}

// passBack adds the gradient of y to that of x, which has as many elements.
func (t *Tape[T]) passBack(y, x *Tensor[T]) {
	g := t.gradientOf(x)
	n := x.len()
	block := t.block(n, 1, 1)
	for from := 0; from < n; from += block {
		to := min(from+block, n)
		dy, dx := t.readGrad(y, from, to), t.gradRoom(g, from, to)
		t.each(to-from, pointGrain, func(i, j int) { kernel.Copy(dx[i:j], dy[i:j], g.add) })
		t.keepGrad(g, from, dx)
		t.doneGrad(y, dy)
	}
}

// Dropout zeroes elements with probability rate and scales the rest by
// 1/(1-rate) (Srivastava et al., JMLR 15, 2014). The mask is a function of the
// tape's seed, site and the element's place, so that recomputation drops the same.
func (t *Tape[T]) Dropout(x *Tensor[T], rate float64, site int) *Tensor[T] {
	if !t.training || rate == 0 {
		y := t.view(x, x.Shape...)
		return t.emit(y, func() { t.passBack(y, x) }, x)
	}
	seed := mix(t.masks + uint64(site+1)*0x9E3779B97F4A7C15)
	limit := uint64(math.Round(rate * (1 << 53)))
	scale := T(1 / (1 - rate))
	apply := func(to, from []T, start int) {
		for i, v := range from {
			if mix(seed+uint64(start+i)*0x9E3779B97F4A7C15)>>11 < limit {
				to[i] = 0
			} else {
				to[i] = v * scale
			}
		}
	}
	y := t.output(x.Shape...)
	n := y.len()
	block := t.block(n, 1, 1)
	for from := 0; from < n; from += block {
		to := min(from+block, n)
		xs, ys := t.read(x, from, to), t.room(y, from, to)
		t.each(to-from, pointGrain, func(a, b int) { apply(ys[a:b], xs[a:b], from+a) })
		t.keep(y, from, ys)
		t.done(x, xs)
	}
	return t.emit(y, func() {
		g := t.gradientOf(x)
		for from := 0; from < n; from += block {
			to := min(from+block, n)
			dy, dx := t.readGrad(y, from, to), t.gradRoom(g, from, to)
			part := dx
			if g.add {
				part = t.floats.Get(to - from)
			}
			t.each(to-from, pointGrain, func(a, b int) { apply(part[a:b], dy[a:b], from+a) })
			if g.add {
				kernel.Add(dx, part)
				t.floats.Put(part)
			}
			t.keepGrad(g, from, dx)
			t.doneGrad(y, dy)
		}
	}, x)
}

// mix is splitmix64's output function (Steele, Lea, Flood 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}
