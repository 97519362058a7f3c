package kernel

import "github.com/dlbench/dlbench/backends/eager/pool"

// A closure that several threads call lies on the heap. What a product or a loop
// over lanes captures is therefore kept in the Math, of which one runs at a time.

// product is a product that is split among threads.
type product[T Float] struct {
	x       *Math[T]
	m, n, k int
	a, b    Matrix[T]
	c       []T
	ldc     int
	acc     bool
	e       Epilogue[T]
	parts   int
}

// Part does some rows or columns of C, whichever there are more of.
func (p *product[T]) Part(i int) {
	i0, i1, j0, j1 := 0, p.m, 0, p.n
	if p.m > p.n {
		i0, i1 = pool.Span(p.m, 1, p.parts, i)
	} else {
		j0, j1 = pool.Span(p.n, p.x.tile.nr, p.parts, i)
	}
	p.x.lanes[i].mul(i0, i1, j0, j1, p.k, p.a, p.b, p.c, p.ldc, p.acc, p.e)
}

// Job is work on items, each of which one lane does.
type Job[T Float] interface{ Do(l *Lane[T], i int) }

// EachJob calls j.Do(lane, i) for 0 <= i < n, several at the same time.
func (x *Math[T]) EachJob(n int, j Job[T]) {
	parts := min(x.pool.Threads(), n)
	x.jobs = jobs[T]{x.lanes, j, n, parts}
	if parts > 0 {
		x.pool.Do(parts, &x.jobs)
	}
	x.jobs = jobs[T]{}
}

type jobs[T Float] struct {
	lanes    []*Lane[T]
	job      Job[T]
	n, parts int
}

func (r *jobs[T]) Part(part int) {
	from, to := pool.Span(r.n, 1, r.parts, part)
	for i := from; i < to; i++ {
		r.job.Do(r.lanes[part], i)
	}
}
