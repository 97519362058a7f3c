// Package kernel holds the arithmetic of the eager engine, generic over float32
// and float64: the packed matrix product, convolution as matrix product, and
// the vector loops.
//
// Products run on micro-kernels in assembly where the processor has AVX2 with
// FMA or AVX-512, chosen when the program starts, and on portable Go elsewhere or
// with the build tag purego. Tests hold every family to the definition.
package kernel

import "unsafe"

//go:generate go run ./asm

// Float is the set of element types.
type Float interface{ float32 | float64 }

// microKernel computes C[rows, nr] = or, with acc, += sum over k of
// a[k, rows] * b[k, nr] for panels packed without gaps. ldc is C's row stride.
type microKernel[T Float] func(k int, a, b, c *T, ldc int, acc bool)

// tile is a family of micro-kernels for 1 to mr rows: run[r] does r rows.
type tile[T Float] struct {
	name   string
	usable bool
	mr, nr int
	run    []microKernel[T]
}

var (
	best32 = lastUsable(tiles32())
	best64 = lastUsable(tiles64())
)

// tiles32 and tiles64 list the families that were built in, slowest first.
func tiles32() []*tile[float32] { return append([]*tile[float32]{plainTile[float32]()}, asmF32...) }
func tiles64() []*tile[float64] { return append([]*tile[float64]{plainTile[float64]()}, asmF64...) }

func lastUsable[T Float](tiles []*tile[T]) (best *tile[T]) {
	for _, t := range tiles {
		if t.usable {
			best = t
		}
	}
	return best
}

// bestTile is the fastest family that this machine can run.
func bestTile[T Float]() *tile[T] {
	if Is32[T]() {
		return any(best32).(*tile[T])
	}
	return any(best64).(*tile[T])
}

// Is32 reports whether T is float32.
func Is32[T Float]() bool {
	var zero T
	return unsafe.Sizeof(zero) == 4
}

// plainTile is the family in portable Go: a 4x4 register tile.
func plainTile[T Float]() *tile[T] {
	t := &tile[T]{name: "go", usable: true, mr: 4, nr: 4}
	for rows := range t.mr {
		t.run = append(t.run, func(k int, a, b, c *T, ldc int, acc bool) { gemmEdge(rows, k, a, b, c, ldc, acc) })
	}
	t.run = append(t.run, gemm4x4[T])
	return t
}

// gemm4x4 keeps sixteen sums in registers.
func gemm4x4[T Float](k int, a, b, c *T, ldc int, acc bool) {
	var c00, c01, c02, c03, c10, c11, c12, c13, c20, c21, c22, c23, c30, c31, c32, c33 T
	as, bs := unsafe.Slice(a, 4*k), unsafe.Slice(b, 4*k)
	for ; len(as) >= 4 && len(bs) >= 4; as, bs = as[4:], bs[4:] {
		b0, b1, b2, b3 := bs[0], bs[1], bs[2], bs[3]
		x := as[0]
		c00, c01, c02, c03 = c00+x*b0, c01+x*b1, c02+x*b2, c03+x*b3
		x = as[1]
		c10, c11, c12, c13 = c10+x*b0, c11+x*b1, c12+x*b2, c13+x*b3
		x = as[2]
		c20, c21, c22, c23 = c20+x*b0, c21+x*b1, c22+x*b2, c23+x*b3
		x = as[3]
		c30, c31, c32, c33 = c30+x*b0, c31+x*b1, c32+x*b2, c33+x*b3
	}
	cs := unsafe.Slice(c, 3*ldc+4)
	store4(cs, c00, c01, c02, c03, acc)
	store4(cs[ldc:], c10, c11, c12, c13, acc)
	store4(cs[2*ldc:], c20, c21, c22, c23, acc)
	store4(cs[3*ldc:], c30, c31, c32, c33, acc)
}

func store4[T Float](c []T, v0, v1, v2, v3 T, acc bool) {
	c = c[:4]
	if acc {
		v0, v1, v2, v3 = c[0]+v0, c[1]+v1, c[2]+v2, c[3]+v3
	}
	c[0], c[1], c[2], c[3] = v0, v1, v2, v3
}

// gemmEdge does fewer rows than a full tile, four columns wide.
func gemmEdge[T Float](rows, k int, a, b, c *T, ldc int, acc bool) {
	as, bs := unsafe.Slice(a, rows*k), unsafe.Slice(b, 4*k)
	for r := range rows {
		var v0, v1, v2, v3 T
		for p := range k {
			x := as[p*rows+r]
			v0, v1, v2, v3 = v0+x*bs[4*p], v1+x*bs[4*p+1], v2+x*bs[4*p+2], v3+x*bs[4*p+3]
		}
		store4(unsafe.Slice((*T)(unsafe.Add(unsafe.Pointer(c), uintptr(r*ldc)*unsafe.Sizeof(v0))), 4), v0, v1, v2, v3, acc)
	}
}
