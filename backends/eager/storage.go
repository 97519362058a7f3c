package eager

import (
	"unsafe"

	"github.com/dlbench/dlbench/backends/eager/half"
	"github.com/dlbench/dlbench/backends/eager/kernel"
)

// This file is how ops reach the elements of tensors. In full width they work on
// the tensors' own memory. In a 16-bit format they take a block at a time: it
// is widened into scratch, worked on in float32, and what comes of it is rounded
// back, so that only scratch of a block's size is ever held in full width.

// scratchElements is about how many elements of one tensor an op in a 16-bit
// format holds in full width: what stays in the second-level cache.
const scratchElements = 1 << 15

// block is how many of n items, which have per elements each, an op takes at a
// time: all in full width, else at least least.
func (t *Tape[T]) block(n, per, least int) int {
	if t.format == 0 {
		return n
	}
	return min(n, max(least, scratchElements/max(per, 1)))
}

// len is the number of x's elements.
func (x *Tensor[T]) len() int { return size(x.Shape) }

// dtype is how x's elements are stored.
func (t *Tape[T]) dtype(x *Tensor[T]) string {
	if x.half != nil {
		return t.format.String()
	}
	return string(precision[T]())
}

// read returns elements from to to of x for an op to read, until done.
func (t *Tape[T]) read(x *Tensor[T], from, to int) []T {
	if x.half == nil {
		return x.Data[from:to]
	}
	return t.widened(x.half[from:to])
}

// done gives back what read returned.
func (t *Tape[T]) done(x *Tensor[T], s []T) {
	if x.half != nil {
		t.floats.Put(s)
	}
}

// room returns where an op writes elements from to to of y, until keep or forget.
func (t *Tape[T]) room(y *Tensor[T], from, to int) []T {
	if y.half == nil {
		return y.Data[from:to]
	}
	return t.floats.Get(to - from)
}

// keep stores what was written to room, from the element from on.
func (t *Tape[T]) keep(y *Tensor[T], from int, s []T) {
	if y.half != nil {
		t.narrow(y.half[from:from+len(s)], s)
		t.floats.Put(s)
	}
}

// forget gives room back without storing what was written.
func (t *Tape[T]) forget(y *Tensor[T], s []T) { t.done(y, s) }

// workspace is a tensor for what an op needs again on the way back. Unless the
// tape records it holds nothing in a 16-bit format, only room.
func (t *Tape[T]) workspace(shape ...int) *Tensor[T] {
	if t.format != 0 && !t.recording {
		x := t.tensor(shape)
		x.half = nothing16[:]
		return x
	}
	return t.output(shape...)
}

// nothing16 is no elements, of 16 bits.
var nothing16 [0]uint16

// save keeps a block of a workspace if the tape records, else forgets it.
func (t *Tape[T]) save(y *Tensor[T], from int, s []T) {
	if t.recording {
		t.keep(y, from, s)
	} else {
		t.forget(y, s)
	}
}

// readGrad and doneGrad are read and done for the gradient of y.
func (t *Tape[T]) readGrad(y *Tensor[T], from, to int) []T {
	if y.halfGrad == nil {
		return y.grad[from:to]
	}
	return t.widened(y.halfGrad[from:to])
}

func (t *Tape[T]) doneGrad(y *Tensor[T], s []T) {
	if y.halfGrad != nil {
		t.floats.Put(s)
	}
}

// gradient is the gradient of a tensor while a backward function writes it.
type gradient[T kernel.Float] struct {
	full []T
	half []uint16
	add  bool // to what is there: the first contribution overwrites
}

// gradientOf returns the gradient of x for a backward function to write.
func (t *Tape[T]) gradientOf(x *Tensor[T]) gradient[T] {
	if t.format == 0 || x.leaf {
		full, add := t.gradOf(x)
		return gradient[T]{full: full, add: add}
	}
	if x.halfGrad == nil {
		x.halfGrad = t.halves.Get(x.len())
	}
	g := gradient[T]{half: x.halfGrad, add: x.written}
	x.written = true
	return g
}

// gradRoom returns where to write elements from to to of g, or, with g.add, what
// to add to; keepGrad stores it.
func (t *Tape[T]) gradRoom(g gradient[T], from, to int) []T {
	switch {
	case g.full != nil:
		return g.full[from:to]
	case g.add:
		return t.widened(g.half[from:to])
	}
	return t.floats.Get(to - from)
}

func (t *Tape[T]) keepGrad(g gradient[T], from int, s []T) {
	if g.full == nil {
		t.narrow(g.half[from:from+len(s)], s)
		t.floats.Put(s)
	}
}

// share is what one backward function contributes to the gradient of a
// variable in a 16-bit format. As in frameworks that cast a parameter for the
// op, the gradient passes through that format before it is added up in float32.
type share[T kernel.Float] struct {
	of   *Tensor[T]
	part []T // of.grad itself for the first contribution
}

// shareOf returns room for a contribution; settle adds it up.
func (t *Tape[T]) shareOf(x *Tensor[T]) []T {
	part := x.grad
	if x.written {
		part = t.floats.Get(x.len())
	}
	x.written = true
	t.shares = append(t.shares, share[T]{x, part})
	return part
}

// settle rounds and adds up what the last backward function contributed.
func (t *Tape[T]) settle() {
	for i, s := range t.shares {
		parallel(t, len(s.part), pointGrain, settleLoop[T]{s, t.format})
		if &s.part[0] != &s.of.grad[0] {
			t.floats.Put(s.part)
		}
		t.shares[i] = share[T]{}
	}
	t.shares = t.shares[:0]
}

type settleLoop[T kernel.Float] struct {
	share[T]
	format half.Format
}

func (l *settleLoop[T]) run(_, from, to int) {
	part, grad := l.part[from:to], l.of.grad[from:to]
	l.format.Round(as32(part))
	if &part[0] != &grad[0] {
		kernel.Add(grad, part)
	}
}

// widened is scratch that holds the values of h.
func (t *Tape[T]) widened(h []uint16) []T {
	s := t.floats.Get(len(h))
	parallel(t, len(h), pointGrain, castLoop[T]{s, h, t.format, true})
	return s
}

// narrow rounds s to h.
func (t *Tape[T]) narrow(h []uint16, s []T) {
	parallel(t, len(h), pointGrain, castLoop[T]{s, h, t.format, false})
}

// castLoop widens narrow to wide, or rounds wide to narrow.
type castLoop[T kernel.Float] struct {
	wide   []T
	narrow []uint16
	format half.Format
	widen  bool
}

func (l *castLoop[T]) run(_, from, to int) {
	if l.widen {
		l.format.Widen(as32(l.wide[from:to]), l.narrow[from:to])
	} else {
		l.format.Narrow(l.narrow[from:to], as32(l.wide[from:to]))
	}
}

// round rounds s in place to what the tape's format has; in full width it does nothing.
func (t *Tape[T]) round(s []T) {
	if t.format != 0 {
		t.format.Round(as32(s))
	}
}

// as32 views x, whose T is float32 on every tape with a 16-bit format.
func as32[T kernel.Float](x []T) []float32 {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&x[0])), len(x))
}
