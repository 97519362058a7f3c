package kernel

import (
	"math/bits"
	"unsafe"

	"github.com/dlbench/dlbench/backends/eager/pool"
)

// This file multiplies matrices of bfloat16 with sums in float32, without
// widening the operands first. Both are read in pairs: elements 2p and 2p+1 of the
// depth side by side in a 32-bit word, what VDPBF16PS and AMX's TDPBF16PS take. Both of
// these round to nearest even and treat subnormals as zero, of the operands, the
// products and the sums; portable code keeps them. NaN stays NaN and infinities
// stand on all families. In units of a budget that is nothing: what is flushed lies
// below 2^-126, and budgets are relative to tensors' norms of at least 1e-12.

// Matrix16 is a strided view of bfloat16, or of float32 that are rounded to it,
// to nearest even, when they are read.
type Matrix16 struct {
	half     []uint16
	wide     []float32 // in place of half
	row, col int       // strides
}

// Rows16 views data as row-major with ld elements from row to row.
func Rows16(data []uint16, ld int) Matrix16 { return Matrix16{half: data, row: ld, col: 1} }

// RowsRounded is Rows16 of elements that are rounded when they are read.
func RowsRounded(data []float32, ld int) Matrix16 { return Matrix16{wide: data, row: ld, col: 1} }

// T is the transposed view.
func (m Matrix16) T() Matrix16 {
	m.row, m.col = m.col, m.row
	return m
}

// columns16 is how many columns of B a packed panel has.
const columns16 = 32

// Block sizes, in elements: a panel of B (depth16 x 32) stays in the first-level
// cache, a block of A (rows16 x depth16) and the panels of wide16 columns in the second.
const (
	depth16 = 512
	rows16  = 224
	wide16  = 512
)

// call16 is what a micro-kernel of bfloat16 computes on rows x 32 of C. Strides
// are bytes. The assembly reads these fields by offset.
type call16 struct {
	a, b *uint32 // pairs
	c    *float32
	// From row to row of A, from pair to pair of A, from row to row of C.
	rowA, colA, rowC int
	steps            int // pairs, or for tile16.contiguous groups of deep
	flags            int // flagAcc
	mask             uint64
	segs, segA       int // segments of the depth, and bytes from one to the next of A; 1 for tile16.contiguous
}

// tile16 is a family of micro-kernels of bfloat16.
type tile16 struct {
	name   string
	usable bool
	mr     int // rows of a tile, at most
	deep   int // the depth of A and B is padded to a multiple of it
	// contiguous: a row of A lies in one piece, steps count groups of deep, and every
	// call computes mr rows and 32 columns whatever the mask.
	contiguous bool
	run        func(c *call16, rows int)
}

// plain16 is the family in portable Go.
var plain16 = &tile16{name: "plain Go", usable: true, mr: 4, deep: 2, run: plainDot16}

// plainDot16 widens and multiplies in float32, pair by pair.
func plainDot16(c *call16, rows int) {
	for r := range rows {
		to := unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(c.c), r*c.rowC)), bits.Len64(c.mask))
		for j := range to {
			var sum float32
			for p := range c.segs * c.steps {
				x := *(*uint32)(unsafe.Add(unsafe.Pointer(c.a), p/c.steps*c.segA+r*c.rowA+p%c.steps*c.colA))
				y := *(*uint32)(unsafe.Add(unsafe.Pointer(c.b), 4*(p*columns16+j)))
				sum += fromBits(x<<16) * fromBits(y<<16)
				sum += fromBits(x&^0xffff) * fromBits(y&^0xffff)
			}
			if c.flags&flagAcc != 0 {
				sum += to[j]
			}
			to[j] = sum
		}
	}
}

// agrees reports whether a kernel of contiguous rows gives what portable Go does on
// small integers, of which every sum is exact. A processor of which the kernel was
// not seen to be right is asked this before the first product.
func agrees(run func(c *call16, rows int)) bool {
	const pairs, size = 64, 32 // two groups of 32 deep, or 128
	a, b := make([]uint32, size*pairs), make([]uint32, pairs*columns16)
	integer := func(i int) uint32 { return *(*uint32)(unsafe.Pointer(new(float32(i%13 - 6)))) >> 16 }
	for i := range a {
		a[i] = integer(7*i) | integer(5*i+1)<<16
	}
	for i := range b {
		b[i] = integer(11*i+i/32) | integer(3*i+2)<<16
	}
	got, want := make([]float32, size*columns16), make([]float32, size*columns16)
	c := call16{a: &a[0], b: &b[0], c: &want[0], rowA: 4 * pairs, colA: 4, rowC: 4 * columns16, steps: pairs, mask: 1<<columns16 - 1, segs: 1}
	plainDot16(&c, size)
	c.c, c.steps = &got[0], 2*pairs/32
	for acc := range 2 {
		c.flags = acc * flagAcc
		run(&c, size)
		for i, v := range got {
			if v != float32(1+acc)*want[i] {
				return false
			}
		}
	}
	return true
}

func fromBits(b uint32) float32 { return *(*float32)(unsafe.Pointer(&b)) }

// tiles16 lists the families that were built in, slowest first.
func tiles16() []*tile16 { return append([]*tile16{plain16}, asm16...) }

// best16 is the fastest that this machine runs.
var best16 = func() (best *tile16) {
	for _, t := range tiles16() {
		if t.usable {
			best = t
		}
	}
	return best
}()

// MathBF16 multiplies bfloat16 on the threads of a pool. It is used from one
// goroutine.
type MathBF16 struct {
	pool    *pool.Pool
	tile    *tile16
	lanes   []*lane16
	product product16 // that is running
	sweep   sweep16   // that is running, and so below
	weight  weight16
	pack    pack16
}

// lane16 multiplies on one thread. It holds that thread's packing buffers.
type lane16 struct {
	tile    *tile16
	a, b    []uint32
	rounded []uint16 // a block of a Matrix16 that was float32
	pairs   []uint32 // A in pairs, before its rows are in one piece
	edge    [32 * columns16]float32
	call    call16
}

// NewBF16 returns a MathBF16 on p with the fastest kernels of this machine.
func NewBF16(p *pool.Pool) *MathBF16 { return newBF16(p, best16) }

func newBF16(p *pool.Pool, t *tile16) *MathBF16 {
	m := &MathBF16{pool: p, tile: t}
	for range p.Threads() {
		m.lanes = append(m.lanes, &lane16{tile: t})
	}
	return m
}

// Mul computes C[m,n] = A[m,k] B[k,n], or with acc C += A B; rows of C lie ldc
// apart. Each element is summed in one order, whatever the number of threads.
func (x *MathBF16) Mul(m, n, k int, a, b Matrix16, c []float32, ldc int, acc bool) {
	if m <= 0 || n <= 0 {
		return
	}
	check16(m, n, k, a, b, c, ldc)
	if k == 0 {
		emptyProduct(0, m, 0, n, c, ldc, acc, Epilogue[float32]{})
		return
	}
	parts := x.pool.Parts(m*n*k, 2*pool.LeastProducts)
	x.product = product16{x: x, m: m, n: n, k: k, a: a, b: b, c: c, ldc: ldc, acc: acc, parts: parts}
	x.pool.Do(parts, &x.product)
	x.product = product16{}
}

// product16 is a product that is split among threads.
type product16 struct {
	x       *MathBF16
	m, n, k int
	a, b    Matrix16
	c       []float32
	ldc     int
	acc     bool
	parts   int
}

// Part does some rows or columns of C, whichever there are more of.
func (p *product16) Part(i int) {
	i0, i1, j0, j1 := 0, p.m, 0, p.n
	if p.m > p.n {
		i0, i1 = pool.Span(p.m, 1, p.parts, i)
	} else {
		j0, j1 = pool.Span(p.n, columns16, p.parts, i)
	}
	if i0 < i1 && j0 < j1 {
		p.x.lanes[i].mul(i0, i1, j0, j1, p)
	}
}

// mul computes rows i0 to i1 and columns j0 to j1 of C.
func (l *lane16) mul(i0, i1, j0, j1 int, p *product16) {
	for jc := j0; jc < j1; jc += wide16 {
		l.columns(i0, i1, jc, min(jc+wide16, j1), p)
	}
}

// columns is mul on columns whose packed panels lie in the second-level cache.
func (l *lane16) columns(i0, i1, j0, j1 int, p *product16) {
	t := l.tile
	panels := (j1 - j0 + columns16 - 1) / columns16
	for pc := 0; pc < p.k; pc += depth16 {
		kc := min(depth16, p.k-pc)
		pairs := (kc + t.deep - 1) / t.deep * t.deep / 2
		panel := pairs * columns16
		l.b = grow(l.b, panels*panel)
		for q := range panels {
			j := j0 + q*columns16
			l.packRight(l.b[q*panel:][:panel], p.b, pc, kc, j, min(columns16, j1-j))
		}
		for ic := i0; ic < i1; ic += rows16 {
			mc := min(rows16, i1-ic)
			w := &l.call
			*w = call16{rowC: 4 * p.ldc, steps: pairs, segs: 1}
			if t.contiguous {
				w.steps = 2 * pairs / t.deep
			}
			if p.acc || pc > 0 {
				w.flags |= flagAcc
			}
			var a *uint32
			a, w.rowA, w.colA = l.left(p.a, ic, mc, pc, kc, pairs)
			tiles := (mc + t.mr - 1) / t.mr
			for q := range panels {
				j := j0 + q*columns16
				width := min(columns16, j1-j)
				w.b, w.mask = &l.b[q*panel], 1<<width-1
				for s := range tiles {
					from, to := mc*s/tiles, mc*(s+1)/tiles
					if t.contiguous {
						from, to = s*t.mr, min(mc, (s+1)*t.mr)
					}
					w.a = (*uint32)(unsafe.Add(unsafe.Pointer(a), from*w.rowA))
					l.tile16(p.c[(ic+from)*p.ldc+j:], p.ldc, to-from, width)
				}
			}
		}
	}
}

// tile16 runs the call on rows x width of c, by way of the lane's own room where
// the kernel would write beyond.
func (l *lane16) tile16(c []float32, ldc, rows, width int) {
	w := &l.call
	if !l.tile.contiguous || rows == l.tile.mr && width == columns16 {
		w.c = &c[0]
		l.tile.run(w, rows)
		return
	}
	rowC, flags := w.rowC, w.flags
	w.c, w.rowC, w.flags = &l.edge[0], 4*columns16, flags&^flagAcc
	l.tile.run(w, rows)
	w.rowC, w.flags = rowC, flags
	for r := range rows {
		Copy(c[r*ldc:][:width], l.edge[r*columns16:][:width], flags&flagAcc != 0)
	}
}
