// Package frameworks asks of a run what people ask: not which entry of the
// catalog is faster, but which framework. Entries are grouped into frameworks, a
// framework enters a comparison with its best entry, and a question about two of
// them takes the evidence of all pairs of their entries. Everything here is a
// pure function of a run.
package frameworks

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dlbench/dlbench/results"
)

// Framework is what people compare: TensorFlow, whatever the number of its
// entries.
type Framework struct {
	ID   string // "tf", "pt", …; the backend's name for what the table does not know
	Name string
	// Known: it stands in the table. A user's own worker is a framework of its own.
	Known bool
}

// The frameworks that the source articles compare, the one of claim C17, and one
// that the report knows by name.
const (
	TensorFlow  = "tf"
	PyTorch     = "pt"
	JAX         = "jax"
	Keras       = "keras"
	ONNXRuntime = "ort"
	OpenVINO    = "ov"
)

// table maps the first word of a backend's name to its framework. It is the only
// place that does.
var table = []struct{ word, id, name string }{
	{"tensorflow", TensorFlow, "TensorFlow"}, {"tf", TensorFlow, "TensorFlow"},
	{"keras", Keras, "Keras"},
	{"pytorch", PyTorch, "PyTorch"}, {"torch", PyTorch, "PyTorch"},
	{"jax", JAX, "JAX"}, {"flax", JAX, "JAX"},
	{"onnxruntime", ONNXRuntime, "ONNX Runtime"}, {"onnx", ONNXRuntime, "ONNX Runtime"}, {"ort", ONNXRuntime, "ONNX Runtime"},
	{"openvino", OpenVINO, "OpenVINO"},
	{"gorgonia", "gor", "Gorgonia"}, {"gomlx", "gmx", "GoMLX"},
	{"eager", "eag", "dlbench eager"}, {"dlbench", "eag", "dlbench eager"},
}

// Of is the framework of a backend by its name: pytorch-compile@2.14.0 is one of
// PyTorch's entries. A backend that the table does not know is a framework of its
// own.
func Of(backend string) Framework {
	lower := strings.ToLower(backend)
	for _, f := range table {
		rest, ok := strings.CutPrefix(lower, f.word)
		if next, _ := utf8.DecodeRuneInString(rest); ok && (rest == "" || !unicode.IsLetter(next)) {
			return Framework{ID: f.id, Name: f.name, Known: true}
		}
	}
	return Framework{ID: backend, Name: backend}
}

// in is the framework of a backend in a run: a user's own worker is none of the
// table's, whatever its name begins with.
func in(meta results.Meta, backend string) Framework {
	if meta.Backends[backend].Worker != "" {
		return Framework{ID: backend, Name: backend}
	}
	return Of(backend)
}
