package pool

import (
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// meeting is a region of two parts that run at the same time or not at all: each
// waits for the other, so that a worker runs part 1.
type meeting struct {
	here  [2]chan struct{}
	met   atomic.Int32
	after [2]func()
}

func newMeeting(after [2]func()) *meeting {
	return &meeting{here: [2]chan struct{}{make(chan struct{}), make(chan struct{})}, after: after}
}

func (m *meeting) Part(i int) {
	close(m.here[i])
	select {
	case <-m.here[1-i]:
		m.met.Add(1)
	case <-time.After(5 * time.Second):
	}
	if m.after[i] != nil {
		m.after[i]()
	}
}

// A panic in a part, whoever runs it, reaches the caller of Do once the other parts
// have ended, and the next region has all threads again.
func TestPanicReachesTheCaller(t *testing.T) {
	p := New(2)
	defer p.Close()
	if p.crew == nil {
		t.Skip("one processor: there are no workers")
	}
	failure := errors.New("failure")
	for name, c := range map[string]struct {
		after  [2]func(other *atomic.Bool)
		worker bool // the value comes from a worker
	}{
		"caller":    {after: [2]func(*atomic.Bool){func(*atomic.Bool) { panic(failure) }, late}},
		"worker":    {after: [2]func(*atomic.Bool){late, func(*atomic.Bool) { panic(failure) }}, worker: true},
		"both":      {after: [2]func(*atomic.Bool){func(*atomic.Bool) { panic(failure) }, func(*atomic.Bool) { panic("another") }}},
		"goroutine": {after: [2]func(*atomic.Bool){late, func(*atomic.Bool) { runtime.Goexit() }}, worker: true},
	} {
		t.Run(name, func(t *testing.T) {
			for range 3 {
				var ended atomic.Bool
				m := newMeeting([2]func(){func() { c.after[0](&ended) }, func() { c.after[1](&ended) }})
				v := recovered(func() { p.Do(2, m) })
				if name != "both" && !ended.Load() {
					t.Error("Do panicked before the other part had ended")
				}
				err, _ := v.(error)
				fault, wrapped := v.(*Panic)
				if wrapped != c.worker || name != "goroutine" && !errors.Is(err, failure) {
					t.Errorf("the caller recovered %v, want the part's error, from a worker: %v", v, c.worker)
				}
				if wrapped && !strings.Contains(fault.Error(), "panic_test.go") {
					t.Errorf("%q does not say where the part panicked", fault.Error())
				}
				next := newMeeting([2]func(){})
				if p.Do(2, next); next.met.Load() != 2 {
					t.Fatal("after the panic regions run on one thread")
				}
			}
		})
	}
}

// late ends a part after the other's panic.
func late(ended *atomic.Bool) {
	time.Sleep(20 * time.Millisecond)
	ended.Store(true)
}

func recovered(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

// Parts that nobody has begun when the caller panics are left out; the next region
// runs all of its own.
func TestPanicLeavesPartsOut(t *testing.T) {
	p := New(4)
	defer p.Close()
	for round := range 200 {
		var ran atomic.Int32
		v := recovered(func() {
			p.Run(4, func(i int) {
				if i == 0 {
					panic(round)
				}
				ran.Add(1)
			})
		})
		if v != round || ran.Load() > 3 {
			t.Fatalf("round %d: recovered %v after %d other parts", round, v, ran.Load())
		}
		ran.Store(0)
		if p.Run(4, func(int) { ran.Add(1) }); ran.Load() != 4 {
			t.Fatalf("round %d: %d parts of 4 ran after a panic", round, ran.Load())
		}
	}
}
