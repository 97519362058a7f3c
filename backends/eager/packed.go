package eager

import (
	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/workloads"
)

// In inference weights do not change. Those of dense layers, attention's projections
// among them, are brought once, in their own memory, into the order in which the
// product reads them; whoever wants the program's order unpacks a copy (readParams).

// packWeights does so in float32, where no hook reads or changes them: float64 is the
// oracle and stays plain.
func (e *engine[T]) packWeights() {
	hooked := e.tape.hooks.any() || e.stored != nil || e.asRead != nil
	if !kernel.Is32[T]() || e.tape.format != 0 || hooked {
		return
	}
	readers := map[*Tensor[T]]int{}
	for _, own := range e.model.byOp {
		for _, q := range own {
			readers[q]++
		}
	}
	for i, own := range e.model.byOp {
		var weights []*Tensor[T]
		switch e.program.Ops[i].Op {
		case workloads.OpDense:
			weights = own[:1]
		case workloads.OpAttention:
			weights = []*Tensor[T]{own[0], own[2]}
		}
		for _, w := range weights {
			if readers[w] == 1 {
				m := e.tape.math.PackInPlace(w.Shape[1], w.Shape[0], w.Data)
				w.packed, w.Data = &m, nil
			}
		}
	}
}
