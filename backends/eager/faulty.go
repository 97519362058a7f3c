package eager

import (
	"slices"

	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/workloads"
)

// transposeFirstDense is a mutation: the values of [units,in] are stored as [in,units].
func transposeFirstDense[T kernel.Float](p workloads.Program, params map[string]*Tensor[T]) {
	for _, op := range p.Ops {
		if op.Op != workloads.OpDense {
			continue
		}
		w := params[op.Name+".weight"]
		rows, cols := w.Shape[0], w.Shape[1]
		before := slices.Clone(w.Data)
		for i := range rows {
			for j := range cols {
				w.Data[j*rows+i] = before[i*cols+j]
			}
		}
		return
	}
}

// moveBiasesTwice is a mutation: a layer with two biases, of which only the sum counts.
func (e *engine[T]) moveBiasesTwice(before []T) {
	at := 0
	for _, q := range e.program.Params {
		if q.Buffer {
			continue
		}
		n := size(q.Shape)
		for _, op := range e.program.Ops {
			if op.Op == workloads.OpLSTM && q.Name == op.Name+".bias" {
				for i := at; i < at+n; i++ {
					e.weights[i] += e.weights[i] - before[i]
				}
			}
		}
		at += n
	}
}

// disturbSums disturbs the gradients of all parameters that are vectors: sums
// over the examples of a micro-batch and the positions of their op's output.
func (e *engine[T]) disturbSums() {
	for i, own := range e.model.byOp {
		shape := e.program.Ops[i].Shape
		positions := 1
		switch len(shape) {
		case 2: // [T,D]
			positions = shape[0]
		case 3: // [C,H,W]
			positions = shape[1] * shape[2]
		}
		for _, v := range own {
			if v != nil && v.needs && len(v.Shape) == 1 {
				e.sums(v.grad, positions*e.program.Batch/e.program.Accumulate)
			}
		}
	}
}
