package eager

import (
	"fmt"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// The models of the suite "quick", written out, so that the benchmark stands by itself.
func benchSpecs() []struct {
	name  string
	batch int
	spec  workloads.Spec
} {
	act := func(op string) workloads.Layer { return workloads.Layer{Op: op} }
	dense := func(name string, n int) workloads.Layer {
		return layer(workloads.OpDense, name, workloads.Attr{Units: n, Bias: true})
	}
	conv := func(name string, n int) workloads.Layer {
		return workloads.Layer{Op: workloads.OpConv2D, Name: name, Attr: workloads.Attr{Filters: n, Kernel: 3, Bias: true}, Padding: "valid"}
	}
	pool := layer(workloads.OpMaxPool2D, "", workloads.Attr{Size: 2})
	steps := workloads.Steps{Check: 3, WarmupMax: 1, Blocks: 1, PerBlock: 1}
	blobs := workloads.Data{Generator: "class-blobs", Classes: 10, Batches: 8, Seed: 1}
	tokens := workloads.Data{Generator: "planted-tokens", Classes: 2, Batches: 8, Seed: 1}
	relu := act(workloads.OpReLU)
	return []struct {
		name  string
		batch int
		spec  workloads.Spec
	}{
		{"mnist-mlp", 64, workloads.Spec{
			Workload: "Mlp", Input: workloads.Input{Kind: workloads.KindVector, Shape: []int{784}}, Data: blobs,
			Layers: []workloads.Layer{dense("a", 128), relu, dense("b", 64), relu, dense("c", 10)}, Loss: softmaxLoss, Optimizer: sgd, Steps: steps,
		}},
		{"mnist-cnn", 32, workloads.Spec{
			Workload: "Cnn", Input: workloads.Input{Kind: workloads.KindImage, Shape: []int{1, 28, 28}}, Data: blobs,
			Layers: []workloads.Layer{conv("a", 32), relu, pool, conv("b", 64), relu, pool, act(workloads.OpFlatten), dense("c", 128), relu, dense("d", 10)},
			Loss:   softmaxLoss, Optimizer: adam, Steps: steps,
		}},
		{"text-lstm", 32, workloads.Spec{
			Workload: "Lstm", Input: workloads.Input{Kind: workloads.KindTokens, Shape: []int{100}, Vocab: 10000}, Data: tokens,
			Layers: []workloads.Layer{
				layer(workloads.OpEmbedding, "emb", workloads.Attr{Vocab: 10000, Units: 128}), layer(workloads.OpLSTM, "l1", workloads.Attr{Units: 64}),
				{Op: workloads.OpLSTM, Name: "l2", Attr: workloads.Attr{Units: 32}, Last: true}, dense("a", 64), relu, dense("b", 1),
			},
			Loss: workloads.Layer{Op: workloads.LossSigmoid, Attr: workloads.Attr{Reduction: "mean"}}, Optimizer: adam, Steps: steps,
		}},
	}
}

func BenchmarkStep(b *testing.B) {
	for _, c := range benchSpecs() {
		for _, mode := range workloads.Modes {
			for threads := 1; threads <= 2; threads++ {
				b.Run(fmt.Sprintf("%s/%s/batch=%d/threads=%d", c.name, mode, c.batch, threads), func(b *testing.B) {
					set := workloads.DefaultSettings()
					set.Mode, set.Batch, set.Threads = mode, c.batch, threads
					e := engineOf[float32](b, jobOf(b, resolve(b, c.spec, set), set, backends.ForTime))
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

// BenchmarkImages trains the larger networks on images, as they are shipped.
func BenchmarkImages(b *testing.B) {
	for name, batch := range map[string]int{"ImageCnn32px": 32, "ImageCnn64px": 16, "ResNet18Cifar": 8} {
		spec, ok := workloads.Find(name)
		if !ok {
			b.Fatalf("%s is not shipped", name)
		}
		for threads := 1; threads <= 2; threads++ {
			b.Run(fmt.Sprintf("%s/batch=%d/threads=%d", name, batch, threads), func(b *testing.B) {
				set := workloads.DefaultSettings()
				set.Batch, set.Threads = batch, threads
				p := resolve(b, spec, set)
				e := engineOf[float32](b, jobOf(b, p, set, backends.ForTime))
				for i := 0; b.Loop(); i++ {
					if err := e.step(i % p.Data.Batches); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(p.Work.ModelFLOPs)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
			})
		}
	}
}
