package gomlx_test

import (
	"math"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager"
	"github.com/dlbench/dlbench/backends/gomlx"
	"github.com/dlbench/dlbench/workloads"
)

// shippedCases are the shipped workloads that take well under a second, with
// every kind of op among them.
var shippedCases = []struct {
	workload string
	batch    int
}{
	{"TinyMlp", 8}, {"TinyCnn", 4}, {"TinyLstm", 4}, {"TinyAttention", 4}, {"TinySequence", 4}, {"TinyDropout", 8},
	{"MnistMlp", 16}, {"MnistCnn", 2}, {"TextLstmShort", 4},
}

// TestShippedAgainstOracle follows three training steps, or inference on three
// batches, of this backend and of the eager engine in float64.
func TestShippedAgainstOracle(t *testing.T) {
	// Relative to the norm of each tensor.
	tolerances := map[workloads.Precision]map[string]float64{
		workloads.F64: {"loss": 1e-11, "logits": 1e-10, "grads": 1e-10, "params": 1e-9},
		workloads.F32: {"loss": 2e-5, "logits": 2e-4, "grads": 1e-4, "params": 3e-3},
	}
	for _, c := range shippedCases {
		for _, mode := range workloads.Modes {
			for precision, tolerance := range tolerances {
				t.Run(c.workload+"/"+string(mode)+"/"+string(precision), func(t *testing.T) {
					t.Parallel()
					job := shippedJob(t, c.workload, c.batch, mode)
					oracle := built(t, eager.New(), job)
					job.Settings.Precision = precision
					compare(t, built(t, gomlx.New(), job), oracle, mode, tolerance)
				})
			}
		}
	}
}

// shippedJob is a float64 job for checking, on a cache of its own.
func shippedJob(t *testing.T, name string, batch int, mode workloads.Mode) backends.Job {
	t.Helper()
	spec, ok := workloads.Find(name)
	if !ok {
		t.Fatalf("no shipped workload %s", name)
	}
	s := workloads.DefaultSettings()
	s.Mode, s.Batch, s.Precision = mode, batch, workloads.F64
	p, err := spec.Resolve(s)
	if err != nil {
		t.Fatal(err)
	}
	cache := workloads.Cache{Dir: t.TempDir()}
	weights, err := cache.Weights(p)
	if err != nil {
		t.Fatal(err)
	}
	batches, err := cache.Batches(p, "")
	if err != nil {
		t.Fatal(err)
	}
	return backends.Job{Program: p, Settings: s, Weights: weights, Batches: batches, For: backends.ForCheck}
}

func built(t *testing.T, b backends.Backend, job backends.Job) backends.Backend {
	t.Helper()
	if _, err := b.Build(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// compare runs both and holds every value that can be read to the oracle's.
func compare(t *testing.T, got, oracle backends.Backend, mode workloads.Mode, tolerance map[string]float64) {
	t.Helper()
	// cancelled are parameters whose gradient is zero but for rounding: a bias
	// before batch normalisation. Adam turns that rounding, which is anyone's,
	// into steps of up to the learning rate.
	cancelled := map[string]bool{}
	same := func(step int, what string) {
		t.Helper()
		g, err := got.Read(what, 1)
		if err != nil {
			t.Fatal(err)
		}
		want, err := oracle.Read(what, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(g) != len(want) {
			t.Fatalf("%s: %d tensors, the oracle has %d", what, len(g), len(want))
		}
		total := 0.0
		for _, w := range want {
			total = max(total, norm(w.Data))
		}
		for name, w := range want {
			scale := norm(w.Data)
			if what == "grads" && scale < 1e-9*total {
				cancelled[name] = true
			}
			if cancelled[name] || scale == 0 {
				scale = total
			}
			if d := distance(g[name].Data, w.Data) / scale; !(d <= tolerance[what]) {
				t.Errorf("after %d steps: %s %s differs by %.3g of its norm, tolerance %.3g", step, what, name, d, tolerance[what])
			}
		}
	}
	same(0, "params")
	if mode == workloads.Train {
		same(0, "grads")
	}
	for step := range 3 {
		for _, b := range []backends.Backend{got, oracle} {
			if err := b.Run([]int{step}); err != nil {
				t.Fatal(err)
			}
		}
		same(step+1, "loss")
		same(step+1, "logits")
	}
	same(3, "params")
}

// norm is the Euclidean norm.
func norm(a []float64) float64 {
	sum := 0.0
	for _, v := range a {
		sum += v * v
	}
	return math.Sqrt(sum)
}

// distance is the norm of a-b, infinite if sizes differ.
func distance(a, b []float64) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	difference := make([]float64, len(a))
	for i := range a {
		difference[i] = a[i] - b[i]
	}
	return norm(difference)
}
