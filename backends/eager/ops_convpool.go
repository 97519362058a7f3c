package eager

import (
	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/workloads"
)

// A convolution and the pooling after it run as one op, on a block of images while
// it lies in the cache: what the convolution leaves is never stored, positions that
// no window of the pooling covers are not computed, and on the way back the
// convolution sees those that are covered alone. A ReLU between them is the
// convolution's. The bias's gradient is summed over what is pooled, elsewhere no sum
// changes its order. Full width and float32 only: the oracle runs op by op.

// chain is a run of ops, each of which is all that reads the one before, that may
// run as one op.
type chain struct {
	relu, pool int // the op that is one; 0: none is
	last       int // op of the chain; 0: there is no chain
}

// fuses reports whether chains run as one op: nothing wants to see what lies between.
func (t *Tape[T]) fuses() bool {
	h := &t.hooks
	return kernel.Is32[T]() && t.format == 0 && h.value == nil && h.grad == nil && h.inner == nil && h.operand == nil
}

// chainFrom is the chain that begins with op i.
func (m *model[T]) chainFrom(i int) (c chain) {
	if m.program.Ops[i].Op != workloads.OpConv2D {
		return c
	}
	next := func(op string) int {
		j := max(i, c.relu) + 1
		if j >= len(m.program.Ops) || m.program.Ops[j].Op != op || m.lastUse[j-1] != j {
			return 0
		}
		return j
	}
	c.relu = next(workloads.OpReLU)
	c.pool = next(workloads.OpMaxPool2D)
	c.last = c.pool
	return c
}

// applyChain runs the chain that begins with op i.
func (m *model[T]) applyChain(t *Tape[T], i int) *Tensor[T] {
	c, conv, own := &m.chains[i], &m.program.Ops[i], m.byOp[i]
	x := m.input
	if id := conv.In[0]; id >= 0 {
		x = m.values[id]
	}
	pool := &m.program.Ops[c.pool].Attr
	return t.convPool(x, own[0], own[1], conv.Attr.Stride, conv.Attr.Pad, c.relu > 0, pool.Size, pool.Stride)
}

// convPool is MaxPool2D of Conv2D, or of its ReLU.
func (t *Tape[T]) convPool(x, w, b *Tensor[T], stride, pad int, relu bool, side, poolStride int) *Tensor[T] {
	n := x.Shape[0]
	win, p := t.window(x, w, stride, pad).Covers(side, poolStride)
	oh, ow := p.Out()
	y := t.output(n, oh, ow, p.C)
	e := kernel.Epilogue[T]{ReLU: relu}
	needs := x.needs || w.needs
	if b != nil {
		e.Bias = b.Data
		needs = needs || b.needs
	}
	var from []int32
	if t.recording && needs {
		from = t.ints.Get(y.len())
	}
	way := convPoolBack[T]{convBack[T]{x: x, w: w, win: win, block: n}, y, b, from, p, relu}
	s := ofType[convPoolBack[T]](t) // not on the stack: the loops of all threads read it
	*s = way
	packed := t.floats.Get(t.math.FiltersLen(&s.conv.win))
	t.math.PackFilters(w.Data, packed, &s.conv.win)
	t.math.ConvPool(n, x.Data, packed, y.Data, from, &s.conv.win, &s.p, e)
	t.floats.Put(packed)
	*s = convPoolBack[T]{}
	if b == nil {
		return record(t, y, way, x, w)
	}
	return record(t, y, way, x, w, b)
}

// convPoolBack is the way back of convPool.
type convPoolBack[T kernel.Float] struct {
	conv convBack[T] // without the bias
	y, b *Tensor[T]  // b may be nil
	from []int32     // which element under its window each of y came from
	p    kernel.Pooling
	relu bool
}

func (o *convPoolBack[T]) reads(x *Tensor[T]) bool { return x != o.y || o.relu }

func (o *convPoolBack[T]) back(t *Tape[T]) {
	n, p := o.y.Shape[0], &o.p
	o.conv.y = t.tensor([]int{n, p.H, p.W, p.C}) // has a gradient, and no elements
	o.conv.y.grad = t.floats.Get(n * p.H * p.W * p.C)
	l := maxBackLoop[T]{dx: o.conv.y.grad, dy: o.y.grad, from: o.from, p: o.p}
	if o.relu {
		l.mask = o.y.Data
	}
	parallel(t, n, 1+pointGrain/(p.H*p.W*p.C), l)
	t.ints.Put(o.from)
	if o.b != nil && o.b.needs {
		t.biasBack(o.y, o.b) // whose gradient is masked now
	}
	o.conv.back(t)
	t.Free(o.conv.y)
}
