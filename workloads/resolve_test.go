package workloads

import (
	"path/filepath"
	"testing"
)

func dense(name string, units int) Layer {
	return Layer{Op: OpDense, Name: name, Attr: Attr{Units: units, Bias: true}}
}

func conv(name string, filters int, padding string) Layer {
	return Layer{Op: OpConv2D, Name: name, Padding: padding, Attr: Attr{Filters: filters, Kernel: 3, Bias: true}}
}

func mnistCNN() Spec {
	pool := Layer{Op: OpMaxPool2D, Attr: Attr{Size: 2}}
	relu := Layer{Op: OpReLU}
	return Spec{
		Workload: "MnistCnn",
		Input:    Input{Kind: KindImage, Shape: []int{1, 28, 28}},
		Data:     Data{Generator: "class-blobs", Classes: 10, Batches: 8, Seed: 1},
		Layers: []Layer{
			conv("conv1", 32, "valid"), relu, pool, conv("conv2", 64, "valid"), relu, pool,
			{Op: OpFlatten}, dense("fc1", 128), relu, dense("fc2", 10),
		},
		Loss:      Layer{Op: LossSoftmax},
		Optimizer: Layer{Op: OptAdam, Attr: Attr{Rate: 0.001, Epsilon: 1e-7}},
		Steps:     Steps{Check: 3, WarmupMax: 20, Blocks: 20, PerBlock: 1},
	}
}

func TestMnistCNNCounts(t *testing.T) {
	p, err := mnistCNN().Resolve(DefaultSettings())
	if err != nil {
		t.Fatal(err)
	}
	if p.Work.ModelFLOPs != 505_159_680 {
		t.Errorf("FLOPs %d", p.Work.ModelFLOPs)
	}
	if p.Work.ParamBytes != 4*225_034 {
		t.Errorf("params %d", p.Work.ParamBytes/4)
	}
	c := Cache{Dir: t.TempDir()}
	w, err := c.Weights(p)
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Batches(p, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{w, b} {
		ts, err := ReadSafetensors(path)
		if err != nil {
			t.Fatal(err)
		}
		for n, x := range ts {
			t.Log(filepath.Base(path), n, x.Shape, x.DType())
		}
	}
}
