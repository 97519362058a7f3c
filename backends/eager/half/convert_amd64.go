//go:build amd64 && !purego

package half

import "golang.org/x/sys/cpu"

// useVectors is a variable so that tests compare both paths.
var useVectors = cpu.X86.HasAVX2 && cpu.X86.HasF16C

// Each converts n elements, a multiple of 8 and not 0.

//go:noescape
func widenF16C(n int, dst *float32, src *uint16)

//go:noescape
func narrowF16C(n int, dst *uint16, src *float32)

//go:noescape
func widenBF16AVX2(n int, dst *float32, src *uint16)

//go:noescape
func narrowBF16AVX2(n int, dst *uint16, src *float32)

// widenVector converts the leading elements and says how many those are, as
// does narrowVector.
func (f Format) widenVector(dst []float32, src []uint16) int {
	n := len(src) &^ 7
	switch {
	case n == 0 || !useVectors:
		return 0
	case f == BF16:
		widenBF16AVX2(n, &dst[0], &src[0])
	default:
		widenF16C(n, &dst[0], &src[0])
	}
	return n
}

func (f Format) narrowVector(dst []uint16, src []float32) int {
	n := len(src) &^ 7
	switch {
	case n == 0 || !useVectors:
		return 0
	case f == BF16:
		narrowBF16AVX2(n, &dst[0], &src[0])
	default:
		narrowF16C(n, &dst[0], &src[0])
	}
	return n
}
