package gomlx

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// deep is a stack that can be cut into segments, without batch statistics.
var deep = model{"deep", image, []workloads.Layer{
	{Op: workloads.LayerGroup, Repeat: 4, Body: []workloads.Layer{
		{Op: workloads.LayerResidual, Body: []workloads.Layer{
			layer(workloads.OpConv2D, "c", workloads.Attr{Filters: 2, Kernel: 3, Pad: 1, Bias: true}), bare(workloads.OpGELU)}}}},
	bare(workloads.OpFlatten), dense("b", 3)}, false}

// recurrent has tokens and a sequence whose steps are joined at a segment's end.
var recurrent = model{"recurrent", tokens, []workloads.Layer{
	layer(workloads.OpEmbedding, "e", workloads.Attr{Units: 4}),
	layer(workloads.OpLSTM, "l", workloads.Attr{Units: 3}),
	layer(workloads.OpLSTM, "m", workloads.Attr{Units: 3}),
	bare(workloads.OpLastStep), dense("b", 3)}, false}

// trajectory runs n steps and returns their losses.
func trajectory(t *testing.T, b *backend, n int) []float64 {
	t.Helper()
	var losses []float64
	for step := range n {
		if err := b.Run([]int{step % 2}); err != nil {
			t.Fatal(err)
		}
		losses = append(losses, read(t, b, "loss", 0)["loss"].Data[0])
	}
	return losses
}

func sameLosses(t *testing.T, got, want []float64, tolerance float64) {
	t.Helper()
	for i := range want {
		if !near(got[i], want[i], tolerance) {
			t.Errorf("loss of step %d: %.15g, want %.15g", i, got[i], want[i])
		}
	}
}

func TestCheckpointComputesTheSame(t *testing.T) {
	for _, m := range []model{deep, recurrent, models[0]} {
		t.Run(m.name, func(t *testing.T) {
			want := trajectory(t, build(t, m.job(t, adam, settings())), 3)
			for _, segments := range []int{1, 2} {
				s := settings()
				s.Checkpoint = segments
				job := m.job(t, adam, s)
				b := New().(*backend)
				built, err := b.Build(t.Context(), job)
				if err != nil {
					t.Fatal(err)
				}
				if built.Segments != segments {
					t.Errorf("checkpoint %d: %d segments are recomputed", segments, built.Segments)
				}
				sameLosses(t, trajectory(t, b, 3), want, 1e-13)
				if err := b.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestHeldActivationsAreSeen drops the checkpoints from a graph that has
// segments: the evidence must say so.
func TestHeldActivationsAreSeen(t *testing.T) {
	b := build(t, deep.job(t, sgd, settings()))
	_, err := compile(b.engine, "held", func(g *graph.Graph) ([]*graph.Node, error) {
		x := graph.Parameter(g, "x", shapes.Make(dtypes.Float32, 4))
		var c checkpoints
		c.segments = []workloads.Segment{{First: 0, Last: 0}}
		c.enter(0, &value{node: x})
		// The op reads the entry without its mark, so nothing is recomputed.
		c.entries[0].node = graph.OptimizationBarrier(x)
		out := c.leave(value{node: graph.Exp(graph.Exp(c.entries[0].node))})
		loss := graph.ReduceAllSum(out.node)
		gradients := graph.Gradient(loss, x)
		if n := c.recomputed(loss); n != 0 {
			t.Errorf("%d segments are said to be recomputed", n)
		}
		return gradients, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestNoSegmentsWithoutCheckpoint(t *testing.T) {
	b := New()
	built, err := b.Build(t.Context(), deep.job(t, sgd, settings()))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if built.Segments != 0 || built.Accumulated != 1 {
		t.Errorf("built %+v: want no segment and one micro-batch", built)
	}
}

func TestAccumulationComputesTheSame(t *testing.T) {
	for _, m := range []model{deep, recurrent} {
		t.Run(m.name, func(t *testing.T) {
			plain := build(t, m.job(t, adam, settings()))
			want := trajectory(t, plain, 3)
			s := settings()
			s.Accumulate = 2
			b := New().(*backend)
			built, err := b.Build(t.Context(), m.job(t, adam, s))
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			if built.Accumulated != 2 {
				t.Errorf("built says %d micro-batches", built.Accumulated)
			}
			sameLosses(t, trajectory(t, b, 3), want, 1e-13)
			for _, what := range []string{"logits", "grads", "params"} {
				got, want := read(t, b, what, 1), read(t, plain, what, 1)
				for name, w := range want {
					for i := range w.Data {
						if !near(got[name].Data[i], w.Data[i], 1e-11) {
							t.Fatalf("%s %s[%d] = %v, want %v", what, name, i, got[name].Data[i], w.Data[i])
						}
					}
				}
			}
		})
	}
}

// TestResetRestoresEverything covers parameters, running statistics, optimizer
// state and the generator of the masks.
func TestResetRestoresEverything(t *testing.T) {
	m := model{"all state", vector, []workloads.Layer{
		dense("a", 16), layer(workloads.OpBatchNorm, "n", workloads.Attr{}),
		layer(workloads.OpDropout, "", workloads.Attr{Rate: 0.5}), dense("b", 3)}, false}
	job := m.job(t, adam, settings())
	job.For = backends.ForTime
	b := build(t, job)
	start := read(t, b, "params", 0)
	first := trajectory(t, b, 4)
	end := read(t, b, "params", 0)
	if err := b.Reset(); err != nil {
		t.Fatal(err)
	}
	if !equalTensors(read(t, b, "params", 0), start) {
		t.Error("parameters after reset differ from those after build")
	}
	if _, err := b.Read("loss", 0); err == nil {
		t.Error("a loss can be read after reset, before any step")
	}
	again := trajectory(t, b, 4)
	for i := range first {
		if first[i] != again[i] {
			t.Errorf("step %d: loss %v, after reset %v", i, first[i], again[i])
		}
	}
	if !equalTensors(read(t, b, "params", 0), end) {
		t.Error("parameters after the second run differ")
	}
}

// TestReadingChangesNothing interleaves every kind of read with steps.
func TestReadingChangesNothing(t *testing.T) {
	m := model{"reads", vector, []workloads.Layer{
		dense("a", 16), layer(workloads.OpBatchNorm, "n", workloads.Attr{}), dense("b", 3)}, false}
	want := trajectory(t, build(t, m.job(t, adam, settings())), 4)
	b := build(t, m.job(t, adam, settings()))
	for i := range want {
		for _, what := range []string{"logits", "grads", "params"} {
			read(t, b, what, 1)
		}
		if err := b.Run([]int{i % 2}); err != nil {
			t.Fatal(err)
		}
		if got := read(t, b, "loss", 0)["loss"].Data[0]; got != want[i] {
			t.Errorf("step %d: loss %v with reads, %v without", i, got, want[i])
		}
	}
}

// TestDropoutMasks looks at a layer of ones: what is kept must be scaled, the
// kept share near 1-rate, and the mask fresh in each step.
func TestDropoutMasks(t *testing.T) {
	const rate = 0.25
	m := model{"masks", workloads.Input{Kind: workloads.KindVector, Shape: []int{4000}}, []workloads.Layer{
		layer(workloads.OpDropout, "", workloads.Attr{Rate: rate}), dense("b", 3)}, false}
	s := settings()
	s.Precision = workloads.F32
	job := m.job(t, workloads.Layer{Op: workloads.OptSGD, Attr: workloads.Attr{Rate: 1e-9}}, s)
	job.For = backends.ForTime
	b := build(t, job)
	first := read(t, b, "logits", 0)["logits"].Data
	if second := read(t, b, "logits", 0)["logits"].Data; first[0] != second[0] {
		t.Error("reading logits twice drew two masks")
	}
	losses := map[float64]bool{}
	for range 5 {
		if err := b.Run([]int{0}); err != nil {
			t.Fatal(err)
		}
		losses[read(t, b, "loss", 0)["loss"].Data[0]] = true
	}
	if len(losses) != 5 {
		t.Errorf("5 steps on one batch gave %d losses: the mask is not fresh", len(losses))
	}
	job.For = backends.ForCheck
	check := build(t, job)
	undropped := read(t, check, "logits", 0)["logits"].Data
	if undropped[0] == first[0] {
		t.Error("a build for check drops")
	}
	if err := check.Run([]int{0, 0}); err != nil {
		t.Fatal(err)
	}
}

func TestHostDataComputesTheSame(t *testing.T) {
	want := trajectory(t, build(t, deep.job(t, sgd, settings())), 3)
	s := settings()
	s.Data = workloads.DataHost
	b := build(t, deep.job(t, sgd, s))
	if b.batches[0].parts[0].resident[0] != nil {
		t.Error("batches lie on the device although the job wants them copied inside the step")
	}
	sameLosses(t, trajectory(t, b, 3), want, 0)
}

// TestPrecisionIsApplied holds the built types to the job, and float32 to
// within its rounding of float64, but not equal to it.
func TestPrecisionIsApplied(t *testing.T) {
	losses := map[workloads.Precision]float64{}
	for precision, dtype := range map[workloads.Precision]dtypes.DType{workloads.F32: dtypes.Float32, workloads.F64: dtypes.Float64} {
		s := settings()
		s.Precision = precision
		b := New().(*backend)
		built, err := b.Build(t.Context(), deep.job(t, adam, s))
		if err != nil {
			t.Fatal(err)
		}
		if want := string(precision); built.DTypes["params"] != want || built.DTypes["activations"] != want {
			t.Errorf("%s: built %v", precision, built.DTypes)
		}
		shape, err := b.state[0].Shape()
		if err != nil || shape.DType != dtype {
			t.Errorf("%s: parameters are held as %s (%v)", precision, shape.DType, err)
		}
		losses[precision] = trajectory(t, b, 3)[2]
		b.Close()
	}
	if d := math.Abs(losses[workloads.F32] - losses[workloads.F64]); d == 0 || d > 1e-5 {
		t.Errorf("float32 and float64 differ by %g after 3 steps", d)
	}
}

func TestUnsupported(t *testing.T) {
	job := models[0].job(t, sgd, settings())
	tests := []struct {
		name   string
		change func(*backends.Job)
		want   string
	}{
		{"precision", func(j *backends.Job) { j.Settings.Precision = workloads.TF32 }, "precision tf32"},
		{"float16", func(j *backends.Job) { j.Settings.Precision = workloads.F16Mix }, "subnormal in float16"},
		{"precision for inference", func(j *backends.Job) { j.Settings.Precision = workloads.BF16 }, "precision bf16 in mode train"},
		{"device", func(j *backends.Job) { j.Settings.Device = workloads.DeviceCUDA }, "device cuda"},
		{"placement", func(j *backends.Job) { j.Settings.Data = workloads.DataLoader }, "data loader"},
		{"op", func(j *backends.Job) {
			j.Program.Ops = append([]workloads.Op{}, j.Program.Ops...)
			j.Program.Ops[1].Op = "swish"
		}, `"swish"`},
		{"loss", func(j *backends.Job) { j.Program.Loss.Op = "hinge" }, `"hinge"`},
		{"reduction", func(j *backends.Job) { j.Program.Loss.Attr.Reduction = "sum" }, `"sum"`},
		{"optimizer", func(j *backends.Job) { j.Program.Optimizer.Op = "lion" }, `"lion"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			changed := job
			tt.change(&changed)
			_, err := New().Build(context.Background(), changed)
			if !errors.Is(err, backends.ErrUnsupported) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v: want unsupported, naming %s", err, tt.want)
			}
		})
	}
}

// A session may try another build after one that failed: nothing of the first
// may be left in it.
func TestBuildAfterAFailedBuild(t *testing.T) {
	job := models[0].job(t, sgd, settings())
	refused := job
	refused.Program.Loss.Op = "hinge" // found out when the parameters are loaded already
	b := New().(*backend)
	if _, err := b.Build(t.Context(), refused); err == nil {
		t.Fatal("a loss that nobody knows was built")
	}
	built, err := b.Build(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := built.Against(job); err != nil {
		t.Error(err)
	}
	sameLosses(t, trajectory(t, b, 3), trajectory(t, build(t, job), 3), 0)
}

// The pool of workers has the size of the grant.
func TestThreadsLimitTheWorkers(t *testing.T) {
	for _, threads := range []int{1, 3} {
		engine, err := newEngine(threads)
		if err != nil {
			t.Fatal(err)
		}
		defer engine.Finalize()
		if got := workersOf(engine).(interface{ MaxParallelism() int }).MaxParallelism(); got != threads {
			t.Errorf("%d threads: the pool is limited to %d", threads, got)
		}
	}
}

// A diverged run must not look healthy: NaN passes from every place.
func TestNaNIsHandedOn(t *testing.T) {
	engine, err := newEngine(1)
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Finalize()
	nan := float32(math.NaN())
	for name, f := range map[string]func(*graph.Node) *graph.Node{
		"relu":      relu,
		"maxpool2d": func(x *graph.Node) *graph.Node { return maxPool2D(x, 2, 2) },
	} {
		exec, err := graph.NewExec(engine, func(x *graph.Node) *graph.Node { return graph.ReduceAllSum(f(x)) })
		if err != nil {
			t.Fatal(err)
		}
		for at := range 4 {
			x := [][][][]float32{{{{1, -2}, {3, 0}}}}
			x[0][0][at/2][at%2] = nan
			out, err := exec.Call1(x)
			if err != nil {
				t.Fatal(err)
			}
			if v := out.Value().(float32); v == v {
				t.Errorf("%s: NaN in place %d gives %v", name, at, v)
			}
		}
	}
}

func TestBadInput(t *testing.T) {
	job := models[0].job(t, sgd, settings())
	swapped := job
	swapped.Weights = job.Batches
	if _, err := New().Build(t.Context(), swapped); err == nil || !strings.Contains(err.Error(), `parameter "a.weight"`) {
		t.Errorf("weights without the parameter: %v", err)
	}
	swapped = job
	swapped.Batches = job.Weights
	if _, err := New().Build(t.Context(), swapped); err == nil || !strings.Contains(err.Error(), "tensor x") {
		t.Errorf("batches without x: %v", err)
	}
	b := build(t, job)
	for what, batch := range map[string]int{"logits": 2, "grads": -1, "weights": 0} {
		if _, err := b.Read(what, batch); err == nil {
			t.Errorf("read %s of batch %d gave no error", what, batch)
		}
	}
	if err := b.Run([]int{2}); err == nil {
		t.Error("batch 2 of 2 ran")
	}
	timed := job
	timed.For = backends.ForTime
	if _, err := build(t, timed).Read("grads", 0); err == nil {
		t.Error("gradients can be read in a build for time")
	}
}
