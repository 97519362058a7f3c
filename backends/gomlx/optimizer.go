package gomlx

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/dlbench/dlbench/workloads"
)

// Names of the optimizer's state. Per parameter: prefix + parameter name.
const (
	velocityPrefix = "velocity/"
	firstPrefix    = "first-moment/"
	secondPrefix   = "second-moment/"
	beta1Power     = "beta1-power"
	beta2Power     = "beta2-power"
)

// optimizerState lists the state that op keeps for the trainable parameters.
// It is the library's arithmetic throughout; its own optimizers are not used
// because SGD has no momentum there and Adam no state that could be reset.
func optimizerState(op workloads.Op, trainable []slot, dtype dtypes.DType) ([]slot, error) {
	var state []slot
	perParameter := func(prefix string) {
		for _, p := range trainable {
			state = append(state, slot{name: prefix + p.name, dims: p.dims, dtype: dtype})
		}
	}
	switch op.Op {
	case workloads.OptSGD:
		if op.Attr.Momentum != 0 {
			perParameter(velocityPrefix)
		}
	case workloads.OptAdam:
		perParameter(firstPrefix)
		perParameter(secondPrefix)
		// Powers of beta in float64: 1-beta^t loses four digits in float32.
		for _, name := range []string{beta1Power, beta2Power} {
			state = append(state, slot{name: name, dtype: dtypes.Float64, initial: []float64{1}})
		}
	default:
		return nil, unsupported("optimizer %q is not known to this backend", op.Op)
	}
	return state, nil
}

// update emits the optimizer's step. nodes holds every state slot by name; the
// new value of each that changes replaces it.
func update(op workloads.Op, names []string, gradients []*graph.Node, nodes map[string]*graph.Node) {
	if op.Op == workloads.OptSGD {
		for i, name := range names {
			step := gradients[i]
			if op.Attr.Momentum != 0 {
				step = graph.Add(graph.MulScalar(nodes[velocityPrefix+name], op.Attr.Momentum), step)
				nodes[velocityPrefix+name] = step
			}
			nodes[name] = graph.Sub(nodes[name], graph.MulScalar(step, op.Attr.Rate))
		}
		return
	}
	a := op.Attr
	nodes[beta1Power] = graph.MulScalar(nodes[beta1Power], a.Beta1)
	nodes[beta2Power] = graph.MulScalar(nodes[beta2Power], a.Beta2)
	dtype := gradients[0].DType()
	rate := graph.ConvertDType(graph.MulScalar(graph.Reciprocal(graph.OneMinus(nodes[beta1Power])), a.Rate), dtype)
	correction := graph.ConvertDType(graph.Reciprocal(graph.OneMinus(nodes[beta2Power])), dtype)
	for i, name := range names {
		g := gradients[i]
		first := graph.Add(graph.MulScalar(nodes[firstPrefix+name], a.Beta1), graph.MulScalar(g, 1-a.Beta1))
		second := graph.Add(graph.MulScalar(nodes[secondPrefix+name], a.Beta2), graph.MulScalar(graph.Square(g), 1-a.Beta2))
		denominator := graph.AddScalar(graph.Sqrt(graph.Mul(second, correction)), a.Epsilon)
		nodes[firstPrefix+name], nodes[secondPrefix+name] = first, second
		nodes[name] = graph.Sub(nodes[name], graph.Div(graph.Mul(first, rate), denominator))
	}
}
