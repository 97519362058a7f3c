package eager

import (
	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/backends/eager/pool"
)

// This file is how an op records its way back and runs its loops on all threads
// without allocating. A closure that outlives its call lies on the heap, and so
// would every one of the hundreds that a step makes. An op therefore writes down
// what a closure would capture as the fields of a struct, and the tape keeps the
// structs of one step for the next:
//
//	type scaleBack[T kernel.Float] struct { y, x *Tensor[T]; by T }
//	func (o *scaleBack[T]) back(t *Tape[T]) { ... }
//	return record(t, y, scaleBack[T]{y, x, by}, x)
//
//	type scaleLoop[T kernel.Float] struct { y, x []T; by T }
//	func (l *scaleLoop[T]) run(_, from, to int) { ... }
//	parallel(t, len(xs), pointGrain, scaleLoop[T]{ys, xs, by})

// wayBack is what an op recorded: it adds to the gradients of the op's inputs,
// from its output's.
type wayBack[T kernel.Float] interface{ back(t *Tape[T]) }

// frugal is a way back that says what it reads of the op's output and inputs
// beside their gradients and shapes. Others are taken to read all of them.
type frugal[T kernel.Float] interface{ reads(x *Tensor[T]) bool }

// stack keeps what an op of one type recorded; the last is gone through first.
type stack interface{ pop() }

type waysBack[O any] struct {
	all  []*O
	used int
}

// push returns a copy of o that is valid until its pop.
func (s *waysBack[O]) push(o O) *O {
	if s.used == len(s.all) {
		s.all = append(s.all, new(O))
	}
	to := s.all[s.used]
	s.used++
	*to = o
	return to
}

func (s *waysBack[O]) pop() {
	s.used--
	var nothing O
	*s.all[s.used] = nothing // holds on to nothing
}

// ofType is the one V that the tape keeps.
func ofType[V any, T kernel.Float](t *Tape[T]) *V {
	key := any((*V)(nil))
	if v, ok := t.kept[key]; ok {
		return v.(*V)
	}
	v := new(V)
	t.kept[key] = v
	return v
}

// record finishes an op: it shows the output to the hook and, if a gradient of
// one of the inputs is wanted, keeps a copy of op as the way back.
func record[O any, P interface {
	*O
	wayBack[T]
}, T kernel.Float](t *Tape[T], out *Tensor[T], op O, in ...*Tensor[T]) *Tensor[T] {
	if n := t.finish(out, in); n != nil {
		s := ofType[waysBack[O]](t)
		kept := s.push(op)
		n.way, n.from = P(kept), s
		f, choosy := any(kept).(frugal[T])
		if !choosy || f.reads(out) {
			out.readers++
		}
		for _, x := range in {
			if !choosy || f.reads(x) {
				x.readers++
			}
		}
	}
	return out
}

// finish returns the node whose way back is to be filled in, nil if none is wanted.
func (t *Tape[T]) finish(out *Tensor[T], in []*Tensor[T]) *node[T] {
	if t.hooks.value != nil && out.half == nil {
		show(t.hooks.value, out.Data, out.Shape)
	}
	for _, x := range in {
		out.needs = out.needs || x.needs
	}
	if !t.recording {
		return nil
	}
	t.nodes = append(t.nodes, node[T]{out: out})
	if !out.needs {
		return nil
	}
	return &t.nodes[len(t.nodes)-1]
}

// loop is the body of a parallel loop over items: it does those from from to to.
// part is the thread's, below the pool's number of threads, for a loop that needs
// scratch of its own on each.
type loop interface{ run(part, from, to int) }

// parallel runs body over the ranges of n items, in parallel where each thread
// gets at least grain of them.
func parallel[L any, P interface {
	*L
	loop
}, T kernel.Float](t *Tape[T], n, grain int, body L) {
	l := ofType[L](t)
	*l = body
	t.ranges(n, grain, P(l))
	var nothing L
	*l = nothing
}

// ranges is parallel for a body that the caller keeps.
func (t *Tape[T]) ranges(n, grain int, body loop) {
	parts := t.pool.Parts(n, grain)
	if parts == 1 {
		body.run(0, 0, n)
		return
	}
	t.split = split{n: n, grain: grain, parts: parts, body: body}
	t.pool.Do(parts, &t.split)
	t.split.body = nil
}

// split is a loop as the parts of a region of the pool.
type split struct {
	n, grain, parts int
	body            loop
}

func (s *split) Part(i int) {
	if from, to := pool.Span(s.n, s.grain, s.parts, i); from < to {
		s.body.run(i, from, to)
	}
}
