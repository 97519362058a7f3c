package eager

import "github.com/dlbench/dlbench/backends/eager/kernel"

// normColumns is how many columns of a normalisation's sums a thread takes at
// least: a cache line, so that no two threads write to one.
const normColumns = 16

// LayerNorm normalises the last axis of x[..., D] by its mean and biased
// variance (Ba, Kiros, Hinton 2016, arXiv:1607.06450). Statistics are in full
// width in every format.
func (t *Tape[T]) LayerNorm(x, w, b *Tensor[T], eps float64) *Tensor[T] {
	d := w.len()
	rows := x.len() / d
	y := t.output(x.Shape...)
	mean, inv := t.floats.Get(rows), t.floats.Get(rows)
	ws, bs, block := t.read(w, 0, d), t.read(b, 0, d), t.block(rows, d, 1)
	for at := 0; at < rows; at += block {
		end := min(at+block, rows)
		xs, ys := t.read(x, at*d, end*d), t.room(y, at*d, end*d)
		parallel(t, end-at, max(1, pointGrain/d), layerNormLoop[T]{ys, xs, ws, bs, mean[at:end], inv[at:end], eps})
		t.keep(y, at*d, ys)
		t.done(x, xs)
	}
	t.done(w, ws)
	t.done(b, bs)
	if !t.recording {
		t.floats.Put(mean)
		t.floats.Put(inv)
	}
	return record(t, y, layerNormBack[T]{y, x, w, b, mean, inv, block}, x, w, b)
}

type layerNormLoop[T kernel.Float] struct {
	y, x, w, b, mean, inv []T
	eps                   float64
}

func (l *layerNormLoop[T]) run(_, r0, r1 int) {
	d := len(l.w)
	kernel.LayerNorm(l.y[r0*d:r1*d], l.x[r0*d:r1*d], l.w, l.b, l.mean[r0:r1], l.inv[r0:r1], l.eps)
}

// layerNormBack is the way back of LayerNorm, in blocks of that many rows.
type layerNormBack[T kernel.Float] struct {
	y, x, w, b *Tensor[T]
	mean, inv  []T
	block      int
}

func (o *layerNormBack[T]) reads(x *Tensor[T]) bool { return x != o.y }

func (o *layerNormBack[T]) back(t *Tape[T]) {
	x, y, d := o.x, o.y, o.w.len()
	rows := x.len() / d
	dw, addW := t.gradOf(o.w)
	db, addB := t.gradOf(o.b)
	if !addW {
		clear(dw)
	}
	if !addB {
		clear(db)
	}
	var g gradient[T]
	if x.needs {
		g = t.gradientOf(x)
	}
	ws := t.read(o.w, 0, d)
	for at := 0; at < rows; at += o.block {
		end := min(at+o.block, rows)
		l := layerNormBackLoop[T]{dy: t.readGrad(y, at*d, end*d), x: t.read(x, at*d, end*d), w: ws, mean: o.mean[at:end], inv: o.inv[at:end], add: g.add}
		parallel(t, d, max(normColumns, pointGrain/(end-at)/normColumns*normColumns), layerNormSums[T]{dw, db, l})
		if x.needs {
			l.dx = t.gradRoom(g, at*d, end*d)
			parallel(t, end-at, max(1, pointGrain/d), l)
			t.keepGrad(g, at*d, l.dx)
		}
		t.done(x, l.x)
		t.doneGrad(y, l.dy)
	}
	t.done(o.w, ws)
	t.floats.Put(o.mean)
	t.floats.Put(o.inv)
}

type layerNormBackLoop[T kernel.Float] struct {
	dx, dy, x, w, mean, inv []T
	add                     bool
}

func (l *layerNormBackLoop[T]) run(_, r0, r1 int) {
	d := len(l.w)
	kernel.LayerNormBack(l.dx[r0*d:r1*d], l.dy[r0*d:r1*d], l.x[r0*d:r1*d], l.w, l.mean[r0:r1], l.inv[r0:r1], l.add)
}

// layerNormSums adds up the gradients of the parameters, over all rows for some columns.
type layerNormSums[T kernel.Float] struct {
	dw, db []T
	layerNormBackLoop[T]
}

func (l *layerNormSums[T]) run(_, c0, c1 int) {
	kernel.LayerNormSums(l.dw, l.db, l.dy, l.x, l.mean, l.inv, len(l.w), c0, c1)
}
