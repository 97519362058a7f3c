package eager

import "github.com/dlbench/dlbench/backends/eager/kernel"

// lstmExamples is how many examples LSTM takes at a time at least: fewer rows
// would leave the product with the hidden state inefficient.
const lstmExamples = 8

// LSTM runs x[N,T,in] through one layer from a zero state and returns every
// hidden state, [N,T,H] (Hochreiter and Schmidhuber 1997, with the forget gate
// of Gers et al. 2000). wih[4H,in], whh[4H,H] and b[4H] hold the gates i,f,g,o:
//
//	i,f,o = sigmoid(...); g = tanh(...); c = f*c + i*g; h = o*tanh(c)
//
// The products with x of all steps are one product; backward is through time.
// In a 16-bit format the hidden state is rounded at each step, and the cell
// only as it is kept for the way back.
func (t *Tape[T]) LSTM(x, wih, whh, b *Tensor[T]) *Tensor[T] {
	n, steps, in, h := x.Shape[0], x.Shape[1], x.Shape[2], whh.Shape[1]
	g4 := 4 * h
	y := t.output(n, steps, h)
	k := lstmKept[T]{gates: t.workspace(n, steps, g4), cells: t.workspace(n, steps, h), tanhs: t.workspace(n, steps, h)}
	givenI, givenH, bias := t.read(wih, 0, wih.len()), t.read(whh, 0, whh.len()), t.read(b, 0, g4)
	wi, wh := t.operand(givenI), t.operand(givenH)
	packed := t.floats.Get(t.math.PackedLen(h, g4))
	right := t.math.PackRight(h, g4, kernel.Rows(wh, h).T(), packed)
	block := t.block(n, steps*max(in, g4), lstmExamples)
	for from := 0; from < n; from += block {
		to := min(from+block, n)
		given, ys := t.read(x, from*steps*in, to*steps*in), t.room(y, from*steps*h, to*steps*h)
		gates := t.room(k.gates, from*steps*g4, to*steps*g4)
		cells, tanhs := t.room(k.cells, from*steps*h, to*steps*h), t.room(k.tanhs, from*steps*h, to*steps*h)
		fillRows(gates, bias)
		t.math.Mul((to-from)*steps, g4, in, kernel.Rows(t.operand(given), in), kernel.Rows(wi, in).T(), gates, g4, true)
		t.lstmSteps(to-from, steps, h, right, gates, cells, tanhs, ys)
		t.keep(y, from*steps*h, ys)
		t.save(k.gates, from*steps*g4, gates)
		t.save(k.cells, from*steps*h, cells)
		t.save(k.tanhs, from*steps*h, tanhs)
		t.done(x, given)
	}
	t.floats.Put(packed)
	t.done(wih, givenI)
	t.done(whh, givenH)
	t.done(b, bias)
	if !t.recording {
		t.Free(k.gates)
		t.Free(k.cells)
		t.Free(k.tanhs)
	}
	return t.emit(y, func() { t.lstmBack(y, x, wih, whh, b, k, block) }, x, wih, whh, b)
}

// lstmKept is what LSTM needs again on the way back: the gates after their
// activations, the cells, and the tanh of the cells.
type lstmKept[T kernel.Float] struct{ gates, cells, tanhs *Tensor[T] }

// lstmSteps goes through time. gates hold the products with x.
func (t *Tape[T]) lstmSteps(n, steps, h int, right kernel.Matrix[T], gates, cells, tanhs, ys []T) {
	g4, grain, at := 4*h, max(1, 512/h), t.hooks.faults.gates
	for s := range steps {
		if s > 0 {
			t.math.Mul(n, g4, h, kernel.Rows(ys[(s-1)*h:], steps*h), right, gates[s*g4:], steps*g4, true)
		}
		t.each(n, grain, func(n0, n1 int) {
			for e := n0; e < n1; e++ {
				r := e*steps + s
				z, c, th, out := gates[r*g4:][:g4], cells[r*h:][:h], tanhs[r*h:][:h], ys[r*h:][:h]
				zi, zf, zg, zo := z[at[0]*h:][:h], z[at[1]*h:][:h], z[at[2]*h:][:h], z[at[3]*h:][:h]
				kernel.Sigmoid(zi, zi)
				kernel.Sigmoid(zf, zf)
				kernel.Tanh(zg, zg)
				kernel.Sigmoid(zo, zo)
				if s == 0 {
					for j := range c {
						c[j] = zi[j] * zg[j]
					}
				} else {
					before := cells[(r-1)*h:][:h]
					for j := range c {
						c[j] = zf[j]*before[j] + zi[j]*zg[j]
					}
				}
				kernel.Tanh(th, c)
				for j := range out {
					out[j] = zo[j] * th[j]
				}
				t.round(out)
			}
		})
		if t.hooks.inner != nil {
			for e := range n {
				r := e*steps + s
				t.hooks.inner(gates[r*g4:][:g4])
				t.hooks.inner(cells[r*h:][:h])
				t.hooks.inner(ys[r*h:][:h])
			}
		}
	}
}

// lstmBack is the way back of LSTM, in blocks of that many examples.
func (t *Tape[T]) lstmBack(y, x, wih, whh, b *Tensor[T], k lstmKept[T], block int) {
	n, steps, in, h := x.Shape[0], x.Shape[1], x.Shape[2], whh.Shape[1]
	g4 := 4 * h
	givenI, givenH := t.read(wih, 0, wih.len()), t.read(whh, 0, whh.len())
	wi, wh := t.operand(givenI), t.operand(givenH)
	packed := t.floats.Get(t.math.PackedLen(g4, h))
	right := t.math.PackRight(g4, h, kernel.Rows(wh, h), packed)
	var dwh, dwi, db []T
	var addH, addI, addB bool
	var dx gradient[T]
	if whh.needs {
		dwh, addH = t.gradOf(whh)
	}
	if wih.needs {
		dwi, addI = t.gradOf(wih)
	}
	if b.needs {
		db, addB = t.gradOf(b)
	}
	for from := 0; from < n; from += block {
		to := min(from+block, n)
		rows, again := (to-from)*steps, from > 0
		gates := t.read(k.gates, from*steps*g4, to*steps*g4)
		t.lstmStepsBack(to-from, steps, h, right, y, k, from, gates)
		if to == n {
			t.Free(k.cells)
			t.Free(k.tanhs)
		}
		dz := t.operand(gates) // lstmStepsBack left the gradients there
		if dwh != nil {
			before := t.floats.Get(rows * h) // the hidden state that each step began with
			ys := t.read(y, from*steps*h, to*steps*h)
			for e := range to - from {
				one := before[e*steps*h:][:steps*h]
				clear(one[:h])
				copy(one[h:], ys[e*steps*h:])
			}
			t.done(y, ys)
			t.math.Mul(g4, h, rows, kernel.Rows(dz, g4).T(), kernel.Rows(before, h), dwh, h, addH || again)
			t.floats.Put(before)
		}
		if dwi != nil {
			xs := t.read(x, from*steps*in, to*steps*in)
			t.math.Mul(g4, in, rows, kernel.Rows(dz, g4).T(), kernel.Rows(t.operand(xs), in), dwi, in, addI || again)
			t.done(x, xs)
		}
		if db != nil {
			kernel.SumRows(db, gates, addB || again)
		}
		if x.needs {
			if !again {
				dx = t.gradientOf(x)
			}
			part := t.gradRoom(dx, from*steps*in, to*steps*in)
			t.math.Mul(rows, in, g4, kernel.Rows(dz, g4), kernel.Rows(wi, in), part, in, dx.add)
			t.keepGrad(dx, from*steps*in, part)
		}
		t.done(k.gates, gates)
	}
	t.floats.Put(packed)
	t.done(wih, givenI)
	t.done(whh, givenH)
	t.Free(k.gates)
}

// lstmStepsBack goes back through time for n examples from the one called from
// on, and replaces their gates by the gradients of the gates' sums.
func (t *Tape[T]) lstmStepsBack(n, steps, h int, right kernel.Matrix[T], y *Tensor[T], k lstmKept[T], from int, gates []T) {
	g4, grain, at := 4*h, max(1, 512/h), t.hooks.faults.gates
	a, b := from*steps*h, (from+n)*steps*h
	cells, tanhs, dy := t.read(k.cells, a, b), t.read(k.tanhs, a, b), t.readGrad(y, a, b)
	dh, dc := t.floats.Get(n*h), t.floats.Get(n*h) // gradients that come from the step after
	clear(dh)
	clear(dc)
	for s := steps - 1; s >= 0; s-- {
		t.each(n, grain, func(n0, n1 int) {
			for e := n0; e < n1; e++ {
				r := e*steps + s
				var before []T
				if s > 0 {
					before = cells[(r-1)*h:][:h]
				}
				z := gates[r*g4:][:g4]
				lstmStepBack(z[at[0]*h:][:h], z[at[1]*h:][:h], z[at[2]*h:][:h], z[at[3]*h:][:h],
					before, tanhs[r*h:][:h], dy[r*h:][:h], dh[e*h:][:h], dc[e*h:][:h])
			}
		})
		if t.hooks.inner != nil {
			for e := range n {
				t.hooks.inner(gates[(e*steps+s)*g4:][:g4])
			}
			t.hooks.inner(dc)
		}
		if s > 0 {
			t.math.Mul(n, h, g4, kernel.Rows(gates[s*g4:], steps*g4), right, dh, h, false)
		}
	}
	t.floats.Put(dh)
	t.floats.Put(dc)
	t.done(k.cells, cells)
	t.done(k.tanhs, tanhs)
	t.doneGrad(y, dy)
}

// lstmStepBack replaces one example's gates of one step by the gradients of their
// sums, and dc by the gradient of the cell before. before is nil at the first step.
func lstmStepBack[T kernel.Float](zi, zf, zg, zo, before, th, dy, dh, dc []T) {
	for j, tc := range th {
		i, f, g, o := zi[j], zf[j], zg[j], zo[j]
		d := dy[j] + dh[j]
		c := dc[j] + d*o*(1-tc*tc)
		zo[j] = d * tc * o * (1 - o)
		zi[j] = c * g * i * (1 - i)
		zg[j] = c * i * (1 - g*g)
		if before == nil {
			zf[j] = 0
		} else {
			zf[j] = c * before[j] * f * (1 - f)
		}
		dc[j] = c * f
	}
}
