package eager

import (
	"slices"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// The pipeline gives the same steps as resident batches: with micro-batches, in
// 16 bits, and where batches are read in between that it did not expect.
func TestLoader(t *testing.T) {
	for name, spec := range smallSpecs() {
		for _, prec := range []workloads.Precision{workloads.F32, workloads.BF16Mix} {
			losses := map[string][]float64{}
			for _, data := range []string{workloads.DataResident, workloads.DataLoader} {
				set := smallSettings()
				set.Precision, set.Data, set.Batch, set.Accumulate = prec, data, 8, 2
				e := engineOf[float32](t, jobOf(t, resolve(t, spec, set), set, backends.ForTime))
				for _, number := range []int{0, 1, 2, 0, 0, 2, 1} {
					if err := e.step(number % e.data.batches); err != nil {
						t.Fatal(err)
					}
					losses[data] = append(losses[data], e.loss)
					if _, err := e.read("logits", 1); err != nil {
						t.Fatal(err)
					}
				}
				e.reset()
				if err := e.step(0); err != nil {
					t.Fatal(err)
				}
				losses[data] = append(losses[data], e.loss)
				if data == workloads.DataLoader && e.data.loader == nil {
					t.Fatal("there is no pipeline")
				}
			}
			if !slices.Equal(losses[workloads.DataLoader], losses[workloads.DataResident]) {
				t.Errorf("%s in %s: %v with the pipeline, %v resident", name, prec, losses[workloads.DataLoader], losses[workloads.DataResident])
			}
		}
	}
}
