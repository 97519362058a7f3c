// Package half converts between float32 and the two 16-bit formats of deep
// learning: bfloat16, the upper half of a float32, and the binary16 of IEEE 754.
//
// Conversions to 16 bits round to nearest, ties to even. Subnormals, zeros of
// both signs and infinities are kept, what is too large becomes an infinity,
// and NaN stays NaN.
package half

import (
	"math"
	"sync"
)

// Format is a 16-bit floating-point format.
type Format uint8

// The formats. The zero Format is none.
const (
	BF16 Format = 1 + iota // 8 bits of exponent, 7 of mantissa
	F16                    // 5 bits of exponent, 10 of mantissa
)

// String is the name of the format as dlbench's protocol has it.
func (f Format) String() string {
	switch f {
	case BF16:
		return "bf16"
	case F16:
		return "f16"
	}
	return "none"
}

// Widen sets dst[i] to the value of src[i]; both have the same length.
func (f Format) Widen(dst []float32, src []uint16) {
	done := f.widenVector(dst[:len(src)], src)
	dst, src = dst[done:len(src)], src[done:]
	if f == BF16 {
		for i, h := range src {
			dst[i] = math.Float32frombits(uint32(h) << 16)
		}
		return
	}
	if len(src) == 0 {
		return
	}
	values := valuesF16()
	for i, h := range src {
		dst[i] = values[h]
	}
}

// Narrow sets dst[i] to src[i], rounded; both have the same length.
func (f Format) Narrow(dst []uint16, src []float32) {
	done := f.narrowVector(dst[:len(src)], src)
	dst, src = dst[done:len(src)], src[done:]
	if f == BF16 {
		for i, v := range src {
			dst[i] = narrowBF16(v)
		}
		return
	}
	for i, v := range src {
		dst[i] = narrowF16(v)
	}
}

// Round rounds x in place to values that the format has.
func (f Format) Round(x []float32) {
	var buf [256]uint16
	for len(x) > 0 {
		n := min(len(x), len(buf))
		f.Narrow(buf[:n], x[:n])
		f.Widen(x[:n], buf[:n])
		x = x[n:]
	}
}

// narrowBF16 adds half of the last place that stays, and one less where that
// place is even, so that the carry rounds. It may carry into infinity.
func narrowBF16(v float32) uint16 {
	u := math.Float32bits(v)
	if u&0x7fffffff > 0x7f800000 {
		return uint16(u>>16) | 0x40 // a quiet NaN: its payload may lie in the lower half alone
	}
	return uint16((u + 0x7fff + u>>16&1) >> 16)
}

// narrowF16 lets an addition round: beside a number that is 2^13 times as large as
// its power of 2 it keeps 10 places, and beside 2^-1 whole multiples of 2^-24, as
// the subnormals are. Activations are zeros, subnormals and larger numbers in no
// order that a processor could foresee, so there is no branch between them.
func narrowF16(v float32) uint16 {
	u := math.Float32bits(v)
	if u&0x7fffffff > 0x7f800000 {
		return uint16(u>>16)&0x8000 | 0x7e00 | uint16(u>>13)&0x1ff // a quiet NaN
	}
	a := min(u&0x7fffffff, 143<<23) // 2^16 is where infinity stands
	e := max(a&0x7f800000, 113<<23) // 2^-14 is the smallest normal number
	large := e + 13<<23
	places := math.Float32bits(math.Float32frombits(a)+math.Float32frombits(large)) - large
	// The bias of the exponent falls from 127 to 15, and of a normal number
	// places hold a leading 1, which is the last 1 of the exponent.
	return uint16(u>>16&0x8000 | (e>>13 - 113<<10 + places))
}

// valuesF16 are the values of all 65536 numbers: looking them up takes no branch.
var valuesF16 = sync.OnceValue(func() *[1 << 16]float32 {
	values := new([1 << 16]float32)
	for h := range values {
		values[h] = widenF16(uint16(h))
	}
	return values
})

func widenF16(h uint16) float32 {
	sign, u := uint32(h&0x8000)<<16, uint32(h&0x7fff)
	switch {
	case u >= 0x7c00: // infinity and NaN
		return math.Float32frombits(sign | 0x7f800000 | u&0x3ff<<13)
	case u >= 0x400:
		return math.Float32frombits(sign | (u<<13 + 112<<23))
	}
	// Subnormal or zero: a multiple of 2^-24, which float32 has exactly.
	return math.Float32frombits(sign | math.Float32bits(float32(u)*0x1p-24))
}
