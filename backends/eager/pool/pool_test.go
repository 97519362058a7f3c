package pool

import (
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
				time.Sleep(2 * time.Millisecond) // let the workers fall asleep
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

func BenchmarkEmptyRegion(b *testing.B) {
	p := New(2)
	defer p.Close()
	for b.Loop() {
		p.Run(2, func(int) {})
	}
}
