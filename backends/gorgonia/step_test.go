package gorgonia

import (
	"maps"
	"math"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// TestOptimizers holds three steps to the formulas of the program's optimizer,
// fed with the backend's own gradients (TestGradients proves those).
func TestOptimizers(t *testing.T) {
	for name, optimizer := range map[string]workloads.Layer{
		"sgd":      {Op: workloads.OptSGD, Attr: workloads.Attr{Rate: 0.1}},
		"momentum": sgd,
		"adam":     adam,
	} {
		for _, accumulate := range []int{1, 2} {
			t.Run(name, func(t *testing.T) {
				c := cases["batchnorm image"]
				c.optimizer = optimizer
				c.settings = func(s *workloads.Settings) { s.Accumulate = accumulate }
				f := c.build(t)
				a := optimizer.Attr
				first, second := map[string][]float64{}, map[string][]float64{}
				for step := range 3 {
					grads, before := f.read(t, "grads", step), f.read(t, "params", 0)
					if err := f.Run([]int{step}); err != nil {
						t.Fatal(err)
					}
					after := f.read(t, "params", 0)
					for name, g := range grads {
						if first[name] == nil {
							first[name], second[name] = make([]float64, len(g.Data)), make([]float64, len(g.Data))
						}
						m, v := first[name], second[name]
						for i, d := range g.Data {
							var want float64
							if optimizer.Op == workloads.OptSGD {
								m[i] = a.Momentum*m[i] + d
								want = before[name].Data[i] - a.Rate*m[i]
							} else {
								m[i] = a.Beta1*m[i] + (1-a.Beta1)*d
								v[i] = a.Beta2*v[i] + (1-a.Beta2)*d*d
								n := float64(step + 1)
								want = before[name].Data[i] - a.Rate*m[i]/(1-math.Pow(a.Beta1, n))/(math.Sqrt(v[i]/(1-math.Pow(a.Beta2, n)))+a.Epsilon)
							}
							if got := after[name].Data[i]; !near(got, want, 1e-10, 1) {
								t.Fatalf("accumulate %d, step %d: %s[%d] is %v, want %v", accumulate, step, name, i, got, want)
							}
						}
					}
				}
			})
		}
	}
}

// TestRunningStatistics holds one step's running mean and variance to the
// definition: momentum is the weight of the new value, the variance unbiased.
func TestRunningStatistics(t *testing.T) {
	f := tiny{input: vector, layers: layers{named("batchnorm", "bn", 0), dense("fc", 3)}}.build(t)
	before := f.read(t, "params", 0)
	if err := f.Run([]int{1}); err != nil {
		t.Fatal(err)
	}
	after := f.read(t, "params", 0)
	x, _ := f.examples(1)
	for c := range vector.Shape[0] {
		var column []float64
		for e := range x {
			column = append(column, x[e][c])
		}
		mean, variance := moments(column)
		n := float64(len(column))
		for name, now := range map[string]float64{"bn.running_mean": mean, "bn.running_var": variance * n / (n - 1)} {
			want := 0.9*before[name].Data[c] + 0.1*now
			if got := after[name].Data[c]; !near(got, want, 1e-12, 1) {
				t.Errorf("%s[%d] is %v, want %v", name, c, got, want)
			}
		}
	}
}

// trajectory runs n steps and returns their losses.
func trajectory(t *testing.T, f fixture, n int) []float64 {
	t.Helper()
	var out []float64
	for i := range n {
		if err := f.Run([]int{i % f.p.Data.Batches}); err != nil {
			t.Fatal(err)
		}
		out = append(out, f.lossOf(t))
	}
	return out
}

func equal(a, b map[string]backends.Tensor) bool {
	return maps.EqualFunc(a, b, func(x, y backends.Tensor) bool {
		for i := range x.Data {
			if x.Data[i] != y.Data[i] {
				return false
			}
		}
		return len(x.Data) == len(y.Data)
	})
}

// TestStateOutlivesReads runs the same steps with and without reads between
// them, then again after a reset: all three must agree to the bit.
func TestStateOutlivesReads(t *testing.T) {
	drop := workloads.Layer{Op: workloads.OpDropout, Attr: workloads.Attr{Rate: 0.5}}
	for _, accumulate := range []int{1, 2} {
		for _, purpose := range []backends.Purpose{backends.ForCheck, backends.ForTime} {
			c := cases["batchnorm image"]
			c.layers = append(append(layers{}, c.layers[:4]...), drop, c.layers[4])
			c.optimizer, c.purpose = adam, purpose
			c.settings = func(s *workloads.Settings) { s.Accumulate = accumulate }
			f := c.build(t)
			initial := f.read(t, "params", 0)
			want := trajectory(t, f, 5)
			end := f.read(t, "params", 0)
			if err := f.Reset(); err != nil {
				t.Fatal(err)
			}
			if !equal(f.read(t, "params", 0), initial) {
				t.Fatal("reset did not restore the parameters")
			}
			var got []float64
			for i := range 5 {
				f.read(t, "logits", (i+1)%3)
				if purpose == backends.ForCheck {
					f.read(t, "grads", (i+2)%3)
				}
				if err := f.Run([]int{i % 3}); err != nil {
					t.Fatal(err)
				}
				f.read(t, "logits", i%3)
				got = append(got, f.lossOf(t))
			}
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("accumulate %d, %s: loss of step %d is %v after reads, %v without", accumulate, purpose, i, got[i], want[i])
				}
			}
			if !equal(f.read(t, "params", 0), end) {
				t.Errorf("accumulate %d, %s: parameters differ after reads", accumulate, purpose)
			}
		}
	}
}

// TestInferenceLossStays: the loss is that of the last step, whichever logits
// were read since, and logits are those of the batch asked for.
func TestInferenceLossStays(t *testing.T) {
	c := cases["dense relu"]
	c.settings = func(s *workloads.Settings) { s.Mode = workloads.Infer }
	f := c.build(t)
	ref := f.reference(t)
	x, y := f.examples(1)
	for _, reads := range [][]int{nil, {1}, {0}, {0, 1, 2}} {
		if err := f.Run([]int{2, 1}); err != nil {
			t.Fatal(err)
		}
		for _, batch := range reads {
			other, _ := f.examples(batch)
			if got, want := f.read(t, "logits", batch)["logits"].Data[0], ref.logits(other)[0][0]; !near(got, want, 1e-12, 1) {
				t.Errorf("after %v: logit of batch %d is %v, want %v", reads, batch, got, want)
			}
		}
		if got, want := f.lossOf(t), ref.loss(x, y); !near(got, want, 1e-12, 1) {
			t.Errorf("after reading logits of %v the loss is %v, want %v", reads, got, want)
		}
	}
}

// TestDropout checks the mask's values and that it reaches both passes.
func TestDropout(t *testing.T) {
	drop := workloads.Layer{Op: workloads.OpDropout, Attr: workloads.Attr{Rate: 0.3}}
	c := tiny{input: vector, layers: layers{dense("fc1", 64), drop, dense("fc2", 3)}, purpose: backends.ForTime}
	c.settings = func(s *workloads.Settings) { s.Batch = 64 }
	f := c.build(t)
	first := trajectory(t, f, 1)[0]
	mask := f.chain.drops[0].mask.Float64s()
	var zeros int
	for _, v := range mask {
		switch {
		case v == 0:
			zeros++
		case !near(v, 1/0.7, 1e-15, 0):
			t.Fatalf("mask holds %v, want 0 or 1/0.7", v)
		}
	}
	if share := float64(zeros) / float64(len(mask)); math.Abs(share-0.3) > 0.03 {
		t.Errorf("%.3f of the mask is zero, want 0.3", share)
	}
	x, y := f.examples(0)
	if without := (reference{p: f.p, params: f.initialParams()}).loss(x, y); without == first {
		t.Error("the loss under dropout equals the loss without")
	}
	before := append([]float64{}, mask...)
	if err := f.Run([]int{0}); err != nil {
		t.Fatal(err)
	}
	same := true
	for i, v := range f.chain.drops[0].mask.Float64s() {
		same = same && v == before[i]
	}
	if same {
		t.Error("two steps had the same mask")
	}
}

func (f fixture) initialParams() map[string][]float64 {
	out := map[string][]float64{}
	for name, t := range f.weights {
		out[name] = t.Float64s()
	}
	return out
}

// TestLargeLogits scales the last layer until exponentials overflow without
// the row's maximum taken off: losses stay finite and right, and large logits
// of one row leave the others alone.
func TestLargeLogits(t *testing.T) {
	for name, c := range map[string]tiny{
		"softmax": {input: vector, layers: layers{dense("fc", 3)}},
		"sigmoid": {input: vector, layers: layers{dense("fc", 1)}, loss: sigmoid},
	} {
		for _, precision := range []workloads.Precision{workloads.F32, workloads.F64} {
			t.Run(name+"/"+string(precision), func(t *testing.T) {
				c.settings = func(s *workloads.Settings) { s.Precision = precision }
				f := c.build(t)
				w := f.initial["fc.weight"].F32
				for i := range w {
					w[i] *= 3000
				}
				if err := f.Reset(); err != nil {
					t.Fatal(err)
				}
				logits := f.read(t, "logits", 0)["logits"]
				if err := f.Run([]int{0}); err != nil {
					t.Fatal(err)
				}
				_, y := f.examples(0)
				var top float64
				for _, z := range logits.Data {
					top = max(top, math.Abs(z))
				}
				if top < 800 {
					t.Fatalf("logits reach only %v: the test tests nothing", top)
				}
				want := lossOf(f.p.Loss.Op, logits.Data, y)
				if got := f.lossOf(t); !near(got, want, 1e-5, 1) {
					t.Errorf("loss is %v, want %v", got, want)
				}
			})
		}
	}
}

// TestLossOf holds the host's loss to hand-computed values.
func TestLossOf(t *testing.T) {
	for _, c := range []struct {
		loss   string
		logits []float64
		labels []int32
		want   float64
	}{
		{workloads.LossSoftmax, []float64{0, 0}, []int32{1}, math.Ln2},
		{workloads.LossSoftmax, []float64{1000, 0, 0, 1000}, []int32{0, 0}, 500},
		{workloads.LossSigmoid, []float64{0, 0}, []int32{0, 1}, math.Ln2},
		{workloads.LossSigmoid, []float64{-1000, 1000}, []int32{1, 1}, 500},
	} {
		if got := lossOf(c.loss, c.logits, c.labels); !near(got, c.want, 1e-14, 1) {
			t.Errorf("%s of %v with labels %v is %v, want %v", c.loss, c.logits, c.labels, got, c.want)
		}
	}
}

// TestSlopeAtZero: where a pre-activation is exactly 0, ReLU passes nothing back.
func TestSlopeAtZero(t *testing.T) {
	f := tiny{input: vector, layers: layers{dense("fc1", 4), plain("relu"), dense("fc2", 3)}}.build(t)
	for _, name := range []string{"fc1.weight", "fc1.bias"} {
		clear(f.initial[name].F32)
	}
	if err := f.Reset(); err != nil {
		t.Fatal(err)
	}
	for i, g := range f.read(t, "grads", 0)["fc1.bias"].Data {
		if g != 0 {
			t.Errorf("gradient of fc1.bias[%d] is %v, want 0", i, g)
		}
	}
}
