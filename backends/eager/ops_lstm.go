package eager

import "github.com/dlbench/dlbench/backends/eager/kernel"

const (
	// lstmExamples is how many examples LSTM takes at a time at least in a 16-bit
	// format: fewer rows would leave the product with the hidden state inefficient.
	lstmExamples = 8

	// lstmGroup is how many examples go through all steps together on one thread at
	// most: enough rows for the product with the hidden state.
	lstmGroup = 32

	// lstmGates is about how many gates a group makes room for ahead of the steps
	// that use them: what stays in the second-level cache.
	lstmGates = 1 << 17
)

// LSTM runs x[N,T,in] through one layer from a zero state and returns every
// hidden state, [N,T,H] (Hochreiter and Schmidhuber 1997, with the forget gate
// of Gers et al. 2000). wih[4H,in], whh[4H,H] and b[4H] hold the gates i,f,g,o:
//
//	i,f,o = sigmoid(...); g = tanh(...); c = f*c + i*g; h = o*tanh(c)
//
// Examples are independent of each other, so each thread takes groups of them
// through all steps without waiting for the others: the product with the x of
// all steps, then step by step that with the hidden state and the gates. What
// is kept for the way back, which is through time, are the gates after their
// activations and the cells. In a 16-bit format the hidden state is rounded at
// each step, and the cell only as it is kept.
func (t *Tape[T]) LSTM(x, wih, whh, b *Tensor[T]) *Tensor[T] {
	n, steps, in, h := x.Shape[0], x.Shape[1], x.Shape[2], whh.Shape[1]
	g4 := 4 * h
	y := t.output(n, steps, h)
	kept := lstmBack[T]{y: y, x: x, wih: wih, whh: whh, b: b}
	if t.recording {
		kept.gates, kept.cells = t.output(n, steps, g4), t.output(n, steps, h)
	}
	kept.block = t.block(n, steps*max(in, g4), lstmExamples)
	w := t.lstmWeights(wih, whh, true)
	bias, zeros := t.read(b, 0, g4), t.floats.Get(h)
	clear(zeros)
	for from := 0; from < n; from += kept.block {
		to := min(from+kept.block, n)
		given := t.read(x, from*steps*in, to*steps*in)
		f := ofType[lstmForward[T]](t)
		*f = lstmForward[T]{
			lstmShape: t.lstmShape(to-from, steps, in, h), w: w, tape: t,
			x: t.operand(given), bias: bias, zeros: zeros, y: t.room(y, from*steps*h, to*steps*h),
		}
		if t.recording {
			f.gates, f.cells = t.room(kept.gates, from*steps*g4, to*steps*g4), t.room(kept.cells, from*steps*h, to*steps*h)
		} else {
			f.heldGates, f.heldCells = f.ahead, 1
			f.gates, f.cells = t.floats.Get((to-from)*f.heldGates*g4), t.floats.Get((to-from)*h)
		}
		t.math.EachJob(f.groups, f)
		t.keep(y, from*steps*h, f.y)
		if t.recording {
			t.keep(kept.gates, from*steps*g4, f.gates)
			t.keep(kept.cells, from*steps*h, f.cells)
		} else {
			t.floats.Put(f.gates)
			t.floats.Put(f.cells)
		}
		t.done(x, given)
		*f = lstmForward[T]{}
	}
	t.floats.Put(zeros)
	t.done(b, bias)
	w.release(t, wih, whh)
	return record(t, y, kept, x, wih, whh, b)
}

// lstmShape is how many examples there are and how they are grouped.
type lstmShape[T kernel.Float] struct {
	n, steps, in, h      int
	groups               int
	ahead                int    // of how many steps the products with x are made at a time
	heldGates, heldCells int    // of how many steps of an example there is room for gates and cells
	at                   [4]int // where in a row of gates, in multiples of h, i, f, g and o lie
}

func (t *Tape[T]) lstmShape(n, steps, in, h int) lstmShape[T] {
	threads := t.pool.Threads()
	s := lstmShape[T]{n: n, steps: steps, in: in, h: h, heldGates: steps, heldCells: steps, at: t.hooks.faults.gates}
	s.groups = min((n+threads*lstmGroup-1)/(threads*lstmGroup)*threads, n)
	if t.hooks.inner != nil || t.hooks.operand != nil {
		s.groups = 1 // hooks see all in one order, whatever the threads
	}
	s.ahead = min(max(lstmGates*s.groups/(n*4*h), 1), steps)
	return s
}

// group is the examples of group i.
func (s *lstmShape[T]) group(i int) (from, to int) {
	return s.n * i / s.groups, s.n * (i + 1) / s.groups
}

// gate and cell are where the gates and the cell of step s of example e begin.
func (s *lstmShape[T]) gate(e, step int) int { return (e*s.heldGates + step%s.heldGates) * 4 * s.h }
func (s *lstmShape[T]) cell(e, step int) int { return (e*s.heldCells + step%s.heldCells) * s.h }

// step is a step of the examples from from to to.
func (s *lstmShape[T]) step(gates, cells, zeros []T, step, from, to int) kernel.LSTMStep[T] {
	z, part := gates[s.gate(from, step):], func(k int) int { return s.at[k] * s.h }
	k := kernel.LSTMStep[T]{
		Rows: to - from, H: s.h, I: z[part(0):], F: z[part(1):], G: z[part(2):], O: z[part(3):],
		Before: zeros, C: cells[s.cell(from, step):], NoBefore: step == 0,
		Gates: s.heldGates * 4 * s.h, Cells: s.heldCells * s.h, Hidden: s.steps * s.h,
	}
	if step > 0 {
		k.Before = cells[s.cell(from, step-1):]
	}
	return k
}

// lstmWeights are both weights as products read them, packed once per pass.
type lstmWeights[T kernel.Float] struct {
	input, hidden    kernel.Matrix[T]
	givenI, givenH   []T
	packedI, packedH []T
}

// lstmWeights packs the transposes on the way forward, the weights themselves on the way back.
func (t *Tape[T]) lstmWeights(wih, whh *Tensor[T], forward bool) (w lstmWeights[T]) {
	g4, h, in := whh.Shape[0], whh.Shape[1], wih.Shape[1]
	w.givenI, w.givenH = t.read(wih, 0, wih.len()), t.read(whh, 0, whh.len())
	wi, wh := kernel.Rows(t.operand(w.givenI), in), kernel.Rows(t.operand(w.givenH), h)
	if forward {
		w.packedI, w.packedH = t.floats.Get(t.math.PackedLen(in, g4)), t.floats.Get(t.math.PackedLen(h, g4))
		w.input, w.hidden = t.math.PackRight(in, g4, wi.T(), w.packedI), t.math.PackRight(h, g4, wh.T(), w.packedH)
	} else {
		w.packedI, w.packedH = t.floats.Get(t.math.PackedLen(g4, in)), t.floats.Get(t.math.PackedLen(g4, h))
		w.input, w.hidden = t.math.PackRight(g4, in, wi, w.packedI), t.math.PackRight(g4, h, wh, w.packedH)
	}
	return w
}

func (w *lstmWeights[T]) release(t *Tape[T], wih, whh *Tensor[T]) {
	t.floats.Put(w.packedI)
	t.floats.Put(w.packedH)
	t.done(wih, w.givenI)
	t.done(whh, w.givenH)
}

// lstmForward takes groups of examples through time.
type lstmForward[T kernel.Float] struct {
	lstmShape[T]
	w              lstmWeights[T]
	tape           *Tape[T]
	x, bias, zeros []T
	gates, cells   []T
	y              []T
}

// Do is group i on the thread of l.
func (f *lstmForward[T]) Do(l *kernel.Lane[T], i int) {
	from, to := f.group(i)
	for s := range f.steps {
		if s%f.ahead == 0 {
			f.products(l, s, min(s+f.ahead, f.steps), from, to)
		}
		r := from*f.steps + s
		if s > 0 {
			l.Mul(to-from, 4*f.h, f.h, kernel.Rows(f.y[(r-1)*f.h:], f.steps*f.h), f.w.hidden, f.gates[f.gate(from, s):], f.heldGates*4*f.h, true)
		}
		step := f.step(f.gates, f.cells, f.zeros, s, from, to)
		step.Y = f.y[r*f.h:]
		step.Forward()
		if f.tape.format != 0 || f.tape.hooks.inner != nil {
			f.after(s, from, to)
		}
	}
}

// products sets the gates of steps s to end to the products with x, plus bias.
func (f *lstmForward[T]) products(l *kernel.Lane[T], s, end, from, to int) {
	g4 := 4 * f.h
	if end-s == f.steps {
		l.MulBias((to-from)*f.steps, g4, f.in, kernel.Rows(f.x[from*f.steps*f.in:], f.in), f.w.input, f.gates[f.gate(from, 0):], g4, f.bias)
		return
	}
	for e := from; e < to; e++ {
		l.MulBias(end-s, g4, f.in, kernel.Rows(f.x[(e*f.steps+s)*f.in:], f.in), f.w.input, f.gates[f.gate(e, s):], g4, f.bias)
	}
}

// after rounds the hidden state of a step and shows it to the hook.
func (f *lstmForward[T]) after(s, from, to int) {
	for e := from; e < to; e++ {
		y := f.y[(e*f.steps+s)*f.h:][:f.h]
		f.tape.round(y)
		if inner := f.tape.hooks.inner; inner != nil {
			inner(f.gates[f.gate(e, s):][:4*f.h])
			inner(f.cells[f.cell(e, s):][:f.h])
			inner(y)
		}
	}
}
