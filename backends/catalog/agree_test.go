package catalog_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager"
	"github.com/dlbench/dlbench/backends/gomlx"
	"github.com/dlbench/dlbench/backends/gorgonia"
	"github.com/dlbench/dlbench/workloads"
)

// TestRandomProgramsAgree holds three independent implementations to each
// other on models that nobody thought of, and the eager engine to itself: the
// number of threads and recomputation change no bit.
func TestRandomProgramsAgree(t *testing.T) {
	refused, run := 0, 0
	for seed := range uint64(150) {
		p, set, ok := randomProgram(seed)
		if !ok {
			continue
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("settings %+v, input %v, loss %s, optimizer %s, segments %v", set, p.Input, p.Loss.Op, p.Optimizer.Op, p.Segments)
					for i, o := range p.Ops {
						t.Logf("%d: %s %s reads %v, shape %v, %+v", i, o.Op, o.Name, o.In, o.Shape, o.Attr)
					}
				}
			}()
			job := jobOf(t, p, set)
			want := account(t, eager.New(), job)
			threads := job
			threads.Settings.Threads = 3
			compare(t, "eager on 3 threads", account(t, eager.New(), threads), want, 0)
			compare(t, "gomlx", account(t, gomlx.New(), threads), want, 1e-8)
			if len(p.Segments) > 0 { // with its dropout
				job.For = backends.ForTime
				recomputed := account(t, eager.New(), job)
				job.Program.Segments, job.Settings.Checkpoint = nil, 0
				compare(t, "eager with checkpoints", recomputed, account(t, eager.New(), job), 0)
				job.For = backends.ForCheck
			}
			run++
			b := gorgonia.New()
			if _, err := b.Build(t.Context(), job); errors.Is(err, backends.ErrUnsupported) {
				refused++
				return
			}
			b.Close()
			compare(t, "gorgonia", account(t, gorgonia.New(), job), want, 1e-8)
		})
	}
	if refused*2 > run {
		t.Errorf("gorgonia refused %d of %d programs", refused, run)
	}
}

func jobOf(t *testing.T, p workloads.Program, set workloads.Settings) backends.Job {
	t.Helper()
	cache := workloads.Cache{Dir: t.TempDir()}
	job := backends.Job{Program: p, Settings: set, For: backends.ForCheck}
	var err error
	if job.Weights, err = cache.Weights(p); err != nil {
		t.Fatal(err)
	}
	if job.Batches, err = cache.Batches(p, ""); err != nil {
		t.Fatal(err)
	}
	return job
}

// account returns what can be read of three steps, made twice with a reset
// between them, which must give the same bits.
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
	first := steps(t, b, job)
	if err := b.Reset(); err != nil {
		t.Fatal(err)
	}
	compare(t, "after a reset", steps(t, b, job), first, 0)
	return first
}

func steps(t *testing.T, b backends.Backend, job backends.Job) map[string][]float64 {
	t.Helper()
	out := map[string][]float64{}
	read := func(what, prefix string, batch int) {
		values, err := b.Read(what, batch)
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range values {
			out[prefix+name] = v.Data
		}
	}
	read("logits", "", 1)
	if job.Program.Mode == workloads.Train && job.For == backends.ForCheck {
		read("grads", "grad/", 1)
	}
	for s := range 3 {
		if err := b.Run([]int{s % 2}); err != nil {
			t.Fatal(err)
		}
		if s == 1 {
			read("logits", "between steps ", 0) // of a batch that is not the last step's
		}
		read("loss", fmt.Sprintf("step %d ", s), 0)
	}
	read("params", "param/", 0)
	return out
}

// compare holds every tensor to a distance relative to its norm.
func compare(t *testing.T, who string, got, want map[string][]float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d tensors, want %d", who, len(got), len(want))
	}
	for name, w := range want {
		g := got[name]
		if len(g) != len(w) {
			t.Errorf("%s: %s has %d elements, want %d", who, name, len(g), len(w))
			continue
		}
		var norm, distance float64
		for i := range w {
			norm += w[i] * w[i]
			distance += (g[i] - w[i]) * (g[i] - w[i])
		}
		if e := math.Sqrt(distance) / max(math.Sqrt(norm), 1e-3); !(e <= tolerance) {
			t.Errorf("%s: %s is off by %.2g of its norm %.3g", who, name, e, math.Sqrt(norm))
		}
	}
}
