package report

import (
	"strings"

	"github.com/dlbench/dlbench/results/compare/frameworks"
)

// identity is how a backend looks wherever it appears: one hue per framework,
// filled for static graphs and compiled code, hollow for eager execution. Its
// name always stands beside the mark.
type identity struct {
	Name   string // as the catalog and the command line call it
	Label  string // as people call it
	Hue    string // suffix of the style's classes and variables
	Hollow bool
}

// hue is that of a framework; Keras joins TensorFlow's. Grey are OpenVINO, since an
// eighth hue could not be told from the seven in every kind of colour vision, and
// what the table of frameworks does not know.
func hue(f frameworks.Framework) string {
	switch {
	case !f.Known, f.ID == frameworks.OpenVINO:
		return "oth"
	case f.ID == frameworks.Keras:
		return frameworks.TensorFlow
	}
	return f.ID
}

var labels = map[string]string{
	"eager": "dlbench eager", "gorgonia": "Gorgonia", "gomlx": "GoMLX",
	"pytorch": "PyTorch", "pytorch-compile": "PyTorch compile", "pytorch-jit": "PyTorch jit",
	"tensorflow": "TensorFlow", "tensorflow-function": "TensorFlow function",
	"tensorflow-xla": "TensorFlow XLA", "tensorflow-session": "TensorFlow Session",
	"keras-tensorflow": "Keras on TensorFlow", "keras-torch": "Keras on PyTorch", "keras-jax": "Keras on JAX",
	"jax": "JAX", "jax-eager": "JAX eager", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO",
}

// identify looks a backend up; kind is what its worker said of itself.
func identify(name, kind string) identity {
	id := identity{Name: name, Label: clean(name, 40)}
	entry, version, other := strings.Cut(name, "@")
	if l, ok := labels[entry]; ok {
		id.Label = l
		if other { // the same entry in another version of the framework
			id.Label += " " + clean(version, 20)
		}
	}
	id.Hue = hue(frameworks.Of(name))
	id.Hollow = kind == "eager" || kind == "define-by-run"
	return id
}

// Mark is the class of the dot: filled or hollow, in the framework's hue.
func (id identity) Mark() string {
	if id.Hollow {
		return "m hollow f-" + id.Hue
	}
	return "m solid f-" + id.Hue
}

// Var is the style's variable that holds the hue, for charts.
func (id identity) Var() string { return "--" + id.Hue }
