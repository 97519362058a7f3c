package eager

import (
	"github.com/dlbench/dlbench/backends/eager/arena"
	"github.com/dlbench/dlbench/backends/eager/half"
	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/backends/eager/pool"
)

// node is one recorded op.
type node[T kernel.Float] struct {
	out  *Tensor[T]
	way  wayBack[T] // nil: no gradient of an input is wanted
	from stack      // that way goes back to; nil: to none
}

// Tape runs ops as they are called and records how to go back through them
// (reverse-mode differentiation by a Wengert list: Wengert, A simple automatic
// derivative evaluation program, CACM 7(8), 1964). It is used from one goroutine.
type Tape[T kernel.Float] struct {
	pool   *pool.Pool
	math   *kernel.Math[T]
	bf16   *kernel.MathBF16 // nil until a product of bfloat16 runs
	floats arena.Arena[T]
	halves arena.Arena[uint16]
	ints   arena.Arena[int32]
	nodes  []node[T]

	tensors []*Tensor[T] // of this step and, from given on, of those before
	given   int
	kept    map[any]any // by type, what one step leaves for the next: stacks of ways back, loops
	split   split       // the loop that is running

	format half.Format // of the tensors; 0: full width. Other than 0 on float32 only
	shares []share[T]  // of the backward function that is running

	recording bool // ops are recorded for the way back
	replaying bool // ops run for the second time, to restore dropped activations
	rectify   bool // the next op's output is for a ReLU alone
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

// any reports whether one of them sees or changes values: those between ops that run
// as one it would miss.
func (h *hooks[T]) any() bool {
	return h.value != nil || h.grad != nil || h.inner != nil || h.operand != nil
}

// NewTape returns an empty tape that computes on p.
func NewTape[T kernel.Float](p *pool.Pool) *Tape[T] {
	return &Tape[T]{pool: p, math: kernel.New[T](p), kept: map[any]any{}, gain: 1, hooks: hooks[T]{faults: noFaults}}
}

// Close gives the tape's memory back: no tensor that it gave out may be used any
// more.
func (t *Tape[T]) Close() {
	t.floats.Close()
	t.halves.Close()
	t.ints.Close()
}

// Record starts or stops recording; what is recorded can be gone back through.
func (t *Tape[T]) Record(on bool) { t.recording = on }

// gradOf returns the gradient of x in full width for a backward function to
// write, and whether to add to it: the first contribution overwrites. On a tape
// with a 16-bit format it is for variables only.
func (t *Tape[T]) gradOf(x *Tensor[T]) (grad []T, add bool) {
	if t.format != 0 {
		return t.shareOf(x), false
	}
	if x.grad == nil {
		x.grad = t.floats.Get(x.len())
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
		if n.way != nil && n.out.written {
			if t.hooks.grad != nil && n.out.grad != nil {
				show(t.hooks.grad, n.out.grad, n.out.Shape)
			}
			n.way.back(t)
			t.settle()
		}
		t.Free(n.out)
		if n.from != nil {
			n.from.pop()
		}
	}
}

// Drop forgets what was recorded, without going back.
func (t *Tape[T]) Drop() {
	for i := len(t.nodes) - 1; i >= 0; i-- {
		n := t.nodes[i]
		t.Free(n.out)
		if n.from != nil {
			n.from.pop()
		}
		t.nodes[i] = node[T]{}
	}
	t.nodes = t.nodes[:0]
	// An op or a way back that panicked, and whose caller recovered, left more.
	clear(t.shares)
	t.shares = t.shares[:0]
	t.recording, t.replaying, t.rectify = false, false, false
}

// operand is data as a product reads it.
func (t *Tape[T]) operand(data []T) []T {
	if t.hooks.operand != nil && t.format == 0 {
		return t.hooks.operand(data)
	}
	return data
}
