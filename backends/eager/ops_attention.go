package eager

import (
	"math"

	"github.com/dlbench/dlbench/backends/eager/kernel"
)

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
	dh, ld, square := d/heads, 3*d, heads*steps*steps
	scale := T(1 / math.Sqrt(float64(dh)))
	y := t.output(n, steps, d)
	weights := t.workspace(n, square)
	block := t.block(n, max(steps*ld, square), t.pool.Threads())
	for from := 0; from < n; from += block {
		to := min(from+block, n)
		given := t.read(qkv, from*steps*ld, to*steps*ld)
		in := t.operand(given)
		ys, ps := t.room(y, from*steps*d, to*steps*d), t.room(weights, from*square, to*square)
		score := func(l *kernel.Lane[T], i int) {
			q := in[i/heads*steps*ld+i%heads*dh:]
			p := ps[i*steps*steps:][:steps*steps]
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
		}
		mix := func(l *kernel.Lane[T], i int) {
			at := i / heads * steps
			v := in[at*ld+i%heads*dh+2*d:]
			l.Mul(steps, dh, steps, kernel.Rows(ps[i*steps*steps:][:steps*steps], steps), kernel.Rows(v, ld), ys[at*d+i%heads*dh:], d, false)
		}
		if t.hooks.inner == nil {
			t.math.Each((to-from)*heads, func(l *kernel.Lane[T], i int) {
				score(l, i)
				mix(l, i)
			})
		} else { // the hook sees all in one order, whatever the threads
			t.math.Each((to-from)*heads, score)
			t.hooks.inner(ps)
			t.math.Each((to-from)*heads, mix)
		}
		t.keep(y, from*steps*d, ys)
		t.save(weights, from*square, ps)
		t.done(qkv, given)
	}
	if !t.recording {
		t.Free(weights)
	}
	return t.emit(y, func() { t.headsBack(y, qkv, weights, heads, block) }, qkv)
}

// headsBack is the way back of heads, in blocks of that many examples.
func (t *Tape[T]) headsBack(y, qkv, weights *Tensor[T], heads, block int) {
	n, steps, d := qkv.Shape[0], qkv.Shape[1], qkv.Shape[2]/3
	dh, ld, square := d/heads, 3*d, heads*steps*steps
	scale := T(1 / math.Sqrt(float64(dh)))
	g := t.gradientOf(qkv)
	ds := t.floats.Get(block * square)
	for from := 0; from < n; from += block {
		to := min(from+block, n)
		given, ps := t.read(qkv, from*steps*ld, to*steps*ld), t.read(weights, from*square, to*square)
		outer := t.readGrad(y, from*steps*d, to*steps*d)
		in, dy := t.operand(given), t.operand(outer)
		dqkv := t.gradRoom(g, from*steps*ld, to*steps*ld)
		if !g.add {
			clear(dqkv)
		}
		// The gradients of the weights, of the values, and of the scores.
		weigh := func(l *kernel.Lane[T], i int) {
			at := i / heads * steps
			q, dq, o := in[at*ld+i%heads*dh:], dqkv[at*ld+i%heads*dh:], dy[at*d+i%heads*dh:]
			p, s := ps[i*steps*steps:][:steps*steps], ds[i*steps*steps:][:steps*steps]
			l.Mul(steps, steps, dh, kernel.Rows(o, d), kernel.Rows(q[2*d:], ld).T(), s, steps, false)
			l.Mul(steps, dh, steps, kernel.Rows(p, steps).T(), kernel.Rows(o, d), dq[2*d:], ld, true)
			for r := range steps {
				pr, sr := p[r*steps:][:steps], s[r*steps:][:steps]
				dot := kernel.Dot(pr, sr)
				for j, v := range pr {
					sr[j] = v * (sr[j] - dot) * scale
				}
			}
		}
		// And from there, of the queries and the keys.
		score := func(l *kernel.Lane[T], i int) {
			at := i / heads * steps
			q, dq := in[at*ld+i%heads*dh:], dqkv[at*ld+i%heads*dh:]
			s := ds[i*steps*steps:][:steps*steps]
			l.Mul(steps, dh, steps, kernel.Rows(s, steps), kernel.Rows(q[d:], ld), dq, ld, true)
			l.Mul(steps, dh, steps, kernel.Rows(s, steps).T(), kernel.Rows(q, ld), dq[d:], ld, true)
		}
		if t.hooks.inner == nil {
			t.math.Each((to-from)*heads, func(l *kernel.Lane[T], i int) {
				weigh(l, i)
				score(l, i)
			})
		} else {
			t.math.Each((to-from)*heads, weigh)
			t.hooks.inner(ds)
			t.math.Each((to-from)*heads, score)
		}
		t.keepGrad(g, from*steps*ld, dqkv)
		t.doneGrad(y, outer)
		t.done(weights, ps)
		t.done(qkv, given)
	}
	t.floats.Put(ds)
	t.Free(weights)
}
