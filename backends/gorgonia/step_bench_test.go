package gorgonia_test

import (
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/gorgonia"
	"github.com/dlbench/dlbench/workloads"
)

// BenchmarkStep times one training step of shipped workloads at batch 8.
func BenchmarkStep(b *testing.B) {
	for _, name := range []string{"MnistMlp", "MnistCnn", "TextLstmShort", "ImageCnn32px", "ResNet18Cifar"} {
		b.Run(name, func(b *testing.B) {
			set := workloads.DefaultSettings()
			set.Batch = 8
			job := shipped(b, name, set, backends.ForTime)
			g := gorgonia.New()
			if _, err := g.Build(b.Context(), job); err != nil {
				b.Fatal(err)
			}
			defer g.Close()
			step := 0
			for b.Loop() {
				if err := g.Run([]int{step % job.Program.Data.Batches}); err != nil {
					b.Fatal(err)
				}
				step++
			}
		})
	}
}
