package eager

import "github.com/dlbench/dlbench/backends/eager/kernel"

// lstmBack is the way back of LSTM, in blocks of that many examples. gates, after
// their activations, and cells are what it needs again.
type lstmBack[T kernel.Float] struct {
	y, x, wih, whh, b *Tensor[T]
	gates, cells      *Tensor[T]
	block             int
}

func (o *lstmBack[T]) back(t *Tape[T]) {
	x, y := o.x, o.y
	n, steps, in, h := x.Shape[0], x.Shape[1], x.Shape[2], o.whh.Shape[1]
	g4 := 4 * h
	w := t.lstmWeights(o.wih, o.whh, false)
	var g lstmGrads[T]
	if o.whh.needs {
		g.dwh, g.addH = t.gradOf(o.whh)
	}
	if o.wih.needs {
		g.dwi, g.addI = t.gradOf(o.wih)
	}
	if o.b.needs {
		g.db, g.addB = t.gradOf(o.b)
	}
	var dx gradient[T]
	if x.needs {
		dx = t.gradientOf(x)
	}
	size := min(o.block, n) * h
	dh, dc, zeros := t.floats.Get(size), t.floats.Get(size), t.floats.Get(h)
	clear(zeros)
	for from := 0; from < n; from += o.block {
		to := min(from+o.block, n)
		a, b := from*steps, to*steps
		f := ofType[lstmBackward[T]](t)
		*f = lstmBackward[T]{
			lstmShape: t.lstmShape(to-from, steps, in, h), w: w, tape: t, dh: dh, dc: dc, zeros: zeros,
			gates: t.read(o.gates, a*g4, b*g4), cells: t.read(o.cells, a*h, b*h), dy: t.readGrad(y, a*h, b*h),
		}
		if x.needs {
			f.dx, f.add = t.gradRoom(dx, a*in, b*in), dx.add
		}
		t.math.EachJob(f.groups, f)
		if x.needs {
			t.keepGrad(dx, a*in, f.dx)
		}
		t.done(o.cells, f.cells)
		t.doneGrad(y, f.dy)
		dz := f.gates // the job left the gradients of the gates' sums there
		*f = lstmBackward[T]{}
		t.lstmParameters(o, g, dz, from, to)
		t.done(o.gates, dz)
		g.addH, g.addI, g.addB = true, true, true
	}
	t.floats.Put(dh)
	t.floats.Put(dc)
	t.floats.Put(zeros)
	w.release(t, o.wih, o.whh)
	t.Free(o.gates)
	t.Free(o.cells)
}

// lstmGrads are the gradients of the parameters, nil where none is wanted.
type lstmGrads[T kernel.Float] struct {
	dwh, dwi, db     []T
	addH, addI, addB bool
}

// lstmParameters adds up the gradients of the parameters over the examples from
// from to to, from the gradients dz of the gates' sums, which it changes.
func (t *Tape[T]) lstmParameters(o *lstmBack[T], g lstmGrads[T], dz []T, from, to int) {
	steps, in, h := o.x.Shape[1], o.x.Shape[2], o.whh.Shape[1]
	g4, rows := 4*h, (to-from)*steps
	if g.db != nil {
		parallel(t, g4, max(normColumns, pointGrain/rows/normColumns*normColumns), columnSums[T]{g.db, dz, rows, g.addB})
	}
	if g.dwi != nil {
		xs := t.read(o.x, from*steps*in, to*steps*in)
		t.math.Mul(g4, in, rows, kernel.Rows(t.operand(dz), g4).T(), kernel.Rows(t.operand(xs), in), g.dwi, in, g.addI)
		t.done(o.x, xs)
	}
	if g.dwh == nil {
		return
	}
	// Row r of dz goes with the hidden state that its step began with, which is row
	// r-1 of y; at the first step of an example that is zero and row r-1 is another's.
	for e := range to - from {
		clear(dz[e*steps*g4:][:g4])
	}
	ys := t.read(o.y, from*steps*h, to*steps*h)
	t.math.Mul(g4, h, rows-1, kernel.Rows(t.operand(dz)[g4:], g4).T(), kernel.Rows(ys, h), g.dwh, h, g.addH)
	t.done(o.y, ys)
}

// columnSums sets, or with add adds to, sum the sums over the rows of x[rows, len(sum)].
type columnSums[T kernel.Float] struct {
	sum, x []T
	rows   int
	add    bool
}

func (l *columnSums[T]) run(_, c0, c1 int) {
	kernel.SumColumns(l.sum[c0:c1], l.x[c0:], l.rows, len(l.sum), l.add)
}

// lstmBackward takes groups of examples back through time. It replaces their
// gates by the gradients of the gates' sums.
type lstmBackward[T kernel.Float] struct {
	lstmShape[T]
	w                    lstmWeights[T]
	tape                 *Tape[T]
	gates, cells, dy, dx []T
	dh, dc, zeros        []T // gradients that come from the step after, [n,h] each
	add                  bool
}

// Do is group i on the thread of l.
func (f *lstmBackward[T]) Do(l *kernel.Lane[T], i int) {
	from, to := f.group(i)
	g4, h, steps, inner := 4*f.h, f.h, f.steps, f.tape.hooks.inner
	dh, dc := f.dh[from*h:to*h], f.dc[from*h:to*h]
	clear(dh)
	clear(dc)
	for s := steps - 1; s >= 0; s-- {
		r := from*steps + s
		step := f.step(f.gates, f.cells, f.zeros, s, from, to)
		step.Back(f.dy[r*h:], dh, dc)
		if inner != nil {
			for e := from; e < to; e++ {
				inner(f.gates[(e*steps+s)*g4:][:g4])
			}
			inner(dc)
		}
		if s > 0 {
			l.Mul(to-from, h, g4, kernel.Rows(f.gates[r*g4:], steps*g4), f.w.hidden, dh, h, false)
		}
	}
	if f.dx != nil {
		rows := (to - from) * steps
		dz := f.tape.operand(f.gates[from*steps*g4:][:rows*g4])
		l.Mul(rows, f.in, g4, kernel.Rows(dz, g4), f.w.input, f.dx[from*steps*f.in:], f.in, f.add)
	}
}
