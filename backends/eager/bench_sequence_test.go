package eager

import (
	"fmt"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// BenchmarkSequenceStep times whole steps of the shipped models of sequences.
func BenchmarkSequenceStep(b *testing.B) {
	batches := map[string]int{"TextLstm": 32, "SpeechRnn": 8, "AttentionText": 16}
	for _, spec := range workloads.Shipped() {
		if batches[spec.Workload] == 0 {
			continue
		}
		for _, mode := range workloads.Modes {
			for threads := 1; threads <= 2; threads++ {
				b.Run(fmt.Sprintf("%s/%s/threads=%d", spec.Workload, mode, threads), func(b *testing.B) {
					set := workloads.DefaultSettings()
					set.Mode, set.Batch, set.Threads = mode, batches[spec.Workload], threads
					e := engineOf[float32](b, jobOf(b, resolve(b, spec, set), set, backends.ForTime))
					b.ReportAllocs()
					for i := 0; b.Loop(); i++ {
						if err := e.step(i % 8); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}
