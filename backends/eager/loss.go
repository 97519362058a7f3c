package eager

import (
	"math"

	"github.com/dlbench/dlbench/backends/eager/kernel"
)

// SoftmaxCrossEntropy returns scale times the sum over the examples of
// -log softmax(logits[N,K])[label], and, while recording, leaves its gradient
// on logits for Backward.
func (t *Tape[T]) SoftmaxCrossEntropy(logits *Tensor[T], labels []int32, scale float64) T {
	n, k := logits.Shape[0], logits.Shape[1]
	p := t.floats.Get(k)
	var total T
	var grad []T
	if t.recording {
		grad, _ = t.gradOf(logits)
	}
	for i := range n {
		row := logits.Data[i*k:][:k]
		top := row[0]
		for _, v := range row {
			top = max(top, v)
		}
		for j, v := range row {
			p[j] = v - top
		}
		shifted := p[labels[i]]
		kernel.Exp(p, p)
		sum := kernel.Sum(p)
		total += T(math.Log(float64(sum))) - shifted
		if grad != nil {
			to := grad[i*k:][:k]
			s := T(scale)
			for j, v := range p {
				to[j] = v / sum * s
			}
			to[labels[i]] -= s
		}
	}
	t.floats.Put(p)
	return total * T(scale)
}

// SigmoidCrossEntropy is the same for one logit and labels 0 and 1:
// max(x,0) - x*label + log(1+exp(-|x|)).
func (t *Tape[T]) SigmoidCrossEntropy(logits *Tensor[T], labels []int32, scale float64) T {
	var total T
	var grad []T
	if t.recording {
		grad, _ = t.gradOf(logits)
	}
	for i, x := range logits.Data {
		label := T(labels[i])
		total += max(x, 0) - x*label + T(math.Log1p(math.Exp(-math.Abs(float64(x)))))
		if grad != nil {
			grad[i] = (T(1/(1+math.Exp(-float64(x)))) - label) * T(scale)
		}
	}
	return total * T(scale)
}
