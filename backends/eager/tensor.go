package eager

import "github.com/dlbench/dlbench/backends/eager/kernel"

// Tensor is a value on a tape: row-major, examples first. Shapes come from the
// data; nothing is declared ahead. Its elements lie in Data or, on a tape with a
// 16-bit format, in half; a variable may have both, and ops then read half.
//
// What an op returns is the tape's: it may be used until the next [Tape.Begin].
type Tensor[T kernel.Float] struct {
	Shape []int
	Data  []T

	packed    *kernel.Matrix[T] // instead of Data, a weight that does not change (packed.go)
	half      []uint16
	grad      []T
	halfGrad  []uint16   // instead of grad on a tape with a 16-bit format, but of variables
	written   bool       // the gradient holds something to add to
	leaf      bool       // grad is the owner's and outlives the step
	needs     bool       // a gradient is wanted
	readers   int        // ops that read the elements on the way back
	rectified bool       // max(x, 0) has been taken (peephole.go)
	masked    bool       // so has the gradient's mask
	buf       *buffer[T] // nil: the elements are not the tape's to free

	dims [4]int    // what Shape views, as far as that is room enough
	own  buffer[T] // what buf points to in the tensor that took the memory
}

// buffer counts the tensors that share arena memory.
type buffer[T kernel.Float] struct {
	data []T
	half []uint16
	refs int
}

// Variable is a tensor with a gradient of its own, which Backward fills.
func Variable[T kernel.Float](data, grad []T, shape ...int) *Tensor[T] {
	return &Tensor[T]{Shape: shape, Data: data, grad: grad, leaf: true, needs: true}
}

// Begin forgets what was recorded and takes back every tensor that the tape
// gave out, for the ops to come: so that steps of equal shapes allocate nothing.
func (t *Tape[T]) Begin() {
	t.Drop()
	t.given = 0
	// What a way back that was skipped kept, and outputs that nobody freed.
	t.floats.Reset()
	t.halves.Reset()
	t.ints.Reset()
}

// tensor is a tensor of the given shape without elements.
func (t *Tape[T]) tensor(shape []int) *Tensor[T] {
	if t.given == len(t.tensors) {
		t.tensors = append(t.tensors, new(Tensor[T]))
	}
	x := t.tensors[t.given]
	t.given++
	*x = Tensor[T]{}
	x.Shape = append(x.dims[:0], shape...)
	return x
}

// Constant views data, which no gradient flows to, as a tensor.
func (t *Tape[T]) Constant(data []T, shape ...int) *Tensor[T] {
	x := t.tensor(shape)
	x.Data = data
	return x
}

// output is a new tensor of the given shape, of any content.
func (t *Tape[T]) output(shape ...int) *Tensor[T] { return t.hold(t.tensor(shape)) }

// outputLast is a new tensor of x's shape but for the last axis.
func (t *Tape[T]) outputLast(x *Tensor[T], last int) *Tensor[T] {
	y := t.tensor(x.Shape)
	y.Shape[len(y.Shape)-1] = last
	return t.hold(y)
}

// hold takes room for the elements of a new tensor.
func (t *Tape[T]) hold(x *Tensor[T]) *Tensor[T] {
	x.own.refs = 1
	if t.format == 0 {
		x.own.data = t.floats.Get(x.len())
	} else {
		x.own.half = t.halves.Get(x.len())
	}
	x.Data, x.half, x.buf = x.own.data, x.own.half, &x.own
	return x
}

// view is x's elements under another shape.
func (t *Tape[T]) view(x *Tensor[T], shape ...int) *Tensor[T] {
	y := t.tensor(shape)
	if x.buf != nil {
		x.buf.refs++
	}
	y.Data, y.half, y.buf = x.Data, x.half, x.buf
	return y
}

// Free gives up a tensor that nothing will read again.
func (t *Tape[T]) Free(x *Tensor[T]) {
	if x.leaf {
		return
	}
	t.floats.Put(x.grad)
	t.halves.Put(x.halfGrad)
	x.grad, x.halfGrad, x.written = nil, nil, false
	t.letGo(x)
}

// Leave gives up the elements of a tensor that no op to come reads, unless they are
// read on the way back. The tensor's gradient is not affected.
func (t *Tape[T]) Leave(x *Tensor[T]) {
	if !x.leaf && x.buf != nil && x.readers == 0 {
		t.letGo(x)
	}
}

// letGo gives up the elements.
func (t *Tape[T]) letGo(x *Tensor[T]) {
	x.Data, x.half = nil, nil
	if b := x.buf; b != nil {
		x.buf = nil
		if b.refs--; b.refs == 0 {
			t.floats.Put(b.data)
			t.halves.Put(b.half)
			b.data, b.half = nil, nil
		}
	}
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
