package eager

import "github.com/dlbench/dlbench/backends/eager/kernel"

// denseRows and denseUnits are how many rows and units Dense takes at a time at
// least: the weights are widened anew for each block of rows, and the rows are
// packed anew for each block of units.
const (
	denseRows  = 128
	denseUnits = 16
)

// Dense computes x[..., in] w[units, in]^T + b[units]; b may be nil.
func (t *Tape[T]) Dense(x, w, b *Tensor[T]) *Tensor[T] {
	in, units := w.Shape[1], w.Shape[0]
	rows := x.len() / in
	y := t.outputLast(x, units)
	block, columns := t.block(rows, max(in, units), denseRows), t.block(units, in, denseUnits)
	var bias []T
	if b != nil {
		bias = t.read(b, 0, units)
	}
	for from := 0; from < rows; from += block {
		to := min(from+block, rows)
		given, ys := t.read(x, from*in, to*in), t.room(y, from*units, to*units)
		xs := t.operand(given)
		if b != nil {
			fillRows(ys, bias)
		}
		for u := 0; u < units; u += columns {
			end := min(u+columns, units)
			ws := t.read(w, u*in, end*in)
			t.math.Mul(to-from, end-u, in, kernel.Rows(xs, in), kernel.Rows(t.operand(ws), in).T(), ys[u:], units, b != nil)
			t.done(w, ws)
		}
		t.keep(y, from*units, ys)
		t.done(x, given)
	}
	way := denseBack[T]{y, x, w, b, block, columns}
	if b == nil {
		return record(t, y, way, x, w)
	}
	t.done(b, bias)
	return record(t, y, way, x, w, b)
}

// denseBack is the way back of Dense, in blocks of that many rows and units.
type denseBack[T kernel.Float] struct {
	y, x, w, b     *Tensor[T] // b may be nil
	block, columns int
}

func (o *denseBack[T]) back(t *Tape[T]) {
	y, x, w, b, block, columns := o.y, o.x, o.w, o.b, o.block, o.columns
	in, units := w.Shape[1], w.Shape[0]
	rows := x.len() / in
	var dw, db []T
	var addW, addB bool
	var dx gradient[T]
	if w.needs {
		dw, addW = t.gradOf(w)
	}
	if b != nil && b.needs {
		db, addB = t.gradOf(b)
	}
	if x.needs {
		dx = t.gradientOf(x)
	}
	for from := 0; from < rows; from += block {
		to := min(from+block, rows)
		given := t.readGrad(y, from*units, to*units)
		dy := t.operand(given)
		if dw != nil {
			xs := t.read(x, from*in, to*in)
			t.math.Mul(units, in, to-from, kernel.Rows(dy, units).T(), kernel.Rows(t.operand(xs), in), dw, in, addW || from > 0)
			t.done(x, xs)
		}
		if db != nil {
			kernel.SumRows(db, given, addB || from > 0)
		}
		if x.needs {
			dxs := t.gradRoom(dx, from*in, to*in)
			for u := 0; u < units; u += columns {
				end := min(u+columns, units)
				ws := t.read(w, u*in, end*in)
				t.math.Mul(to-from, in, end-u, kernel.Rows(dy[u:], units), kernel.Rows(t.operand(ws), in), dxs, in, dx.add || u > 0)
				t.done(w, ws)
			}
			t.keepGrad(dx, from*in, dxs)
		}
		t.doneGrad(y, given)
	}
}

// Conv2D is the cross-correlation of x[N,C,H,W] with w[F,C,k,k], plus b[F],
// which may be nil.
func (t *Tape[T]) Conv2D(x, w, b *Tensor[T], stride, pad int) *Tensor[T] {
	win := ofType[kernel.Window](t) // not on the stack: the loops of all threads read it
	*win = kernel.Window{C: x.Shape[1], H: x.Shape[2], W: x.Shape[3], Kernel: w.Shape[2], Stride: stride, Pad: pad, Shift: t.hooks.faults.shift}
	n, filters := x.Shape[0], w.Shape[0]
	oh, ow := win.Out()
	in, out := win.C*win.H*win.W, filters*oh*ow
	y := t.output(n, filters, oh, ow)
	block := t.block(n, max(in, out), t.pool.Threads()) // images are shared out among the threads
	weight := t.read(w, 0, w.len())
	ws := t.operand(weight)
	var bias []T
	if b != nil {
		bias = t.read(b, 0, filters)
	}
	buf := t.floats.Get(t.math.PackedLen(win.Depth(), filters))
	for from := 0; from < n; from += block {
		to := min(from+block, n)
		xs, ys := t.read(x, from*in, to*in), t.room(y, from*out, to*out)
		t.math.Conv(to-from, filters, t.operand(xs), ws, bias, ys, buf, win)
		t.keep(y, from*out, ys)
		t.done(x, xs)
	}
	t.floats.Put(buf)
	t.done(w, weight)
	way := convBack[T]{y, x, w, b, *win, block}
	if b == nil {
		return record(t, y, way, x, w)
	}
	t.done(b, bias)
	return record(t, y, way, x, w, b)
}

// convBack is the way back of Conv2D, in blocks of that many images.
type convBack[T kernel.Float] struct {
	y, x, w, b *Tensor[T] // b may be nil
	win        kernel.Window
	block      int
}

func (o *convBack[T]) back(t *Tape[T]) {
	y, x, w, b, win, block := o.y, o.x, o.w, o.b, &o.win, o.block
	n, filters := x.Shape[0], w.Shape[0]
	oh, ow := win.Out()
	in, out := win.C*win.H*win.W, filters*oh*ow
	weight := t.read(w, 0, w.len())
	ws := t.operand(weight)
	var dw, db, buf []T
	var addW, addB bool
	var dx gradient[T]
	if w.needs {
		dw, addW = t.gradOf(w)
	}
	if b != nil && b.needs {
		db, addB = t.gradOf(b)
	}
	if x.needs {
		dx = t.gradientOf(x)
		buf = t.floats.Get(t.math.PackedLen(filters, win.Depth()))
	}
	for from := 0; from < n; from += block {
		to := min(from+block, n)
		given := t.readGrad(y, from*out, to*out)
		dy := t.operand(given)
		if dw != nil {
			xs := t.read(x, from*in, to*in)
			t.math.ConvWeight(to-from, filters, t.operand(xs), dy, dw, win, addW || from > 0)
			t.done(x, xs)
		}
		if db != nil {
			sumPlanes(db, given, oh*ow, addB || from > 0)
		}
		if x.needs {
			images := t.gradRoom(dx, from*in, to*in)
			t.math.ConvInput(to-from, filters, dy, ws, images, buf, win, dx.add)
			t.keepGrad(dx, from*in, images)
		}
		t.doneGrad(y, given)
	}
	t.floats.Put(buf)
	t.done(w, weight)
}

// fillRows sets each row of y[rows, len(row)] to row.
func fillRows[T kernel.Float](y, row []T) {
	for n := len(row); len(y) > 0; y = y[n:] {
		copy(y[:n], row)
	}
}

// sumPlanes sets, or with add adds to, sum[c] the sum of x[N, c, plane] over N and plane.
func sumPlanes[T kernel.Float](sum, x []T, plane int, add bool) {
	if !add {
		clear(sum)
	}
	for i := 0; len(x) > 0; x = x[plane:] {
		sum[i] += kernel.Sum(x[:plane])
		if i++; i == len(sum) {
			i = 0
		}
	}
}
