package harness

import (
	"math/rand/v2"
	"testing"
)

func TestSteady(t *testing.T) {
	for _, tc := range []struct {
		name string
		ns   []int64
		want bool
	}{
		{"too few blocks", []int64{10, 10, 10, 10, 10, 10, 10, 10, 10}, false},
		{"constant", []int64{10, 10, 10, 10, 10, 10, 10, 10, 10, 10}, true},
		{"still falling", []int64{200, 190, 180, 170, 160, 120, 110, 108, 106, 104}, false},
		{"a step between the windows", []int64{150, 151, 149, 150, 150, 100, 101, 99, 100, 100}, false},
		{"a step up", []int64{100, 101, 99, 100, 100, 150, 151, 149, 150, 150}, false},
		{"one slow block is not a change", []int64{100, 101, 99, 100, 102, 100, 101, 900, 99, 100}, true},
		{"only the end counts", []int64{900, 800, 700, 600, 500, 100, 101, 99, 100, 102, 100, 101, 100, 99, 100}, true},
		{"four per cent", []int64{100, 100, 100, 100, 100, 104, 104, 104, 104, 104}, true},
		{"six per cent without scatter", []int64{100, 100, 100, 100, 100, 106, 106, 106, 106, 106}, false},
		{"a clock that stands still", make([]int64, 10), false},
	} {
		if got := steady(tc.ns); got != tc.want {
			t.Errorf("%s: steady(%v) = %v, want %v", tc.name, tc.ns, got, tc.want)
		}
	}
}

// Noise alone must not keep a warm-up going for ever: with 27 % scatter within
// a process (the median measured for two-thread PyTorch) most windows agree.
func TestSteadyToleratesScatter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	reached := 0
	for range 200 {
		ns := make([]int64, 10)
		for i := range ns {
			ns[i] = int64(1e6 * (1 + 0.27*rng.NormFloat64()/2))
		}
		if steady(ns) {
			reached++
		}
	}
	if reached < 140 {
		t.Errorf("steady in %d of 200 stationary series, want at least 140", reached)
	}
}
