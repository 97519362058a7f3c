package frameworks

import (
	"testing"

	"github.com/dlbench/dlbench/results"
)

func TestOf(t *testing.T) {
	for backend, want := range map[string]string{
		"tensorflow": TensorFlow, "tensorflow-xla": TensorFlow, "tf2": TensorFlow, "TensorFlow@2.21.0": TensorFlow,
		"pytorch-compile@2.14.0": PyTorch, "torch": PyTorch, "torchvision": "torchvision",
		"keras-tensorflow": Keras, "keras-torch": Keras, "jax-eager": JAX,
		"onnxruntime": ONNXRuntime, "onnxruntime@nightly": ONNXRuntime,
		"openvino": OpenVINO, "openvino@2026.3.0": OpenVINO, "orthogonal": "orthogonal",
		"eager": "eag", "eagerness": "eagerness", "gorgonia": "gor", "gomlx": "gmx", "mine@1": "mine@1", "": "",
	} {
		if got := Of(backend).ID; got != want {
			t.Errorf("%q is of %q, want %q", backend, got, want)
		}
	}
}

// A user's own worker is nobody's entry, whatever it is called.
func TestOwnWorkerIsItsOwnFramework(t *testing.T) {
	meta := results.Meta{Backends: map[string]results.Backend{"pytorch-mine": {Worker: "./worker"}, "pytorch": {Environment: "pytorch"}}}
	if f := in(meta, "pytorch-mine"); f.ID != "pytorch-mine" || f.Known {
		t.Errorf("a user's worker is of %+v", f)
	}
	if f := in(meta, "pytorch"); f.ID != PyTorch {
		t.Errorf("pytorch is of %+v", f)
	}
}

func TestStars(t *testing.T) {
	for _, tt := range []struct{ relative, want float64 }{
		{1, 5}, {0.98, 5}, {1.18, 5}, {1.2, 4.5}, {1.41, 4.5}, {1.42, 4.5}, {1.68, 4.5}, {1.69, 4}, {2, 4}, {4, 3}, {8, 2}, {16, 1}, {23, 1}, {1e9, 1},
		{1.189207115002721, 5}, // 2^(1/4): a quarter goes up
		{0, 0}, {-1, 0},
	} {
		if got := Stars(tt.relative); got != tt.want {
			t.Errorf("%g times the lowest cost: %g stars, want %g", tt.relative, got, tt.want)
		}
	}
}
