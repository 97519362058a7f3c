// Package pool runs the parts of one operation on a fixed number of threads.
//
// The split of the work is the caller's: part i always does the same work, so
// a result never depends on which goroutine ran it.
package pool

import (
	"runtime"
	"sync/atomic"
)

// spins is how many times an idle worker looks for work before it sleeps.
// Waking a sleeping thread of a virtual machine costs 80-110 us, more than
// most operations take; one look costs about 0.1 us when no other goroutine wants
// the processor, so a worker gives up after roughly 200 us.
const spins = 2000

// Pool is a set of workers that run regions one after the other. Only one
// goroutine may call Run. The zero Pool is not usable.
type Pool struct {
	region  func(part int)
	parts   int
	number  atomic.Uint32 // of the current region
	pending atomic.Int32  // workers that have not finished it
	closed  atomic.Bool
	workers []worker
}

type worker struct {
	asleep atomic.Bool
	wake   chan struct{}
	_      [40]byte // one cache line each
}

// New starts a pool of threads workers, the caller's goroutine included.
func New(threads int) *Pool {
	p := &Pool{workers: make([]worker, max(threads, 1)-1)}
	for i := range p.workers {
		p.workers[i].wake = make(chan struct{}, 1)
		go p.work(i)
	}
	return p
}

// Threads is the number of parts that run at the same time.
func (p *Pool) Threads() int { return len(p.workers) + 1 }

// Run calls region(0) to region(parts-1), at most Threads of them, at the same
// time, and returns when all have returned. The caller's goroutine runs part 0.
func (p *Pool) Run(parts int, region func(part int)) {
	if parts <= 1 || len(p.workers) == 0 {
		for i := range parts {
			region(i)
		}
		return
	}
	if parts > p.Threads() {
		panic("pool: more parts than threads")
	}
	p.region, p.parts = region, parts
	p.pending.Store(int32(len(p.workers)))
	p.announce()
	region(0)
	for p.pending.Load() != 0 {
		runtime.Gosched()
	}
	p.region = nil
}

// Close ends the workers. The pool must be idle.
func (p *Pool) Close() {
	if !p.closed.Swap(true) {
		p.announce()
	}
}

// announce publishes a region to spinning workers and wakes the sleeping ones.
func (p *Pool) announce() {
	p.number.Add(1)
	for i := range p.workers {
		if w := &p.workers[i]; w.asleep.CompareAndSwap(true, false) {
			w.wake <- struct{}{}
		}
	}
}

func (p *Pool) work(i int) {
	w := &p.workers[i]
	for seen := uint32(0); ; {
		for n := 0; p.number.Load() == seen; n++ {
			if n < spins {
				runtime.Gosched()
				continue
			}
			n = 0
			w.asleep.Store(true)
			// A region announced since the last look may have missed the
			// flag; whoever clears the flag decides who goes on.
			if p.number.Load() == seen || !w.asleep.CompareAndSwap(true, false) {
				<-w.wake
			}
		}
		seen++
		if p.closed.Load() {
			return
		}
		if part := i + 1; part < p.parts {
			p.region(part)
		}
		p.pending.Add(-1)
	}
}

// Span returns the half-open range of part i when n items are cut into parts
// of nearly equal size, each but the last a multiple of grain.
func Span(n, grain, parts, i int) (from, to int) {
	units := (n + grain - 1) / grain
	return min(units*i/parts*grain, n), min(units*(i+1)/parts*grain, n)
}
