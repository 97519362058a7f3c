package eager

import (
	"math"

	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/backends/eager/pool"
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

// heads computes softmax(q k^T / sqrt(d)) v for each head of qkv[N,T,3D], giving
// [N,T,D]. The weights of a head, [T,T], live in scratch of its thread and are
// computed again on the way back, as in Dao et al., FlashAttention, 2022,
// arXiv:2205.14135, but a whole head at a time. They are kept where a hook wants
// to see them.
func (t *Tape[T]) heads(qkv *Tensor[T], heads int, causal bool) *Tensor[T] {
	n, steps, d := qkv.Shape[0], qkv.Shape[1], qkv.Shape[2]/3
	ld, square := 3*d, heads*steps*steps
	y := t.output(n, steps, d)
	o := headsBack[T]{y: y, qkv: qkv, heads: heads, causal: causal, block: t.block(n, max(steps*ld, square), t.pool.Threads())}
	var scratch []T
	if t.hooks.inner != nil {
		o.weights = t.workspace(n, square)
	} else {
		scratch = t.floats.Get(t.pool.Threads() * steps * steps)
	}
	for from := 0; from < n; from += o.block {
		to := min(from+o.block, n)
		given := t.read(qkv, from*steps*ld, to*steps*ld)
		f := ofType[headsForward[T]](t)
		*f = headsForward[T]{headsShape: t.headsShape(to-from, steps, d, heads, causal), in: t.operand(given), y: t.room(y, from*steps*d, to*steps*d)}
		f.p, f.keep = scratch, o.weights != nil
		if f.keep {
			f.p = t.room(o.weights, from*square, to*square)
		}
		if t.hooks.inner == nil {
			f.score, f.mix = true, true
			t.math.EachJob(f.parts, f)
		} else { // the hook sees all in one order, whatever the threads
			f.score = true
			t.math.EachJob(f.parts, f)
			t.hooks.inner(f.p)
			f.score, f.mix = false, true
			t.math.EachJob(f.parts, f)
		}
		t.keep(y, from*steps*d, f.y)
		if f.keep {
			t.save(o.weights, from*square, f.p)
		}
		t.done(qkv, given)
		*f = headsForward[T]{}
	}
	t.floats.Put(scratch)
	if !t.recording && o.weights != nil {
		t.Free(o.weights)
	}
	return record(t, y, o, qkv)
}

// headsShape is n examples of so many steps and heads, of width dh each. Their
// heads are shared out in parts, one for each thread.
type headsShape[T kernel.Float] struct {
	n, steps, d, heads, dh int
	parts                  int
	scale                  T
	causal                 bool
}

func (t *Tape[T]) headsShape(n, steps, d, heads int, causal bool) headsShape[T] {
	dh := d / heads
	return headsShape[T]{n: n, steps: steps, d: d, heads: heads, dh: dh, parts: t.pool.Threads(), scale: T(1 / math.Sqrt(float64(dh))), causal: causal}
}

// span is the heads of a part.
func (s *headsShape[T]) span(part int) (from, to int) {
	return pool.Span(s.n*s.heads, 1, s.parts, part)
}

// query is head i in rows of qkv, from its query on; keys lie d further, values 2d.
func (s *headsShape[T]) query(qkv []T, i int) []T {
	return qkv[i/s.heads*s.steps*3*s.d+i%s.heads*s.dh:]
}

// outer is head i in rows of the output.
func (s *headsShape[T]) outer(y []T, i int) []T { return y[i/s.heads*s.steps*s.d+i%s.heads*s.dh:] }

// square is where the weights of head i lie: with keep in p[N*heads,T,T], else in the part's scratch.
func (s *headsShape[T]) square(p []T, i, part int, keep bool) []T {
	if !keep {
		i = part
	}
	return p[i*s.steps*s.steps:][:s.steps*s.steps]
}

// score sets p to the weights of the head that q begins.
func (s *headsShape[T]) score(l *kernel.Lane[T], q, p []T) {
	n, ld := s.steps, 3*s.d
	l.Mul(n, n, s.dh, kernel.Rows(q, ld), kernel.Rows(q[s.d:], ld).T(), p, n, false)
	if !s.causal {
		kernel.SoftmaxRows(p, p, nil, nil, n, s.scale, 1)
		return
	}
	for r := range n {
		row := p[r*n:][:n]
		kernel.SoftmaxRows(row[:r+1], row[:r+1], nil, nil, r+1, s.scale, 1)
		clear(row[r+1:])
	}
}

// headsForward computes the weights and mixes the values by them.
type headsForward[T kernel.Float] struct {
	headsShape[T]
	in, y, p         []T
	keep, score, mix bool
}

// Do is one part on the thread of l.
func (f *headsForward[T]) Do(l *kernel.Lane[T], part int) {
	from, to := f.span(part)
	for i := from; i < to; i++ {
		q, p := f.query(f.in, i), f.square(f.p, i, part, f.keep)
		if f.score {
			f.headsShape.score(l, q, p)
		}
		if f.mix {
			l.Mul(f.steps, f.dh, f.steps, kernel.Rows(p, f.steps), kernel.Rows(q[2*f.d:], 3*f.d), f.outer(f.y, i), f.d, false)
		}
	}
}

// headsBack is the way back of heads, in blocks of that many examples.
type headsBack[T kernel.Float] struct {
	y, qkv  *Tensor[T]
	weights *Tensor[T] // nil: computed again
	heads   int
	causal  bool
	block   int
}

func (o *headsBack[T]) reads(x *Tensor[T]) bool { return x == o.qkv }

func (o *headsBack[T]) back(t *Tape[T]) {
	y, qkv, heads := o.y, o.qkv, o.heads
	n, steps, d := qkv.Shape[0], qkv.Shape[1], qkv.Shape[2]/3
	ld, square := 3*d, heads*steps*steps
	g := t.gradientOf(qkv)
	var ds, scratch []T
	if o.weights != nil {
		ds = t.floats.Get(min(o.block, n) * square)
	} else {
		scratch = t.floats.Get(t.pool.Threads() * steps * steps)
		ds = t.floats.Get(t.pool.Threads() * steps * steps)
	}
	for from := 0; from < n; from += o.block {
		to := min(from+o.block, n)
		given, outer := t.read(qkv, from*steps*ld, to*steps*ld), t.readGrad(y, from*steps*d, to*steps*d)
		f := ofType[headsBackward[T]](t)
		*f = headsBackward[T]{
			headsShape: t.headsShape(to-from, steps, d, heads, o.causal), in: t.operand(given), dy: t.operand(outer),
			dqkv: t.gradRoom(g, from*steps*ld, to*steps*ld), add: g.add, ds: ds, p: scratch, keep: o.weights != nil,
		}
		if f.keep {
			f.p = t.read(o.weights, from*square, to*square)
		}
		if t.hooks.inner == nil {
			f.weigh, f.pass = true, true
			t.math.EachJob(f.parts, f)
		} else {
			f.weigh = true
			t.math.EachJob(f.parts, f)
			t.hooks.inner(ds)
			f.weigh, f.pass = false, true
			t.math.EachJob(f.parts, f)
		}
		t.keepGrad(g, from*steps*ld, f.dqkv)
		t.doneGrad(y, outer)
		if f.keep {
			t.done(o.weights, f.p)
		}
		t.done(qkv, given)
		*f = headsBackward[T]{}
	}
	t.floats.Put(ds)
	t.floats.Put(scratch)
	if o.weights != nil {
		t.Free(o.weights)
	}
}

// headsBackward computes the gradients of the values and the scores (weigh), and
// from there those of queries and keys (pass).
type headsBackward[T kernel.Float] struct {
	headsShape[T]
	in, dy, dqkv, p, ds    []T
	add, keep, weigh, pass bool
}

// Do is one part on the thread of l.
func (f *headsBackward[T]) Do(l *kernel.Lane[T], part int) {
	n, d, ld := f.steps, f.d, 3*f.d
	from, to := f.span(part)
	for i := from; i < to; i++ {
		q, dq, o := f.query(f.in, i), f.query(f.dqkv, i), f.outer(f.dy, i)
		p, s := f.square(f.p, i, part, f.keep), f.square(f.ds, i, part, f.keep)
		if f.weigh {
			if !f.keep {
				f.score(l, q, p)
			}
			l.Mul(n, n, f.dh, kernel.Rows(o, d), kernel.Rows(q[2*d:], ld).T(), s, n, false)
			l.Mul(n, f.dh, n, kernel.Rows(p, n).T(), kernel.Rows(o, d), dq[2*d:], ld, f.add)
			kernel.SoftmaxBack(s, p, n, f.scale)
		}
		if f.pass {
			l.Mul(n, f.dh, n, kernel.Rows(s, n), kernel.Rows(q[d:], ld), dq, ld, f.add)
			l.Mul(n, f.dh, n, kernel.Rows(s, n).T(), kernel.Rows(q, ld), dq[d:], ld, f.add)
		}
	}
}
