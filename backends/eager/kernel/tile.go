// Package kernel holds the arithmetic of the eager engine, generic over float32
// and float64: the matrix product, convolution as a direct product on strided
// pixels, and the vector loops.
//
// Products run on micro-kernels in assembly where the processor has AVX2 with
// FMA or AVX-512, chosen when the program starts, and on portable Go elsewhere or
// with the build tag purego. Tests hold every family to the definition.
package kernel

import "unsafe"

//go:generate go run ./asm

// Float is the set of element types.
type Float interface{ float32 | float64 }

// call is what a micro-kernel computes: tiles of C with a fixed number of rows
// and width columns, one below the other,
//
//	C[r, j] = bias[j] + sum A[r, q] * B[q, j], or with acc C[r, j] + that,
//
// and with relu max(that, 0), NaN for NaN. The sum runs over outer times segs
// times k values of q: within a segment A moves by colA and B by rowB, from one
// segment to the next by segA and segB, and from one run of segs segments to the
// next by outerA and outerB. The tiles are groups times panels; from one panel to
// the next A moves by panelA and C by panelC, and so for groups. All strides count
// elements; every count is at least 1. The assembly reads these fields by offset.
type call[T Float] struct {
	a, b, c, bias          *T // bias may be nil: zeros
	rowA, colA, rowB, rowC int
	k                      int
	segs, segA, segB       int
	outer, outerA, outerB  int
	panels, panelA, panelC int
	groups, groupA, groupC int
	flags                  int
	mask                   uint64         // one bit per column
	lanes                  unsafe.Pointer // the mask with an element per column, for AVX2
	ahead                  int            // how far ahead B is fetched; 0: 8 rows
	width                  int
}

// Bits of call.flags.
const (
	flagAcc    = 1 << iota
	flagReLU   // maximum with 0 before the store
	flagMasked // there are fewer columns than the vectors hold
	flagFar    // C, whose rows begin at multiples of a vector, is written past the caches, unless masked
)

// one is a call of a single tile with one segment; the caller fills in the rest.
func one[T Float](k int) call[T] {
	return call[T]{k: k, segs: 1, outer: 1, panels: 1, groups: 1}
}

// microKernel runs a call.
type microKernel[T Float] func(c *call[T])

// tile is a family of micro-kernels for 1 to mr rows: run[1][r] does r rows of up
// to nr columns, run[0][r] those of up to nr/2. Of B they read whole vectors: nr
// or nr/2 columns, whatever the width.
type tile[T Float] struct {
	name   string
	usable bool
	mr, nr int
	run    [2][]microKernel[T]
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

// rows runs c on rows rows below each other, more than one tile has if need be:
// they are cut into nearly equal panels. c.panels is not read.
func (t *tile[T]) rows(c *call[T], rows, width int) {
	t.setWidth(c, width)
	t.cut(c, rows)
}

// setWidth makes c one of width columns, at most nr.
func (t *tile[T]) setWidth(c *call[T], width int) {
	c.width = width
	c.flags &^= flagMasked
	if width != t.nr && width != t.nr/2 {
		c.flags |= flagMasked
	}
	c.mask = 1<<width - 1
	c.lanes = laneMask[T](width)
}

// cut runs c, whose width is set, on rows rows.
func (t *tile[T]) cut(c *call[T], rows int) {
	run := t.run[1]
	if c.width <= t.nr/2 {
		run = t.run[0]
	}
	n := (rows + t.mr - 1) / t.mr
	low, more := rows/n, rows%n // so many panels have a row more
	a, to := c.a, c.c
	if more > 0 {
		c.panels, c.panelA, c.panelC = more, (low+1)*c.rowA, (low+1)*c.rowC
		run[low+1](c)
		c.a, c.c = at(a, more*c.panelA), at(to, more*c.panelC)
	}
	c.panels, c.panelA, c.panelC = n-more, low*c.rowA, low*c.rowC
	run[low](c)
	c.a, c.c = a, to
}

// at is the address of element i behind p.
func at[T Float](p *T, i int) *T {
	return (*T)(unsafe.Add(unsafe.Pointer(p), i*int(unsafe.Sizeof(*p))))
}

// laneTable has as many set lanes as the widest tile of AVX2 has columns, then as
// many clear ones, for each size of element: the mask of a width begins in it.
var laneTable = func() (t struct {
	narrow [2 * maxTile]uint32
	wide   [2 * maxTile]uint64
}) {
	for i := range maxTile {
		t.narrow[i], t.wide[i] = 1<<32-1, 1<<64-1
	}
	return t
}()

func laneMask[T Float](width int) unsafe.Pointer {
	if Is32[T]() {
		return unsafe.Pointer(&laneTable.narrow[maxTile-width])
	}
	return unsafe.Pointer(&laneTable.wide[maxTile-width])
}

// plainTile is the family in portable Go: a 4x4 register tile.
func plainTile[T Float]() *tile[T] {
	t := &tile[T]{name: "go", usable: true, mr: 4, nr: 4}
	for rows := range t.mr + 1 {
		run := func(c *call[T]) { plainProduct(c, rows) }
		t.run[0], t.run[1] = append(t.run[0], run), append(t.run[1], run)
	}
	return t
}

// plainProduct runs c on tiles of rows rows.
func plainProduct[T Float](c *call[T], rows int) {
	var sums [16]T
	for i := range c.groups * c.panels {
		g, p := i/c.panels, i%c.panels
		a := at(c.a, g*c.groupA+p*c.panelA)
		for j := range sums {
			sums[j] = 0
			if c.bias != nil && j%4 < c.width {
				sums[j] = *at(c.bias, j%4)
			}
		}
		for s := range c.outer * c.segs {
			o, s := s/c.segs, s%c.segs
			as, bs := at(a, o*c.outerA+s*c.segA), at(c.b, o*c.outerB+s*c.segB)
			if rows == 4 && c.width == 4 {
				plain4x4(&sums, c, as, bs)
			} else {
				plainEdge(&sums, c, as, bs, rows)
			}
		}
		for r := range rows {
			to := unsafe.Slice(at(c.c, g*c.groupC+p*c.panelC+r*c.rowC), c.width)
			for j := range to {
				v := sums[4*r+j]
				if c.flags&flagAcc != 0 {
					v += to[j]
				}
				if c.flags&flagReLU != 0 && v < 0 {
					v = 0
				}
				to[j] = v
			}
		}
	}
}

// plain4x4 adds one segment to sixteen sums in registers.
func plain4x4[T Float](sums *[16]T, c *call[T], a, b *T) {
	c00, c01, c02, c03 := sums[0], sums[1], sums[2], sums[3]
	c10, c11, c12, c13 := sums[4], sums[5], sums[6], sums[7]
	c20, c21, c22, c23 := sums[8], sums[9], sums[10], sums[11]
	c30, c31, c32, c33 := sums[12], sums[13], sums[14], sums[15]
	row := c.rowA
	as := unsafe.Slice(a, 3*row+(c.k-1)*c.colA+1)
	bs := unsafe.Slice(b, (c.k-1)*c.rowB+4)
	for q := range c.k {
		at, b := q*c.colA, bs[q*c.rowB:][:4]
		b0, b1, b2, b3 := b[0], b[1], b[2], b[3]
		x := as[at]
		c00, c01, c02, c03 = c00+x*b0, c01+x*b1, c02+x*b2, c03+x*b3
		x = as[at+row]
		c10, c11, c12, c13 = c10+x*b0, c11+x*b1, c12+x*b2, c13+x*b3
		x = as[at+2*row]
		c20, c21, c22, c23 = c20+x*b0, c21+x*b1, c22+x*b2, c23+x*b3
		x = as[at+3*row]
		c30, c31, c32, c33 = c30+x*b0, c31+x*b1, c32+x*b2, c33+x*b3
	}
	*sums = [16]T{c00, c01, c02, c03, c10, c11, c12, c13, c20, c21, c22, c23, c30, c31, c32, c33}
}

// plainEdge adds one segment to the sums of fewer rows or columns.
func plainEdge[T Float](sums *[16]T, c *call[T], a, b *T, rows int) {
	for r := range rows {
		to := sums[4*r:][:c.width]
		for q := range c.k {
			x := *at(a, r*c.rowA+q*c.colA)
			for j, v := range unsafe.Slice(at(b, q*c.rowB), c.width) {
				to[j] += x * v
			}
		}
	}
}
