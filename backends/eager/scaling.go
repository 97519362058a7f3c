package eager

import (
	"math"

	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/workloads"
)

// scaler is the dynamic loss scale of f16-mixed (Micikevicius et al., Mixed
// Precision Training, 2018, arXiv:1710.03740), as torch.amp.GradScaler with
// init_scale workloads.InitialLossScale and growth_interval
// workloads.LossScaleInterval: a step whose gradients are not all finite makes no
// update and halves the scale; after so many updates in a row it doubles.
type scaler struct {
	scale float64
	good  int // updates since the scale last changed
}

func newScaler() *scaler { return &scaler{scale: workloads.InitialLossScale} }

// after takes account of a step whose gradients were finite or not.
func (s *scaler) after(finite bool) {
	if !finite {
		s.scale, s.good = s.scale/2, 0
		return
	}
	if s.good++; s.good == workloads.LossScaleInterval {
		s.scale, s.good = 2*s.scale, 0
	}
}

// leastScale is where a search for a scale without overflow ends: gradients that
// are not finite then never will be.
const leastScale = 0x1p-40

// unscale divides the gradients by the loss scale and reports whether all are
// finite, and, in the oracle, whether float16 would have held them. They are
// then as they came.
func (e *engine[T]) unscale(scale float64) (finite bool) {
	f := &e.tape.hooks.faults
	finite = !e.overflow && allFinite(e.grads)
	if f.keepInfinite && !finite {
		for i, g := range e.grads {
			if g-g != 0 {
				e.grads[i] = 0
			}
		}
		finite = true
	}
	if finite && !f.keepScale {
		by := T(1 / scale)
		parallel(e.tape, len(e.grads), pointGrain, scaleLoop[T]{e.grads, by})
	}
	return finite
}

type scaleLoop[T kernel.Float] struct {
	x  []T
	by T
}

func (l *scaleLoop[T]) run(_, from, to int) { kernel.Scale(l.x[from:to], l.by) }

// allFinite reports whether no element is NaN or infinite.
func allFinite[T kernel.Float](x []T) bool {
	for _, v := range x {
		if v-v != 0 {
			return false
		}
	}
	return true
}

// overflowF16 is from where on a number is rounded to the infinity of float16:
// half a step beyond its largest number, 65504.
const overflowF16 = 65520

// watchOverflow makes the engine notice gradients that float16 cannot hold: the
// oracle's account of f16-mixed, in which nothing is rounded.
func (e *engine[T]) watchOverflow() {
	inner := e.tape.hooks.grad
	e.tape.hooks.grad = func(x []T) {
		if inner != nil {
			inner(x)
		}
		for _, v := range x {
			if !(math.Abs(float64(v)) < overflowF16) {
				e.overflow = true
				return
			}
		}
	}
}
