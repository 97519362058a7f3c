package eager

import (
	"math"

	"github.com/dlbench/dlbench/backends/eager/kernel"
)

// SoftmaxCrossEntropy returns scale times the sum over the examples of
// -log softmax(logits[N,K])[label], and, while recording, leaves its gradient,
// times the tape's gain, on logits for Backward. It is computed in full width in
// every format.
func (t *Tape[T]) SoftmaxCrossEntropy(logits *Tensor[T], labels []int32, scale float64) T {
	n, k := logits.Shape[0], logits.Shape[1]
	p, xs := t.floats.Get(k), t.read(logits, 0, n*k)
	var total T
	var g gradient[T]
	var grad []T
	if t.recording {
		g = t.gradientOf(logits)
		grad = t.gradRoom(g, 0, n*k)
	}
	for i := range n {
		row := xs[i*k:][:k]
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
			s := T(scale) * t.gain
			for j, v := range p {
				to[j] = v / sum * s
			}
			to[labels[i]] -= s
		}
	}
	t.floats.Put(p)
	t.done(logits, xs)
	if grad != nil {
		t.keepGrad(g, 0, grad)
	}
	return total * T(scale)
}

// SigmoidCrossEntropy is the same for one logit and labels 0 and 1:
// max(x,0) - x*label + log(1+exp(-|x|)).
func (t *Tape[T]) SigmoidCrossEntropy(logits *Tensor[T], labels []int32, scale float64) T {
	var total T
	var g gradient[T]
	var grad []T
	xs := t.read(logits, 0, logits.len())
	if t.recording {
		g = t.gradientOf(logits)
		grad = t.gradRoom(g, 0, len(xs))
	}
	for i, x := range xs {
		label := T(labels[i])
		total += max(x, 0) - x*label + T(math.Log1p(math.Exp(-math.Abs(float64(x)))))
		if grad != nil {
			grad[i] = (T(1/(1+math.Exp(-float64(x)))) - label) * T(scale) * t.gain
		}
	}
	t.done(logits, xs)
	if grad != nil {
		t.keepGrad(g, 0, grad)
	}
	return total * T(scale)
}
