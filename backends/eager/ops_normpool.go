package eager

import "github.com/dlbench/dlbench/backends/eager/kernel"

// normPool is MaxPool2D of BatchNorm, or of its ReLU, on full width: rows under a row
// of windows at a time, so that what is normalised is never stored. The way back does
// not read it: batch normalisation's has x, and ReLU's mask is where the output is 0.
// No bit of a result changes.
func (t *Tape[T]) normPool(x, w, b, runMean, runVar *Tensor[T], eps, momentum float64, relu bool, side, stride int) *Tensor[T] {
	n, c := x.Shape[0], x.Shape[3]
	p := kernel.Pooling{H: x.Shape[1], W: x.Shape[2], C: c, Side: side, Stride: stride}
	oh, ow := p.Out()
	y := t.output(n, oh, ow, c)
	mean, inv, scale := t.floats.Get(c), t.floats.Get(c), t.floats.Get(c)
	divisor := t.statistics(x, mean, inv, runMean, runVar, eps, momentum)
	for ch, v := range inv {
		scale[ch] = v * w.Data[ch]
	}
	var from []int32
	if t.recording && (x.needs || w.needs || b.needs) {
		from = t.ints.Get(y.len())
	}
	rows := t.floats.Get(t.pool.Threads() * side * p.W * c)
	parallel(t, n*oh, 1+pointGrain/(side*p.W*c), normPoolLoop[T]{
		normalizeLoop: normalizeLoop[T]{rows, x.Data, mean, scale, b.Data, relu}, pooled: y.Data, from: from, p: p,
	})
	t.floats.Put(rows)
	t.floats.Put(scale)
	if !t.recording {
		t.floats.Put(mean)
		t.floats.Put(inv)
	}
	return record(t, y, normPoolBack[T]{batchNormBack[T]{nil, x, w, b, mean, inv, divisor}, y, from, p, relu}, x, w, b)
}

// normPoolLoop takes rows of windows; y of normalizeLoop is room for the rows under
// one, of each thread.
type normPoolLoop[T kernel.Float] struct {
	normalizeLoop[T]
	pooled []T
	from   []int32 // nil: not wanted
	p      kernel.Pooling
}

func (l *normPoolLoop[T]) run(part, r0, r1 int) {
	oh, ow := l.p.Out()
	c, line := l.p.C, l.p.W*l.p.C
	size := l.p.Side * line
	rows, under := l.normalizeLoop, l.p
	rows.y, under.H = l.y[part*size:][:size], l.p.Side
	for r := r0; r < r1; r++ {
		rows.x = l.x[(r/oh*l.p.H+r%oh*l.p.Stride)*line:][:size]
		rows.run(part, 0, size/c)
		at := r * ow * c
		kernel.MaxPool(l.pooled[at:], span(l.from, at, at+ow*c), rows.y, &under, 0, 1)
	}
}

// normPoolBack is the way back of normPool.
type normPoolBack[T kernel.Float] struct {
	norm batchNormBack[T] // of an output that has a gradient alone
	y    *Tensor[T]
	from []int32
	p    kernel.Pooling
	relu bool
}

func (o *normPoolBack[T]) reads(x *Tensor[T]) bool { return x != o.y || o.relu }

func (o *normPoolBack[T]) back(t *Tape[T]) {
	o.norm.y = t.unpooled(o.y, o.from, &o.p, o.relu)
	o.norm.back(t)
	t.Free(o.norm.y)
}

// unpooled is a tensor that has the gradient of what p pooled to y alone. With relu
// that is max(x, 0), and it is the gradient of x; so then is that of y.
func (t *Tape[T]) unpooled(y *Tensor[T], from []int32, p *kernel.Pooling, relu bool) *Tensor[T] {
	n, in := y.Shape[0], p.H*p.W*p.C
	x := t.tensor([]int{n, p.H, p.W, p.C})
	x.grad = t.floats.Get(n * in)
	l := maxBackLoop[T]{dx: x.grad, dy: y.grad, from: from, p: *p}
	if relu {
		l.mask = y.Data
	}
	parallel(t, n, 1+pointGrain/in, l)
	t.ints.Put(from)
	return x
}
