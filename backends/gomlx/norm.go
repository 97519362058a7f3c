package gomlx

import (
	"math"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/dlbench/dlbench/workloads"
)

// batchNorm normalises each channel. In training it uses the biased variance
// of this micro-batch and updates the running statistics, the variance there
// being unbiased; in inference it uses the running statistics. (Ioffe and
// Szegedy 2015, arXiv:1502.03167.)
func (f *forward) batchNorm(op workloads.Op, x *value) value {
	// Channel axis: 0 of [C,B,H,W]; 1 of [B,C] and [B,C,...].
	n, axis := x.batchFirstUnlessMaps()
	n = f.wide(n)
	rank := n.Rank()
	var reduced []int
	for i := range rank {
		if i != axis {
			reduced = append(reduced, i)
		}
	}
	weight := alongAxis(f.wideParam(op.Name+".weight"), axis, rank)
	bias := alongAxis(f.wideParam(op.Name+".bias"), axis, rank)
	runningMean, runningVar := f.wideParam(op.Name+".running_mean"), f.wideParam(op.Name+".running_var")

	mean, variance := alongAxis(runningMean, axis, rank), alongAxis(runningVar, axis, rank)
	centred := graph.Sub(n, mean)
	if f.train {
		mean = alongAxis(graph.ReduceMean(n, reduced...), axis, rank)
		centred = graph.Sub(n, mean)
		variance = alongAxis(graph.ReduceMean(graph.Square(centred), reduced...), axis, rank)

		count := float64(n.Shape().Size() / n.Shape().Dimensions[axis])
		unbiased := graph.MulScalar(variance, count/max(count-1, 1))
		f.updated[op.Name+".running_mean"] = blend(runningMean, mean, op.Attr.Momentum)
		f.updated[op.Name+".running_var"] = blend(runningVar, unbiased, op.Attr.Momentum)
	}
	scale := graph.Div(weight, graph.Sqrt(graph.AddScalar(variance, op.Attr.Epsilon)))
	y := graph.Add(graph.Mul(centred, scale), bias)
	return value{node: f.narrow(y), channelMajor: x.channelMajor}
}

// batchFirstUnlessMaps returns the node as it lies, and its channel axis.
func (v *value) batchFirstUnlessMaps() (*graph.Node, int) {
	if v.channelMajor {
		return v.node, 0
	}
	return v.joined(), 1
}

// blend returns (1-m)*running + m*observed, in running's shape.
func blend(running, observed *graph.Node, m float64) *graph.Node {
	observed = graph.StopGradient(graph.Reshape(observed, running.Shape().Dimensions...))
	return graph.Add(graph.MulScalar(running, 1-m), graph.MulScalar(observed, m))
}

// layerNorm normalises over the last axis with the biased variance. (Ba,
// Kiros and Hinton 2016, arXiv:1607.06450.)
func (f *forward) layerNorm(op workloads.Op, x *graph.Node) *graph.Node {
	x = f.wide(x)
	centred := graph.Sub(x, graph.ReduceAndKeep(x, graph.ReduceMean, -1))
	variance := graph.ReduceAndKeep(graph.Square(centred), graph.ReduceMean, -1)
	y := graph.Div(centred, graph.Sqrt(graph.AddScalar(variance, op.Attr.Epsilon)))
	y = graph.Mul(y, alongLast(f.wideParam(op.Name+".weight"), x.Rank()))
	return f.narrow(graph.Add(y, alongLast(f.wideParam(op.Name+".bias"), x.Rank())))
}

// gelu is x*Phi(x), with erf.
func gelu(x *graph.Node) *graph.Node {
	phi := graph.AddScalar(graph.Erf(graph.MulScalar(x, 1/math.Sqrt2)), 1.0)
	return graph.Mul(graph.MulScalar(x, 0.5), phi)
}
