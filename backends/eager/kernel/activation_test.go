package kernel

import (
	"math"
	"testing"
)

// ulps is the distance of got from want in units of want's last place.
func ulps(got float32, want float64) float64 {
	w := float32(want)
	if got == w {
		return 0
	}
	ulp := float64(math.Nextafter32(float32(math.Abs(want)), math.MaxFloat32)) - float64(float32(math.Abs(want)))
	return math.Abs(float64(got)-want) / ulp
}

func TestExpAndTanhAreAccurate(t *testing.T) {
	worstExp, worstTanh := 0.0, 0.0
	for x := float32(-87); x < 88; x += 0.00137 {
		worstExp = max(worstExp, ulps(exp32(x), math.Exp(float64(x))))
	}
	for x := float32(-10); x < 10; x += 0.000173 {
		worstTanh = max(worstTanh, ulps(tanh32(x), math.Tanh(float64(x))))
	}
	if !(worstExp < 2) || !(worstTanh < 3) {
		t.Errorf("worst error in ulp: exp %.2f, tanh %.2f; want under 2 and 3", worstExp, worstTanh)
	}
}

func TestActivationsAtTheEnds(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, c := range []struct {
		name      string
		got, want float32
	}{
		{"exp(inf)", exp32(inf), inf},
		{"exp(-inf)", exp32(-inf), 0},
		{"exp(0)", exp32(0), 1},
		{"exp(-100)", exp32(-100), float32(math.Exp(-100))},
		{"exp(88.7)", exp32(88.7), float32(math.Exp(float64(float32(88.7))))},
		{"tanh(inf)", tanh32(inf), 1},
		{"tanh(-inf)", tanh32(-inf), -1},
		{"tanh(0)", tanh32(0), 0},
	} {
		if math.Abs(float64(c.got-c.want)) > 1e-6*math.Abs(float64(c.want)) {
			t.Errorf("%s = %v, want %v", c.name, c.got, c.want)
		}
	}
	x := []float32{nan, inf, -inf, 0}
	y := make([]float32, 4)
	ReLU(y, x)
	if y[0] == y[0] || y[1] != inf || y[2] != 0 {
		t.Errorf("ReLU(NaN, inf, -inf) = %v", y)
	}
	if v := exp32(nan); v == v {
		t.Error("exp(NaN) is a number")
	}
	if v := tanh32(nan); v == v {
		t.Error("tanh(NaN) is a number")
	}
}

func TestSoftmaxSumsToOne(t *testing.T) {
	for _, x := range [][]float64{{1, 2, 3}, {1000, 1000}, {-1000, 0}, {5}} {
		Softmax(x)
		if s := Sum(x); math.Abs(s-1) > 1e-15 {
			t.Errorf("softmax sums to %v", s)
		}
	}
}
