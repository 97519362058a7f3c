package pool

import (
	"runtime"
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

// do runs a region, unless one is running.
func (c *crew) do(parts int, r Region) bool {
	if !c.turn.CompareAndSwap(false, true) {
		return false
	}
	c.region = r
	c.pending.Store(uint64(parts))
	number := c.announce(parts)
	r.Part(0)
	ended := uint64(1)
	for i := 1; i < parts; i++ {
		if c.begin(i, number) {
			r.Part(i)
			ended++
		}
	}
	if c.pending.Add(-ended) != 0 {
		c.await()
	}
	c.region = nil
	c.turn.Store(false)
	return true
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
		c.region.Part(i)
		if c.pending.Add(^uint64(0)) == 0 && c.asleep.CompareAndSwap(true, false) {
			c.wake <- struct{}{}
		}
	}
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
