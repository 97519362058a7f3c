// Package pool runs the parts of one operation on a fixed number of threads.
//
// The split of the work is the caller's: part i always does the same work, so
// a result never depends on who ran it.
//
// All pools of a process share one set of workers, so that there are never more
// of them than processors. A worker spins between regions, because waking a
// sleeping thread of a virtual machine costs 80-110 us, more than most operations
// take; it gives its processor to whoever else wants it meanwhile, and goes to
// sleep when no region comes for some milliseconds. A part that no worker has
// begun is the caller's to run: it never waits for a worker that is asleep, or
// whose processor another process took, unless in the middle of a part.
package pool

import (
	"runtime"
	"sync/atomic"
)

// maxThreads is the most threads of a pool.
const maxThreads = 256

// Pool runs regions one after the other. Only one goroutine may call Do and Run.
// The zero Pool is not usable.
type Pool struct {
	threads int
	crew    *crew // nil: all parts are the caller's to run
	closed  atomic.Bool
}

// New returns a pool of so many threads, the caller's goroutine included. No more
// run at the same time than the process has processors: the affinity mask that it
// was granted, and GOMAXPROCS.
func New(threads int) *Pool {
	p := &Pool{threads: min(max(threads, 1), maxThreads)}
	if n := min(p.threads, runtime.GOMAXPROCS(0), granted()); n > 1 {
		p.crew = enlist(n - 1)
	}
	return p
}

// Threads is the number of parts that work is best cut into.
func (p *Pool) Threads() int { return p.threads }

// Region is work in parts. A caller that keeps its regions runs them without
// allocating, which it cannot with closures: those that other threads call lie on the heap.
type Region interface{ Part(i int) }

// Do calls r.Part(0) to r.Part(parts-1), at most Threads of them, at the same
// time, and returns when all have returned. The caller's goroutine runs part 0.
// Within a part of another region, and while another pool is in one, it runs all.
//
// A panic in a part reaches the caller when all parts that were begun have ended: as
// it is where the caller's goroutine ran the part, else as a [*Panic]. The pool
// stays usable.
func (p *Pool) Do(parts int, r Region) {
	if parts > p.threads {
		panic("pool: more parts than threads")
	}
	if parts > 1 && p.crew != nil && p.crew.do(parts, r) {
		return
	}
	for i := range parts {
		r.Part(i)
	}
}

// Run is Do of a function.
func (p *Pool) Run(parts int, region func(part int)) { p.Do(parts, regionFunc(region)) }

type regionFunc func(part int)

func (f regionFunc) Part(i int) { f(i) }

// Close gives the workers up, which end with the last pool that is closed. The
// pool must be idle.
func (p *Pool) Close() {
	if !p.closed.Swap(true) && p.crew != nil {
		p.crew.leave()
	}
}

// Span returns the half-open range of part i when n items are cut into parts
// of nearly equal size, each but the last a multiple of grain.
func Span(n, grain, parts, i int) (from, to int) {
	units := (n + grain - 1) / grain
	return min(units*i/parts*grain, n), min(units*(i+1)/parts*grain, n)
}
