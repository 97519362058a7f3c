package eager

import "github.com/dlbench/dlbench/backends/eager/kernel"

// MaxPool2D takes the largest element under each window of x[N,H,W,C]; of equal
// ones the first gets the gradient.
func (t *Tape[T]) MaxPool2D(x *Tensor[T], side, stride int) *Tensor[T] {
	p := kernel.Pooling{H: x.Shape[1], W: x.Shape[2], C: x.Shape[3], Side: side, Stride: stride}
	oh, ow := p.Out()
	n, in, out := x.Shape[0], p.H*p.W*p.C, oh*ow*p.C
	y := t.output(n, oh, ow, p.C)
	var from []int32 // which element under the window each came from
	if t.recording && x.needs {
		from = t.ints.Get(n * out)
	}
	block := t.block(n, in, 1)
	for first := 0; first < n; first += block {
		end := min(first+block, n)
		xs, ys := t.read(x, first*in, end*in), t.room(y, first*out, end*out)
		parallel(t, (end-first)*oh, 1+pointGrain/(ow*side*side*p.C), maxLoop[T]{ys, xs, span(from, first*out, end*out), p})
		t.keep(y, first*out, ys)
		t.done(x, xs)
	}
	return record(t, y, maxPoolBack[T]{y, x, from, p, block, t.isRectified(x)}, x)
}

// maxLoop pools rows of windows.
type maxLoop[T kernel.Float] struct {
	y, x []T
	from []int32 // nil: not wanted
	p    kernel.Pooling
}

func (l *maxLoop[T]) run(_, r0, r1 int) { kernel.MaxPool(l.y, l.from, l.x, &l.p, r0, r1) }

// maxPoolBack is the way back of MaxPool2D, in blocks of that many images.
type maxPoolBack[T kernel.Float] struct {
	y, x  *Tensor[T]
	from  []int32
	p     kernel.Pooling
	block int
	masks bool // x came from a ReLU, whose mask this way back may apply
}

func (o *maxPoolBack[T]) reads(x *Tensor[T]) bool { return x == o.y && o.masks }

func (o *maxPoolBack[T]) back(t *Tape[T]) {
	o.x.masked = o.masks && !o.x.written && t.isRectified(o.x) // nothing else read x
	g := t.gradientOf(o.x)
	n := o.x.Shape[0]
	in, out := o.x.len()/n, o.y.len()/n
	for first := 0; first < n; first += o.block {
		end := min(first+o.block, n)
		dys, dxs := t.readGrad(o.y, first*out, end*out), t.gradRoom(g, first*in, end*in)
		l := maxBackLoop[T]{dx: dxs, dy: dys, from: o.from[first*out:], p: o.p, add: g.add}
		if o.x.masked {
			l.mask = t.read(o.y, first*out, end*out)
		}
		parallel(t, end-first, 1+pointGrain/in, l)
		if o.x.masked {
			t.done(o.y, l.mask)
		}
		t.keepGrad(g, first*in, dxs)
		t.doneGrad(o.y, dys)
	}
	t.ints.Put(o.from)
}

// maxBackLoop takes whole images.
type maxBackLoop[T kernel.Float] struct {
	dx, dy []T
	mask   []T // zeroes dy where it is zero; nil: none
	from   []int32
	p      kernel.Pooling
	add    bool
}

func (l *maxBackLoop[T]) run(_, i0, i1 int) {
	if l.mask != nil {
		oh, ow := l.p.Out()
		a, b := i0*oh*ow*l.p.C, i1*oh*ow*l.p.C
		kernel.ReLUBack(l.dy[a:b], l.dy[a:b], l.mask[a:b])
	}
	kernel.MaxPoolBack(l.dx, l.dy, l.from, &l.p, i0, i1, l.add)
}

// AvgPool is the mean over the positions: [N,H,W,C] gives [N,C], [N,T,D] gives [N,D].
func (t *Tape[T]) AvgPool(x *Tensor[T]) *Tensor[T] {
	n, d := x.Shape[0], x.Shape[len(x.Shape)-1]
	steps := x.len() / (n * d)
	y := t.output(n, d)
	block := t.block(n, steps*d, 1)
	for first := 0; first < n; first += block {
		end := min(first+block, n)
		xs, ys := t.read(x, first*steps*d, end*steps*d), t.room(y, first*d, end*d)
		for i := range end - first {
			to := ys[i*d:][:d]
			kernel.SumRows(to, xs[i*steps*d:][:steps*d], false)
			kernel.Scale(to, 1/T(steps))
		}
		t.keep(y, first*d, ys)
		t.done(x, xs)
	}
	return record(t, y, avgPoolBack[T]{y, x, block}, x)
}

// avgPoolBack is the way back of AvgPool, in blocks of that many examples.
type avgPoolBack[T kernel.Float] struct {
	y, x  *Tensor[T]
	block int
}

func (o *avgPoolBack[T]) reads(*Tensor[T]) bool { return false }

func (o *avgPoolBack[T]) back(t *Tape[T]) {
	n, d := o.y.Shape[0], o.y.Shape[1]
	steps := o.x.len() / (n * d)
	g := t.gradientOf(o.x)
	scaled := t.floats.Get(d)
	for first := 0; first < n; first += o.block {
		end := min(first+o.block, n)
		dys, dxs := t.readGrad(o.y, first*d, end*d), t.gradRoom(g, first*steps*d, end*steps*d)
		for i := range end - first {
			copy(scaled, dys[i*d:][:d])
			kernel.Scale(scaled, 1/T(steps))
			for s := range steps {
				kernel.Copy(dxs[(i*steps+s)*d:][:d], scaled, g.add)
			}
		}
		t.keepGrad(g, first*steps*d, dxs)
		t.doneGrad(o.y, dys)
	}
	t.floats.Put(scaled)
}

// LastStep takes the last position of x[N,T,D].
func (t *Tape[T]) LastStep(x *Tensor[T]) *Tensor[T] {
	n, steps, d := x.Shape[0], x.Shape[1], x.Shape[2]
	y := t.output(n, d)
	for i := range n {
		last := ((i+1)*steps - 1) * d
		xs, ys := t.read(x, last, last+d), t.room(y, i*d, (i+1)*d)
		copy(ys, xs)
		t.keep(y, i*d, ys)
		t.done(x, xs)
	}
	block := t.block(n, steps*d, 1)
	return record(t, y, lastStepBack[T]{y, x, block}, x)
}

// lastStepBack is the way back of LastStep, in blocks of that many examples.
type lastStepBack[T kernel.Float] struct {
	y, x  *Tensor[T]
	block int
}

func (o *lastStepBack[T]) reads(*Tensor[T]) bool { return false }

func (o *lastStepBack[T]) back(t *Tape[T]) {
	n, steps, d := o.x.Shape[0], o.x.Shape[1], o.x.Shape[2]
	g := t.gradientOf(o.x)
	for first := 0; first < n; first += o.block {
		end := min(first+o.block, n)
		dys, dxs := t.readGrad(o.y, first*d, end*d), t.gradRoom(g, first*steps*d, end*steps*d)
		if !g.add {
			clear(dxs)
		}
		for i := range end - first {
			kernel.Add(dxs[((i+1)*steps-1)*d:][:d], dys[i*d:][:d])
		}
		t.keepGrad(g, first*steps*d, dxs)
		t.doneGrad(o.y, dys)
	}
}
