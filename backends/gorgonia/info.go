package gorgonia

import (
	"runtime/debug"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// The versions that this package is written against, reported where the binary
// carries no build information (a test binary).
const (
	gorgoniaVersion = "v0.9.18"
	tensorVersion   = "v0.9.24"
)

// Info says what this backend is and can do.
func Info() backends.Info {
	return backends.Info{
		Name: "gorgonia",
		Kind: "static-graph",
		Versions: map[string]string{
			"gorgonia": moduleVersion("gorgonia.org/gorgonia", gorgoniaVersion),
			"tensor":   moduleVersion("gorgonia.org/tensor", tensorVersion),
		},
		Ops: []string{
			workloads.OpDense, workloads.OpConv2D, workloads.OpMaxPool2D, workloads.OpAvgPool, workloads.OpBatchNorm,
			workloads.OpLayerNorm, workloads.OpReLU, workloads.OpSigmoid, workloads.OpFlatten, workloads.OpEmbedding,
			workloads.OpLSTM, workloads.OpAttention, workloads.OpDropout, workloads.OpAdd, workloads.OpLastStep,
			workloads.LossSoftmax, workloads.LossSigmoid, workloads.OptSGD, workloads.OptAdam,
		},
		Precisions: []workloads.Precision{workloads.F32, workloads.F64},
		Features:   []string{"accumulate", "checkpoint"},
		Dialect:    map[string]string{"adam-epsilon": "corrected"},
		Lacks:      map[workloads.Precision]string{workloads.BF16Mix: noHalves, workloads.F16Mix: noHalves, workloads.BF16: noHalves, workloads.F16: noHalves},
		Threads:    "GOMAXPROCS; gonum's BLAS and the library's convolution split work over goroutines",
	}
}

// noHalves is why there is no precision of 16 bits.
const noHalves = "Gorgonia computes in f32 and f64; its tensors have no 16-bit floats"

// moduleVersion reads the version of a dependency from the running binary.
func moduleVersion(path, fallback string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return fallback
	}
	for _, dep := range info.Deps {
		if dep.Path != path {
			continue
		}
		if dep.Replace != nil {
			dep = dep.Replace
		}
		if dep.Version != "" {
			return dep.Version
		}
	}
	return fallback
}
