package half

import (
	"math"
	"testing"
)

// layout is what IEEE 754 says of a format.
type layout struct {
	format   Format
	mantissa int // stored bits
	bias     int
}

var layouts = []layout{{BF16, 7, 127}, {F16, 10, 15}}

// value is what the bits h mean, by the definition.
func (l layout) value(h uint16) float64 {
	sign := 1.0
	if h&0x8000 != 0 {
		sign = -1
	}
	top := 1<<(15-l.mantissa) - 1
	exponent, fraction := int(h&0x7fff)>>l.mantissa, float64(int(h)&(1<<l.mantissa-1))
	switch exponent {
	case top:
		if fraction != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	case 0:
		return math.Copysign(math.Ldexp(fraction, 1-l.bias-l.mantissa), sign)
	}
	return sign * math.Ldexp(fraction+math.Ldexp(1, l.mantissa), exponent-l.bias-l.mantissa)
}

// nearest rounds x by the definition: to the number of the format that is
// nearest, of two the one whose last bit is 0, by bisection over all numbers.
func (l layout) nearest(x float64) uint16 {
	var sign uint16
	if math.Signbit(x) {
		sign = 0x8000
	}
	infinity := uint16(1<<(15-l.mantissa)-1) << l.mantissa
	x = math.Abs(x)
	low, high := uint16(0), infinity
	for high-low > 1 {
		if mid := low + (high-low)/2; l.value(mid) <= x {
			low = mid
		} else {
			high = mid
		}
	}
	// What would follow the largest number stands in for infinity.
	above := l.value(high)
	if high == infinity {
		above = 2*l.value(infinity-1) - l.value(infinity-2)
	}
	below := l.value(low)
	if x-below > above-x || x-below == above-x && low&1 == 1 {
		return sign | high
	}
	return sign | low
}

// widen and narrow convert one number as the first of eight, for which there are
// vector loops.
func widen(f Format, h uint16) float32 {
	var x [8]float32
	f.Widen(x[:], []uint16{h, 0, 0, 0, 0, 0, 0, 0})
	return x[0]
}

func narrow(f Format, v float32) uint16 {
	var h [8]uint16
	f.Narrow(h[:], []float32{v, 0, 0, 0, 0, 0, 0, 0})
	return h[0]
}

func TestAllValues(t *testing.T) {
	for _, l := range layouts {
		for i := range 1 << 16 {
			h := uint16(i)
			got, want := widen(l.format, h), l.value(h)
			if math.IsNaN(want) {
				if got == got || narrow(l.format, got)&0x7fff <= l.nearest(math.Inf(1)) {
					t.Fatalf("%s %#04x: NaN became %v, and %#04x", l.format, h, got, narrow(l.format, got))
				}
				continue
			}
			if float64(got) != want || math.Signbit(float64(got)) != math.Signbit(want) {
				t.Fatalf("%s %#04x is %v, want %v", l.format, h, got, want)
			}
			if back := narrow(l.format, got); back != h {
				t.Fatalf("%s %#04x came back as %#04x", l.format, h, back)
			}
		}
	}
}

// Between each two neighbours: the middle, and what is next to it on both sides.
func TestTies(t *testing.T) {
	for _, l := range layouts {
		for i := range 0x7fff {
			h := uint16(i)
			if math.IsNaN(l.value(h+1)) || math.IsInf(l.value(h), 0) {
				break
			}
			above := l.value(h + 1)
			if math.IsInf(above, 0) {
				above = 2*l.value(h) - l.value(h-1)
			}
			middle := float32((l.value(h) + above) / 2)
			for _, v := range []float32{middle, math.Nextafter32(middle, 0), math.Nextafter32(middle, float32(math.Inf(1)))} {
				for _, v := range []float32{v, -v} {
					if got, want := narrow(l.format, v), l.nearest(float64(v)); got != want {
						t.Fatalf("%s: %v gives %#04x, want %#04x", l.format, v, got, want)
					}
				}
			}
		}
	}
}

func TestEnds(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		format Format
		in     float32
		want   uint16
	}{
		{F16, 65504, 0x7bff}, {F16, 65519.996, 0x7bff}, {F16, 65520, 0x7c00}, {F16, 1e30, 0x7c00}, {F16, -65520, 0xfc00}, {F16, inf, 0x7c00}, {F16, -inf, 0xfc00},
		{F16, 0x1p-24, 1}, {F16, 0x1p-25, 0}, {F16, 0x1.000002p-25, 1}, {F16, -0x1p-26, 0x8000}, {F16, 1e-45, 0},
		{BF16, math.MaxFloat32, 0x7f80}, {BF16, 3.3895314e38, 0x7f7f}, {BF16, inf, 0x7f80}, {BF16, -inf, 0xff80}, {BF16, 1e-45, 0},
		{BF16, math.Float32frombits(0x7f800001), 0x7fc0},
	} {
		if got := narrow(c.format, c.in); got != c.want {
			t.Errorf("%s: %v gives %#04x, want %#04x", c.format, c.in, got, c.want)
		}
	}
}

func FuzzNarrow(f *testing.F) {
	for _, u := range []uint32{0, 1, 0x80000000, 0x33000000, 0x33000001, 0x38800000, 0x387fffff, 0x477fefff, 0x477ff000, 0x47800000, 0x7f800000, 0x7f800001, 0x7f7fffff, 0x3f808000, 0x3f818000} {
		f.Add(u)
	}
	f.Fuzz(func(t *testing.T, u uint32) {
		v := math.Float32frombits(u)
		for _, l := range layouts {
			h := narrow(l.format, v)
			if v != v {
				if w := widen(l.format, h); w == w {
					t.Errorf("%s: NaN %#08x gives %#04x", l.format, u, h)
				}
				continue
			}
			if want := l.nearest(float64(v)); h != want {
				t.Errorf("%s: %v (%#08x) gives %#04x, want %#04x", l.format, v, u, h, want)
			}
			x := []float32{v}
			if l.format.Round(x); x[0] != widen(l.format, h) {
				t.Errorf("%s: %v is rounded to %v, want %v", l.format, v, x[0], widen(l.format, h))
			}
		}
	})
}

// The definition holds without the vector loops too.
func TestPortable(t *testing.T) {
	defer func(before bool) { useVectors = before }(useVectors)
	useVectors = false
	TestAllValues(t)
	TestTies(t)
	TestEnds(t)
}

func BenchmarkConversion(b *testing.B) {
	x, h := make([]float32, 1<<14), make([]uint16, 1<<14)
	for i := range x {
		x[i] = float32(math.Sin(float64(i)))
	}
	for _, l := range layouts {
		b.Run("narrow/"+l.format.String(), func(b *testing.B) {
			b.SetBytes(4 << 14)
			for b.Loop() {
				l.format.Narrow(h, x)
			}
		})
		b.Run("widen/"+l.format.String(), func(b *testing.B) {
			b.SetBytes(4 << 14)
			for b.Loop() {
				l.format.Widen(x, h)
			}
		})
	}
}
