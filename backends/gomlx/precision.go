package gomlx

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/dlbench/dlbench/workloads"
)

// arithmetic is the float types of one precision.
//
// In 16 bit every op's output is of the active type, and so are the parameters
// as ops read them: they are converted inside the graph, so that the library's
// gradient of a conversion widens the gradient of the parameter again. Matrix
// products of 16-bit operands are summed in float32 by the Go backend, and their
// results rounded. Normalisations, GELU, softmax, means and losses are computed
// in the wide type from 16-bit inputs, as the autocast of other frameworks does.
//
// Its conversion to bfloat16 rounds to nearest even and keeps subnormals and
// infinities. That to float16 makes every subnormal 0 (compute v0.1.2:
// float16.FromFloat32 shifts the mantissa by 14-exp bits where -1-exp are due), and
// each of its ops in float16 rounds with it: so float16 is not claimed.
type arithmetic struct {
	stored dtypes.DType // parameters and buffers; in training gradients and optimizer state too
	active dtypes.DType // activations
	wide   dtypes.DType // losses, statistics, inputs as they are loaded
}

var arithmetics = map[workloads.Precision]arithmetic{
	workloads.F32:     {stored: dtypes.Float32, active: dtypes.Float32, wide: dtypes.Float32},
	workloads.F64:     {stored: dtypes.Float64, active: dtypes.Float64, wide: dtypes.Float64},
	workloads.BF16Mix: {stored: dtypes.Float32, active: dtypes.BFloat16, wide: dtypes.Float32},
	workloads.BF16:    {stored: dtypes.BFloat16, active: dtypes.BFloat16, wide: dtypes.Float32},
}

// precisions are the keys of arithmetics, in the order in which they are tried.
var precisions = []workloads.Precision{
	workloads.F32, workloads.F64, workloads.BF16Mix, workloads.BF16,
}

// lacking says why a precision is not among them.
func lacking(p workloads.Precision) string {
	if p == workloads.F16Mix || p == workloads.F16 {
		return "the Go backend rounds what is subnormal in float16 to 0 (compute " + computeVersion + ")"
	}
	return "the Go backend has float32, float64 and bfloat16, on the CPU"
}

// param is a parameter as ops read it. Each call converts it anew where it is
// wider, so that what it is used for several times adds up in its own type; the
// backend makes the conversion once.
func (f *forward) param(name string) *graph.Node {
	return graph.ConvertDType(f.params[name], f.types.active)
}

// wideParam is a parameter for what is computed in the wide type.
func (f *forward) wideParam(name string) *graph.Node { return f.wide(f.params[name]) }

// wide converts to the wide type; narrow rounds to that of activations.
func (f *forward) wide(x *graph.Node) *graph.Node   { return graph.ConvertDType(x, f.types.wide) }
func (f *forward) narrow(x *graph.Node) *graph.Node { return graph.ConvertDType(x, f.types.active) }

// inWide is fn computed in the wide type, its result rounded once.
func (f *forward) inWide(fn func(*graph.Node) *graph.Node) func(*graph.Node) *graph.Node {
	return func(x *graph.Node) *graph.Node { return f.narrow(fn(f.wide(x))) }
}

// productTypes names the float types of the matrix products that a graph has so
// far: one in an honest forward pass, "" without any.
func productTypes(g *graph.Graph) string {
	name := ""
	for _, n := range g.Nodes() {
		if n.Type() != graph.NodeTypeDotGeneral {
			continue
		}
		switch p := precisionName(n.DType()); name {
		case "", p:
			name = p
		default:
			return "mixed"
		}
	}
	return name
}

// flat converts to a slice of the Go type of a float type.
func flat(to dtypes.DType, v []float32) any {
	switch to {
	case dtypes.Float64:
		return widen(v)
	case dtypes.BFloat16:
		return bfloat16.FromFloat32s(v...)
	}
	return v
}
