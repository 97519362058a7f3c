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
// set of packing buffers for each. It is used from one goroutine.
type Math[T Float] struct {
	pool  *pool.Pool
	works []*work[T]
}

// work is one thread's packing buffers.
type work[T Float] struct {
	tile *tile[T]
	a, b []T
	edge []T // a tile that C has no room for
	cols []T // patch gradients of one image
}

// New returns a Math on p with the fastest kernels of this machine.
func New[T Float](p *pool.Pool) *Math[T] { return newMath(p, bestTile[T]()) }

func newMath[T Float](p *pool.Pool, t *tile[T]) *Math[T] {
	m := &Math[T]{pool: p}
	for range p.Threads() {
		m.works = append(m.works, &work[T]{tile: t, edge: make([]T, t.mr*t.nr)})
	}
	return m
}

// Bytes is what the packing buffers hold.
func (m *Math[T]) Bytes() (n int) {
	for _, w := range m.works {
		n += cap(w.a) + cap(w.b) + cap(w.edge) + cap(w.cols)
	}
	if Is32[T]() {
		return 4 * n
	}
	return 8 * n
}

// serialWork is the number of multiply-adds below which a second thread costs
// more than it brings.
const serialWork = 1 << 15

// Mul computes C[m,n] = A[m,k] B[k,n], or with acc C += A B; rows of C lie ldc
// apart. Each element is summed in one order, whatever the number of threads.
func (x *Math[T]) Mul(m, n, k int, a, b Matrix[T], c []T, ldc int, acc bool) {
	threads := x.pool.Threads()
	if threads == 1 || m*n*k < serialWork {
		x.works[0].mul(0, m, 0, n, k, a, b, c, ldc, acc)
		return
	}
	x.pool.Run(threads, func(i int) {
		w := x.works[i]
		if m > n {
			from, to := pool.Span(m, w.tile.mr, threads, i)
			w.mul(from, to, 0, n, k, a, b, c, ldc, acc)
		} else {
			from, to := pool.Span(n, w.tile.nr, threads, i)
			w.mul(0, m, from, to, k, a, b, c, ldc, acc)
		}
	})
}

// mul computes rows i0 to i1 and columns j0 to j1 of C.
func (w *work[T]) mul(i0, i1, j0, j1, k int, a, b Matrix[T], c []T, ldc int, acc bool) {
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
	mr, nr := w.tile.mr, w.tile.nr
	at := a.T()
	for jc := j0; jc < j1; jc += blockN {
		nc := min(blockN, j1-jc)
		panels := (nc + nr - 1) / nr
		for pc := 0; pc < k; pc += blockK {
			kc := min(blockK, k-pc)
			add := acc || pc > 0
			w.b = grow(w.b, panels*nr*kc)
			for q := range panels {
				b.pack(w.b[q*nr*kc:], nr, pc, kc, jc+q*nr, min(nr, nc-q*nr))
			}
			for ic := i0; ic < i1; ic += blockM {
				mc := min(blockM, i1-ic)
				strips := (mc + mr - 1) / mr
				w.a = grow(w.a, mc*kc)
				for s := range strips {
					from, to := mc*s/strips, mc*(s+1)/strips
					at.pack(w.a[from*kc:], to-from, pc, kc, ic+from, to-from)
				}
				for q := range panels {
					bp, j := w.b[q*nr*kc:], jc+q*nr
					width := min(nr, nc-q*nr)
					for s := range strips {
						from, to := mc*s/strips, mc*(s+1)/strips
						run := w.tile.run[to-from]
						at := (ic+from)*ldc + j
						if width == nr {
							run(kc, &w.a[from*kc], &bp[0], &c[at], ldc, add)
							continue
						}
						run(kc, &w.a[from*kc], &bp[0], &w.edge[0], nr, false)
						for r := range to - from {
							got, want := w.edge[r*nr:][:width], c[at+r*ldc:][:width]
							if add {
								Add(want, got)
							} else {
								copy(want, got)
							}
						}
					}
				}
			}
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

// MulPlain is what Mul computes, by the definition. Tests hold Mul to it.
func MulPlain[T Float](m, n, k int, a, b func(i, j int) T, c []T, ldc int, acc bool) {
	for i := range m {
		for j := range n {
			var sum T
			for p := range k {
				sum += a(i, p) * b(p, j)
			}
			if acc {
				sum += c[i*ldc+j]
			}
			c[i*ldc+j] = sum
		}
	}
}
