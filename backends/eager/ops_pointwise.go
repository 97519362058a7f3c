package eager

import (
	"math"

	"github.com/dlbench/dlbench/backends/eager/kernel"
)

// pointGrain is how many cheap elements one thread takes at least.
const pointGrain = 1 << 13

// pointwise computes y = f(x) and dx = df(dy, x, y) over ranges.
func (t *Tape[T]) pointwise(x *Tensor[T], f func(y, x []T), df func(dx, dy, x, y []T)) *Tensor[T] {
	y := t.output(x.Shape...)
	t.each(len(x.Data), pointGrain, func(a, b int) { f(y.Data[a:b], x.Data[a:b]) })
	return t.emit(y, func() {
		dx, add := t.gradOf(x)
		to := dx
		if add {
			to = t.floats.Get(len(dx))
		}
		t.each(len(x.Data), pointGrain, func(a, b int) { df(to[a:b], y.grad[a:b], x.Data[a:b], y.Data[a:b]) })
		if add {
			kernel.Add(dx, to)
			t.floats.Put(to)
		}
	}, x)
}

// ReLU is max(x, 0), and NaN of NaN; the gradient at 0 is 0.
func (t *Tape[T]) ReLU(x *Tensor[T]) *Tensor[T] {
	return t.pointwise(x, kernel.ReLU[T], func(dx, dy, _, y []T) { kernel.ReLUBack(dx, dy, y) })
}

// Sigmoid is 1/(1+exp(-x)).
func (t *Tape[T]) Sigmoid(x *Tensor[T]) *Tensor[T] {
	return t.pointwise(x, kernel.Sigmoid[T], func(dx, dy, _, y []T) {
		for i, v := range y {
			dx[i] = dy[i] * v * (1 - v)
		}
	})
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
	})
}

func normalCDF(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }

// Add is the sum of two equal shapes.
func (t *Tape[T]) Add(a, b *Tensor[T]) *Tensor[T] {
	y := t.output(a.Shape...)
	t.each(len(y.Data), pointGrain, func(i, j int) {
		copy(y.Data[i:j], a.Data[i:j])
		kernel.Add(y.Data[i:j], b.Data[i:j])
	})
	return t.emit(y, func() {
		for _, x := range []*Tensor[T]{a, b} {
			if x.needs {
				dx, add := t.gradOf(x)
				t.each(len(dx), pointGrain, func(i, j int) { kernel.Copy(dx[i:j], y.grad[i:j], add) })
			}
		}
	}, a, b)
}

// Dropout zeroes elements with probability rate and scales the rest by
// 1/(1-rate) (Srivastava et al., JMLR 15, 2014). The mask is a function of the
// tape's seed, site and the element's place, so that recomputation drops the same.
func (t *Tape[T]) Dropout(x *Tensor[T], rate float64, site int) *Tensor[T] {
	if !t.training || rate == 0 {
		y := t.view(x, x.Shape...)
		return t.emit(y, func() {
			dx, add := t.gradOf(x)
			kernel.Copy(dx, y.grad, add)
		}, x)
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
	t.each(len(y.Data), pointGrain, func(a, b int) { apply(y.Data[a:b], x.Data[a:b], a) })
	return t.emit(y, func() {
		dx, add := t.gradOf(x)
		if !add {
			t.each(len(dx), pointGrain, func(a, b int) { apply(dx[a:b], y.grad[a:b], a) })
			return
		}
		masked := t.floats.Get(len(dx))
		apply(masked, y.grad, 0)
		kernel.Add(dx, masked)
		t.floats.Put(masked)
	}, x)
}

// mix is splitmix64's output function (Steele, Lea, Flood 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}
