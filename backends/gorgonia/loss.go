package gorgonia

import (
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/dlbench/dlbench/workloads"
)

// loss adds the mean loss over the micro-batch, from logits z [batch, K].
//
// Softmax cross-entropy is -log softmax(z)[label], with the logarithm taken
// inside (LogSoftMax along an inner axis subtracts the row's maximum); labels
// enter as one-hot rows. Sigmoid cross-entropy is softplus(z) - label*z.
func (b *builder) loss(z *G.Node) *G.Node {
	b.at = b.p.Loss.Op
	shape := append(z.Shape(), 1)
	if b.p.Loss.Op == workloads.LossSigmoid {
		shape = z.Shape()
	}
	b.graph.labels = b.input("y", b.graph.dt, shape)
	count := b.constant(float64(b.graph.batch))
	switch b.p.Loss.Op {
	case workloads.LossSoftmax:
		logs := b.do(G.LogSoftMax(b.do(G.Reshape(z, shape)), 1))
		sum := b.do(G.Sum(b.do(G.HadamardProd(logs, b.graph.labels))))
		return b.do(G.HadamardDiv(b.do(G.Neg(sum)), count))
	case workloads.LossSigmoid:
		each := b.do(G.Sub(b.do(G.Softplus(z)), b.do(G.HadamardProd(b.graph.labels, z))))
		return b.do(G.HadamardDiv(b.do(G.Sum(each)), count))
	}
	b.unsupported("loss %q", b.p.Loss.Op)
	return nil
}

// labelTensor holds labels as the loss reads them.
func (c *chain) labelTensor(loss string, labels []int32) *tensor.Dense {
	t := tensor.New(tensor.Of(c.dt), tensor.WithShape(c.labels[0].Shape()...))
	for i, y := range labels {
		if loss == workloads.LossSigmoid {
			set(t, i, float64(y))
		} else {
			set(t, i*c.labels[0].Shape()[1]+int(y), 1)
		}
	}
	return t
}

// lossOf is the mean loss of logits [len(labels), K], for inference, where the
// loss is no part of the timed graph.
func lossOf(loss string, logits []float64, labels []int32) float64 {
	k := len(logits) / len(labels)
	var sum float64
	for i, y := range labels {
		row := logits[i*k : (i+1)*k]
		if loss == workloads.LossSigmoid {
			z := row[0]
			sum += max(z, 0) + math.Log1p(math.Exp(-math.Abs(z))) - float64(y)*z
			continue
		}
		top := row[0]
		for _, z := range row {
			top = max(top, z)
		}
		var total float64
		for _, z := range row {
			total += math.Exp(z - top)
		}
		sum += top + math.Log(total) - row[y]
	}
	return sum / float64(len(labels))
}
