package eager

import (
	"math"

	"github.com/dlbench/dlbench/backends/eager/kernel"
)

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
		parallel(t, end-at, max(1, pointGrain/d), layerNormLoop[T]{ys, xs, ws, bs, mean[at:], inv[at:], eps})
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

// layerNormLoop normalises rows.
type layerNormLoop[T kernel.Float] struct {
	y, x, w, b, mean, inv []T
	eps                   float64
}

func (l *layerNormLoop[T]) run(_, r0, r1 int) {
	d := len(l.w)
	for r := r0; r < r1; r++ {
		from, to := l.x[r*d:][:d], l.y[r*d:][:d]
		m := kernel.Sum(from) / T(d)
		s := T(1 / math.Sqrt(float64(squaresAround(from, m))/float64(d)+l.eps))
		l.mean[r], l.inv[r] = m, s
		for j, v := range from {
			to[j] = (v-m)*s*l.w[j] + l.b[j]
		}
	}
}

// layerNormBack is the way back of LayerNorm, in blocks of that many rows.
type layerNormBack[T kernel.Float] struct {
	y, x, w, b *Tensor[T]
	mean, inv  []T
	block      int
}

func (o *layerNormBack[T]) back(t *Tape[T]) {
	x, d, mean, inv := o.x, o.w.len(), o.mean, o.inv
	rows := x.len() / d
	dw, addW := t.gradOf(o.w)
	db, addB := t.gradOf(o.b)
	if !addW {
		clear(dw)
	}
	var g gradient[T]
	if x.needs {
		g = t.gradientOf(x)
	}
	ws := t.read(o.w, 0, d)
	for at := 0; at < rows; at += o.block {
		end := min(at+o.block, rows)
		xs, dys := t.read(x, at*d, end*d), t.readGrad(o.y, at*d, end*d)
		kernel.SumRows(db, dys, addB || at > 0)
		for r := range end - at {
			from, dy := xs[r*d:][:d], dys[r*d:][:d]
			m, s := mean[at+r], inv[at+r]
			for j, v := range from {
				dw[j] += dy[j] * (v - m) * s
			}
		}
		if x.needs {
			dxs := t.gradRoom(g, at*d, end*d)
			parallel(t, end-at, max(1, pointGrain/d), layerNormBackLoop[T]{dxs, dys, xs, ws, mean[at:], inv[at:], g.add})
			t.keepGrad(g, at*d, dxs)
		}
		t.done(x, xs)
		t.doneGrad(o.y, dys)
	}
	t.done(o.w, ws)
	t.floats.Put(mean)
	t.floats.Put(inv)
}

type layerNormBackLoop[T kernel.Float] struct {
	dx, dy, x, w, mean, inv []T
	add                     bool
}

func (l *layerNormBackLoop[T]) run(_, r0, r1 int) {
	d := len(l.w)
	for r := r0; r < r1; r++ {
		layerNormRowBack(l.dx[r*d:][:d], l.dy[r*d:][:d], l.x[r*d:][:d], l.w, l.mean[r], l.inv[r], l.add)
	}
}

// layerNormRowBack sets, or with add adds to, the gradient of one row x with mean m and
// s = 1/sqrt(variance+eps).
func layerNormRowBack[T kernel.Float](dx, dy, x, w []T, m, s T, add bool) {
	var sum, dot T // of dy*w, and of dy*w and the normalised x
	for j, g := range dy {
		g *= w[j]
		sum += g
		dot += g * (x[j] - m) * s
	}
	sum, dot = sum/T(len(w)), dot/T(len(w))
	for j, g := range dy {
		v := s * (g*w[j] - sum - (x[j]-m)*s*dot)
		if add {
			v += dx[j]
		}
		dx[j] = v
	}
}

// squaresAround is the sum of (x-m)^2, in four interleaved sums.
func squaresAround[T kernel.Float](x []T, m T) T {
	var s [4]T
	for ; len(x) >= 4; x = x[4:] {
		a, b, c, d := x[0]-m, x[1]-m, x[2]-m, x[3]-m
		s[0] += a * a
		s[1] += b * b
		s[2] += c * c
		s[3] += d * d
	}
	for _, v := range x {
		s[0] += (v - m) * (v - m)
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}
