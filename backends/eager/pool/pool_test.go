package pool

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestRunCallsEveryPartOnce(t *testing.T) {
	for threads := 1; threads <= 5; threads++ {
		p := New(threads)
		for round := range 500 {
			parts := round%threads + 1
			counts := make([]atomic.Int32, parts)
			p.Run(parts, func(i int) { counts[i].Add(1) })
			for i := range counts {
				if got := counts[i].Load(); got != 1 {
					t.Fatalf("threads %d, round %d: part %d ran %d times", threads, round, i, got)
				}
			}
			if round%100 == 99 {
				time.Sleep(idle + 2*time.Millisecond) // let the workers fall asleep
			}
		}
		p.Close()
		p.Close() // closing twice is harmless
	}
}

func TestSpanCoversEverythingOnce(t *testing.T) {
	for n := range 70 {
		for grain := 1; grain < 9; grain++ {
			for parts := 1; parts < 6; parts++ {
				next := 0
				for i := range parts {
					from, to := Span(n, grain, parts, i)
					if from != next || to < from || from%grain != 0 && from != n {
						t.Fatalf("Span(%d, %d, %d, %d) = %d, %d after %d", n, grain, parts, i, from, to, next)
					}
					next = to
				}
				if next != n {
					t.Fatalf("Span(%d, %d, %d) ends at %d", n, grain, parts, next)
				}
			}
		}
	}
}

func TestPartsAreWorthIt(t *testing.T) {
	p := New(4)
	defer p.Close()
	for _, c := range []struct{ work, least, want int }{{0, 10, 1}, {19, 10, 1}, {20, 10, 2}, {39, 10, 3}, {1000, 10, 4}, {3, 0, 3}} {
		if got := p.Parts(c.work, c.least); got != c.want {
			t.Errorf("work of %d, least %d: %d parts, want %d", c.work, c.least, got, c.want)
		}
	}
}

// Two pools take turns without waiting for each other, and a region may lie
// within another; the collector is not held up by workers that spin.
func TestPoolsShareTheWorkers(t *testing.T) {
	before := runtime.NumGoroutine()
	var done sync.WaitGroup
	for range 3 {
		done.Go(func() {
			p := New(4)
			defer p.Close()
			for round := range 2000 {
				var outer, inner atomic.Int32
				p.Run(4, func(int) {
					outer.Add(1)
					p.Run(2, func(int) { inner.Add(1) })
				})
				if outer.Load() != 4 || inner.Load() != 8 {
					t.Errorf("round %d: %d parts ran, and %d within them; want 4 and 8", round, outer.Load(), inner.Load())
					return
				}
				if round%500 == 0 {
					runtime.GC()
				}
			}
		})
	}
	done.Wait()
	if shared.crew != nil || shared.pools != 0 {
		t.Errorf("%d pools still share workers", shared.pools)
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines before, %d after the last pool was closed", before, runtime.NumGoroutine())
		}
	}
}

// There are fewer workers than processors, however many threads are asked for, and
// a pool of fewer threads leaves the workers of a larger one out.
func TestNoMoreWorkersThanProcessors(t *testing.T) {
	cpus := min(granted(), runtime.GOMAXPROCS(0))
	if n := runtime.NumCPU(); granted() != n {
		t.Errorf("%d processors are granted, the runtime says %d", granted(), n)
	}
	p := New(maxThreads + 1)
	defer p.Close()
	if p.Threads() != maxThreads {
		t.Errorf("%d threads, want %d", p.Threads(), maxThreads)
	}
	if cpus == 1 {
		if p.crew != nil {
			t.Error("there are workers on one processor")
		}
		return
	}
	if n := len(*p.crew.workers.Load()); n != cpus-1 {
		t.Errorf("%d workers on %d processors, want one fewer", n, cpus)
	}
}

// A region of a pool that is kept is run without allocating.
func TestDoDoesNotAllocate(t *testing.T) {
	p := New(2)
	defer p.Close()
	var r Region = new(counter)
	if n := testing.AllocsPerRun(100, func() { p.Do(2, r) }); n != 0 {
		t.Errorf("a region allocates %v times", n)
	}
}

type counter struct{ n [2]int }

func (c *counter) Part(i int) { c.n[i]++ }
