package calibration

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestSerial(t *testing.T) {
	for name, tc := range map[string]struct {
		x           []float64
		least, most float64 // correlation
		p           bool    // at most 0.01
	}{
		"rising":      {[]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 0.6, 1, true},
		"alternating": {[]float64{1, -1, 2, -2, 3, -3, 4, -4, 5, -5}, -1, -0.6, true},
		"no order":    {[]float64{3, 9, 1, 7, 10, 2, 5, 8, 4, 6}, -0.6, 0.3, false},
		// Ranks do not see how wild a trial is.
		"rising, one wild": {[]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 1e9}, 0.6, 1, true},
	} {
		n := serial(tc.x)
		if n == nil || n.Correlation < tc.least || n.Correlation > tc.most || (n.P <= 0.01) != tc.p {
			t.Errorf("%s: %+v, expected a correlation of %g to %g", name, n, tc.least, tc.most)
		}
	}
	// By hand: deviations -1, 0, 1 in this order give (0 + 0) / 2.
	if n := serial([]float64{1, 2, 3}); n.Correlation != 0 {
		t.Errorf("of three in order: %+v, expected 0", n)
	}
	if n := serial([]float64{2, 2, 2, 2, 2, 2, 2}); n != nil {
		t.Errorf("of ratios that never differ: %+v", n)
	}
}

// Its p is as frequent as it says where the order means nothing, with heavy tails
// too.
func TestSerialChance(t *testing.T) {
	const samples = 400
	random := rand.New(rand.NewPCG(1, 4))
	low := 0
	for range samples {
		x := make([]float64, 20)
		for i := range x {
			x[i] = random.NormFloat64() / math.Abs(random.NormFloat64())
		}
		if serial(x).P <= 0.05 {
			low++
		}
	}
	near(t, "share of p at or below 0.05", float64(low)/samples, 0.05, 0.03)
}
