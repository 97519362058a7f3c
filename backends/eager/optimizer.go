package eager

import (
	"math"

	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/workloads"
)

// Where Adam's epsilon stands (the dialect "adam-epsilon").
const (
	epsilonCorrected   = "corrected"   // rate * m^ / (sqrt(v^) + epsilon): algorithm 1 of the paper
	epsilonUncorrected = "uncorrected" // rate * sqrt(1-beta2^t)/(1-beta1^t) * m / (sqrt(v) + epsilon): the form before section 2.1, as TensorFlow 1
)

// optimizer updates all trainable parameters, which lie in one slice.
type optimizer[T kernel.Float] struct {
	op       workloads.Op
	dialect  string
	m, v     []T // SGD: m is the velocity; Adam: first and second moment
	t        int // updates made
	dampened bool
	round    func(float64) float64 // what an arithmetic makes of a factor
}

func newOptimizer[T kernel.Float](op workloads.Op, n int, dialect string, f faults, round func(float64) float64) *optimizer[T] {
	for _, x := range []*float64{&op.Attr.Rate, &op.Attr.Momentum, &op.Attr.Beta1, &op.Attr.Beta2, &op.Attr.Epsilon} {
		*x = round(*x)
	}
	o := &optimizer[T]{op: op, dialect: dialect, m: make([]T, n), dampened: f.dampening, round: round}
	if op.Op == workloads.OptAdam {
		o.v = make([]T, n)
	}
	switch f.adam {
	case "none":
		o.dialect = "none"
	case "other":
		if o.dialect == epsilonUncorrected {
			o.dialect = epsilonCorrected
		} else {
			o.dialect = epsilonUncorrected
		}
	}
	return o
}

// reset forgets all state.
func (o *optimizer[T]) reset() {
	clear(o.m)
	clear(o.v)
	o.t = 0
}

// step updates params from grads.
func (o *optimizer[T]) step(t *Tape[T], params, grads []T) {
	o.t++
	a := o.op.Attr
	if o.op.Op == workloads.OptSGD {
		gain := 1.0
		if o.dampened {
			gain = 1 - a.Momentum
		}
		parallel(t, len(params), pointGrain, momentumLoop[T]{params, grads, o.m, a.Rate, a.Momentum, gain})
		return
	}
	s := kernel.AdamStep{Beta1: a.Beta1, Beta2: a.Beta2, Rate: a.Rate, Root: 1, Epsilon: a.Epsilon}
	c1 := 1 - o.round(math.Pow(a.Beta1, float64(o.t)))
	c2 := math.Sqrt(1 - o.round(math.Pow(a.Beta2, float64(o.t))))
	switch o.dialect {
	case epsilonCorrected:
		s.Rate, s.Root = a.Rate/c1, 1/c2
	case epsilonUncorrected:
		s.Rate = a.Rate * c2 / c1
	}
	parallel(t, len(params), pointGrain, adamLoop[T]{params, grads, o.m, o.v, s})
}

type momentumLoop[T kernel.Float] struct {
	params, grads, v     []T
	rate, momentum, gain float64
}

func (l *momentumLoop[T]) run(_, i, j int) {
	kernel.Momentum(l.params[i:j], l.grads[i:j], l.v[i:j], l.rate, l.momentum, l.gain)
}

type adamLoop[T kernel.Float] struct {
	params, grads, m, v []T
	step                kernel.AdamStep
}

func (l *adamLoop[T]) run(_, i, j int) {
	kernel.Adam(l.params[i:j], l.grads[i:j], l.m[i:j], l.v[i:j], l.step)
}
