// Package peak measures what the CPUs of this machine reach at best, which is
// the roof over what a framework reaches on them (the roofline model: Williams,
// Waterman and Patterson, Communications of the ACM 52, 2009).
package peak

import (
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dlbench/dlbench/results"
)

// The best of many repetitions counts. They are shorter than the slices of time
// that a scheduler hands out, so that on a busy host too some are left alone, on
// all threads at once. A number of threads takes less than half a second in all.
const (
	flopReps  = 60
	flopTime  = time.Millisecond // of a repetition
	triadReps = 6 * segments
)

// kernel is a loop of multiply-adds on registers, enough of them independent of
// each other to fill the pipelines: each step of it makes acc = acc*a + b in every
// lane of every accumulator.
type kernel[T float32 | float64] struct {
	name  string
	lanes int // values that one step works on, over all accumulators
	steps int // of every lane in one iteration
	// run makes n iterations from accumulators of 0, and leaves all lanes in out.
	run func(n int, a, b T, out []T)
}

// flop is what an iteration counts, 2 for each multiply-add.
func (k kernel[T]) flop() float64 { return 2 * float64(k.lanes) * float64(k.steps) }

// Measure measures the peaks of so many threads each, in float32 and float64, in
// that order. Thread i is bound to cpus[i], where the system lets it; numbers of
// threads above those of the CPUs are left out, and so are repeated ones.
//
// FLOP/s are multiply-adds on registers, by the widest vectors that this CPU has.
// Where the kernel is "go", which has no vectors, they are a lower bound of the
// peak. Bytes/s are those of the triad of STREAM (McCalpin 1995, "Memory bandwidth
// and machine balance in current high performance computers"), which reads two
// arrays and writes a third, counted once each.
func Measure(cpus, threads []int) []results.Peak {
	threads = slices.Compact(slices.Sorted(slices.Values(threads)))
	threads = slices.DeleteFunc(threads, func(n int) bool { return n < 1 || n > len(cpus) })
	if len(threads) == 0 {
		return nil
	}
	arrays := newTriad(arrayLen(lastLevelCache()))
	defer debug.FreeOSMemory() // the arrays are not to stand in any trial's way
	var peaks []results.Peak
	for _, n := range threads {
		on := cpus[:n]
		bytes := arrays.best(on)
		peaks = append(peaks,
			results.Peak{Threads: n, Precision: "f32", FLOPPerSecond: best(kernelF32, on), BytesPerSecond: bytes, Kernel: kernelF32.name},
			results.Peak{Threads: n, Precision: "f64", FLOPPerSecond: best(kernelF64, on), BytesPerSecond: bytes, Kernel: kernelF64.name})
	}
	return peaks
}

// best is the highest FLOP/s of the repetitions.
func best[T float32 | float64](k kernel[T], cpus []int) float64 {
	// It settles at b/(1-a) = 1: neither overflow nor denormal numbers slow it down.
	const a, b = 0.5, 0.5
	out := make([]T, k.lanes)
	n := 1
	for { // how many iterations take a repetition's time
		began := time.Now()
		k.run(n, a, b, out)
		if took := time.Since(began); took > flopTime/8 {
			n = max(1, int(float64(n)*float64(flopTime)/float64(took)))
			break
		}
		n *= 2
	}
	took := together(cpus, flopReps, func(int) func(int) {
		out := make([]T, k.lanes)
		return func(int) { k.run(n, a, b, out) }
	})
	return k.flop() * float64(n) * float64(len(cpus)) / took.Seconds()
}

// together has a thread on each CPU do its work, all beginning at once, and
// returns the time of the fastest repetition, from the first beginning to the last
// end. work prepares that of thread i, on its CPU.
func together(cpus []int, reps int, work func(i int) func(rep int)) time.Duration {
	ready := make([]atomic.Int64, reps)
	began, ended := make([][]time.Duration, reps), make([][]time.Duration, reps)
	for r := range reps {
		began[r], ended[r] = make([]time.Duration, len(cpus)), make([]time.Duration, len(cpus))
	}
	zero := time.Now()
	var all sync.WaitGroup
	for i, cpu := range cpus {
		all.Go(func() {
			runtime.LockOSThread() // and never unlocked: a bound thread ends with its goroutine
			bind(cpu)
			do := work(i)
			for r := range reps {
				ready[r].Add(1)
				for ready[r].Load() < int64(len(cpus)) {
					runtime.Gosched()
				}
				began[r][i] = time.Since(zero)
				do(r)
				ended[r][i] = time.Since(zero)
			}
		})
	}
	all.Wait()
	fastest := time.Duration(math.MaxInt64)
	for r := range reps {
		fastest = min(fastest, slices.Max(ended[r])-slices.Min(began[r]))
	}
	return max(1, fastest)
}
