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
	Masks    uint64   // added to the seed of the dropout masks
	Mutation Mutation // a mistake
}

// Noise multiplies every loaded parameter and input, every output and gradient
// of an op, and every parameter after each update by 1+Size*x with x uniform in
// [-1,1]: what storage with a relative spacing of Size does at worst, at random
// instead of by rounding. Zeros stay zero. Size 0 is no noise.
//
// Factors does the same to the optimizer's attributes, once, and to the powers
// of beta1 and beta2 at each step.
type Noise struct {
	Size    float64
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
	scale := n.Size * math.Exp2(-62)
	return func(x []T) {
		for i, v := range x {
			state += 0x9E3779B97F4A7C15
			x[i] = v + v*T(scale*float64(int64(mix(state))>>1))
		}
	}
}
