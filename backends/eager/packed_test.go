package eager

import (
	"math"
	"slices"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// Inference packs the weights of its dense layers: what is read of them is what was
// loaded, and logits are those of plain weights but for the order of their sums.
// Nothing else packs.
func TestInferencePacksWeights(t *testing.T) {
	specs := smallSpecs()
	for _, name := range shippedSmall {
		specs[name], _ = workloads.Find(name)
	}
	for name, spec := range specs {
		set := smallSettings()
		set.Mode, set.Precision = workloads.Infer, workloads.F32
		job := jobOf(t, resolve(t, spec, set), set, backends.ForTime)
		file, err := workloads.ReadSafetensors(job.Weights)
		if err != nil {
			t.Fatal(err)
		}
		var first []float64
		for threads := 1; threads <= 3; threads++ {
			job.Settings.Threads = threads
			e := engineOf[float32](t, job)
			if packed := packedOps(e); packed == 0 || packed != denseOps(e) {
				t.Errorf("%s: %d weights are packed, want %d", name, packed, denseOps(e))
			}
			got := e.readLogits(0).Data
			if first == nil {
				first = got
			}
			if !slices.Equal(got, first) {
				t.Errorf("%s: the logits depend on the number of threads", name)
			}
			for param, is := range e.readParams() {
				for i, want := range file[param].F32 {
					if is.Data[i] != float64(want) {
						t.Fatalf("%s: element %d of %s is %v, loaded was %v", name, i, param, is.Data[i], want)
					}
				}
			}
			if built := e.built().DTypes["params"]; built != "f32" {
				t.Errorf("%s: parameters are %s", name, built)
			}
		}
		hooked, err := newEngine[float32](job, Options{Noise: Noise{Size: 1e-30, Seed: 1}}) // no bit changes
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(hooked.close)
		wide := engineOf[float64](t, job)
		for _, n := range []int{packedOps(hooked), packedOps(wide)} {
			if n != 0 {
				t.Errorf("%s: %d weights are packed under a hook or in float64", name, n)
			}
		}
		for i, want := range hooked.readLogits(0).Data {
			if !(math.Abs(first[i]-want) <= 1e-5*(1+math.Abs(want))) {
				t.Errorf("%s: logit %d is %v, with plain weights %v", name, i, first[i], want)
			}
		}
		for _, other := range []struct {
			mode workloads.Mode
			prec workloads.Precision
		}{{workloads.Train, workloads.F32}, {workloads.Infer, workloads.BF16}} {
			set.Mode, set.Precision = other.mode, other.prec
			if n := packedOps(engineOf[float32](t, jobOf(t, resolve(t, spec, set), set, backends.ForTime))); n != 0 {
				t.Errorf("%s: %d weights are packed in %s %s", name, n, other.mode, other.prec)
			}
		}
	}
}

func packedOps[T float32 | float64](e *engine[T]) (n int) {
	for _, w := range e.trainable {
		if w.packed != nil {
			n++
		}
	}
	return n
}

// denseOps is how many weights of dense layers and attention there are.
func denseOps[T float32 | float64](e *engine[T]) (n int) {
	for _, op := range e.program.Ops {
		switch op.Op {
		case workloads.OpDense:
			n++
		case workloads.OpAttention:
			n += 2
		}
	}
	return n
}
