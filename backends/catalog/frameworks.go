package catalog

import (
	"slices"
	"strings"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// frameworks are the rows of the frameworks that are used from Python. Each
// runs in an environment of its own, which `dlbench setup` makes.
func frameworks() []backends.Entry {
	const (
		eager    = "eager"
		static   = "static-graph"
		compiled = "compiled"
	)
	// On linux/amd64 PyTorch's one build is for both. The others' builds for CUDA
	// need different versions of the same libraries, so each has an environment.
	pytorch, tensorflow, jax := where{"pytorch", ""}, where{"tensorflow", "tensorflow-cuda"}, where{"jax", "jax-cuda"}
	accumulates, both := []string{"accumulate"}, []string{"accumulate", "checkpoint"}
	return []backends.Entry{
		halved(framework("pytorch", eager, pytorch, corrected, both)),
		halved(framework("pytorch-compile", compiled, pytorch, corrected, both,
			// The compiler calls the host's C++ compiler, and keeps what it made.
			"PATH={path}", "TORCHINDUCTOR_CACHE_DIR={cache}/inductor")),
		halved(framework("pytorch-jit", static, pytorch, corrected, accumulates)),
		halved(framework("tensorflow", eager, tensorflow, uncorrected, both, quietTensorFlow, kerasHome)),
		halved(framework("tensorflow-function", static, tensorflow, uncorrected, both, quietTensorFlow, kerasHome)),
		halved(framework("tensorflow-xla", compiled, tensorflow, uncorrected, both, quietTensorFlow, kerasHome)),
		halved(framework("tensorflow-session", static, tensorflow, uncorrected, both, quietTensorFlow)),
		keras("keras-tensorflow", static, where{"keras", "tensorflow-cuda"}, nil),
		keras("keras-torch", eager, where{"keras", ""}, []string{"checkpoint"}),
		keras("keras-jax", compiled, where{"keras", "jax-cuda"}, nil),
		halved(framework("jax", compiled, jax, corrected, both)),
		halved(framework("jax-eager", eager, jax, corrected, both)),
		onnxEngine("onnxruntime"),
		onnxEngine("openvino"),
	}
}

const (
	corrected   = "corrected"
	uncorrected = "uncorrected"

	quietTensorFlow = "TF_CPP_MIN_LOG_LEVEL=3"
	// A keras.json in the user's home would change precision and layout.
	kerasHome = "KERAS_HOME={cache}/keras"
)

// where are the environments of a framework: the plain one, and the one that
// cells on a GPU use, if that is another.
type where struct{ plain, cuda string }

// framework is a row for a backend that trains and infers on CPU and CUDA.
// What a worker says of itself in its hello must agree with it; versions and
// the phrase on threads only a worker knows.
func framework(name, kind string, in where, epsilon string, features []string, env ...string) backends.Entry {
	if slices.Contains(loading, name) {
		features = append(slices.Clone(features), "loader")
	}
	return backends.Entry{
		Info: backends.Info{
			Name: name, Kind: kind,
			Ops:        slices.Concat(layers, []string{workloads.LossSoftmax, workloads.LossSigmoid, workloads.OptSGD, workloads.OptAdam}),
			Precisions: []workloads.Precision{workloads.F32, workloads.F64},
			Features:   features,
			Dialect:    map[string]string{"adam-epsilon": epsilon},
		},
		Argv:        []string{"{interpreter}", "-s", "{python}/worker.py", name},
		Env:         env,
		Environment: in.plain, EnvironmentCUDA: in.cuda,
		Devices: []string{"cpu", "cuda"},
		Forks:   true,
	}
}

// loading are the entries with an input pipeline of their own: torch.utils.data and
// tf.data.
var loading = []string{
	"pytorch", "pytorch-compile", "pytorch-jit", "tensorflow", "tensorflow-function", "tensorflow-xla", "keras-tensorflow", "keras-torch",
}

// halved adds the precisions of 16 bit: mixed in training, alone in inference.
func halved(e backends.Entry) backends.Entry {
	e.Info.Precisions = append(e.Info.Precisions, workloads.BF16Mix, workloads.F16Mix, workloads.BF16, workloads.F16)
	return e
}

// keras is a row for Keras 3, in float32 and less: with its width of floats set
// to 64 bits, Keras still computes parts in 32.
func keras(name, kind string, in where, features []string) backends.Entry {
	_, backend, _ := strings.Cut(name, "-")
	e := framework(name, kind, in, uncorrected, features, quietTensorFlow, "KERAS_BACKEND="+backend, kerasHome)
	e.Info.Precisions = []workloads.Precision{workloads.F32}
	return halved(e)
}

// onnxEngine is a row for what only infers, on graphs that PyTorch's environment
// exports: it has no optimizer, and inference has no dropout.
func onnxEngine(name string) backends.Entry {
	e := framework(name, "static-graph", where{name, ""}, corrected, nil,
		"DLBENCH_EXPORT_PYTHON={interpreter:pytorch}", "DLBENCH_EXPORTS={cache}/exports")
	e.Info.Precisions = []workloads.Precision{workloads.F32}
	e.Info.Dialect = map[string]string{}
	e.Info.Ops = slices.DeleteFunc(e.Info.Ops, func(op string) bool {
		return slices.Contains([]string{workloads.OpDropout, workloads.OptSGD, workloads.OptAdam}, op)
	})
	e.Devices = []string{"cpu"}
	return e
}

// layers are all ops; a row that lacks some says which it has.
var layers = []string{
	workloads.OpDense, workloads.OpConv2D, workloads.OpMaxPool2D, workloads.OpAvgPool, workloads.OpBatchNorm, workloads.OpLayerNorm,
	workloads.OpReLU, workloads.OpGELU, workloads.OpSigmoid, workloads.OpFlatten, workloads.OpEmbedding, workloads.OpLSTM,
	workloads.OpAttention, workloads.OpDropout, workloads.OpAdd, workloads.OpLastStep,
}
