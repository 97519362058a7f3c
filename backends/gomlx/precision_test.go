package gomlx

import (
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// bfloat16Tolerance is by how much of its norm a tensor of the small models may
// stray in bfloat16, whose unit of roundoff is 2^-8.
const bfloat16Tolerance = 0.1

// Activations are rounded to 16 bit and gradients arrive in float32: every op
// computes what it does in float64, and not quite.
func TestSixteenBits(t *testing.T) {
	for _, m := range models {
		for mode, precision := range map[workloads.Mode]workloads.Precision{workloads.Train: workloads.BF16Mix, workloads.Infer: workloads.BF16} {
			if mode == workloads.Infer && slices.ContainsFunc(m.layers, func(l workloads.Layer) bool { return l.Op == workloads.OpDropout }) {
				continue
			}
			t.Run(m.name+"/"+string(precision), func(t *testing.T) {
				s := settings()
				s.Mode = mode
				exact := build(t, m.job(t, sgd, s))
				s.Precision = precision
				job := m.job(t, sgd, s)
				b := New().(*backend)
				built, err := b.Build(t.Context(), job)
				if err != nil {
					t.Fatal(err)
				}
				defer b.Close()
				if err := built.Against(job); err != nil {
					t.Error(err)
				}
				logits := read(t, b, "logits", 0)
				for _, v := range logits["logits"].Data {
					if v != bfloat16.FromFloat64(v).Float64() {
						t.Errorf("the logit %v has more than 16 bits", v)
					}
				}
				strays(t, logits, read(t, exact, "logits", 0))
				if mode == workloads.Train {
					strays(t, read(t, b, "grads", 0), read(t, exact, "grads", 0))
				}
			})
		}
	}
}

// strays holds tensors to a share of their norm; what is nothing but rounding,
// as the gradient of a bias before a normalisation, to nothing.
func strays(t *testing.T, got, want map[string]backends.Tensor) {
	t.Helper()
	largest := 0.0
	for name, w := range want {
		var norm, distance float64
		for i, v := range w.Data {
			norm += v * v
			distance += (got[name].Data[i] - v) * (got[name].Data[i] - v)
		}
		if norm < 1e-20 {
			continue
		}
		e := math.Sqrt(distance / norm)
		largest = max(largest, e)
		if !(e <= bfloat16Tolerance) {
			t.Errorf("%s strays by %.3g of its norm %.3g", name, e, math.Sqrt(norm))
		}
	}
	if largest < 1e-4 {
		t.Errorf("no tensor strays by more than %.2g: nothing was rounded", largest)
	}
}

// TestFloat16LosesSubnormals is why there is no f16: if the library no longer
// does, it can be claimed.
func TestFloat16LosesSubnormals(t *testing.T) {
	for _, v := range []float32{0x1p-15, 0x1.8p-20, 0x1p-24} {
		if got := float16.FromFloat32(v).Float32(); got != 0 {
			t.Errorf("%g is %g in float16: the library has subnormals, say so in precision.go", v, got)
		}
	}
	if got := bfloat16.FromFloat32(0x1p-130).Float32(); got != 0x1p-130 {
		t.Errorf("the bfloat16 subnormal 2^-130 is %g", got)
	}
}
