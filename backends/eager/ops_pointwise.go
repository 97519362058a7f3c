package eager

import (
	"math"

	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/backends/eager/pool"
)

// pointGrain is how many cheap elements one thread takes at least.
const pointGrain = pool.LeastElements

// curve is a function of one variable, element by element.
type curve[T kernel.Float] interface {
	forward(y, x []T)      // y = f(x)
	back(dx, dy, x, y []T) // dx = dy*f'(x); x and y are nil unless the op asked for them
}

// pointwise computes y = f(x). backX and backY say which of the two the way back reads.
func (t *Tape[T]) pointwise(x *Tensor[T], f curve[T], backX, backY bool) *Tensor[T] {
	y := t.output(x.Shape...)
	n := x.len()
	block := t.block(n, 1, 1)
	for from := 0; from < n; from += block {
		to := min(from+block, n)
		xs, ys := t.read(x, from, to), t.room(y, from, to)
		parallel(t, to-from, pointGrain, pointLoop[T]{f, ys, xs})
		t.keep(y, from, ys)
		t.done(x, xs)
	}
	return record(t, y, pointBack[T]{y, x, f, block, backX, backY}, x)
}

type pointLoop[T kernel.Float] struct {
	f    curve[T]
	y, x []T
}

func (l *pointLoop[T]) run(_, a, b int) { l.f.forward(l.y[a:b], l.x[a:b]) }

// pointBack is the way back of pointwise, in blocks of that many elements.
type pointBack[T kernel.Float] struct {
	y, x         *Tensor[T]
	f            curve[T]
	block        int
	backX, backY bool
}

func (o *pointBack[T]) reads(x *Tensor[T]) bool { return x == o.x && o.backX || x == o.y && o.backY }

func (o *pointBack[T]) back(t *Tape[T]) {
	g, n := t.gradientOf(o.x), o.x.len()
	for from := 0; from < n; from += o.block {
		to := min(from+o.block, n)
		l := pointBackLoop[T]{f: o.f, dy: t.readGrad(o.y, from, to), dx: t.gradRoom(g, from, to)}
		if o.backX {
			l.x = t.read(o.x, from, to)
		}
		if o.backY {
			l.y = t.read(o.y, from, to)
		}
		if g.add {
			l.part = t.floats.Get(to - from)
		}
		parallel(t, to-from, pointGrain, l)
		t.floats.Put(l.part)
		t.keepGrad(g, from, l.dx)
		if o.backX {
			t.done(o.x, l.x)
		}
		if o.backY {
			t.done(o.y, l.y)
		}
		t.doneGrad(o.y, l.dy)
	}
}

type pointBackLoop[T kernel.Float] struct {
	f            curve[T]
	dx, dy, x, y []T
	part         []T // what is added to dx; nil: dx is overwritten
}

func (l *pointBackLoop[T]) run(_, a, b int) {
	to := l.dx
	if l.part != nil {
		to = l.part
	}
	l.f.back(to[a:b], l.dy[a:b], span(l.x, a, b), span(l.y, a, b))
	if l.part != nil {
		kernel.Add(l.dx[a:b], l.part[a:b])
	}
}

// span is s[a:b]; nil of nil.
func span[E any](s []E, a, b int) []E {
	if s == nil {
		return nil
	}
	return s[a:b]
}

// ReLU is max(x, 0), and NaN of NaN; the gradient at 0 is 0.
func (t *Tape[T]) ReLU(x *Tensor[T]) *Tensor[T] {
	if x.rectified {
		return t.rectified(x)
	}
	return t.pointwise(x, relu[T]{}, false, true)
}

type relu[T kernel.Float] struct{}

func (relu[T]) forward(y, x []T)      { kernel.ReLU(y, x) }
func (relu[T]) back(dx, dy, _, y []T) { kernel.ReLUBack(dx, dy, y) }

// Sigmoid is 1/(1+exp(-x)).
func (t *Tape[T]) Sigmoid(x *Tensor[T]) *Tensor[T] { return t.pointwise(x, sigmoid[T]{}, false, true) }

type sigmoid[T kernel.Float] struct{}

func (sigmoid[T]) forward(y, x []T)      { kernel.Sigmoid(y, x) }
func (sigmoid[T]) back(dx, dy, _, y []T) { kernel.SigmoidBack(dx, dy, y) }

// GELU is x*Phi(x).
func (t *Tape[T]) GELU(x *Tensor[T]) *Tensor[T] { return t.pointwise(x, gelu[T]{}, true, false) }

type gelu[T kernel.Float] struct{}

func (gelu[T]) forward(y, x []T)      { kernel.GELU(y, x) }
func (gelu[T]) back(dx, dy, x, _ []T) { kernel.GELUBack(dx, dy, x) }

// Add is the sum of two equal shapes.
func (t *Tape[T]) Add(a, b *Tensor[T]) *Tensor[T] {
	y := t.output(a.Shape...)
	rectify := t.rectifies(y)
	n := y.len()
	block := t.block(n, 1, 1)
	for from := 0; from < n; from += block {
		to := min(from+block, n)
		as, bs, ys := t.read(a, from, to), t.read(b, from, to), t.room(y, from, to)
		parallel(t, to-from, pointGrain, addLoop[T]{ys, as, bs, rectify})
		t.keep(y, from, ys)
		t.done(a, as)
		t.done(b, bs)
	}
	return record(t, y, addBack[T]{y, a, b}, a, b)
}

type addLoop[T kernel.Float] struct {
	y, a, b []T
	rectify bool
}

func (l *addLoop[T]) run(_, from, to int) {
	for i := from; i < to; i += passElements {
		j := min(i+passElements, to)
		copy(l.y[i:j], l.a[i:j])
		kernel.Add(l.y[i:j], l.b[i:j])
		if l.rectify {
			kernel.ReLU(l.y[i:j], l.y[i:j])
		}
	}
}

// passElements is how many elements an op of several passes takes at a time: they
// stay in the first-level cache.
const passElements = 2048

type addBack[T kernel.Float] struct{ y, a, b *Tensor[T] }

func (o *addBack[T]) reads(*Tensor[T]) bool { return false }

func (o *addBack[T]) back(t *Tape[T]) {
	if o.a.needs {
		t.passBack(o.y, o.a)
	}
	if o.b.needs {
		t.passBack(o.y, o.b)
	}
}

// passBack adds the gradient of y to that of x, which has as many elements.
func (t *Tape[T]) passBack(y, x *Tensor[T]) {
	g := t.gradientOf(x)
	n := x.len()
	block := t.block(n, 1, 1)
	for from := 0; from < n; from += block {
		to := min(from+block, n)
		dy, dx := t.readGrad(y, from, to), t.gradRoom(g, from, to)
		parallel(t, to-from, pointGrain, copyLoop[T]{dx, dy, g.add})
		t.keepGrad(g, from, dx)
		t.doneGrad(y, dy)
	}
}

type copyLoop[T kernel.Float] struct {
	to, from []T
	add      bool
}

func (l *copyLoop[T]) run(_, i, j int) { kernel.Copy(l.to[i:j], l.from[i:j], l.add) }

// viewBack is the way back of an op whose output is its input in another shape.
type viewBack[T kernel.Float] struct{ y, x *Tensor[T] }

func (o *viewBack[T]) reads(*Tensor[T]) bool { return false }

func (o *viewBack[T]) back(t *Tape[T]) { t.passBack(o.y, o.x) }

// Dropout zeroes elements with probability rate and scales the rest by
// 1/(1-rate) (Srivastava et al., JMLR 15, 2014). The mask is a function of the
// tape's seed, site and the element's place, so that recomputation drops the same.
func (t *Tape[T]) Dropout(x *Tensor[T], rate float64, site int) *Tensor[T] {
	if !t.training || rate == 0 {
		y := t.view(x, x.Shape...)
		return record(t, y, viewBack[T]{y, x}, x)
	}
	m := mask[T]{
		seed:  mix(t.masks + uint64(site+1)*0x9E3779B97F4A7C15),
		limit: uint64(math.Round(rate * (1 << 53))),
		scale: T(1 / (1 - rate)),
	}
	y := t.output(x.Shape...)
	n := y.len()
	block := t.block(n, 1, 1)
	for from := 0; from < n; from += block {
		to := min(from+block, n)
		xs, ys := t.read(x, from, to), t.room(y, from, to)
		parallel(t, to-from, pointGrain, maskLoop[T]{m, ys, xs, nil, from})
		t.keep(y, from, ys)
		t.done(x, xs)
	}
	return record(t, y, dropoutBack[T]{y, x, m, block}, x)
}

// mask is what is dropped: the elements whose random number is below limit.
type mask[T kernel.Float] struct {
	seed, limit uint64
	scale       T
}

// apply drops from, which begins at the element start of its tensor.
func (m *mask[T]) apply(to, from []T, start int) {
	for i, v := range from {
		if mix(m.seed+uint64(start+i)*0x9E3779B97F4A7C15)>>11 < m.limit {
			to[i] = 0
		} else {
			to[i] = v * m.scale
		}
	}
}

type maskLoop[T kernel.Float] struct {
	mask[T]
	to, from []T
	part     []T // what is added to to; nil: to is overwritten
	start    int
}

func (l *maskLoop[T]) run(_, a, b int) {
	if l.part == nil {
		l.apply(l.to[a:b], l.from[a:b], l.start+a)
		return
	}
	l.apply(l.part[a:b], l.from[a:b], l.start+a)
	kernel.Add(l.to[a:b], l.part[a:b])
}

// dropoutBack is the way back of Dropout, in blocks of that many elements.
type dropoutBack[T kernel.Float] struct {
	y, x  *Tensor[T]
	mask  mask[T]
	block int
}

func (o *dropoutBack[T]) reads(*Tensor[T]) bool { return false }

func (o *dropoutBack[T]) back(t *Tape[T]) {
	g, n := t.gradientOf(o.x), o.x.len()
	for from := 0; from < n; from += o.block {
		to := min(from+o.block, n)
		l := maskLoop[T]{o.mask, t.gradRoom(g, from, to), t.readGrad(o.y, from, to), nil, from}
		if g.add {
			l.part = t.floats.Get(to - from)
		}
		parallel(t, to-from, pointGrain, l)
		t.floats.Put(l.part)
		t.keepGrad(g, from, l.to)
		t.doneGrad(o.y, l.from)
	}
}

// mix is splitmix64's output function (Steele, Lea, Flood 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}
