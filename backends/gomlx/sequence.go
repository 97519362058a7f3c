package gomlx

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/dlbench/dlbench/workloads"
)

// lstm unrolls x [B,T,in] and returns the T outputs [B,units]. The input
// products of all steps are one matrix product. Gates lie in the order
// i,f,g,o. (Hochreiter and Schmidhuber 1997; forget gate of Gers et al. 2000.)
func (f *forward) lstm(op workloads.Op, x *graph.Node) []*graph.Node {
	units := op.Attr.Units
	projected := product(x, f.param(op.Name+".weight_ih"))
	projected = graph.Add(projected, alongLast(f.param(op.Name+".bias"), 3))

	inputs := splitSteps(projected)
	outputs := make([]*graph.Node, len(inputs))
	var hidden, cell *graph.Node
	for t, gates := range inputs {
		if hidden != nil {
			gates = graph.Add(gates, product(hidden, f.param(op.Name+".weight_hh")))
		}
		gate := func(k int) *graph.Node {
			return graph.Slice(gates, graph.AxisRange(), graph.AxisRange(k*units, (k+1)*units))
		}
		fresh := graph.Mul(graph.Sigmoid(gate(0)), graph.Tanh(gate(2)))
		if cell == nil {
			cell = fresh // the initial state is zero, so the forget gate keeps nothing
		} else {
			cell = graph.Add(graph.Mul(graph.Sigmoid(gate(1)), cell), fresh)
		}
		hidden = graph.Mul(graph.Sigmoid(gate(3)), graph.Tanh(cell))
		outputs[t] = hidden
	}
	return outputs
}

// splitSteps cuts x [B,T,n] into T nodes [B,n] by halving. The gradient of a
// slice is as large as what was sliced: T slices of the whole would cost T*T.
func splitSteps(x *graph.Node) []*graph.Node {
	dims := x.Shape().Dimensions
	steps := dims[1]
	if steps == 1 {
		return []*graph.Node{graph.Reshape(x, dims[0], dims[2])}
	}
	half := steps / 2
	first := graph.SliceAxis(x, 1, graph.AxisRange(0, half))
	second := graph.SliceAxis(x, 1, graph.AxisRange(half, steps))
	return append(splitSteps(first), splitSteps(second)...)
}

// lastStep returns the last of the steps, [B,D].
func lastStep(x *value) *graph.Node {
	if x.node == nil {
		return x.steps[len(x.steps)-1]
	}
	dims := x.node.Shape().Dimensions
	return graph.Reshape(graph.SliceAxis(x.node, 1, graph.AxisRange(dims[1]-1, dims[1])), dims[0], dims[2])
}

// attention is multi-head self-attention over x [B,T,D] with scale
// 1/sqrt(D/heads). (Vaswani et al. 2017, arXiv:1706.03762.)
func (f *forward) attention(op workloads.Op, x *graph.Node) *graph.Node {
	dims := x.Shape().Dimensions
	batch, steps, width := dims[0], dims[1], dims[2]
	heads := op.Attr.Heads
	size := width / heads

	qkv := f.dense(op.Name+".qkv", x, true)
	part := func(k int) *graph.Node {
		return graph.Reshape(graph.SliceAxis(qkv, 2, graph.AxisRange(k*width, (k+1)*width)), batch, steps, heads, size)
	}
	scores := f.wide(graph.Einsum("bqhd,bkhd->bhqk", part(0), part(1)))
	scores = graph.MulScalar(scores, 1/math.Sqrt(float64(size)))
	if op.Attr.Causal {
		scores = graph.Where(causalMask(x.Graph(), batch, heads, steps), scores, graph.AddScalar(graph.ZerosLike(scores), -1e30))
	}
	mixed := graph.Einsum("bhqk,bkhd->bqhd", f.narrow(softmax(scores)), part(2))
	return f.dense(op.Name+".out", graph.Reshape(mixed, batch, steps, width), true)
}

// causalMask is true where position k <= position q, [batch,heads,steps,steps].
func causalMask(g *graph.Graph, batch, heads, steps int) *graph.Node {
	square := shapes.Make(dtypes.Int32, steps, steps)
	mask := graph.LessOrEqual(graph.Iota(g, square, 1), graph.Iota(g, square, 0))
	return graph.BroadcastPrefix(mask, batch, heads)
}

// softmax is taken over the last axis; the maximum is a constant to the gradient.
func softmax(x *graph.Node) *graph.Node {
	shift := graph.StopGradient(graph.ReduceAndKeep(x, graph.ReduceMax, -1))
	e := graph.Exp(graph.Sub(x, shift))
	return graph.Div(e, graph.ReduceAndKeep(e, graph.ReduceSum, -1))
}
