package gomlx

import (
	"github.com/gomlx/gomlx/core/graph"

	"github.com/dlbench/dlbench/workloads"
)

// meanLoss is the mean over the batch of the loss of logits [B,K], from
// labels [B] (int32).
func meanLoss(op workloads.Op, logits, labels *graph.Node) (*graph.Node, error) {
	if r := op.Attr.Reduction; r != "" && r != "mean" {
		return nil, unsupported("loss reduction %q; only \"mean\" is defined", r)
	}
	switch op.Op {
	case workloads.LossSoftmax:
		classes := logits.Shape().Dimensions[1]
		shift := graph.StopGradient(graph.ReduceAndKeep(logits, graph.ReduceMax, -1))
		shifted := graph.Sub(logits, shift)
		logSum := graph.Log(graph.ReduceSum(graph.Exp(shifted), -1))
		chosen := graph.ReduceSum(graph.Mul(shifted, graph.OneHot(labels, classes, logits.DType())), -1)
		return graph.ReduceAllMean(graph.Sub(logSum, chosen)), nil
	case workloads.LossSigmoid:
		x := graph.Reshape(logits, -1)
		y := graph.ConvertDType(labels, x.DType())
		// max(x,0) - x*y + log(1+exp(-|x|)): no overflow on either side.
		tail := graph.Log1p(graph.Exp(graph.Neg(graph.Abs(x))))
		each := graph.Add(graph.Sub(graph.Max(x, graph.ZerosLike(x)), graph.Mul(x, y)), tail)
		return graph.ReduceAllMean(each), nil
	}
	return nil, unsupported("loss %q is not known to this backend", op.Op)
}
