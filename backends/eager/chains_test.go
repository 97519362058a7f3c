package eager

import (
	"math"
	"slices"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/workloads"
)

// chainsSpec ends a chain with each pooling: of batch normalisation, of a convolution with
// windows that overlap, and of one whose last row and column no window covers. No
// convolution has a bias, so that chains change no bit.
func chainsSpec() workloads.Spec {
	spec := smallSpecs()["cnn"]
	spec.Input.Shape = []int{2, 9, 9}
	conv := func(name string, filters int) workloads.Layer {
		return workloads.Layer{Op: workloads.OpConv2D, Name: name, Attr: workloads.Attr{Filters: filters, Kernel: 3}, Padding: "same"}
	}
	norm := func(name string) workloads.Layer { return layer(workloads.OpBatchNorm, name, workloads.Attr{}) }
	pooled := func(size, stride int) workloads.Layer {
		return layer(workloads.OpMaxPool2D, "", workloads.Attr{Size: size, Stride: stride})
	}
	relu := workloads.Layer{Op: workloads.OpReLU}
	spec.Layers = []workloads.Layer{
		conv("c0", 3), norm("b0"), relu, pooled(2, 2),
		layer(workloads.OpDropout, "", workloads.Attr{Rate: 0.5}),
		conv("c1", 24), relu, pooled(2, 1),
		conv("c2", 6), pooled(2, 2),
		{Op: workloads.OpFlatten},
		layer(workloads.OpDense, "d", workloads.Attr{Units: 3, Bias: true}),
	}
	return spec
}

// A program of chains learns to the last bit what it learns op by op, with dropout, in
// micro-batches and segments, whatever lies in memory that was given up, while
// logits are read between its steps, and once more after a reset.
func TestChainsInWholePrograms(t *testing.T) {
	for _, segments := range []int{0, 1, 2, 3, 4, 5, 6, 7} {
		for _, accumulate := range []int{1, 2} {
			set := smallSettings()
			set.Precision, set.Batch, set.Threads, set.Accumulate, set.Checkpoint = workloads.F32, 6, 2, accumulate, segments
			job := jobOf(t, resolve(t, chainsSpec(), set), set, backends.ForTime)
			plain, fused := engineOf[float32](t, job), engineOf[float32](t, job)
			plain.tape.hooks.inner = func([]float32) {}
			fused.tape.floats.Poison = func(b []float32) { kernel.Fill(b, float32(math.NaN())) }
			fused.tape.ints.Poison = func(b []int32) {
				for i := range b {
					b[i] = 1 << 30
				}
			}
			wantLosses, want := trace(t, plain, 4)
			wantLogits := plain.readLogits(1).Data
			for _, when := range []string{"at first", "after a reset"} {
				var losses, logits []float64
				for i := range 4 {
					if err := fused.step(i % fused.data.batches); err != nil {
						t.Fatal(err)
					}
					losses = append(losses, fused.loss)
					logits = fused.readLogits(1).Data
				}
				got := append(slices.Clone(fused.weights), fused.buffers...)
				if !slices.Equal(losses, wantLosses) || !slices.Equal(got, want) || !slices.Equal(logits, wantLogits) {
					t.Errorf("%d segments, %d micro-batches, %s: losses %v, op by op %v; the same parameters: %v", segments, accumulate, when, losses, wantLosses, slices.Equal(got, want))
				}
				fused.reset()
			}
		}
	}
}
