package eager

import (
	"fmt"
	"math"
	"strings"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager/kernel"
)

// Options vary the engine for the oracle and for tests of the proof of same
// work. The zero Options are the plain backend.
type Options struct {
	Dialect  string   // "" or "adam-epsilon=uncorrected"
	Noise    Noise    // rounding of a coarser arithmetic, by chance
	Scaled   bool     // the dynamic loss scale of f16-mixed, simulated in the precision of the job
	Masks    uint64   // added to the seed of the dropout masks
	Mutation Mutation // a mistake
}

// Noise multiplies every loaded parameter and input, every output and gradient
// of an op, and every parameter after each update by 1+Size*x with x uniform in
// [-1,1]: what storage with a relative spacing of Size does at worst, at random
// instead of by rounding. Zeros stay zero. Size 0 is no noise.
//
// Mixed is noise of mixed precision: parameters are disturbed as ops read them,
// anew for each pass, and as they are kept they stay exact, as do running
// statistics. What composed ops pass on inside is disturbed as well: the gates,
// cells and hidden states of LSTM at each step and the weights of attention, which
// frameworks store in 16 bits, and their gradients.
//
// Sums disturbs the gradients of biases and their like, which are sums without
// products, on top, by Sums*Size times the root of the number of terms: some
// frameworks add such gradients up in 16 bits.
//
// Least is added on top, times the same x: the absolute error of numbers that
// are subnormal in the format.
//
// Factors does the same as Size to the optimizer's attributes, once, and to the
// powers of beta1 and beta2 at each step.
type Noise struct {
	Size    float64
	Least   float64
	Mixed   bool
	Sums    float64
	Factors float64
	Seed    uint64
}

// factors returns a function that disturbs one factor of the optimizer.
func (n Noise) factors() func(float64) float64 {
	if n.Factors == 0 {
		return func(x float64) float64 { return x }
	}
	state := mix(^n.Seed)
	return func(x float64) float64 {
		state += 0x9E3779B97F4A7C15
		return x + x*n.Factors*math.Exp2(-62)*float64(int64(mix(state))>>1)
	}
}

// NewWith returns a backend that follows o.
func NewWith(o Options) backends.Backend { return &backend{options: o} }

// NewMutant is New with one mistake in it, for tests of the proof of same work.
func NewMutant(m Mutation) backends.Backend { return NewWith(Options{Mutation: m}) }

// epsilon is the form of Adam that the dialect names.
func (o Options) epsilon() (string, error) {
	switch value, named := strings.CutPrefix(o.Dialect, "adam-epsilon="); {
	case o.Dialect == "":
		return epsilonCorrected, nil
	case named && (value == epsilonCorrected || value == epsilonUncorrected):
		return value, nil
	}
	return "", fmt.Errorf("dialect %q: expected adam-epsilon=%s or adam-epsilon=%s", o.Dialect, epsilonCorrected, epsilonUncorrected)
}

// noiseOf returns the function that disturbs a slice in place, nil without noise.
func noiseOf[T kernel.Float](n Noise) func([]T) {
	if n.Size == 0 {
		return nil
	}
	state := mix(n.Seed + 0x9E3779B97F4A7C15)
	scale, least := n.Size*math.Exp2(-62), n.Least*math.Exp2(-62)
	if n.Least > 0 {
		return func(x []T) {
			for i, v := range x {
				state += 0x9E3779B97F4A7C15
				if v != 0 {
					x[i] = v + T((scale*math.Abs(float64(v))+least)*float64(int64(mix(state))>>1))
				}
			}
		}
	}
	return func(x []T) {
		for i, v := range x {
			state += 0x9E3779B97F4A7C15
			x[i] = v + v*T(scale*float64(int64(mix(state))>>1))
		}
	}
}

// sumNoise returns the function that disturbs the gradient of a vector which
// is a sum of so many terms; nil without such noise. What is off in such a sum
// depends on its terms, not on what is left of them: it is relative to the whole
// vector. Zeros stay zero.
func sumNoise[T kernel.Float](n Noise) func(grad []T, terms int) {
	if n.Sums == 0 {
		return nil
	}
	state := mix(n.Seed ^ 0xD1B54A32D192ED03)
	return func(grad []T, terms int) {
		var squares float64
		for _, g := range grad {
			squares += float64(g) * float64(g)
		}
		size := n.Sums * n.Size * math.Sqrt(float64(terms)*squares/float64(len(grad))) * math.Exp2(-62)
		for i, g := range grad {
			state += 0x9E3779B97F4A7C15
			if g != 0 {
				grad[i] = g + T(size*float64(int64(mix(state))>>1))
			}
		}
	}
}
