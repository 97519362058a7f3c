//go:build amd64 && !purego

package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// The vector loops and the portable ones give the same bits: all lengths
// around the vectors', NaN, infinity, zeros of both signs and subnormals.
func TestVectorLoopsMatchPortable(t *testing.T) {
	if !useAVX2 {
		t.Skip("this processor has no AVX2 and FMA: there is one path only")
	}
	vectorLoops[float32](t)
	vectorLoops[float64](t)
}

func vectorLoops[T Float](t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	odd := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), 1e-40, -1e-40, 5e-324, 1e-300, 1e-20, -1e-20}
	fill := func(n int) []T {
		x := make([]T, n)
		for i := range x {
			if x[i] = T(r.NormFloat64()); r.IntN(4) == 0 {
				x[i] = T(odd[r.IntN(len(odd))])
			}
		}
		return x
	}
	loops := map[string]func(a, b, c, d []T){
		"add":       func(a, b, _, _ []T) { Add(a, b) },
		"relu":      func(a, b, _, _ []T) { ReLU(a, b) },
		"relu-back": func(a, b, c, _ []T) { ReLUBack(a, b, c) },
		"momentum":  func(a, b, c, _ []T) { Momentum(a, b, c, 0.01, 0.9, 1) },
		"adam": func(a, b, c, d []T) {
			for i, v := range d {
				if v < 0 {
					d[i] = -v // a second moment is never negative
				}
			}
			Adam(a, b, c, d, AdamStep{Beta1: 0.9, Beta2: 0.999, Rate: 0.001, Root: 1.5, Epsilon: 1e-7})
		},
	}
	for name, run := range loops {
		for n := range 70 {
			args := [4][]T{fill(n), fill(n), fill(n), fill(n)}
			var again [4][]T
			for i, x := range args {
				again[i] = append([]T(nil), x...)
			}
			run(args[0], args[1], args[2], args[3])
			useAVX2 = false
			run(again[0], again[1], again[2], again[3])
			useAVX2 = true
			for k := range args {
				for i := range args[k] {
					if got, want := args[k][i], again[k][i]; bitsOf(got) != bitsOf(want) && !(got != got && want != want) {
						t.Fatalf("%s of %d elements: slice %d element %d is %v by vectors, %v one by one", name, n, k, i, got, want)
					}
				}
			}
		}
	}
}

func bitsOf[T Float](x T) uint64 {
	if Is32[T]() {
		return uint64(*(*uint32)(unsafe.Pointer(&x)))
	}
	return *(*uint64)(unsafe.Pointer(&x))
}
