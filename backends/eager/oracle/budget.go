package oracle

import (
	"context"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/dlbench/dlbench/backends/eager"
	"github.com/dlbench/dlbench/workloads"
)

// arithmetic is a precision that budgets are made for.
type arithmetic struct {
	precision workloads.Precision
	unit      float64 // unit roundoff of what is stored
	floor     float64 // least Budget.Floor; 0 is none
	amplifier float64 // of the noise, in units
	mixed     bool    // parameters, running statistics and optimizer state are float32, and products sum in it
	subnormal float64 // half of the smallest number, where gradients and activations come near it
	sums      float64 // growth of the error of a sum, in units times the root of its terms
}

// arithmetics lists the precisions with budgets, the finest first.
var arithmetics = []arithmetic{
	{precision: workloads.F64, unit: 0x1p-53, amplifier: 16},
	{precision: workloads.F32, unit: single, amplifier: 16, floor: 0x1p-36},
	{precision: workloads.TF32, unit: 0x1p-11, amplifier: mixedAmplifier, mixed: true},
	{precision: workloads.F16Mix, unit: 0x1p-11, amplifier: mixedAmplifier, mixed: true, subnormal: 0x1p-25, sums: sumGrowth},
	{precision: workloads.BF16Mix, unit: 0x1p-8, amplifier: mixedAmplifier, mixed: true, sums: sumGrowth},
	{precision: workloads.F16, unit: 0x1p-11, amplifier: mixedAmplifier, mixed: true, subnormal: 0x1p-25},
	{precision: workloads.BF16, unit: 0x1p-8, amplifier: mixedAmplifier, mixed: true},
}

const single = 0x1p-24 // unit roundoff of float32

// Precisions lists what a program in this mode can have a budget for.
func Precisions(mode workloads.Mode) []workloads.Precision {
	var out []workloads.Precision
	for _, a := range arithmetics {
		set := workloads.DefaultSettings()
		set.Mode, set.Precision = mode, a.precision
		if set.Validate() == nil {
			out = append(out, a.precision)
		}
	}
	return out
}

// always lists the precisions that every golden has a budget for.
var always = []workloads.Precision{workloads.F64, workloads.F32}

// floorOver raises the floor of a precision above what the next finer one may
// leave in its worst quantity. That is 1e-14 in most programs, far under the floor
// of f32, but a bias in front of a batch normalisation has the gradient 0, which
// Adam turns into a step of random sign: there float64 leaves 1e-11, and float32 1e-3.
func floorOver(finer workloads.Budget, floor float64) float64 {
	if floor == 0 {
		return 0
	}
	for _, e := range finer.Losses[:CheckSteps] {
		floor = max(floor, e)
	}
	for name, e := range finer.Tensors {
		if !strings.HasPrefix(name, "grad/") {
			floor = max(floor, e)
		}
	}
	return floor
}

// A ceiling is made by experiment, since condition differs by orders of
// magnitude between a bias and a chaotic loss after forty steps:
//
//   - The float64 engine runs a few times with noise on everything that would
//     be rounded (eager.Noise), of amplifier units of roundoff. The noise is that
//     large, and not scaled up afterwards, because the response is not linear: it
//     must find the ReLU that is nearly 0, the maximum that is nearly tied and the
//     gradient whose sign Adam will follow, as one of many frameworks will.
//   - The factors of the optimizer are disturbed too, by the two roundings that
//     they can suffer and no more: 1-beta2 has only 3 digits in common with beta2, so
//     a framework that computes 1-beta2^t in float32 is right to a part in 10^4.
//   - A tensor that answers with more than illConditioned times the noise holds
//     little but noise: the gradient of a bias in front of a batch normalisation,
//     which is 0, and what Adam makes of it. There the order of a sum decides, which
//     relative noise on its terms does not show: its ceiling is wider.
//   - The ceiling is margin times the largest response, and never under amplifier
//     units of roundoff; of a loss, those are units of 1 or of the loss, whichever
//     is larger: it is the difference of a logarithm and a logit, so a small
//     loss keeps the absolute error of a large one.
//
// Sums of up to thousands of terms in any order stray by a few tens of units,
// which sets the amplifier of f64 and f32; TF32 has a unit of 2^-11, so a factor of
// 100 is left between what f32 may do and what it must not.
//
// The 16-bit precisions sum in float32 and round what they store, by half a unit
// of the last place: an error of 1 unit at most and 0.4 in the mean. Noise of
// mixedAmplifier units, 1.2 in the mean, at every place where some framework stores
// in 16 bits stands for three such roundings in a row, as where a product, its bias
// and its activation are stored one by one. More would do more harm than good:
// at 16 units, 6 % for bf16, no training is left to compare.
//
// Gradients of biases are sums without products, and TensorFlow adds them up in 16
// bits (BiasAddGrad): what it is off grows as the root of their number, 2.1 units
// of the whole for 64 terms, 6.5 for 256, 17 for 2048 and 32 for 32768. Where the sum
// is 0, as in front of a batch normalisation, that whole is what it passes through on
// the way, the root of the number of terms times one of them, and so what noise on the terms leaves
// grows by the same factor.
const (
	mixedAmplifier = 2
	sumGrowth      = 0.4

	illConditioned = 1000
	wider          = 8
)

// experiments is how many runs with noise a program gets, and the margin over
// the largest response. The sums of a large program are longer, so its margin is
// wider; the largest programs get fewer runs, and a still wider margin in turn.
func (o *run) experiments() (runs int, margin float64) {
	switch cost := o.cost(); {
	case cost < 2e10:
		return 8, 3
	case cost < 2e11:
		return 8, 8
	}
	return 2, 12
}

// cost is the arithmetic of one run over all steps, that of the optimizer included.
func (o *run) cost() int64 { return Cell{Program: o.program, Steps: o.steps}.cost() }

// budget returns the ceilings of a precision around the exact digest.
func (o *run) budget(ctx context.Context, exact workloads.Digest, a arithmetic) (workloads.Budget, error) {
	b := workloads.Budget{Losses: make([]float64, len(exact.Losses)), Tensors: map[string]float64{}}
	scaled := a.precision == workloads.F16Mix
	if scaled {
		// In float64 the loss scale changes no bit unless it makes a step skip its update.
		skipping, err := o.digest(ctx, eager.Options{Scaled: true})
		if err != nil {
			return b, err
		}
		if !reflect.DeepEqual(skipping, exact) {
			b.Exact, exact = &skipping, skipping
		}
	}
	runs, margin := o.experiments()
	for k := range runs {
		got, err := o.digest(ctx, eager.Options{Noise: a.noise(k), Scaled: scaled})
		if err != nil {
			return b, err
		}
		for i, loss := range got.Losses {
			b.Losses[i] = max(b.Losses[i], workloads.LossError(loss, exact.Losses[i]))
		}
		for name, want := range exact.Tensors {
			b.Tensors[name] = max(b.Tensors[name], workloads.TensorError(got.Tensors[name], want))
		}
	}
	// A later loss is no better known than an earlier one of the same run: the
	// largest response so far holds, since few runs sample each step's own badly.
	var most float64
	for i, e := range b.Losses {
		most = max(most, e)
		size := math.Abs(exact.Losses[i])
		b.Losses[i] = roundUp(max(margin*most, a.amplifier*a.unit*max(size, 1)/max(size, 1e-3)))
	}
	for name, e := range b.Tensors {
		if e > min(illConditioned*a.amplifier*a.unit, 1) {
			e *= max(wider, a.sums*math.Sqrt(float64(o.terms(name))))
		}
		least := a.amplifier * a.unit
		if a.mixed && strings.HasPrefix(name, "param/") {
			least = 16 * single // the master copy is rounded as in f32
		}
		b.Tensors[name] = roundUp(max(margin*e, least))
	}
	return b, nil
}

// terms is how many numbers the gradient of a bias is the sum of; 0 for other tensors.
func (o *run) terms(tensor string) int {
	for _, op := range o.program.Ops {
		if tensor != "grad/"+op.Name+".bias" {
			continue
		}
		n := o.program.Batch / o.program.Accumulate
		switch len(op.Shape) {
		case 2: // [T,D]
			n *= op.Shape[0]
		case 3: // [C,H,W]
			n *= op.Shape[1] * op.Shape[2]
		}
		return n
	}
	return 0
}

// noise is what run k is disturbed by.
func (a arithmetic) noise(k int) eager.Noise {
	n := eager.Noise{Size: a.amplifier * a.unit, Factors: 2 * a.unit, Seed: uint64(k)}
	if a.mixed {
		n.Mixed, n.Factors, n.Least, n.Sums = true, 2*single, a.amplifier*a.subnormal, a.sums
	}
	return n
}

// roundUp keeps three digits, rounded away from zero: golden files are for reading.
func roundUp(x float64) float64 {
	v, err := strconv.ParseFloat(strconv.FormatFloat(x*1.005, 'e', 2, 64), 64)
	if err != nil || v < x {
		return x
	}
	return v
}
