package kernel

import "github.com/dlbench/dlbench/backends/eager/pool"

// Block sizes of the packed product, in elements: a block of A (mc x kc) stays
// in the second-level cache, a panel of B (kc x nr) in the first.
const (
	blockK = 256
	blockM = 280
	blockN = 1024
)

// Math holds what products need beside their operands: the threads and one
// lane for each. It is used from one goroutine.
type Math[T Float] struct {
	pool  *pool.Pool
	tile  *tile[T]
	lanes []*Lane[T]
}

// Lane multiplies on one thread. It holds that thread's packing buffers.
type Lane[T Float] struct {
	tile *tile[T]
	a, b []T
	edge []T // a tile that C has no room for
	cols []T // patch gradients of one image
}

// New returns a Math on p with the fastest kernels of this machine.
func New[T Float](p *pool.Pool) *Math[T] { return newMath(p, bestTile[T]()) }

func newMath[T Float](p *pool.Pool, t *tile[T]) *Math[T] {
	m := &Math[T]{pool: p, tile: t}
	for range p.Threads() {
		m.lanes = append(m.lanes, &Lane[T]{tile: t, edge: make([]T, t.mr*t.nr)})
	}
	return m
}

// serialWork is the number of multiply-adds below which a second thread costs
// more than it brings.
const serialWork = 1 << 17

// Mul computes C[m,n] = A[m,k] B[k,n], or with acc C += A B; rows of C lie ldc
// apart. Each element is summed in one order, whatever the number of threads.
func (x *Math[T]) Mul(m, n, k int, a, b Matrix[T], c []T, ldc int, acc bool) {
	threads := x.pool.Threads()
	if threads == 1 || m*n*k < serialWork {
		x.lanes[0].mul(0, m, 0, n, k, a, b, c, ldc, acc)
		return
	}
	byRow := m > n && a.packed == nil
	x.pool.Run(threads, func(i int) {
		if byRow {
			from, to := pool.Span(m, x.tile.mr, threads, i)
			x.lanes[i].mul(from, to, 0, n, k, a, b, c, ldc, acc)
		} else {
			from, to := pool.Span(n, x.tile.nr, threads, i)
			x.lanes[i].mul(0, m, from, to, k, a, b, c, ldc, acc)
		}
	})
}

// Each calls do(lane, i) for 0 <= i < n, several at the same time.
func (x *Math[T]) Each(n int, do func(l *Lane[T], i int)) {
	parts := min(x.pool.Threads(), n)
	if parts <= 1 {
		for i := range n {
			do(x.lanes[0], i)
		}
		return
	}
	x.pool.Run(parts, func(part int) {
		from, to := pool.Span(n, 1, parts, part)
		for i := from; i < to; i++ {
			do(x.lanes[part], i)
		}
	})
}

// Mul is Math.Mul on this lane's thread.
func (l *Lane[T]) Mul(m, n, k int, a, b Matrix[T], c []T, ldc int, acc bool) {
	l.mul(0, m, 0, n, k, a, b, c, ldc, acc)
}

// mul computes rows i0 to i1 and columns j0 to j1 of C. With a packed B, j0 is
// a multiple of the tile's width; with a packed A the rows are all of A's.
func (l *Lane[T]) mul(i0, i1, j0, j1, k int, a, b Matrix[T], c []T, ldc int, acc bool) {
	if i0 >= i1 || j0 >= j1 {
		return
	}
	if k == 0 {
		if !acc {
			for i := i0; i < i1; i++ {
				clear(c[i*ldc+j0 : i*ldc+j1])
			}
		}
		return
	}
	mr, nr := l.tile.mr, l.tile.nr
	rows := blockM
	if a.packed != nil {
		rows = i1 - i0
	}
	at := a.T()
	for jc := j0; jc < j1; jc += blockN {
		nc := min(blockN, j1-jc)
		panels := (nc + nr - 1) / nr
		for pc := 0; pc < k; pc += blockK {
			kc := min(blockK, k-pc)
			var bs []T       // panels of B
			panel := nr * kc // the distance between two
			if b.packed != nil {
				bs, panel = b.packed[jc*k+pc*nr:], nr*k
			} else {
				l.b = grow(l.b, panels*panel)
				bs = l.b
				for q := range panels {
					b.pack(bs[q*panel:], nr, pc, kc, jc+q*nr, min(nr, nc-q*nr))
				}
			}
			for ic := i0; ic < i1; ic += rows {
				mc := min(rows, i1-ic)
				strips := (mc + mr - 1) / mr
				as, depth, skip := a.packed, k, pc // strips of A, their depth, and where the block starts in it
				if a.packed == nil {
					l.a = grow(l.a, mc*kc)
					as, depth, skip = l.a, kc, 0
					for s := range strips {
						from, to := mc*s/strips, mc*(s+1)/strips
						at.pack(as[from*kc:], to-from, pc, kc, ic+from, to-from)
					}
				}
				for q := range panels {
					j := jc + q*nr
					width := min(nr, j1-j)
					for s := range strips {
						from, to := mc*s/strips, mc*(s+1)/strips
						ap := &as[from*depth+skip*(to-from)]
						l.cell(to-from, width, kc, ap, &bs[q*panel], c[(ic+from)*ldc+j:], ldc, acc || pc > 0)
					}
				}
			}
		}
	}
}

// cell computes one tile of C from packed panels.
func (l *Lane[T]) cell(rows, width, k int, a, b *T, c []T, ldc int, acc bool) {
	run, nr := l.tile.run[rows], l.tile.nr
	if width == nr {
		run(k, a, b, &c[0], ldc, acc)
		return
	}
	run(k, a, b, &l.edge[0], nr, false)
	for r := range rows {
		Copy(c[r*ldc:][:width], l.edge[r*nr:][:width], acc)
	}
}

// PackRight stores B[k,n] once in the order in which Mul reads its right
// operand, for use in several products. buf has at least PackedLen(k, n) elements.
func (x *Math[T]) PackRight(k, n int, b Matrix[T], buf []T) Matrix[T] {
	nr := x.tile.nr
	for j := 0; j < n; j += nr {
		b.pack(buf[j*k:], nr, 0, k, j, min(nr, n-j))
	}
	return Matrix[T]{packed: buf}
}

// PackLeft stores A[m,k] once in the order in which Mul reads its left
// operand. buf has at least PackedLen(k, m) elements.
func (x *Math[T]) PackLeft(m, k int, a Matrix[T], buf []T) Matrix[T] {
	strips := (m + x.tile.mr - 1) / x.tile.mr
	at := a.T()
	for s := range strips {
		from, to := m*s/strips, m*(s+1)/strips
		at.pack(buf[from*k:], to-from, 0, k, from, to-from)
	}
	return Matrix[T]{packed: buf}
}

// PackedLen is the room that packing n columns or rows of depth k takes.
func (x *Math[T]) PackedLen(k, n int) int { return (n + x.tile.nr - 1) / x.tile.nr * x.tile.nr * k }

// grow returns a slice of n elements, from s where it is large enough.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
