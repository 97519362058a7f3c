package gorgonia_test

import (
	"math"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager"
	"github.com/dlbench/dlbench/backends/gorgonia"
	"github.com/dlbench/dlbench/workloads"
)

// TestAgreesWithEager runs shipped workloads for three steps in float64 on
// this backend and on the eager engine and compares losses, logits, first
// gradients and final parameters: two independent implementations that differ
// only in the order of additions.
func TestAgreesWithEager(t *testing.T) {
	for name, batch := range map[string]int{
		"TinyMlp": 8, "TinyCnn": 8, "TinyLstm": 8, "TinySequence": 8, "TinyDropout": 8,
		"MnistMlp": 8, "MnistCnn": 2, "TextLstmShort": 4, "CheckpointStack": 4,
	} {
		for _, mode := range workloads.Modes {
			t.Run(name+"/"+string(mode), func(t *testing.T) {
				set := workloads.DefaultSettings()
				set.Mode, set.Precision, set.Batch = mode, workloads.F64, batch
				job := shipped(t, name, set, backends.ForCheck)
				compare(t, account(t, gorgonia.New(), job), account(t, eager.New(), job))
			})
		}
	}
}

// shipped makes the files of a shipped workload in a folder of the test.
func shipped(t testing.TB, name string, set workloads.Settings, purpose backends.Purpose) backends.Job {
	t.Helper()
	spec, ok := workloads.Find(name)
	if !ok {
		t.Fatalf("no workload %s", name)
	}
	p, err := spec.Resolve(set)
	if err != nil {
		t.Fatal(err)
	}
	cache := workloads.Cache{Dir: t.TempDir()}
	job := backends.Job{Program: p, Settings: set, For: purpose}
	if job.Weights, err = cache.Weights(p); err != nil {
		t.Fatal(err)
	}
	if job.Batches, err = cache.Batches(p, ""); err != nil {
		t.Fatal(err)
	}
	return job
}

// account returns everything that can be read of three steps, by name.
func account(t *testing.T, b backends.Backend, job backends.Job) map[string][]float64 {
	t.Helper()
	built, err := b.Build(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := built.Against(job); err != nil {
		t.Error(err)
	}
	out := map[string][]float64{}
	read := func(what, prefix string) {
		values, err := b.Read(what, 0)
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range values {
			out[prefix+name] = v.Data
		}
	}
	read("logits", "")
	if job.Program.Mode == workloads.Train {
		read("grads", "grad/")
	}
	for step := range 3 {
		if err := b.Run([]int{step % job.Program.Data.Batches}); err != nil {
			t.Fatal(err)
		}
		read("loss", "step "+string(rune('0'+step))+" ")
	}
	read("params", "param/")
	return out
}

func compare(t *testing.T, got, want map[string][]float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d tensors against %d", len(got), len(want))
	}
	for name, w := range want {
		g := got[name]
		if len(g) != len(w) {
			t.Errorf("%s has %d elements, want %d", name, len(g), len(w))
			continue
		}
		var norm, diff float64 // a gradient that cancels to nothing is held to 1e-15, not to its own rounding errors
		for i := range w {
			norm += w[i] * w[i]
			diff += (g[i] - w[i]) * (g[i] - w[i])
		}
		if e := math.Sqrt(diff) / max(math.Sqrt(norm), 1e-6); !(e < 1e-9) {
			t.Errorf("%s is off by %.2g of its norm %.3g", name, e, math.Sqrt(norm))
		}
	}
}
