package gomlx

import (
	"github.com/gomlx/gomlx/core/graph"

	"github.com/dlbench/dlbench/workloads"
)

// forward walks a program's ops and emits the forward pass of one micro-batch.
type forward struct {
	program workloads.Program
	train   bool
	batch   int // examples in this graph
	types   arithmetic
	params  map[string]*graph.Node // by name, in the layout of layout.go
	input   value
	outputs []value

	updated map[string]*graph.Node // running statistics after this pass
	rng     *graph.Node            // state of the random generator; nil without dropout

	checkpoints checkpoints
}

// logits emits every op and returns the last one's output, [batch, K].
func (f *forward) logits() (*graph.Node, error) {
	f.outputs = make([]value, len(f.program.Ops))
	f.updated = map[string]*graph.Node{}
	if f.train {
		f.checkpoints.segments = f.program.Segments
	}
	for i, op := range f.program.Ops {
		in := f.inputsOf(i, op)
		out, err := f.emit(op, in)
		if err != nil {
			return nil, err
		}
		if s := f.checkpoints.of(i); s >= 0 && f.checkpoints.segments[s].Last == i {
			out = f.checkpoints.leave(out)
		}
		f.outputs[i] = out
	}
	return f.outputs[len(f.outputs)-1].batchFirst(), nil
}

// inputsOf returns the inputs of op i. What comes from outside the op's
// segment passes a checkpoint.
func (f *forward) inputsOf(i int, op workloads.Op) []value {
	segment := f.checkpoints.of(i)
	in := make([]value, len(op.In))
	for k, j := range op.In {
		source := &f.input
		if j >= 0 {
			source = &f.outputs[j]
		}
		in[k] = *source
		if segment >= 0 && j < f.checkpoints.segments[segment].First {
			in[k] = f.checkpoints.enter(segment, source)
		}
	}
	return in
}

// emit adds one op.
func (f *forward) emit(op workloads.Op, in []value) (value, error) {
	x := &in[0]
	switch op.Op {
	case workloads.OpDense:
		return value{node: f.dense(op.Name, x.batchFirst(), op.Attr.Bias)}, nil
	case workloads.OpConv2D:
		return value{node: f.conv2d(op, x.channelFirst()), channelMajor: true}, nil
	case workloads.OpMaxPool2D:
		return value{node: maxPool2D(x.channelFirst(), op.Attr.Size, op.Attr.Stride), channelMajor: true}, nil
	case workloads.OpAvgPool:
		return f.avgPool(x), nil
	case workloads.OpBatchNorm:
		return f.batchNorm(op, x), nil
	case workloads.OpLayerNorm:
		return value{node: f.layerNorm(op, x.batchFirst())}, nil
	case workloads.OpReLU:
		return x.mapped(relu), nil
	case workloads.OpGELU:
		return x.mapped(f.inWide(gelu)), nil
	case workloads.OpSigmoid:
		return x.mapped(graph.Sigmoid), nil
	case workloads.OpFlatten:
		return value{node: graph.Reshape(x.batchFirst(), f.batch, -1)}, nil
	case workloads.OpEmbedding:
		// Rows are rounded after they are taken: the gradient of the table, where
		// rows that occur several times add up, is then summed in its own type.
		return value{node: f.narrow(graph.Gather(f.params[op.Name+".weight"], graph.ExpandAxes(x.node, -1)))}, nil
	case workloads.OpLSTM:
		return value{steps: f.lstm(op, x.batchFirst())}, nil
	case workloads.OpAttention:
		return value{node: f.attention(op, x.batchFirst())}, nil
	case workloads.OpDropout:
		if !f.train || op.Attr.Rate == 0 {
			return *x, nil
		}
		return x.mapped(func(n *graph.Node) *graph.Node { return f.dropout(n, op.Attr.Rate) }), nil
	case workloads.OpAdd:
		if x.channelMajor {
			return value{node: graph.Add(x.node, in[1].channelFirst()), channelMajor: true}, nil
		}
		return value{node: graph.Add(x.batchFirst(), in[1].batchFirst())}, nil
	case workloads.OpLastStep:
		return value{node: lastStep(x)}, nil
	}
	return value{}, unsupported("op %q is not known to this backend", op.Op)
}

// mapped applies an elementwise function, which keeps the layout.
func (v *value) mapped(fn func(*graph.Node) *graph.Node) value {
	return value{node: fn(v.joined()), channelMajor: v.channelMajor}
}

// dense is x.W^T + b over the last axis of x; W is [units,in].
func (f *forward) dense(name string, x *graph.Node, bias bool) *graph.Node {
	y := product(x, f.param(name+".weight"))
	if bias {
		y = graph.Add(y, alongLast(f.param(name+".bias"), y.Rank()))
	}
	return y
}

// product contracts the last axes of x [...,in] and w [units,in].
func product(x, w *graph.Node) *graph.Node {
	return graph.DotGeneral(x, []int{x.Rank() - 1}, nil, w, []int{1}, nil)
}

// relu passes no gradient where x is 0: the library's Max(x, 0) would. NaN,
// which is not <= 0, is handed on.
func relu(x *graph.Node) *graph.Node {
	return graph.Where(graph.LessOrEqual(x, scalar(x, 0)), graph.ZerosLike(x), x)
}

// dropout draws a fresh mask from the generator's state.
func (f *forward) dropout(x *graph.Node, rate float64) *graph.Node {
	var uniform *graph.Node
	// In 16 bit there would be few numbers to compare with, and a rounded factor.
	x = f.wide(x)
	f.rng, uniform = graph.RandomUniform(f.rng, x.Shape())
	kept := graph.GreaterOrEqual(uniform, scalar(x, rate))
	return f.narrow(graph.Where(kept, graph.MulScalar(x, 1/(1-rate)), graph.ZerosLike(x)))
}

// avgPool is the mean over all positions.
func (f *forward) avgPool(x *value) value {
	n := f.wide(x.joined())
	switch {
	case x.channelMajor:
		return value{node: f.narrow(swapLeading(graph.ReduceMean(n, 2, 3)))}
	case n.Rank() == 4:
		return value{node: f.narrow(graph.ReduceMean(n, 2, 3))}
	}
	return value{node: f.narrow(graph.ReduceMean(n, 1))}
}
