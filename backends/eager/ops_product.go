package eager

import (
	"math"

	"github.com/dlbench/dlbench/backends/eager/kernel"
)

// Dense computes x[..., in] w[units, in]^T + b[units]; b may be nil.
func (t *Tape[T]) Dense(x, w, b *Tensor[T]) *Tensor[T] {
	in, units := w.Shape[1], w.Shape[0]
	rows := len(x.Data) / in
	shape := append(append(make([]int, 0, len(x.Shape)), x.Shape[:len(x.Shape)-1]...), units)
	y := t.output(shape...)
	xs, ws := t.operand(x.Data), t.operand(w.Data)
	if b != nil {
		fillRows(y.Data, b.Data)
	}
	t.math.Mul(rows, units, in, kernel.Rows(xs, in), kernel.Rows(ws, in).T(), y.Data, units, b != nil)
	back := func() {
		dy := t.operand(y.grad)
		if w.needs {
			dw, add := t.gradOf(w)
			t.math.Mul(units, in, rows, kernel.Rows(dy, units).T(), kernel.Rows(xs, in), dw, in, add)
		}
		if b != nil && b.needs {
			db, add := t.gradOf(b)
			kernel.SumRows(db, y.grad, add)
		}
		if x.needs {
			dx, add := t.gradOf(x)
			t.math.Mul(rows, in, units, kernel.Rows(dy, units), kernel.Rows(ws, in), dx, in, add)
		}
	}
	if b == nil {
		return t.emit(y, back, x, w)
	}
	return t.emit(y, back, x, w, b)
}

// Conv2D is the cross-correlation of x[N,C,H,W] with w[F,C,k,k], plus b[F],
// which may be nil.
func (t *Tape[T]) Conv2D(x, w, b *Tensor[T], stride, pad int) *Tensor[T] {
	win := &kernel.Window{C: x.Shape[1], H: x.Shape[2], W: x.Shape[3], Kernel: w.Shape[2], Stride: stride, Pad: pad, Shift: t.hooks.faults.shift}
	n, filters := x.Shape[0], w.Shape[0]
	oh, ow := win.Out()
	y := t.output(n, filters, oh, ow)
	xs, ws := t.operand(x.Data), t.operand(w.Data)
	var bias []T
	if b != nil {
		bias = b.Data
	}
	buf := t.floats.Get(t.math.PackedLen(win.Depth(), filters))
	t.math.Conv(n, filters, xs, ws, bias, y.Data, buf, win)
	t.floats.Put(buf)
	back := func() {
		dy := t.operand(y.grad)
		if w.needs {
			dw, add := t.gradOf(w)
			t.math.ConvWeight(n, filters, xs, dy, dw, win, add)
		}
		if b != nil && b.needs {
			db, add := t.gradOf(b)
			sumPlanes(db, y.grad, oh*ow, add)
		}
		if x.needs {
			dx, add := t.gradOf(x)
			buf := t.floats.Get(t.math.PackedLen(filters, win.Depth()))
			t.math.ConvInput(n, filters, dy, ws, dx, buf, win, add)
			t.floats.Put(buf)
		}
	}
	if b == nil {
		return t.emit(y, back, x, w)
	}
	return t.emit(y, back, x, w, b)
}

// Attention is multi-head self-attention of x[N,T,D] with projections
// qkv[3D,D] and out[D,D] (Vaswani et al., Attention Is All You Need, 2017,
// arXiv:1706.03762). With causal, position t sees positions up to t.
func (t *Tape[T]) Attention(x, qkvW, qkvB, outW, outB *Tensor[T], heads int, causal bool) *Tensor[T] {
	p := t.Dense(x, qkvW, qkvB)
	h := t.heads(p, heads, causal)
	y := t.Dense(h, outW, outB)
	if !t.recording {
		t.Free(p)
		t.Free(h)
	}
	return y
}

// heads computes softmax(q k^T / sqrt(d)) v for each head of qkv[N,T,3D], giving [N,T,D].
func (t *Tape[T]) heads(qkv *Tensor[T], heads int, causal bool) *Tensor[T] {
	n, steps, d := qkv.Shape[0], qkv.Shape[1], qkv.Shape[2]/3
	dh, ld := d/heads, 3*d
	scale := T(1 / math.Sqrt(float64(dh)))
	y := t.output(n, steps, d)
	in := t.operand(qkv.Data)
	weights := t.floats.Get(n * heads * steps * steps)
	t.math.Each(n*heads, func(l *kernel.Lane[T], i int) {
		at := i / heads * steps
		q := in[at*ld+i%heads*dh:]
		p := weights[i*steps*steps:][:steps*steps]
		l.Mul(steps, steps, dh, kernel.Rows(q, ld), kernel.Rows(q[d:], ld).T(), p, steps, false)
		for r := range steps {
			row := p[r*steps:][:steps]
			seen := steps
			if causal {
				seen = r + 1
			}
			kernel.Scale(row[:seen], scale)
			kernel.Softmax(row[:seen])
			clear(row[seen:])
		}
		l.Mul(steps, dh, steps, kernel.Rows(p, steps), kernel.Rows(q[2*d:], ld), y.Data[at*d+i%heads*dh:], d, false)
	})
	if !t.recording {
		t.floats.Put(weights)
	}
	return t.emit(y, func() {
		g, add := t.gradOf(qkv)
		if !add {
			clear(g)
		}
		ds := t.floats.Get(len(weights))
		dy := t.operand(y.grad)
		t.math.Each(n*heads, func(l *kernel.Lane[T], i int) {
			at := i / heads * steps
			q, dq := in[at*ld+i%heads*dh:], g[at*ld+i%heads*dh:]
			o := dy[at*d+i%heads*dh:]
			p, s := weights[i*steps*steps:][:steps*steps], ds[i*steps*steps:][:steps*steps]
			l.Mul(steps, steps, dh, kernel.Rows(o, d), kernel.Rows(q[2*d:], ld).T(), s, steps, false)
			l.Mul(steps, dh, steps, kernel.Rows(p, steps).T(), kernel.Rows(o, d), dq[2*d:], ld, true)
			for r := range steps {
				pr, sr := p[r*steps:][:steps], s[r*steps:][:steps]
				dot := kernel.Dot(pr, sr)
				for j, v := range pr {
					sr[j] = v * (sr[j] - dot) * scale
				}
			}
			l.Mul(steps, dh, steps, kernel.Rows(s, steps), kernel.Rows(q[d:], ld), dq, ld, true)
			l.Mul(steps, dh, steps, kernel.Rows(s, steps).T(), kernel.Rows(q, ld), dq[d:], ld, true)
		})
		t.floats.Put(ds)
		t.floats.Put(weights)
	}, qkv)
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
