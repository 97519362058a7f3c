package gomlx

import "github.com/dlbench/dlbench/workloads"

// A permutation is how a tensor's axes move between the canonical layout of
// workloads.Param and the layout that the graph wants. It is applied outside
// every timed region.
type permutation struct {
	dims []int // canonical
	axes []int // nil: none; else internal axis i is canonical axis axes[i]
}

// parameterLayout returns how op's parameter lies in the graph: convolution
// weights [F,C,k,k] as [F,k,k,C] joined to [F, k*k*C], the order of the rows
// of patches in conv2d; all others as they are.
func parameterLayout(op string, p workloads.Param) (permutation, []int) {
	if op == workloads.OpConv2D && len(p.Shape) == 4 {
		s := p.Shape
		return permutation{dims: s, axes: []int{0, 2, 3, 1}}, []int{s[0], s[2] * s[3] * s[1]}
	}
	return permutation{dims: p.Shape}, p.Shape
}

// inputChannelMajor says whether a batch of images enters the graph as
// [C,B,H,W] instead of [B,C,H,W]: unless the first thing done is to flatten it.
func inputChannelMajor(p workloads.Program) bool {
	if len(p.Input.Shape) != 3 {
		return false
	}
	for _, op := range p.Ops {
		for _, in := range op.In {
			if in == -1 {
				return op.Op != workloads.OpFlatten && op.Op != workloads.OpDense && op.Op != workloads.OpLayerNorm
			}
		}
	}
	return false
}

// permute returns data, canonical and row-major, in the internal order.
func permute[T any](p permutation, data []T) []T {
	out := make([]T, len(data))
	p.each(func(canonical, internal int) { out[internal] = data[canonical] })
	return out
}

// restore is the inverse of permute.
func restore[T any](p permutation, data []T) []T {
	out := make([]T, len(data))
	p.each(func(canonical, internal int) { out[canonical] = data[internal] })
	return out
}

// each calls fn with the flat index of every element in both orders.
func (p permutation) each(fn func(canonical, internal int)) {
	size := 1
	strides := make([]int, len(p.dims))
	for i := len(p.dims) - 1; i >= 0; i-- {
		strides[i] = size
		size *= p.dims[i]
	}
	if p.axes == nil {
		for i := range size {
			fn(i, i)
		}
		return
	}
	at := make([]int, len(p.axes))
	for internal := range size {
		canonical := 0
		for i, axis := range p.axes {
			canonical += at[i] * strides[axis]
		}
		fn(canonical, internal)
		for i := len(at) - 1; i >= 0; i-- {
			if at[i]++; at[i] < p.dims[p.axes[i]] {
				break
			}
			at[i] = 0
		}
	}
}
