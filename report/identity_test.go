package report

import "testing"

func TestIdentify(t *testing.T) {
	for _, tt := range []struct{ name, label, hue string }{
		{"pytorch", "PyTorch", "pt"},
		{"pytorch-compile@2.14.0", "PyTorch compile 2.14.0", "pt"},
		{"keras-jax", "Keras on JAX", "tf"},
		{"onnxruntime@nightly", "ONNX Runtime nightly", "ort"},
		{"openvino", "OpenVINO", "oth"},
		{"mine@1", "mine@1", "oth"},
	} {
		if id := identify(tt.name, "eager"); id.Name != tt.name || id.Label != tt.label || id.Hue != tt.hue {
			t.Errorf("%s: %+v, want %q in %s", tt.name, id, tt.label, tt.hue)
		}
	}
}
