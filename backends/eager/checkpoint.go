package eager

import "github.com/dlbench/dlbench/backends/eager/kernel"

// segment is a part of a program that can be run again: it computes its result
// from x, and frees what it no longer needs unless the tape records.
type segment[T kernel.Float] interface {
	compute(t *Tape[T], x *Tensor[T]) *Tensor[T]
}

type segmentFunc[T kernel.Float] func(*Tensor[T]) *Tensor[T]

func (f segmentFunc[T]) compute(_ *Tape[T], x *Tensor[T]) *Tensor[T] { return f(x) }

// Checkpoint computes segment(x) and keeps only its result: on the way back it
// is computed again from x (Chen et al., Training Deep Nets with Sublinear
// Memory Cost, 2016, arXiv:1604.06174). segment frees what it no longer needs
// unless the tape records.
func (t *Tape[T]) Checkpoint(x *Tensor[T], segment func(*Tensor[T]) *Tensor[T]) *Tensor[T] {
	return t.checkpoint(x, segmentFunc[T](segment))
}

// checkpoint is Checkpoint of a segment that the caller keeps.
func (t *Tape[T]) checkpoint(x *Tensor[T], s segment[T]) *Tensor[T] {
	if !t.recording {
		return s.compute(t, x)
	}
	t.recording = false
	out := s.compute(t, x)
	t.recording = true
	out.needs = true
	way := ofType[waysBack[recompute[T]]](t)
	t.nodes = append(t.nodes, node[T]{out, way.push(recompute[T]{out, x, s, t.masks}), way})
	return out
}

// recompute is the way back of a checkpoint.
type recompute[T kernel.Float] struct {
	out, x  *Tensor[T]
	segment segment[T]
	masks   uint64 // of dropout, when the segment ran first
}

func (r *recompute[T]) back(t *Tape[T]) {
	grad, halfGrad := r.out.grad, r.out.halfGrad
	r.out.grad, r.out.halfGrad = nil, nil
	t.Free(r.out)
	mark, now := len(t.nodes), t.masks
	t.recording, t.replaying, t.masks = true, true, r.masks
	again := r.segment.compute(t, r.x)
	t.recording, t.replaying, t.masks = false, false, now
	t.recomputed++
	again.grad, again.halfGrad, again.written = grad, halfGrad, true
	t.unwind(mark)
}
