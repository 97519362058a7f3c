package report

import (
	"math"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

// The gradient of the network's input is in no backend's step.
func TestOperations(t *testing.T) {
	mlp := []results.Layer{
		{Op: "flatten", Shape: []int{784}},
		{Op: "dense", Name: "fc1", Shape: []int{128}, Params: 100_480, FLOPs: 2 * 784 * 128},
		{Op: "relu", Shape: []int{128}},
		{Op: "dense", Name: "fc2", Shape: []int{64}, Params: 8_256, FLOPs: 2 * 128 * 64},
		{Op: "relu", Shape: []int{64}},
		{Op: "dense", Name: "fc3", Shape: []int{10}, Params: 650, FLOPs: 2 * 64 * 10},
	}
	embedded := []results.Layer{
		{Op: "embedding", Name: "emb", Shape: []int{20, 8}, Params: 800},
		{Op: "dense", Name: "fc", Shape: []int{20, 4}, Params: 36, FLOPs: 2 * 20 * 8 * 4},
	}
	normed := []results.Layer{
		{Op: "batchnorm", Name: "bn", Shape: []int{8}, Params: 16},
		{Op: "dense", Name: "fc", Shape: []int{4}, Params: 36, FLOPs: 2 * 8 * 4},
	}
	const steps, in, units = 100, 40, 256
	recurrent := []results.Layer{{Op: "lstm", Name: "lstm1", Shape: []int{units}, Params: 4 * units * (in + units + 1), FLOPs: 2 * steps * 4 * units * (in + units)}}
	const tokens, dim = 6, 8
	attention := []results.Layer{{Op: "attention", Name: "attn", Shape: []int{tokens, dim}, Params: 4*dim*dim + 4*dim, FLOPs: 2 * (4*dim*dim*tokens + 2*tokens*tokens*dim)}}
	fork := []results.Layer{
		{Op: "conv2d", Name: "left", Shape: []int{4, 6, 6}, Params: 40, FLOPs: 2 * 36 * 9 * 4, AtInput: true},
		{Op: "conv2d", Name: "deeper", Shape: []int{4, 6, 6}, Params: 148, FLOPs: 2 * 36 * 36 * 4},
		{Op: "conv2d", Name: "right", Shape: []int{4, 6, 6}, Params: 8, FLOPs: 2 * 36 * 4, AtInput: true},
		{Op: "add", Shape: []int{4, 6, 6}},
	}
	for _, test := range []struct {
		name   string
		mode   string
		batch  float64
		layers []results.Layer
		want   float64 // 0: three forward passes
		whole  bool
	}{
		{"PyTorch's FlopCounterMode counts as much", "train", 64, mlp, 29_081_600, false},
		{"inference", "infer", 64, mlp, 64 * 218_368, false},
		{"an embedding hides the input", "train", 4, embedded, 0, false},
		{"so does a normalization with parameters", "train", 4, normed, 0, false},
		{"the recurrence of an LSTM stays", "train", 2, recurrent, 2 * (3*float64(recurrent[0].FLOPs) - 2*steps*4*units*in), false},
		{"the products of attention stay", "train", 2, attention, 2 * (3*float64(attention[0].FLOPs) - 2*3*dim*dim*tokens), false},
		{"both of two branches stand at the input", "train", 2, fork, 2 * (3*(2*36*9*4+2*36*36*4+2*36*4) - (2*36*9*4 + 2*36*4)), false},
		{"no layers", "train", 64, nil, 64, true},
	} {
		forward := 0.0
		for _, l := range test.layers {
			forward += float64(l.FLOPs)
		}
		model := test.batch * forward
		if test.mode == "train" {
			model *= 3
		}
		if test.layers == nil {
			model = test.batch
		}
		if test.want == 0 {
			test.want = model
		}
		c := &cell{Cell: results.Cell{Mode: test.mode}, layers: test.layers, trials: []*trial{{Record: &results.Record{Work: results.Work{ModelFLOPs: int64(model)}}}}}
		if got, whole := c.operations(); math.Abs(got-test.want) > 1e-6*test.want || whole != test.whole {
			t.Errorf("%s: %v, %v; want %v, %v", test.name, got, whole, test.want, test.whole)
		}
	}
}

// Where a run lists no layers the panels of training say what was counted.
func TestOperationsWithoutLayers(t *testing.T) {
	run := resultstest.Run(resultstest.Config{Seed: 2, Rounds: 7})
	a := compare.Analyze(run)
	for _, listed := range []bool{true, false} {
		if !listed {
			run.Meta.Workloads = nil
		}
		for i, p := range newView(run, a).roofline().Panels {
			train := newView(run, a).groups[i].Key.Mode == "train"
			if said := strings.Contains(p.Counted.EN, "three forward passes") && !p.Counted.Empty(); said != (train && !listed) {
				t.Errorf("layers listed %v, %s: %q", listed, p.Detail.EN, p.Counted.EN)
			}
		}
	}
}
