package eager

import (
	"fmt"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// BenchmarkMixed trains in bf16-mixed beside float32.
func BenchmarkMixed(b *testing.B) {
	for _, w := range []struct {
		name  string
		batch int
	}{{"ImageCnn64px", 8}, {"MnistCnn", 32}, {"AttentionText", 16}} {
		spec, ok := workloads.Find(w.name)
		if !ok {
			b.Fatalf("%s is not shipped", w.name)
		}
		for threads := 1; threads <= 2; threads++ {
			for _, prec := range []workloads.Precision{workloads.F32, workloads.BF16Mix} {
				b.Run(fmt.Sprintf("%s/batch=%d/%s/threads=%d", w.name, w.batch, prec, threads), func(b *testing.B) {
					set := workloads.DefaultSettings()
					set.Batch, set.Threads, set.Precision = w.batch, threads, prec
					p := resolve(b, spec, set)
					job := jobOf(b, p, set, backends.ForTime)
					e := engineOf[float32](b, job)
					for i := 0; b.Loop(); i++ {
						if err := e.step(i % p.Data.Batches); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}
