package eager

import (
	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/workloads"
)

// Peephole fusion. Whoever runs a program says before an op that nothing but a
// ReLU will read its output; the op then leaves max(output, 0) in the pass that
// writes it, and ReLU has nothing to compute. On the way back ReLU takes its
// output's gradient over instead of copying it, and where max pooling is all that
// read it, masks that while it is small. No bit of a result changes. With a hook on
// values or gradients nothing is fused, so that the hook sees every op.

// rectifying are the ops that look for what BeforeReLU said.
var rectifying = []string{workloads.OpDense, workloads.OpConv2D, workloads.OpBatchNorm, workloads.OpAdd}

// BeforeReLU says, or with false takes back, that the next op's output is read by
// a ReLU and by nothing else.
func (t *Tape[T]) BeforeReLU(yes bool) {
	t.rectify = yes && t.hooks.value == nil && t.hooks.grad == nil
}

// rectifies reports whether an op that can is to leave max(y, 0), and marks y.
func (t *Tape[T]) rectifies(y *Tensor[T]) bool {
	y.rectified = t.rectify
	t.rectify = false
	return y.rectified
}

// rectified is ReLU of an x that is rectified already.
func (t *Tape[T]) rectified(x *Tensor[T]) *Tensor[T] {
	y := t.view(x, x.Shape...)
	return record(t, y, rectifiedBack[T]{y, x}, x)
}

type rectifiedBack[T kernel.Float] struct{ y, x *Tensor[T] }

func (o *rectifiedBack[T]) reads(x *Tensor[T]) bool { return x == o.y }

func (o *rectifiedBack[T]) back(t *Tape[T]) {
	x, y := o.x, o.y
	x.grad, x.halfGrad, x.written = y.grad, y.halfGrad, true // nothing else reads x
	y.grad, y.halfGrad = nil, nil
	if y.masked {
		return
	}
	g := gradient[T]{full: x.grad, half: x.halfGrad, add: true} // to be changed in place
	n := x.len()
	block := t.block(n, 1, 1)
	for from := 0; from < n; from += block {
		to := min(from+block, n)
		dx, ys := t.gradRoom(g, from, to), t.read(y, from, to)
		parallel(t, to-from, pointGrain, zeroLoop[T]{dx, ys})
		t.done(y, ys)
		t.keepGrad(g, from, dx)
	}
}

// zeroLoop zeroes gradients where y, the output of a ReLU, is zero.
type zeroLoop[T kernel.Float] struct{ dy, y []T }

func (l *zeroLoop[T]) run(_, a, b int) { kernel.ReLUBack(l.dy[a:b], l.dy[a:b], l.y[a:b]) }

// isRectified reports whether the last recorded op made x, and has no way back
// but to mask its gradient.
func (t *Tape[T]) isRectified(x *Tensor[T]) bool {
	if len(t.nodes) == 0 || t.nodes[len(t.nodes)-1].out != x {
		return false
	}
	_, ok := t.nodes[len(t.nodes)-1].way.(*rectifiedBack[T])
	return ok
}
