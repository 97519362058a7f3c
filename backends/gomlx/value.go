package gomlx

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/dlbench/dlbench/backends"
)

// value is the output of one op for a whole batch.
//
// Feature maps [C,H,W] are held channel-major, as [C,B,H,W]: the patches of a
// convolution are then joined by copies of whole blocks, its two matrix
// products with the weights need no transposition, and the reductions of batch
// normalisation run over contiguous memory. All else is batch-major, [B, ...].
type value struct {
	node         *graph.Node
	channelMajor bool
	// steps holds the outputs [B,units] of a recurrent op one by one. node is
	// nil until something needs them joined; last-step never does.
	steps []*graph.Node
}

// joined returns v with its node present.
func (v *value) joined() *graph.Node {
	if v.node == nil {
		expanded := make([]*graph.Node, len(v.steps))
		for t, step := range v.steps {
			expanded[t] = graph.ExpandAxes(step, 1)
		}
		v.node = graph.Concatenate(expanded, 1)
	}
	return v.node
}

// batchFirst returns the value as [B, shape...].
func (v *value) batchFirst() *graph.Node {
	if !v.channelMajor {
		return v.joined()
	}
	return swapLeading(v.node)
}

// channelFirst returns the feature maps as [C,B,H,W].
func (v *value) channelFirst() *graph.Node {
	if v.channelMajor {
		return v.node
	}
	return swapLeading(v.joined())
}

// swapLeading exchanges the first two axes of x, without a copy where one of
// them has a single element.
func swapLeading(x *graph.Node) *graph.Node {
	dims := x.Shape().Dimensions
	if dims[0] == 1 || dims[1] == 1 {
		swapped := slices.Clone(dims)
		swapped[0], swapped[1] = dims[1], dims[0]
		return graph.Reshape(x, swapped...)
	}
	axes := make([]int, len(dims))
	for i := range axes {
		axes[i] = i
	}
	axes[0], axes[1] = 1, 0
	return graph.TransposeAllAxes(x, axes...)
}

// alongLast shapes a vector [n] so that it broadcasts over the last axis of a
// tensor of the given rank.
func alongLast(vector *graph.Node, rank int) *graph.Node {
	return alongAxis(vector, rank-1, rank)
}

// alongAxis shapes a vector [n] so that it broadcasts along one axis.
func alongAxis(vector *graph.Node, axis, rank int) *graph.Node {
	dims := make([]int, rank)
	for i := range dims {
		dims[i] = 1
	}
	dims[axis] = vector.Shape().Size()
	return graph.Reshape(vector, dims...)
}

// zeros returns zeros of x's dtype.
func zeros(x *graph.Node, dims ...int) *graph.Node {
	return graph.Zeros(x.Graph(), shapes.Make(x.DType(), dims...))
}

// scalar returns a constant of x's dtype.
func scalar(x *graph.Node, v float64) *graph.Node {
	return graph.Scalar(x.Graph(), x.DType(), v)
}

// unsupported says what the library cannot do, in the form that
// backends.Backend asks for.
func unsupported(format string, args ...any) error {
	return fmt.Errorf("%w: %s", backends.ErrUnsupported, fmt.Sprintf(format, args...))
}

// precisionName is the workloads name of a dtype.
func precisionName(d dtypes.DType) string {
	switch d {
	case dtypes.Float32:
		return "f32"
	case dtypes.Float64:
		return "f64"
	case dtypes.BFloat16:
		return "bf16"
	}
	return d.String()
}
