package half

import (
	"math"
	"slices"
	"testing"
)

// The vector loops and the portable ones agree on every number of 16 bits, on
// float32 numbers of all kinds, and at every length and alignment.
func TestVectorsAgree(t *testing.T) {
	if !useVectors {
		t.Skip("this machine has no vector loops for this")
	}
	defer func() { useVectors = true }()
	var narrow []uint16
	for h := range 1 << 16 {
		narrow = append(narrow, uint16(h))
	}
	var wide []float32
	for u := uint64(0); u < 1<<32; u += 4099 {
		wide = append(wide, math.Float32frombits(uint32(u)))
	}
	both := func(f func()) {
		useVectors = true
		f()
		useVectors = false
		f()
	}
	for _, l := range layouts {
		var widened [][]float32
		both(func() {
			dst := make([]float32, len(narrow))
			l.format.Widen(dst, narrow)
			widened = append(widened, dst)
		})
		for i, a := range widened[0] {
			if b := widened[1][i]; a != b && (a == a || b == b) || math.Signbit(float64(a)) != math.Signbit(float64(b)) {
				t.Fatalf("%s %#04x is %v by vectors, %v without", l.format, i, a, b)
			}
		}
		for _, v := range [][]float32{wide, widened[0]} {
			var narrowed [][]uint16
			both(func() {
				dst := make([]uint16, len(v))
				l.format.Narrow(dst, v)
				narrowed = append(narrowed, dst)
			})
			for i, a := range narrowed[0] {
				if b := narrowed[1][i]; a != b {
					t.Fatalf("%s: %v (%#08x) gives %#04x by vectors, %#04x without", l.format, v[i], math.Float32bits(v[i]), a, b)
				}
			}
		}
		for from := range 9 {
			for n := range 40 {
				var got [][]uint16
				var rounded [][]float32
				both(func() {
					dst := make([]uint16, 60)
					l.format.Narrow(dst[from:], wide[700_000+from:][:n])
					got = append(got, dst)
					x := slices.Clone(wide[300_000:][:60])
					l.format.Round(x[from:][:n])
					rounded = append(rounded, x)
				})
				if !slices.Equal(got[0], got[1]) || !slices.Equal(rounded[0], rounded[1]) {
					t.Fatalf("%s: %d elements from %d on differ", l.format, n, from)
				}
			}
		}
	}
}
