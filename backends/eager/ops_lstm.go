package eager

import "github.com/dlbench/dlbench/backends/eager/kernel"

// LSTM runs x[N,T,in] through one layer from a zero state and returns every
// hidden state, [N,T,H] (Hochreiter and Schmidhuber 1997, with the forget gate
// of Gers et al. 2000). wih[4H,in], whh[4H,H] and b[4H] hold the gates i,f,g,o:
//
//	i,f,o = sigmoid(...); g = tanh(...); c = f*c + i*g; h = o*tanh(c)
//
// The products with x of all steps are one product; backward is through time.
func (t *Tape[T]) LSTM(x, wih, whh, b *Tensor[T]) *Tensor[T] {
	n, steps, in, h := x.Shape[0], x.Shape[1], x.Shape[2], whh.Shape[1]
	rows, g4 := n*steps, 4*h
	y := t.output(n, steps, h)
	gates := t.floats.Get(rows * g4) // after their activations
	cells, tanhs := t.floats.Get(rows*h), t.floats.Get(rows*h)
	xs, wi, wh := t.operand(x.Data), t.operand(wih.Data), t.operand(whh.Data)

	fillRows(gates, b.Data)
	t.math.Mul(rows, g4, in, kernel.Rows(xs, in), kernel.Rows(wi, in).T(), gates, g4, true)
	packed := t.floats.Get(t.math.PackedLen(h, g4))
	right := t.math.PackRight(h, g4, kernel.Rows(wh, h).T(), packed)
	grain := max(1, 512/h)
	at := t.hooks.faults.gates
	for s := range steps {
		if s > 0 {
			t.math.Mul(n, g4, h, kernel.Rows(y.Data[(s-1)*h:], steps*h), right, gates[s*g4:], steps*g4, true)
		}
		t.each(n, grain, func(n0, n1 int) {
			for e := n0; e < n1; e++ {
				r := e*steps + s
				z, c, th, out := gates[r*g4:][:g4], cells[r*h:][:h], tanhs[r*h:][:h], y.Data[r*h:][:h]
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
			}
		})
	}
	t.floats.Put(packed)
	if !t.recording {
		t.floats.Put(gates)
		t.floats.Put(cells)
		t.floats.Put(tanhs)
	}

	return t.emit(y, func() {
		dh, dc := t.floats.Get(n*h), t.floats.Get(n*h) // gradients that come from the step after
		clear(dh)
		clear(dc)
		packed := t.floats.Get(t.math.PackedLen(g4, h))
		right := t.math.PackRight(g4, h, kernel.Rows(wh, h), packed)
		for s := steps - 1; s >= 0; s-- {
			t.each(n, grain, func(n0, n1 int) {
				for e := n0; e < n1; e++ {
					r := e*steps + s
					var before []T
					if s > 0 {
						before = cells[(r-1)*h:][:h]
					}
					z := gates[r*g4:][:g4]
					lstmBack(z[at[0]*h:][:h], z[at[1]*h:][:h], z[at[2]*h:][:h], z[at[3]*h:][:h],
						before, tanhs[r*h:][:h], y.grad[r*h:][:h], dh[e*h:][:h], dc[e*h:][:h])
				}
			})
			if s > 0 {
				t.math.Mul(n, h, g4, kernel.Rows(gates[s*g4:], steps*g4), right, dh, h, false)
			}
		}
		t.floats.Put(packed)
		t.floats.Put(dh)
		t.floats.Put(dc)
		t.floats.Put(cells)
		t.floats.Put(tanhs)

		dz := t.operand(gates) // lstmBack left the gradients there
		if whh.needs {
			before := t.floats.Get(rows * h) // the hidden state that each step began with
			for e := range n {
				to := before[e*steps*h:][:steps*h]
				clear(to[:h])
				copy(to[h:], y.Data[e*steps*h:])
			}
			dw, add := t.gradOf(whh)
			t.math.Mul(g4, h, rows, kernel.Rows(dz, g4).T(), kernel.Rows(before, h), dw, h, add)
			t.floats.Put(before)
		}
		if wih.needs {
			dw, add := t.gradOf(wih)
			t.math.Mul(g4, in, rows, kernel.Rows(dz, g4).T(), kernel.Rows(xs, in), dw, in, add)
		}
		if b.needs {
			db, add := t.gradOf(b)
			kernel.SumRows(db, gates, add)
		}
		if x.needs {
			dx, add := t.gradOf(x)
			t.math.Mul(rows, in, g4, kernel.Rows(dz, g4), kernel.Rows(wi, in), dx, in, add)
		}
		t.floats.Put(gates)
	}, x, wih, whh, b)
}

// lstmBack replaces one example's gates of one step by the gradients of their
// sums, and dc by the gradient of the cell before. before is nil at the first step.
func lstmBack[T kernel.Float](zi, zf, zg, zo, before, th, dy, dh, dc []T) {
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
