package gomlx

import (
	"runtime"
	"testing"

	"github.com/dlbench/dlbench/workloads"
)

// The models of the quick suite.
var (
	mnistMLP = model{"MnistMlp", workloads.Input{Kind: workloads.KindVector, Shape: []int{784}}, []workloads.Layer{
		dense("fc1", 128), bare(workloads.OpReLU), dense("fc2", 64), bare(workloads.OpReLU), dense("fc3", 10)}, false}
	mnistCNN = model{"MnistCnn", workloads.Input{Kind: workloads.KindImage, Shape: []int{1, 28, 28}}, []workloads.Layer{
		layer(workloads.OpConv2D, "conv1", workloads.Attr{Filters: 32, Kernel: 3, Bias: true}), bare(workloads.OpReLU),
		layer(workloads.OpMaxPool2D, "", workloads.Attr{Size: 2}),
		layer(workloads.OpConv2D, "conv2", workloads.Attr{Filters: 64, Kernel: 3, Bias: true}), bare(workloads.OpReLU),
		layer(workloads.OpMaxPool2D, "", workloads.Attr{Size: 2}),
		bare(workloads.OpFlatten), dense("fc1", 128), bare(workloads.OpReLU), dense("fc2", 10)}, false}
	textLSTM = model{"TextLstmShort", workloads.Input{Kind: workloads.KindTokens, Shape: []int{20}, Vocab: 2000}, []workloads.Layer{
		layer(workloads.OpEmbedding, "emb", workloads.Attr{Units: 64}),
		layer(workloads.OpLSTM, "lstm1", workloads.Attr{Units: 64}),
		{Op: workloads.OpLSTM, Name: "lstm2", Attr: workloads.Attr{Units: 32}, Last: true},
		dense("fc1", 64), bare(workloads.OpReLU), dense("fc2", 1)}, true}
)

func BenchmarkTrainStep(b *testing.B) {
	for _, c := range []struct {
		model     model
		batch     int
		optimizer workloads.Layer
	}{{mnistMLP, 64, sgd}, {mnistCNN, 4, adam}, {mnistCNN, 32, adam}, {textLSTM, 8, adam}} {
		b.Run(c.model.name, func(b *testing.B) {
			s := workloads.DefaultSettings()
			s.Batch, s.Threads = c.batch, runtime.GOMAXPROCS(0)
			built := build(b, c.model.job(b, c.optimizer, s))
			batch := []int{0}
			if err := built.Run(batch); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := built.Run(batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
