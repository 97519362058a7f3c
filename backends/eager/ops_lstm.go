package eager

import "github.com/dlbench/dlbench/backends/eager/kernel"

const (
	// lstmExamples is how many examples LSTM takes at a time at least in a 16-bit
	// format: fewer rows would leave the product with the hidden state inefficient.
	lstmExamples = 8

	// lstmGroup is how many examples go through all steps together on one thread at
	// most: enough rows for the product, few enough that their gates stay cached.
	lstmGroup = 32
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
	kept := lstmBack[T]{y: y, x: x, wih: wih, whh: whh, b: b, gates: t.workspace(n, steps, g4), cells: t.workspace(n, steps, h)}
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
			gates: t.room(kept.gates, from*steps*g4, to*steps*g4), cells: t.room(kept.cells, from*steps*h, to*steps*h),
		}
		t.math.EachJob(f.groups, f)
		t.keep(y, from*steps*h, f.y)
		t.save(kept.gates, from*steps*g4, f.gates)
		t.save(kept.cells, from*steps*h, f.cells)
		t.done(x, given)
		*f = lstmForward[T]{}
	}
	t.floats.Put(zeros)
	t.done(b, bias)
	w.release(t, wih, whh)
	if !t.recording {
		t.Free(kept.gates)
		t.Free(kept.cells)
	}
	return record(t, y, kept, x, wih, whh, b)
}

// lstmShape is how many examples there are and how they are grouped.
type lstmShape[T kernel.Float] struct {
	n, steps, in, h int
	groups          int
	at              [4]int // where in a row of gates, in multiples of h, i, f, g and o lie
}

func (t *Tape[T]) lstmShape(n, steps, in, h int) lstmShape[T] {
	threads := t.pool.Threads()
	s := lstmShape[T]{n: n, steps: steps, in: in, h: h, at: t.hooks.faults.gates}
	s.groups = min((n+threads*lstmGroup-1)/(threads*lstmGroup)*threads, n)
	if t.hooks.inner != nil || t.hooks.operand != nil {
		s.groups = 1 // hooks see all in one order, whatever the threads
	}
	return s
}

// group is the examples of group i.
func (s *lstmShape[T]) group(i int) (from, to int) {
	return s.n * i / s.groups, s.n * (i + 1) / s.groups
}

// step is step number of the examples from from to to.
func (s *lstmShape[T]) step(gates, cells, zeros []T, number, from, to int) kernel.LSTMStep[T] {
	r, g4 := from*s.steps+number, 4*s.h
	z, gate := gates[r*g4:], func(k int) int { return s.at[k] * s.h }
	step := kernel.LSTMStep[T]{
		Rows: to - from, H: s.h, I: z[gate(0):], F: z[gate(1):], G: z[gate(2):], O: z[gate(3):],
		Before: zeros, C: cells[r*s.h:], NoBefore: number == 0,
		Gates: s.steps * g4, Cells: s.steps * s.h, Hidden: s.steps * s.h,
	}
	if number > 0 {
		step.Before = cells[(r-1)*s.h:]
	}
	return step
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
	g4, h, steps := 4*f.h, f.h, f.steps
	l.MulBias((to-from)*steps, g4, f.in, kernel.Rows(f.x[from*steps*f.in:], f.in), f.w.input, f.gates[from*steps*g4:], g4, f.bias)
	for s := range steps {
		r := from*steps + s
		if s > 0 {
			l.Mul(to-from, g4, h, kernel.Rows(f.y[(r-1)*h:], steps*h), f.w.hidden, f.gates[r*g4:], steps*g4, true)
		}
		step := f.step(f.gates, f.cells, f.zeros, s, from, to)
		step.Y = f.y[r*h:]
		step.Forward()
		if f.tape.format != 0 || f.tape.hooks.inner != nil {
			f.after(s, from, to)
		}
	}
}

// after rounds the hidden state of a step and shows it to the hook.
func (f *lstmForward[T]) after(s, from, to int) {
	for e := from; e < to; e++ {
		r := e*f.steps + s
		f.tape.round(f.y[r*f.h:][:f.h])
		if inner := f.tape.hooks.inner; inner != nil {
			inner(f.gates[r*4*f.h:][:4*f.h])
			inner(f.cells[r*f.h:][:f.h])
			inner(f.y[r*f.h:][:f.h])
		}
	}
}
