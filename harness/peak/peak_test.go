package peak

import (
	"math"
	"runtime"
	"testing"
	"time"

	kernels "github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/backends/eager/pool"
)

// Every kernel makes the multiply-adds that are counted: with a = b = 1 each
// adds 1 to its lane.
func TestKernelsComputeWhatIsCounted(t *testing.T) {
	for _, k := range kernelsF32 {
		counted(t, k)
	}
	for _, k := range kernelsF64 {
		counted(t, k)
	}
}

func counted[T float32 | float64](t *testing.T, k kernel[T]) {
	t.Helper()
	for _, n := range []int{0, 1, 7, 1000} {
		out := make([]T, k.lanes+1)
		out[k.lanes] = -1
		k.run(n, 1, 1, out)
		sum := 0.0
		for i, v := range out[:k.lanes] {
			if float64(v) != float64(n*k.steps) {
				t.Errorf("%s %T: %d iterations, lane %d is %v, want %d", k.name, v, n, i, v, n*k.steps)
			}
			sum += float64(v)
		}
		if 2*sum != k.flop()*float64(n) {
			t.Errorf("%s: %d iterations made %v FLOP, %v are counted", k.name, n, 2*sum, k.flop()*float64(n))
		}
		if out[k.lanes] != -1 {
			t.Errorf("%s wrote behind its lanes", k.name)
		}
	}
	// acc*a + b, in this order: 0, 3, 3*2+3, ...
	out := make([]T, k.lanes)
	k.run(2, 2, 3, out)
	want := T(3)
	for range 2*k.steps - 1 {
		want = want*2 + 3
	}
	if out[0] != want || out[k.lanes-1] != want {
		t.Errorf("%s: %v and %v, want %v", k.name, out[0], out[k.lanes-1], want)
	}
}

func TestTriad(t *testing.T) {
	for _, n := range []int{0, 1, 3, 4, 9, 1001} {
		tr := newTriad(n)
		run(tr.a, tr.b, tr.c, 3)
		for i, v := range tr.a {
			if v != 1+3*2 {
				t.Fatalf("of %d: element %d is %v, want 7", n, i, v)
			}
		}
	}
	// Every thread has its part, and no element is left out.
	tr := newTriad(1001 * segments)
	if rate := tr.best([]int{0, 0, 0}); !(rate > 0) || math.IsInf(rate, 0) {
		t.Errorf("%v bytes/s", rate)
	}
	for i, v := range tr.a {
		if v != 7 {
			t.Fatalf("element %d is %v after three threads, want 7", i, v)
		}
	}
}

func TestArrays(t *testing.T) {
	for cache, want := range map[int64]int{
		0:         mostBytes / 3 / 8,
		1 << 20:   4 << 20 / 8,
		512 << 20: mostBytes / 3 / 8,
	} {
		if got := arrayLen(cache); got != want {
			t.Errorf("arrays for %d bytes of cache have %d elements, want %d", cache, got, want)
		}
	}
	for text, want := range map[string]int64{
		"32768K\n": 32 << 20, "2M": 2 << 20, "1G": 1 << 30, "512": 512, "": 0, "K": 0, "-1K": 0, "9999999999999999G": 0, "much": 0,
	} {
		if got := cacheSize(text); got != want {
			t.Errorf("%q is %d bytes, want %d", text, got, want)
		}
	}
}

func TestMeasure(t *testing.T) {
	began := time.Now()
	peaks := Measure([]int{0, 0}, []int{2, 1, 2, 3, 0})
	took := time.Since(began)
	var order []int
	for _, p := range peaks {
		order = append(order, p.Threads)
		if !(p.FLOPPerSecond > 1e7) || !(p.BytesPerSecond > 1e6) || math.IsInf(p.FLOPPerSecond+p.BytesPerSecond, 0) || p.Kernel == "" {
			t.Errorf("%+v", p)
		}
		t.Logf("%d threads, %s, %s: %.1f GFLOP/s, %.1f GB/s", p.Threads, p.Precision, p.Kernel, p.FLOPPerSecond/1e9, p.BytesPerSecond/1e9)
	}
	if len(order) != 4 || order[0] != 1 || order[3] != 2 || peaks[0].Precision != "f32" || peaks[1].Precision != "f64" {
		t.Errorf("peaks of %v threads, want each precision of 1 and of 2, in this order", order)
	}
	if took > 20*time.Second {
		t.Errorf("took %v", took)
	}
	t.Log(took)
	// The arrays are given back: they are not to stand in any trial's way.
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if held := m.HeapSys - m.HeapReleased; held > 64<<20 {
		t.Errorf("%d MiB of memory are still held", held>>20)
	}
	if none := Measure(nil, []int{1}); none != nil {
		t.Errorf("without CPUs: %v", none)
	}
}

// What the eager engine's matrix product reaches on one thread lies below the
// peak: 10 % of slack are for a clock that changes from one to the other.
func TestAboveTheEngine(t *testing.T) {
	if kernelF32.name == "go" {
		t.Skip("the peak is a lower bound here")
	}
	const n = 384
	p := pool.New(1)
	defer p.Close()
	m := kernels.New[float32](p)
	a, b, c := make([]float32, n*n), make([]float32, n*n), make([]float32, n*n)
	for i := range a {
		a[i], b[i] = 0.5, 0.25
	}
	var reached, top float64
	for range 5 { // a neighbour may share the core with one of the two and not with the other
		for range 10 {
			began := time.Now()
			m.Mul(n, n, n, kernels.Rows(a, n), kernels.Rows(b, n), c, n, false)
			reached = max(reached, 2*n*n*n/time.Since(began).Seconds())
		}
		top = max(top, best(kernelF32, []int{0}))
		if reached <= 1.1*top && reached >= top/50 {
			t.Logf("the engine reaches %.3g FLOP/s of a peak of %.3g", reached, top)
			return
		}
	}
	t.Errorf("the engine reaches %.3g FLOP/s of a peak of %.3g", reached, top)
}

// The widest vectors are not slower than none: half of it is slack for a host
// that is busy.
func TestVectorsAreFaster(t *testing.T) {
	if kernelF32.name == "go" {
		t.Skip("this CPU has no vectors here")
	}
	wide, plain := best(kernelF32, []int{0}), best(portable[float32](), []int{0})
	if wide < 2*plain {
		t.Errorf("%s reaches %.3g FLOP/s, plain Go %.3g", kernelF32.name, wide, plain)
	}
}
