package eager

import (
	"math"
	"slices"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// overflowing is a program whose first gradients are too large for float16 times
// the first loss scale: its input is that large.
func overflowing(t *testing.T, factor float32) backends.Job {
	t.Helper()
	set := halfSettings(workloads.F16Mix)
	spec := deepStack()
	spec.Optimizer = layer(workloads.OptSGD, "", workloads.Attr{Rate: 1e-6, Momentum: 0.9}) // the inputs are that large
	spec.Layers = []workloads.Layer{layer(workloads.OpDense, "a", workloads.Attr{Units: 8, Bias: true}), layer(workloads.OpReLU, "", workloads.Attr{}), layer(workloads.OpDense, "b", workloads.Attr{Units: 3, Bias: true})}
	job := jobOf(t, resolve(t, spec, set), set, backends.ForCheck)
	file, err := workloads.ReadSafetensors(job.Batches)
	if err != nil {
		t.Fatal(err)
	}
	for i := range file["x"].F32 {
		file["x"].F32[i] *= factor
	}
	job.Batches = t.TempDir() + "/batches.safetensors"
	if err := workloads.WriteSafetensors(job.Batches, []workloads.NamedTensor{{Name: "x", Tensor: file["x"]}, {Name: "y", Tensor: file["y"]}}); err != nil {
		t.Fatal(err)
	}
	return job
}

// A step that overflows changes nothing but the scale, which is halved until the
// gradients fit; gradients that are read are those anyway.
func TestOverflowSkipsTheUpdate(t *testing.T) {
	e := engineOf[float32](t, overflowing(t, 2048))
	before := slices.Clone(e.weights)
	grads, err := e.read("grads", 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, g := range grads {
		for _, v := range g.Data {
			if v-v != 0 {
				t.Fatalf("the gradient of %s holds %v", name, v)
			}
		}
	}
	if e.scaler.scale != workloads.InitialLossScale {
		t.Errorf("reading gradients left a scale of %v", e.scaler.scale)
	}
	skipped := 0
	for e.opt.t == 0 && skipped < 30 {
		if err := e.step(0); err != nil {
			t.Fatal(err)
		}
		if e.opt.t == 0 {
			skipped++
			if want := workloads.InitialLossScale * math.Exp2(-float64(skipped)); e.scaler.scale != want || !slices.Equal(e.weights, before) {
				t.Fatalf("after %d skipped steps the scale is %v, want %v, and the parameters unchanged", skipped, e.scaler.scale, want)
			}
		}
	}
	if skipped == 0 || skipped == 30 || slices.Equal(e.weights, before) {
		t.Errorf("%d steps were skipped before the first update", skipped)
	}
	if e.reset(); e.scaler.scale != workloads.InitialLossScale {
		t.Errorf("after reset the scale is %v", e.scaler.scale)
	}
	if b := e.built(); b.LossScale != workloads.InitialLossScale {
		t.Errorf("evidence of the scale is %v", b.LossScale)
	}
}

// The simulation in float64 skips the same steps.
func TestSimulatedOverflow(t *testing.T) {
	for _, factor := range []float32{1, 64, 1024, 2048} {
		job := overflowing(t, factor)
		half := engineOf[float32](t, job)
		job.Settings.Precision = workloads.F64
		exact, err := newEngine[float64](job, Options{Scaled: true})
		if err != nil {
			t.Fatal(err)
		}
		defer exact.close()
		for s := range 20 {
			if err := half.step(s % 3); err != nil {
				t.Fatal(err)
			}
			if err := exact.step(s % 3); err != nil {
				t.Fatal(err)
			}
			if half.scaler.scale != exact.scaler.scale || half.opt.t != exact.opt.t {
				t.Fatalf("factor %v, step %d: %d updates at scale %v, simulated %d at %v", factor, s, half.opt.t, half.scaler.scale, exact.opt.t, exact.scaler.scale)
			}
		}
	}
}

func TestScaleGrows(t *testing.T) {
	s := newScaler()
	for range workloads.LossScaleInterval - 1 {
		s.after(true)
	}
	if s.scale != workloads.InitialLossScale {
		t.Errorf("the scale is %v one step early", s.scale)
	}
	if s.after(true); s.scale != 2*workloads.InitialLossScale || s.good != 0 {
		t.Errorf("the scale is %v after %d updates", s.scale, workloads.LossScaleInterval)
	}
	s.after(true)
	if s.after(false); s.scale != workloads.InitialLossScale || s.good != 0 {
		t.Errorf("an overflow left a scale of %v and a count of %d", s.scale, s.good)
	}
}

// Noise of sums is as large as the root of their terms says, relative to the
// whole gradient, and leaves zeros; each vector of a model meets it with its own terms.
func TestSumNoise(t *testing.T) {
	if sumNoise[float64](Noise{Size: 1}) != nil {
		t.Error("noise of sums where none was asked for")
	}
	grad := make([]float64, 1000)
	for i := range grad[:900] {
		grad[i] = 1
	}
	sumNoise[float64](Noise{Size: 0.01, Sums: 0.5})(grad, 400)
	var most float64
	for _, g := range grad[:900] {
		most = max(most, math.Abs(g-1))
	}
	if want := 0.01 * 0.5 * 20 * math.Sqrt(0.9); !(most > 0.95*want && most <= want) {
		t.Errorf("the largest disturbance is %v, want just under %v", most, want)
	}
	if !slices.Equal(grad[900:], make([]float64, 100)) {
		t.Error("a zero was disturbed")
	}
	set := smallSettings()
	set.Accumulate = 2
	e := engineOf[float64](t, jobOf(t, resolve(t, smallSpecs()["cnn"], set), set, backends.ForTime))
	terms := map[int]bool{}
	e.sums = func(_ []float64, n int) { terms[n] = true }
	e.gradients(0, 1)
	if !terms[2*36] || !terms[2] || len(terms) != 2 {
		t.Errorf("sums of %v terms, want 2 examples times 6x6 positions, and 2 examples", terms)
	}
}
