package eager

import (
	"github.com/dlbench/dlbench/backends/eager/arena"
	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/backends/eager/pool"
)

// Tensor is a value on a tape: row-major, examples first. Shapes come from the
// data; nothing is declared ahead.
type Tensor[T kernel.Float] struct {
	Shape []int
	Data  []T

	grad    []T
	written bool       // grad holds something to add to
	leaf    bool       // grad is the owner's and outlives the step
	needs   bool       // a gradient is wanted
	buf     *buffer[T] // nil: Data is not the tape's to free
}

// buffer counts the tensors that share arena memory.
type buffer[T kernel.Float] struct {
	data []T
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
	ints   arena.Arena[int32]
	nodes  []node[T]

	recording bool // ops are recorded for the way back
	replaying bool // ops run for the second time, to restore dropped activations
	training  bool // dropout drops, batch normalisation uses the batch
	frozen    bool // running statistics stay as they are

	masks      uint64 // of the dropout masks of this step and micro-batch
	recomputed int    // segments that were run a second time, ever
	hooks      hooks[T]
}

// hooks are the places where tests and the oracle's noise reach into the
// arithmetic. All are nil in a plain backend.
type hooks[T kernel.Float] struct {
	value   func([]T)     // sees the output of each op and may change it
	grad    func([]T)     // sees each gradient once it is complete
	operand func([]T) []T // replaces an operand of a product
	faults  faults
}

// NewTape returns an empty tape that computes on p.
func NewTape[T kernel.Float](p *pool.Pool) *Tape[T] {
	return &Tape[T]{pool: p, math: kernel.New[T](p), hooks: hooks[T]{faults: noFaults}}
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
	b := &buffer[T]{data: t.floats.Get(size(shape)), refs: 1}
	return &Tensor[T]{Shape: shape, Data: b.data, buf: b}
}

// view is x's data under another shape.
func (t *Tape[T]) view(x *Tensor[T], shape ...int) *Tensor[T] {
	if x.buf != nil {
		x.buf.refs++
	}
	return &Tensor[T]{Shape: shape, Data: x.Data, buf: x.buf}
}

// Free gives up a tensor that nothing will read again.
func (t *Tape[T]) Free(x *Tensor[T]) {
	if x.leaf {
		return
	}
	t.floats.Put(x.grad)
	x.grad, x.written, x.Data = nil, false, nil
	if b := x.buf; b != nil {
		x.buf = nil
		if b.refs--; b.refs == 0 {
			t.floats.Put(b.data)
		}
	}
}

// emit finishes an op: it shows the output to the hook and records the way
// back if a gradient of one of the inputs is wanted.
func (t *Tape[T]) emit(out *Tensor[T], back func(), in ...*Tensor[T]) *Tensor[T] {
	if t.hooks.value != nil {
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

// gradOf returns the gradient of x for a backward function to write, and
// whether to add to it: the first contribution overwrites.
func (t *Tape[T]) gradOf(x *Tensor[T]) (grad []T, add bool) {
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
			if t.hooks.grad != nil {
				t.hooks.grad(n.out.grad)
			}
			n.back()
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
		grad := out.grad
		out.grad = nil
		t.Free(out)
		mark, now := len(t.nodes), t.masks
		t.recording, t.replaying, t.masks = true, true, masks
		again := segment(x)
		t.recording, t.replaying, t.masks = false, false, now
		t.recomputed++
		again.grad, again.written = grad, true
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

// operand is data as a product reads it.
func (t *Tape[T]) operand(data []T) []T {
	if t.hooks.operand != nil {
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
