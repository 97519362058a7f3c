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
	rectify := t.rectifies(y)
	block, columns := t.block(rows, max(in, units), denseRows), t.block(units, in, denseUnits)
	var bias []T
	if b != nil {
		bias = t.read(b, 0, units)
	}
	e := kernel.Epilogue[T]{Bias: bias, ReLU: rectify}
	if m := t.pairs(x, w); m != nil {
		t.densePairs(m, x, w, y, block, e)
	} else if w.packed != nil {
		t.math.MulEpilogue(rows, units, in, kernel.Rows(t.operand(x.Data), in), *w.packed, y.Data, units, e)
	} else {
		t.denseWide(x, w, y, block, columns, e)
	}
	way := denseBack[T]{y, x, w, b, block, columns}
	if b == nil {
		return record(t, y, way, x, w)
	}
	t.done(b, bias)
	return record(t, y, way, x, w, b)
}

// denseWide is Dense on elements in full width.
func (t *Tape[T]) denseWide(x, w, y *Tensor[T], block, columns int, epilogue kernel.Epilogue[T]) {
	in, units := w.Shape[1], w.Shape[0]
	rows := x.len() / in
	for from := 0; from < rows; from += block {
		to := min(from+block, rows)
		given, ys := t.read(x, from*in, to*in), t.room(y, from*units, to*units)
		xs := t.operand(given)
		for u := 0; u < units; u += columns {
			end := min(u+columns, units)
			ws := t.read(w, u*in, end*in)
			e := kernel.Epilogue[T]{Bias: span(epilogue.Bias, u, end), ReLU: epilogue.ReLU}
			t.math.MulEpilogue(to-from, end-u, in, kernel.Rows(xs, in), kernel.Rows(t.operand(ws), in).T(), ys[u:], units, e)
			t.done(w, ws)
		}
		t.keep(y, from*units, ys)
		t.done(x, given)
	}
}

// denseBack is the way back of Dense, in blocks of that many rows and units.
type denseBack[T kernel.Float] struct {
	y, x, w, b     *Tensor[T] // b may be nil
	block, columns int
}

func (o *denseBack[T]) reads(x *Tensor[T]) bool { return x != o.y }

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
	if m := t.pairs(x, w); m != nil && y.halfGrad != nil {
		for from := 0; db != nil && from < rows; from += block {
			given := t.readGrad(y, from*units, min(from+block, rows)*units)
			kernel.SumRows(db, given, addB || from > 0)
			t.doneGrad(y, given)
		}
		t.denseBackPairs(m, o, dw, addW)
		return
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

// fillRows sets each row of y[rows, len(row)] to row.
func fillRows[T kernel.Float](y, row []T) {
	for n := len(row); len(y) > 0; y = y[n:] {
		copy(y[:n], row)
	}
}
