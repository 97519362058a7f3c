package gorgonia

import (
	"math"
	"testing"

	"github.com/dlbench/dlbench/workloads"
)

// TestFloat32 holds the float32 kernels, which the library has apart from the
// float64 ones, to the float64 build: logits, gradients and the parameters
// after three steps, as vectors.
func TestFloat32(t *testing.T) {
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			wide := numbers(t, c)
			base := c.settings
			c.settings = func(s *workloads.Settings) {
				if base != nil {
					base(s)
				}
				s.Precision = workloads.F32
			}
			narrow := numbers(t, c)
			if len(narrow) != len(wide) {
				t.Fatalf("%d tensors in f32, %d in f64", len(narrow), len(wide))
			}
			var worst float64
			for name, w := range wide {
				var norm, diff float64
				for i, v := range w {
					norm += v * v
					diff += (narrow[name][i] - v) * (narrow[name][i] - v)
				}
				e := math.Sqrt(diff) / max(math.Sqrt(norm), 1e-2)
				worst = max(worst, e)
				if !(e < 2e-5) {
					t.Errorf("%s is off by %.2g", name, e)
				}
			}
			if worst < 1e-9 {
				t.Errorf("the worst error is %.2g: that was not computed in float32", worst)
			}
		})
	}
}

// numbers returns everything that can be read of a build and three steps.
func numbers(t *testing.T, c tiny) map[string][]float64 {
	t.Helper()
	f := c.build(t)
	out := map[string][]float64{"logits": f.read(t, "logits", 0)["logits"].Data}
	for name, v := range f.read(t, "grads", 1) {
		out["grad/"+name] = v.Data
	}
	out["losses"] = trajectory(t, f, 3)
	for name, v := range f.read(t, "params", 0) {
		out["param/"+name] = v.Data
	}
	return out
}
