package gorgonia

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/dlbench/dlbench/workloads"
)

// batchNorm is the library's: it normalises by the biased variance of the
// batch and moves the running mean and unbiased variance by momentum.
func (b *builder) batchNorm(o workloads.Op, x *G.Node) *G.Node {
	if x.Dims() != 2 && x.Dims() != 4 {
		b.unsupported("batchnorm of shape %v: Gorgonia's takes [C] and [C,H,W]", o.Shape)
	}
	if x.Dims() == 4 && x.Shape()[3] == 1 && x.Shape()[2] > 1 {
		b.unsupported("batchnorm of shape %v: Gorgonia's gradients of its weight and bias are wrong where maps are one wide", o.Shape)
	}
	shape := make([]int, x.Dims())
	for i := range shape {
		shape[i] = 1
	}
	shape[1] = o.Shape[0]
	y, _, _, op, err := G.BatchNorm(x, b.whole(o.Name+".weight", shape...), b.whole(o.Name+".bias", shape...), o.Attr.Momentum, o.Attr.Epsilon)
	b.do(y, err)
	mean, variance := op.Stats()
	b.param(o.Name + ".running_mean").buffer = mean.(*tensor.Dense)
	b.param(o.Name + ".running_var").buffer = variance.(*tensor.Dense)
	return y
}

// layerNorm normalises rows [R, D] over D by their biased variance.
func (b *builder) layerNorm(o workloads.Op, x *G.Node) *G.Node {
	if x.Dims() != 2 || x.Shape()[0] == 1 || x.Shape()[1] == 1 {
		b.unsupported("layernorm of shape %v with %d examples: built from Gorgonia's broadcasts, which need rows and columns", o.Shape, b.graph.batch)
	}
	d := x.Shape()[1]
	over := []byte{1}
	centred := b.do(G.BroadcastSub(x, b.do(G.Mean(x, 1)), nil, over))
	variance := b.do(G.Mean(b.do(G.Square(centred)), 1))
	deviation := b.do(G.Sqrt(b.do(G.Add(variance, b.constant(o.Attr.Epsilon)))))
	y := b.do(G.BroadcastHadamardDiv(centred, deviation, nil, over))
	y = b.do(G.BroadcastHadamardProd(y, b.some(o.Name+".weight", 0, d), nil, []byte{0}))
	return b.do(G.BroadcastAdd(y, b.some(o.Name+".bias", 0, d), nil, []byte{0}))
}
