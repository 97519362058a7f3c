package eager

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// Through the interface: what Read returns, that it changes nothing, and Reset.
func TestBackend(t *testing.T) {
	for name, spec := range smallSpecs() {
		for _, prec := range []workloads.Precision{workloads.F64, workloads.F32} {
			for _, mode := range workloads.Modes {
				t.Run(name+"/"+string(prec)+"/"+string(mode), func(t *testing.T) {
					set := smallSettings()
					set.Precision, set.Mode = prec, mode
					p := resolve(t, spec, set)
					b := New()
					built, err := b.Build(t.Context(), jobOf(t, p, set, backends.ForCheck))
					if err != nil {
						t.Fatal(err)
					}
					defer b.Close()
					if built.DTypes["params"] != string(prec) || built.Accumulated != 1 || built.Params == 0 {
						t.Errorf("evidence %+v", built)
					}
					run := func() (losses []float64, params map[string]backends.Tensor) {
						for s := range 4 {
							if err := b.Run([]int{s % 3}); err != nil {
								t.Fatal(err)
							}
							losses = append(losses, get(t, b, "loss", 0)["loss"].Data[0])
							get(t, b, "logits", 1) // must not disturb the run
							if mode == workloads.Train {
								get(t, b, "grads", 2)
							}
						}
						return losses, get(t, b, "params", 0)
					}
					first, params := run()
					if len(params) != len(p.Params) {
						t.Errorf("%d parameters read, want %d", len(params), len(p.Params))
					}
					if err := b.Reset(); err != nil {
						t.Fatal(err)
					}
					second, again := run()
					if !slices.Equal(first, second) {
						t.Errorf("losses %v, after Reset %v", first, second)
					}
					for name := range params {
						if !slices.Equal(params[name].Data, again[name].Data) {
							t.Errorf("%s differs after Reset", name)
						}
					}
					if mode == workloads.Train {
						plain := New()
						defer plain.Close()
						if _, err := plain.Build(t.Context(), jobOf(t, p, set, backends.ForCheck)); err != nil {
							t.Fatal(err)
						}
						for s := range 4 {
							if err := plain.Run([]int{s % 3}); err != nil {
								t.Fatal(err)
							}
						}
						for name, q := range get(t, plain, "params", 0) {
							if !slices.Equal(params[name].Data, q.Data) {
								t.Errorf("%s differs from a run without reads in between", name)
							}
						}
						if first[3] == first[0] {
							t.Error("the loss of batch 0 did not move in three steps")
						}
					}
				})
			}
		}
	}
}

func get(t *testing.T, b backends.Backend, what string, batch int) map[string]backends.Tensor {
	t.Helper()
	m, err := b.Read(what, batch)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestWhatCannotBeBuilt(t *testing.T) {
	set := smallSettings()
	p := resolve(t, smallSpecs()["cnn"], set)
	good := jobOf(t, p, set, backends.ForTime)
	for name, c := range map[string]struct {
		change func(*backends.Job)
		want   string
	}{
		"precision":              {func(j *backends.Job) { j.Settings.Precision = workloads.TF32 }, "precision tf32 in mode train"},
		"precision of inference": {func(j *backends.Job) { j.Settings.Precision = workloads.BF16 }, "precision bf16 in mode train"},
		"device":                 {func(j *backends.Job) { j.Settings.Device = "cuda" }, "device cuda"},
		"op":                     {func(j *backends.Job) { j.Program.Ops[2].Op = "swish" }, `op "swish"`},
		"attribute":              {func(j *backends.Job) { j.Program.Ops[2].Attr.Heads = 2 }, "attributes"},
		"loss":                   {func(j *backends.Job) { j.Program.Loss.Op = "hinge" }, `loss "hinge"`},
		"reduction":              {func(j *backends.Job) { j.Program.Loss.Attr.Reduction = "sum" }, `reduction "sum"`},
		"optimizer":              {func(j *backends.Job) { j.Program.Optimizer.Op = "lion" }, `optimizer "lion"`},
		"data":                   {func(j *backends.Job) { j.Settings.Data = "tape" }, `data "tape"`},
	} {
		job := good
		job.Program.Ops = slices.Clone(p.Ops)
		c.change(&job)
		_, err := New().Build(t.Context(), job)
		if !errors.Is(err, backends.ErrUnsupported) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want unsupported naming %s", name, err, c.want)
		}
	}
	bad := good
	bad.Batches = good.Weights
	if _, err := New().Build(t.Context(), bad); err == nil {
		t.Error("a file without batches was accepted")
	}
	bad = good
	bad.Weights = good.Batches
	if _, err := New().Build(t.Context(), bad); err == nil || errors.Is(err, backends.ErrUnsupported) {
		t.Errorf("a file without parameters gave %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New().Build(ctx, good); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled build gave %v", err)
	}
}

func TestUseBeforeBuildAndWrongReads(t *testing.T) {
	b := New()
	if b.Run([]int{0}) == nil || b.Reset() == nil {
		t.Error("a backend without a program runs")
	}
	if _, err := b.Read("loss", 0); err == nil {
		t.Error("a backend without a program can be read")
	}
	set := smallSettings()
	if _, err := b.Build(t.Context(), jobOf(t, resolve(t, smallSpecs()["lstm"], set), set, backends.ForTime)); err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for what, batch := range map[string]int{"grads": 0, "logits": 3, "weights": 0, "loss": 0} {
		if _, err := b.Read(what, batch); err == nil {
			t.Errorf("Read(%q, %d) of a timed build before any step succeeded", what, batch)
		}
	}
	if b.Run([]int{-1}) == nil || b.Run([]int{3}) == nil {
		t.Error("a batch out of range was run")
	}
}
