package eager

import (
	"slices"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/workloads"
)

// fusedSpec has a ReLU after every op that takes one over, before max pooling and
// before other ops, one whose input is read twice, and one of a ReLU.
func fusedSpec() workloads.Spec {
	spec := smallSpecs()["cnn"]
	conv := func(name string) workloads.Layer {
		return workloads.Layer{Op: workloads.OpConv2D, Name: name, Attr: workloads.Attr{Filters: 4, Kernel: 3, Bias: true}, Padding: "same"}
	}
	relu := workloads.Layer{Op: workloads.OpReLU}
	pool := layer(workloads.OpMaxPool2D, "", workloads.Attr{Size: 2})
	spec.Layers = []workloads.Layer{
		conv("c0"), relu, pool,
		conv("c1"), layer(workloads.OpBatchNorm, "bn1", workloads.Attr{}), relu,
		conv("c"), layer(workloads.LayerResidual, "", workloads.Attr{}, relu, conv("c2"), relu, conv("c3")), relu, pool,
		{Op: workloads.OpFlatten},
		layer(workloads.OpDense, "d0", workloads.Attr{Units: 8, Bias: true}), relu, relu,
		layer(workloads.OpDense, "d1", workloads.Attr{Units: 3, Bias: true}),
	}
	return spec
}

// Fusion changes no bit, in any precision, with and without recomputation: a
// hook on values that does nothing turns it off.
func TestFusionChangesNoBit(t *testing.T) {
	t.Run("f64", func(t *testing.T) { fusionIsExact[float64](t, workloads.F64) })
	t.Run("f32", func(t *testing.T) { fusionIsExact[float32](t, workloads.F32) })
	t.Run("bf16-mixed", func(t *testing.T) { fusionIsExact[float32](t, workloads.BF16Mix) })
	t.Run("f16-mixed", func(t *testing.T) { fusionIsExact[float32](t, workloads.F16Mix) })
}

func fusionIsExact[T kernel.Float](t *testing.T, prec workloads.Precision) {
	for _, segments := range []int{0, 2} {
		set := smallSettings()
		set.Precision, set.Checkpoint, set.Batch = prec, segments, 6
		job := jobOf(t, resolve(t, fusedSpec(), set), set, backends.ForTime)
		plain, fused := engineOf[T](t, job), engineOf[T](t, job)
		plain.tape.hooks.value = func([]T) {}
		fused.tape.hooks.inner = func([]T) {} // chains of ops are another matter
		wantLoss, want := trace(t, plain, 6)
		gotLoss, got := trace(t, fused, 6)
		if !slices.Equal(gotLoss, wantLoss) || !slices.Equal(got, want) {
			t.Errorf("%d segments: fused losses %v, plain %v", segments, gotLoss, wantLoss)
		}
		if live := fused.tape.floats.Live(); live != 0 {
			t.Errorf("%d elements are held between steps", live)
		}
	}
}

// What the tape records says that the fusion took place: ReLU computes nothing,
// and the gradient of what is pooled comes masked.
func TestFusionTakesPlace(t *testing.T) {
	set := smallSettings()
	e := engineOf[float64](t, jobOf(t, resolve(t, fusedSpec(), set), set, backends.ForTime))
	tape := e.tape
	tape.training = true
	tape.Begin()
	tape.Record(true)
	e.model.forward(tape, e.data.micro(0, 0, 1))
	var rectified, computed, masks int
	for _, n := range tape.nodes {
		switch way := n.way.(type) {
		case *rectifiedBack[float64]:
			rectified++
		case *pointBack[float64]:
			computed++
		case *maxPoolBack[float64]:
			if way.masks {
				masks++
			}
		}
	}
	// The first ReLU of the residual reads what the sum reads too, and the last one
	// what a ReLU made.
	if rectified != 5 || computed != 2 || masks != 2 {
		t.Errorf("%d ReLUs were taken over, %d computed, %d masks by pooling; want 5, 2 and 2", rectified, computed, masks)
	}
	tape.Drop()
}
