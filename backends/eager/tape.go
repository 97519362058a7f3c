package eager

import (
	"github.com/dlbench/dlbench/backends/eager/arena"
	"github.com/dlbench/dlbench/backends/eager/half"
	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/backends/eager/pool"
)

// Tensor is a value on a tape: row-major, examples first. Shapes come from the
// data; nothing is declared ahead. Its elements lie in Data or, on a tape with a
// 16-bit format, in half; a variable may have both, and ops then read half.
type Tensor[T kernel.Float] struct {
	Shape []int
	Data  []T

	half     []uint16
	grad     []T
	halfGrad []uint16   // instead of grad on a tape with a 16-bit format, but of variables
	written  bool       // the gradient holds something to add to
	leaf     bool       // grad is the owner's and outlives the step
	needs    bool       // a gradient is wanted
	buf      *buffer[T] // nil: the elements are not the tape's to free
}

// buffer counts the tensors that share arena memory.
type buffer[T kernel.Float] struct {
	data []T
	half []uint16
	refs int
}

// node is one recorded op.
type node[T kernel.Float] struct {
	out  *Tensor[T]
	back func() // adds to the gradients of the op's inputs, from out's
}

// Tape runs ops as they are called and records how to go back through them
// (reverse-mode differentiation by a Wengert list: Wengert, A simple automatic
// derivative evaluation program, CACM 7(8), 1964). It is used from one goroutine.
type Tape[T kernel.Float] struct {
	pool   *pool.Pool
	math   *kernel.Math[T]
	floats arena.Arena[T]
	halves arena.Arena[uint16]
	ints   arena.Arena[int32]
	nodes  []node[T]

	format half.Format // of the tensors; 0: full width. Other than 0 on float32 only
	shares []share[T]  // of the backward function that is running

	recording bool // ops are recorded for the way back
	replaying bool // ops run for the second time, to restore dropped activations
	training  bool // dropout drops, batch normalisation uses the batch
	frozen    bool // running statistics stay as they are

	gain       T      // multiplies the gradient that a loss leaves: the loss scale
	masks      uint64 // of the dropout masks of this step and micro-batch
	recomputed int    // segments that were run a second time, ever
	hooks      hooks[T]
}

// hooks are the places where tests and the oracle's noise reach into the
// arithmetic of a tape in full width. All are nil in a plain backend.
type hooks[T kernel.Float] struct {
	value   func([]T)     // sees the output of each op and may change it
	grad    func([]T)     // sees each gradient once it is complete
	inner   func([]T)     // sees what composed ops pass on inside: a step of LSTM, attention's weights, their gradients
	operand func([]T) []T // replaces an operand of a product
	faults  faults
}

// NewTape returns an empty tape that computes on p.
func NewTape[T kernel.Float](p *pool.Pool) *Tape[T] {
	return &Tape[T]{pool: p, math: kernel.New[T](p), gain: 1, hooks: hooks[T]{faults: noFaults}}
}

// Constant views data, which no gradient flows to, as a tensor.
func (t *Tape[T]) Constant(data []T, shape ...int) *Tensor[T] {
	return &Tensor[T]{Shape: shape, Data: data}
}

// Variable is a tensor with a gradient of its own, which Backward fills.
func Variable[T kernel.Float](data, grad []T, shape ...int) *Tensor[T] {
	return &Tensor[T]{Shape: shape, Data: data, grad: grad, leaf: true, needs: true}
}

// Record starts or stops recording; what is recorded can be gone back through.
func (t *Tape[T]) Record(on bool) { t.recording = on }

// output is a new tensor of the given shape, of any content.
func (t *Tape[T]) output(shape ...int) *Tensor[T] {
	b := &buffer[T]{refs: 1}
	if t.format == 0 {
		b.data = t.floats.Get(size(shape))
	} else {
		b.half = t.halves.Get(size(shape))
	}
	return &Tensor[T]{Shape: shape, Data: b.data, half: b.half, buf: b}
}

// view is x's elements under another shape.
func (t *Tape[T]) view(x *Tensor[T], shape ...int) *Tensor[T] {
	if x.buf != nil {
		x.buf.refs++
	}
	return &Tensor[T]{Shape: shape, Data: x.Data, half: x.half, buf: x.buf}
}

// Free gives up a tensor that nothing will read again.
func (t *Tape[T]) Free(x *Tensor[T]) {
	if x.leaf {
		return
	}
	t.floats.Put(x.grad)
	t.halves.Put(x.halfGrad)
	x.grad, x.halfGrad, x.written, x.Data, x.half = nil, nil, false, nil, nil
	if b := x.buf; b != nil {
		x.buf = nil
		if b.refs--; b.refs == 0 {
			t.floats.Put(b.data)
			t.halves.Put(b.half)
		}
	}
}

// emit finishes an op: it shows the output to the hook and records the way
// back if a gradient of one of the inputs is wanted.
func (t *Tape[T]) emit(out *Tensor[T], back func(), in ...*Tensor[T]) *Tensor[T] {
	if t.hooks.value != nil && out.half == nil {
		t.hooks.value(out.Data)
	}
	for _, x := range in {
		out.needs = out.needs || x.needs
	}
	if t.recording {
		if !out.needs {
			back = nil
		}
		t.nodes = append(t.nodes, node[T]{out, back})
	}
	return out
}

// gradOf returns the gradient of x in full width for a backward function to
// write, and whether to add to it: the first contribution overwrites. On a tape
// with a 16-bit format it is for variables only.
func (t *Tape[T]) gradOf(x *Tensor[T]) (grad []T, add bool) {
	if t.format != 0 {
		return t.shareOf(x), false
	}
	if x.grad == nil {
		x.grad = t.floats.Get(len(x.Data))
	}
	add, x.written = x.written, true
	return x.grad, add
}

// Backward goes back from the tensor whose gradient a loss left behind to
// every variable that it was computed from, and frees what was recorded.
func (t *Tape[T]) Backward() {
	t.recording = false
	t.unwind(0)
}

// unwind goes back through the nodes recorded after the first mark ones.
func (t *Tape[T]) unwind(mark int) {
	for len(t.nodes) > mark {
		last := len(t.nodes) - 1
		n := t.nodes[last]
		t.nodes[last] = node[T]{}
		t.nodes = t.nodes[:last]
		if n.back != nil && n.out.written {
			if t.hooks.grad != nil && n.out.grad != nil {
				t.hooks.grad(n.out.grad)
			}
			n.back()
			t.settle()
		}
		t.Free(n.out)
	}
}

// Drop forgets what was recorded, without going back.
func (t *Tape[T]) Drop() {
	for i, n := range t.nodes {
		t.Free(n.out)
		t.nodes[i] = node[T]{}
	}
	t.nodes = t.nodes[:0]
	t.recording = false
}

// Checkpoint computes segment(x) and keeps only its result: on the way back it
// is computed again from x (Chen et al., Training Deep Nets with Sublinear
// Memory Cost, 2016, arXiv:1604.06174). segment frees what it no longer needs
// unless the tape records.
func (t *Tape[T]) Checkpoint(x *Tensor[T], segment func(*Tensor[T]) *Tensor[T]) *Tensor[T] {
	if !t.recording {
		return segment(x)
	}
	t.recording = false
	out := segment(x)
	t.recording = true
	out.needs = true
	masks := t.masks
	t.nodes = append(t.nodes, node[T]{out, func() {
		grad, halfGrad := out.grad, out.halfGrad
		out.grad, out.halfGrad = nil, nil
		t.Free(out)
		mark, now := len(t.nodes), t.masks
		t.recording, t.replaying, t.masks = true, true, masks
		again := segment(x)
		t.recording, t.replaying, t.masks = false, false, now
		t.recomputed++
		again.grad, again.halfGrad, again.written = grad, halfGrad, true
		t.unwind(mark)
	}})
	return out
}

// each runs do over the ranges of n items, in parallel where that pays.
func (t *Tape[T]) each(n, grain int, do func(from, to int)) {
	parts := t.pool.Threads()
	if parts == 1 || n < 2*grain {
		do(0, n)
		return
	}
	t.pool.Run(parts, func(i int) {
		if from, to := pool.Span(n, grain, parts, i); from < to {
			do(from, to)
		}
	})
}

// spans is each for an op that needs scratch of its own on each thread: part says
// which thread, of those of the pool.
func (t *Tape[T]) spans(n, grain int, do func(part, from, to int)) {
	parts := t.pool.Threads()
	if parts == 1 || n < 2*grain {
		do(0, 0, n)
		return
	}
	t.pool.Run(parts, func(i int) {
		if from, to := pool.Span(n, grain, parts, i); from < to {
			do(i, from, to)
		}
	})
}

// operand is data as a product reads it.
func (t *Tape[T]) operand(data []T) []T {
	if t.hooks.operand != nil && t.format == 0 {
		return t.hooks.operand(data)
	}
	return data
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
