package kernel

import (
	"unsafe"

	"github.com/dlbench/dlbench/backends/eager/pool"
)

// Block sizes of the product, in elements: a panel of B (blockK x nr) stays in the
// first-level cache, a block of A (blockM x blockK) and the panels of blockN
// columns in the second. Between 192 and 512, 140 and 560 they hardly matter.
const (
	blockK = 256
	blockM = 280
	blockN = 2048
)

// Up to how many rows of A a row-major B is read in place: packing it would cost
// more than it brings, where the rows of B displace each other from the first-level
// cache (clash) with few rows of A only.
const (
	fewRows  = 42
	someRows = 256
)

// Math holds what products need beside their operands: the threads and one
// lane for each. It is used from one goroutine.
type Math[T Float] struct {
	pool  *pool.Pool
	tile  *tile[T]
	lanes []*Lane[T]

	product product[T] // that is running
	jobs    jobs[T]    // that are running
	sweep   sweepRegion[T]
	weight  weightRegion[T]
	pack    packRegion[T]
	filter  filterRegion[T]
	tiled   tiledWeights[T]
	way     choice // of convolutions
	sums    []T    // partial sums of a gradient of weights
}

// Lane multiplies on one thread. It holds that thread's packing buffers.
type Lane[T Float] struct {
	tile *tile[T]
	a, b []T
	out  []T     // what a convolution leaves for the pooling after it
	call call[T] // of the micro-kernel that runs: here, so that it is not allocated anew

	v, m, u, zeros []T // of a convolution in tiles
}

// New returns a Math on p with the fastest kernels of this machine.
func New[T Float](p *pool.Pool) *Math[T] { return newMath(p, bestTile[T]()) }

func newMath[T Float](p *pool.Pool, t *tile[T]) *Math[T] {
	m := &Math[T]{pool: p, tile: t}
	for range p.Threads() {
		m.lanes = append(m.lanes, &Lane[T]{tile: t})
	}
	return m
}

// Epilogue is what a product does with C beside the sum, in the same pass.
type Epilogue[T Float] struct {
	Bias []T  // added to each row; nil: none
	ReLU bool // then max(C, 0), NaN for NaN
}

// Mul computes C[m,n] = A[m,k] B[k,n], or with acc C += A B; rows of C lie ldc
// apart. Each element is summed in one order, whatever the number of threads.
func (x *Math[T]) Mul(m, n, k int, a, b Matrix[T], c []T, ldc int, acc bool) {
	x.multiply(m, n, k, a, b, c, ldc, acc, Epilogue[T]{})
}

// MulEpilogue is Mul without acc, with an epilogue.
func (x *Math[T]) MulEpilogue(m, n, k int, a, b Matrix[T], c []T, ldc int, e Epilogue[T]) {
	x.multiply(m, n, k, a, b, c, ldc, false, e)
}

func (x *Math[T]) multiply(m, n, k int, a, b Matrix[T], c []T, ldc int, acc bool, e Epilogue[T]) {
	x.tile.check(m, n, k, a, b, c, ldc, e.Bias)
	x.tile.stream(m, n, k, &b)
	threads := x.pool.Parts(m*n*k, pool.LeastProducts)
	if threads == 1 {
		x.lanes[0].mul(0, m, 0, n, k, a, b, c, ldc, acc, e)
		return
	}
	x.product = product[T]{x: x, m: m, n: n, k: k, a: a, b: b, c: c, ldc: ldc, acc: acc, e: e, parts: threads}
	x.pool.Do(threads, &x.product)
	x.product = product[T]{}
}

// Mul is Math.Mul on this lane's thread.
func (l *Lane[T]) Mul(m, n, k int, a, b Matrix[T], c []T, ldc int, acc bool) {
	l.tile.check(m, n, k, a, b, c, ldc, nil)
	l.mul(0, m, 0, n, k, a, b, c, ldc, acc, Epilogue[T]{})
}

// mul computes rows i0 to i1 and columns j0 to j1 of C. With a packed B, j0 is
// a multiple of the tile's width.
func (l *Lane[T]) mul(i0, i1, j0, j1, k int, a, b Matrix[T], c []T, ldc int, acc bool, e Epilogue[T]) {
	if i0 >= i1 || j0 >= j1 {
		return
	}
	if k == 0 {
		emptyProduct(i0, i1, j0, j1, c, ldc, acc, e)
		return
	}
	nr, deep := l.tile.nr, blockK
	if b.deep > 0 {
		deep = b.deep
	}
	inPlace := !b.isPacked() && b.col == 1 && (i1-i0 <= fewRows || i1-i0 <= someRows && !clash[T](b.row))
	for jc := j0; jc < j1; jc += blockN {
		nc := min(blockN, j1-jc)
		panels := (nc + nr - 1) / nr
		for pc := 0; pc < k; pc += deep {
			kc := min(deep, k-pc)
			var bs []T       // packed panels of B
			panel := nr * kc // the distance between two
			switch {
			case b.isPacked():
			case inPlace: // but for columns that do not fill vectors
				if rest := nc % nr; rest != 0 && rest != nr/2 {
					l.b = grow(l.b, panel)
					b.pack(l.b, nr, pc, kc, jc+nc-rest, rest)
				}
			default:
				l.b = grow(l.b, panels*panel)
				bs = l.b
				for q := range panels {
					b.pack(bs[q*panel:], nr, pc, kc, jc+q*nr, min(nr, nc-q*nr))
				}
			}
			rows := l.tile.rowsOfC(i1-i0, kc, ldc)
			for ic := i0; ic < i1; ic += rows {
				mc := min(rows, i1-ic)
				w := &l.call
				*w = one[T](kc)
				w.a, w.rowA, w.colA = l.left(a, ic, mc, pc, kc, panels)
				w.rowC = ldc
				w.ahead = b.ahead
				if acc || pc > 0 {
					w.flags |= flagAcc
				}
				if e.ReLU && pc+kc == k {
					w.flags |= flagReLU
				}
				if kc == k && !acc && l.tile.farC(i1-i0, c, ldc) {
					w.flags |= flagFar
				}
				for q := range panels {
					j := jc + q*nr
					width := min(nr, j1-j)
					switch {
					case b.isPacked():
						w.b, w.rowB = b.panel(j, pc, k, nr, width), nr
					case bs != nil:
						w.b, w.rowB = &bs[q*panel], nr
					case width == nr || width == nr/2:
						w.b, w.rowB = &b.data[pc*b.row+j], b.row
					default:
						w.b, w.rowB = &l.b[0], nr
					}
					if e.Bias != nil && pc == 0 {
						w.bias = &e.Bias[j]
					}
					w.c = &c[ic*ldc+j]
					l.tile.rows(w, mc, width)
				}
			}
		}
	}
}

// left is where the block of A with rows ic and columns pc begins, and its
// strides. The block is read in place, unless its rows lie so that they displace
// each other from the caches, or it is transposed and read for many panels.
func (l *Lane[T]) left(a Matrix[T], ic, mc, pc, kc, panels int) (p *T, row, col int) {
	from := a.data[ic*a.row+pc*a.col:]
	switch {
	case a.col == 1 && panels > 1 && mc > 6 && clash[T](a.row):
		row = kc + 16
		l.a = grow(l.a, mc*row)
		for i := range mc {
			copy(l.a[i*row:][:kc], from[i*a.row:])
		}
		return &l.a[0], row, 1
	case a.row == 1 && panels > 2 && kc > 32 && mc > 16:
		col = mc + 16
		l.a = grow(l.a, kc*col)
		for q := range kc {
			copy(l.a[q*col:][:mc], from[q*a.col:])
		}
		return &l.a[0], 1, col
	}
	return &from[0], a.row, a.col
}

// clash reports whether elements a stride apart share a set of the first-level cache,
// as addresses do that are a multiple of 4 KiB apart.
func clash[T Float](stride int) bool {
	var zero T
	return stride*int(unsafe.Sizeof(zero))%4096 == 0
}

// emptyProduct is a product without terms.
func emptyProduct[T Float](i0, i1, j0, j1 int, c []T, ldc int, acc bool, e Epilogue[T]) {
	for i := i0; i < i1; i++ {
		row := c[i*ldc+j0 : i*ldc+j1]
		if !acc {
			clear(row)
		}
		if e.Bias != nil {
			Add(row, e.Bias[j0:j1])
		}
		if e.ReLU {
			ReLU(row, row)
		}
	}
}

// grow returns a slice of n elements, from s where it is large enough.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
