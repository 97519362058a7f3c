package gomlx

import (
	"github.com/gomlx/gomlx/core/graph"

	"github.com/dlbench/dlbench/workloads"
)

// conv2d is a convolution of x [C,B,H,W] by a matrix product with the patches
// (im2col). The library's own ConvGeneral is a loop without blocking in its Go
// backend, many times slower. The weight is [F, k*k*C] (layout.go), so the
// patches are k*k strided slices of x, joined along the channel axis.
func (f *forward) conv2d(op workloads.Op, x *graph.Node) *graph.Node {
	k, stride := op.Attr.Kernel, op.Attr.Stride
	x = padZeros(x, op.Attr.Pad)
	dims := x.Shape().Dimensions
	outH, outW := (dims[2]-k)/stride+1, (dims[3]-k)/stride+1

	patches := make([]*graph.Node, 0, k*k)
	for i := range k {
		for j := range k {
			patches = append(patches, window(x, i, j, outH, outW, stride))
		}
	}
	columns := patches[0]
	if len(patches) > 1 {
		columns = graph.Concatenate(patches, 0)
	}
	y := graph.DotGeneral(f.param(op.Name+".weight"), []int{1}, nil,
		graph.Reshape(columns, k*k*dims[0], -1), []int{0}, nil)
	y = graph.Reshape(y, op.Attr.Filters, dims[1], outH, outW)
	if op.Attr.Bias {
		y = graph.Add(y, alongAxis(f.param(op.Name+".bias"), 0, 4))
	}
	return y
}

// window returns x[:, :, i::stride, j::stride] cut to outH x outW.
func window(x *graph.Node, i, j, outH, outW, stride int) *graph.Node {
	dims := x.Shape().Dimensions
	if stride == 1 && outH == dims[2] && outW == dims[3] {
		return x
	}
	rows := graph.AxisRange(i, i+(outH-1)*stride+1)
	columns := graph.AxisRange(j, j+(outW-1)*stride+1)
	if stride > 1 {
		rows, columns = rows.Stride(stride), columns.Stride(stride)
	}
	return graph.Slice(x, graph.AxisRange(), graph.AxisRange(), rows, columns)
}

// padZeros adds pad zeros on the four sides of x [C,B,H,W]. It joins blocks of
// zeros because the library's Pad has no gradient.
func padZeros(x *graph.Node, pad int) *graph.Node {
	if pad == 0 {
		return x
	}
	dims := x.Shape().Dimensions
	row := zeros(x, dims[0], dims[1], pad, dims[3])
	x = graph.Concatenate([]*graph.Node{row, x, row}, 2)
	column := zeros(x, dims[0], dims[1], dims[2]+2*pad, pad)
	return graph.Concatenate([]*graph.Node{column, x, column}, 3)
}

// maxPool2D is the maximum over windows of x [C,B,H,W], without padding. The
// library's MaxPool has no gradient in its Go backend (SelectAndScatterMax is
// missing), and ReduceMax gives the gradient to every element of a tie. A
// chain of maxima in row-major order gives it to the first one: of two equal
// operands the left. NaN is handed on from any place of a window.
func maxPool2D(x *graph.Node, size, stride int) *graph.Node {
	dims := x.Shape().Dimensions
	outH, outW := (dims[2]-size)/stride+1, (dims[3]-size)/stride+1
	var best *graph.Node
	for i := range size {
		for j := range size {
			next := window(x, i, j, outH, outW, stride)
			if best == nil {
				best = next
			} else {
				best = graph.Max(best, next)
			}
		}
	}
	return best
}
