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
	xs := t.read(logits, 0, n*k)
	top, sum := t.floats.Get(n), t.floats.Get(n)
	var g gradient[T]
	var p []T // softmax, then the gradient
	if t.recording {
		g = t.gradientOf(logits)
		p = t.gradRoom(g, 0, n*k)
	} else {
		p = t.floats.Get(n * k)
	}
	gain := T(scale) * t.gain
	kernel.SoftmaxRows(p, xs, top, sum, k, 1, gain)
	var total T
	for i := range n {
		at := i*k + int(labels[i])
		total += T(math.Log(float64(sum[i]))) - (xs[at] - top[i])
		p[at] -= gain
	}
	if t.recording {
		t.keepGrad(g, 0, p)
	} else {
		t.floats.Put(p)
	}
	t.floats.Put(top)
	t.floats.Put(sum)
	t.done(logits, xs)
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
