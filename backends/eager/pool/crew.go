package pool

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// glance is how many looks at a word one call of spin takes: a goroutine in
	// assembly cannot be stopped for the garbage collector, so that it may be a few
	// microseconds at most.
	glance = 64
	// glances is how many of them pass before the processor is offered to others.
	glances = 8
	// idle is how long a worker spins after its last region before it sleeps.
	idle = 4 * time.Millisecond
	// patience is how long the caller spins for parts that are still running.
	patience = 2 * time.Millisecond
)

// crew is the workers of all pools.
type crew struct {
	turn    atomic.Bool // a region is running
	region  Region
	workers atomic.Pointer[[]*worker]
	_       [64]byte
	head    atomic.Uint64 // the number of the current region << 16 | its parts
	_       [56]byte
	pending atomic.Uint64 // its parts that have not ended
	asleep  atomic.Bool   // the caller waits for them in its sleep
	wake    chan struct{}
	closed  atomic.Bool
	fault   atomic.Pointer[Panic] // of a worker's part, in the current region
	claims  [maxThreads]claim
}

// claim is the number of the region whose part of this index was last begun.
type claim struct {
	by atomic.Uint64
	_  [56]byte // one cache line each
}

type worker struct {
	asleep atomic.Bool
	wake   chan struct{}
	_      [48]byte
}

// shared is the crew of the process, and of how many pools it is.
var shared struct {
	sync.Mutex
	crew  *crew
	pools int
}

// enlist returns the crew, of at least so many workers.
func enlist(workers int) *crew {
	shared.Lock()
	defer shared.Unlock()
	if shared.crew == nil {
		shared.crew = &crew{wake: make(chan struct{}, 1)}
		shared.crew.workers.Store(new([]*worker))
	}
	shared.pools++
	c := shared.crew
	all := *c.workers.Load()
	for have := len(all); have < workers; have++ {
		w := &worker{wake: make(chan struct{}, 1)}
		all = append(all[:have:have], w) // a copy: do reads the old one meanwhile
		go c.work(w, have+1, c.head.Load())
	}
	c.workers.Store(&all)
	return c
}

// leave is called once by each pool that enlisted.
func (c *crew) leave() {
	shared.Lock()
	defer shared.Unlock()
	if shared.pools--; shared.pools > 0 {
		return
	}
	shared.crew = nil
	c.closed.Store(true)
	c.announce(0)
}

// announce publishes a region of so many parts, and wakes the workers that sleep.
// It returns the region's number.
func (c *crew) announce(parts int) uint64 {
	number := c.head.Load()>>16 + 1
	c.head.Store(number<<16 | uint64(parts))
	for i, w := range *c.workers.Load() {
		if parts > 0 && i+1 >= parts {
			break
		}
		if w.asleep.CompareAndSwap(true, false) {
			w.wake <- struct{}{}
		}
	}
	return number
}

// Panic is the value of a panic in Do where a worker ran the part that panicked.
type Panic struct {
	Value any    // that the part panicked with
	Stack []byte // of the worker
}

// Error is the value and, on lines of its own, the stack.
func (p *Panic) Error() string {
	return fmt.Sprintf("%v\n\nin a part of a region on another thread:\n%s", p.Value, p.Stack)
}

// Unwrap is the value, if that is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// do runs a region, unless one is running.
func (c *crew) do(parts int, r Region) bool {
	if !c.turn.CompareAndSwap(false, true) {
		return false
	}
	c.region = r
	c.pending.Store(uint64(parts))
	number := c.announce(parts)
	begun, returned := uint64(1), false
	defer func() { c.end(parts, number, begun, returned) }()
	r.Part(0)
	for i := 1; i < parts; i++ {
		if c.begin(i, number) {
			begun++
			r.Part(i)
		}
	}
	returned = true
	return true
}

// end ends a region whose caller began so many parts, which all returned, or the
// last of which panicked. It waits for the others either way: they work on the
// caller's memory. Parts that nobody has begun when the caller panics are left out.
func (c *crew) end(parts int, number, begun uint64, returned bool) {
	if !returned {
		for i := 1; i < parts; i++ {
			if c.begin(i, number) {
				begun++
			}
		}
	}
	if c.pending.Add(-begun) != 0 {
		c.await()
	}
	c.region = nil
	fault := c.fault.Load()
	if fault != nil {
		c.fault.Store(nil)
	}
	c.turn.Store(false)
	if fault != nil && returned { // else the caller's own panic goes on
		panic(fault)
	}
}

// begin reports whether part i of a region is the asker's to run. A region does
// not end before each of its parts was begun, so that whoever asks late, with
// the number of a region that has ended, is told no.
func (c *crew) begin(i int, number uint64) bool {
	by := &c.claims[i].by
	last := by.Load()
	return last < number && by.CompareAndSwap(last, number)
}

// await returns when no part is running any more.
func (c *crew) await() {
	var s spinner
	for {
		left := c.pending.Load()
		if left == 0 {
			return
		}
		if s.spin(&c.pending, left) < patience {
			continue
		}
		c.asleep.Store(true) // as work does
		if c.pending.Load() != 0 || !c.asleep.CompareAndSwap(true, false) {
			<-c.wake
		}
	}
}

// work is worker w, whose part is the one of index own, until the crew closes.
func (c *crew) work(w *worker, own int, seen uint64) {
	defer func() { // a part may end its goroutine (runtime.Goexit), but not the worker
		if !c.closed.Load() {
			go c.work(w, own, seen)
		}
	}()
	var s spinner
	for !c.closed.Load() {
		switch head := c.head.Load(); {
		case head == seen:
			if s.spin(&c.head, seen) < idle {
				continue
			}
		case own < partsOf(head):
			seen = head
			c.join(own, head)
			s = spinner{}
			continue
		default: // a region for fewer threads
			seen = head
			if s.offer() < idle {
				continue
			}
		}
		w.asleep.Store(true)
		// A region announced since the last look may have missed the flag; whoever
		// clears the flag decides who goes on.
		head := c.head.Load()
		called := head != seen && own < partsOf(head) || c.closed.Load()
		if !called || !w.asleep.CompareAndSwap(true, false) {
			<-w.wake
		}
		s = spinner{}
	}
}

// join runs what it may of a region: part own first, then what nobody has begun.
func (c *crew) join(own int, head uint64) {
	others := partsOf(head) - 1 // the first is the caller's
	for k := range others {
		i := own + k
		if i > others {
			i -= others
		}
		if !c.begin(i, head>>16) {
			continue
		}
		c.run(i)
	}
}

// run runs part i on a worker.
func (c *crew) run(i int) {
	returned := false
	defer func() {
		if !returned {
			v := recover()
			if v == nil {
				v = "the part ended its goroutine"
			}
			c.fault.CompareAndSwap(nil, &Panic{v, debug.Stack()})
		}
		if c.pending.Add(^uint64(0)) == 0 && c.asleep.CompareAndSwap(true, false) {
			c.wake <- struct{}{}
		}
	}()
	c.region.Part(i)
	returned = true
}

func partsOf(head uint64) int { return int(head & (1<<16 - 1)) }

// spinner is one wait.
type spinner struct {
	since time.Time // of the first offer of the processor
}

// spin waits a moment for word to be other than seen, and returns for how long
// the waiting has gone on.
func (s *spinner) spin(word *atomic.Uint64, seen uint64) time.Duration {
	for range glances {
		if spin(word, seen, glance); word.Load() != seen {
			return 0
		}
	}
	return s.offer()
}

// offer lets other threads and goroutines have the processor.
func (s *spinner) offer() time.Duration {
	yield()
	runtime.Gosched()
	now := time.Now()
	if s.since.IsZero() {
		s.since = now
	}
	return now.Sub(s.since)
}
