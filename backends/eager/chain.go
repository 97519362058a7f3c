package eager

import (
	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/workloads"
)

// chain is a run of ops that begins with a convolution or with batch normalisation,
// each of which is all that reads the one before, that may run as one op.
type chain struct {
	norm, relu, pool int // the op after the first that is one; 0: none is
	last             int // op of the chain; 0: there is no chain
}

// fuses reports whether a chain runs as one op: nothing wants to see what lies
// between, and batch normalisation does not depend on it.
func (t *Tape[T]) fuses(c *chain) bool {
	if c.norm > 0 && (t.training || t.recording) {
		return false
	}
	return kernel.Is32[T]() && t.format == 0 && !t.hooks.any()
}

// chainFrom is the chain that begins with op i.
func (m *model[T]) chainFrom(i int) (c chain) {
	conv := m.program.Ops[i].Op == workloads.OpConv2D
	if !conv && m.program.Ops[i].Op != workloads.OpBatchNorm {
		return c
	}
	next := func(op string) int {
		j := max(i, c.norm, c.relu) + 1
		if j >= len(m.program.Ops) || m.program.Ops[j].Op != op || m.lastUse[j-1] != j {
			return 0
		}
		return j
	}
	if conv {
		c.norm = next(workloads.OpBatchNorm)
	}
	c.relu = next(workloads.OpReLU)
	c.pool = next(workloads.OpMaxPool2D)
	switch {
	case c.pool > 0:
		c.last = c.pool
	case c.norm > 0:
		c.last = max(c.norm, c.relu)
	}
	return c
}

// applyChain runs the chain that begins with op i.
func (m *model[T]) applyChain(t *Tape[T], i int) *Tensor[T] {
	c, op, own := &m.chains[i], &m.program.Ops[i], m.byOp[i]
	x, a := m.in(op, 0), &op.Attr
	if op.Op == workloads.OpBatchNorm {
		pool := &m.program.Ops[c.pool].Attr
		return t.normPool(x, own[0], own[1], own[2], own[3], a.Epsilon, a.Momentum, c.relu > 0, pool.Size, pool.Stride)
	}
	w, b := own[0], own[1]
	if c.norm > 0 {
		norm := m.byOp[c.norm]
		w, b = t.fold(w, b, norm[0], norm[1], norm[2], norm[3], m.program.Ops[c.norm].Attr.Epsilon)
		defer t.Free(w)
		defer t.Free(b)
	}
	if c.pool == 0 {
		t.BeforeReLU(c.relu > 0)
		return t.Conv2D(x, w, b, a.Stride, a.Pad)
	}
	pool := &m.program.Ops[c.pool].Attr
	return t.convPool(x, w, b, a.Stride, a.Pad, c.relu > 0, pool.Size, pool.Stride)
}
