package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Where magnitudes differ, errors are at most 8 units in the last place of what the
// window could add up to: each channel's largest pixel under it times all magnitudes
// of its filter. What the position's own products add up to is no bound for them.
func TestWinogradErrorsAreOfTheWindow(t *testing.T) {
	needsVectors(t, best32)
	const side, c = 6, 16
	w := &Window{H: side, W: side, C: c, F: 16, Kernel: 3, Stride: 1, Pad: 1}
	m := New[float32](threads(t, 1))
	m.way = always
	run := func(x, weight []float32) []float32 {
		filters, y := make([]float32, m.FiltersLen(w)), make([]float32, w.Len())
		m.PackFilters(weight, filters, w)
		m.Conv(1, x, filters, y, w, Epilogue[float32]{})
		return y
	}
	r := rand.New(rand.NewPCG(73, 74))
	spread := func(n int) []float32 {
		x := randoms[float32](r, n)
		for i := range x {
			x[i] = float32(math.Ldexp(float64(x[i]), r.IntN(40)-20))
		}
		return x
	}
	var window, products float64 // most units, of both sums
	for range 20 {
		x, weight := spread(w.In()), spread(w.weights())
		for i, v := range run(x, weight) {
			f, ox, oy := i%w.F, i/w.F%side, i/w.F/side
			var exact, own, all float64
			for k := range c {
				var pixel, filter float64
				for tap := range 9 {
					g := float64(weight[(tap*c+k)*w.F+f])
					filter += math.Abs(g)
					if yy, xx := oy+tap/3-1, ox+tap%3-1; yy >= 0 && yy < side && xx >= 0 && xx < side {
						d := float64(x[(yy*side+xx)*c+k])
						pixel = max(pixel, math.Abs(d))
						exact, own = exact+d*g, own+math.Abs(d*g)
					}
				}
				all += pixel * filter
			}
			d := math.Abs(float64(v)-exact) / roundoff[float32]()
			window, products = max(window, d/all), max(products, d/own)
		}
	}
	t.Logf("units: of the window %.2g, of the products %.2g", window, products)
	if !(window <= 8) {
		t.Errorf("errors of %v units", window)
	}

	// The example in winograd.go.
	x, weight := make([]float32, w.In()), make([]float32, w.weights())
	x[(side+1)*c], x[(3*side+1)*c], weight[0] = 1, 1e8, 1 // pixels 1,1 and 3,1; tap 0,0
	position := (2*side + 2) * w.F                        // 2,2, whose window begins at pixel 1,1
	for way, want := range map[choice]float32{never: 1, always: 0} {
		m.way = way
		if got := run(x, weight)[position]; got != want {
			t.Errorf("way %v: beside a pixel of 1e8 a sum of 1 is %v, want %v", way, got, want)
		}
	}
}
