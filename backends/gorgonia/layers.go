package gorgonia

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/dlbench/dlbench/workloads"
)

// dense is x*W (+ bias) over rows: [R, in] -> [R, units].
func (b *builder) dense(o workloads.Op, x *G.Node) *G.Node {
	w := b.linear(o.Name+".weight", 0, o.Attr.Units)
	if !o.Attr.Bias {
		return b.do(G.Mul(x, w))
	}
	return b.affine(x, w, b.some(o.Name+".bias", 0, o.Attr.Units))
}

// affine is x*w + bias for rows x [R, in], w [in, n], bias [n].
func (b *builder) affine(x, w, bias *G.Node) *G.Node {
	y := b.do(G.Mul(x, w))
	if y.Shape()[0] == 1 {
		return b.do(G.Add(y, b.do(G.Reshape(bias, y.Shape()))))
	}
	return b.do(G.BroadcastAdd(y, bias, nil, []byte{0}))
}

func (b *builder) conv2d(o workloads.Op, x *G.Node) *G.Node {
	a := o.Attr
	filter := b.whole(o.Name+".weight", a.Filters, x.Shape()[1], a.Kernel, a.Kernel)
	y := b.do(G.Conv2d(x, filter, tensor.Shape{a.Kernel, a.Kernel}, []int{a.Pad, a.Pad}, []int{a.Stride, a.Stride}, []int{1, 1}))
	if !a.Bias {
		return y
	}
	bias := b.whole(o.Name+".bias", 1, a.Filters, 1, 1)
	return b.do(G.BroadcastAdd(y, bias, nil, []byte{0, 2, 3}))
}

// relu has slope 0 at 0; the library's Rectify has 1.
func (b *builder) relu(x *G.Node) *G.Node {
	positive := b.do(G.Gt(x, b.constant(0), true))
	return b.do(G.HadamardProd(x, positive))
}

// avgPool is the mean over positions: [batch,C,H,W] -> [batch,C], and of a
// sequence over its steps.
func (b *builder) avgPool(v *value) *G.Node {
	if len(v.shape) == 3 {
		return b.do(G.Mean(b.do(G.Mean(b.node(v), 3)), 2))
	}
	x, steps := b.stepsOf(v)
	return b.do(G.Mean(x, steps))
}

// dropout multiplies with a mask that every pass draws anew.
func (b *builder) dropout(o workloads.Op, x *G.Node) *G.Node {
	if o.Attr.Rate == 0 || b.p.Mode == workloads.Infer {
		return x
	}
	mask := tensor.New(tensor.Of(b.graph.dt), tensor.WithShape(x.Shape()...))
	n := b.input(fmt.Sprintf("mask%d", len(b.graph.drops)), b.graph.dt, x.Shape())
	if err := G.Let(n, mask); err != nil {
		panic(failure{err})
	}
	b.graph.drops = append(b.graph.drops, dropout{node: n, mask: mask, rate: o.Attr.Rate})
	return b.do(G.HadamardProd(x, n))
}

// flatten gives [batch, N], features of an example in canonical order.
func (b *builder) flatten(v *value) *G.Node {
	to := tensor.Shape{b.graph.batch, tensor.ProdInts(v.shape)}
	switch {
	case v.op == -1 && (len(v.shape) != 2 || !b.graph.timeMajor):
		return b.examples(to) // the batch is bound in this shape
	case len(v.shape) == 1:
		return b.node(v)
	case len(v.shape) == 2 && b.graph.timeMajor:
		x, _ := b.stepsOf(v)
		return b.do(G.Reshape(b.do(G.Transpose(x, 1, 0, 2)), to))
	}
	return b.reshape(v, to)
}

// stepsOf returns a sequence as a tensor of three axes and the number of the
// axis of its steps: [T, batch, D] and 0, or [batch, T, D] and 1.
func (b *builder) stepsOf(v *value) (x *G.Node, steps int) {
	t, d := v.shape[0], v.shape[1]
	if b.graph.timeMajor {
		return b.reshape(v, tensor.Shape{t, b.graph.batch, d}), 0
	}
	return b.reshape(v, tensor.Shape{b.graph.batch, t, d}), 1
}

// reshape gives v another shape. The library's Reshape shares the memory of
// its source, while the compiler lets an element-wise operation of two operands
// overwrite either of them once that one has no later reader. The two can meet
// where something else reads the source: a second op, or the gradient of a
// sigmoid, which reads its output; and what a segment begins with is read again
// when it is recomputed. There the source is copied first.
func (b *builder) reshape(v *value, to tensor.Shape) *G.Node {
	x := b.node(v)
	if x.Shape().Eq(to) {
		return x
	}
	if v.op == -1 || v.kept || b.uses[v.op] > 1 || b.p.Ops[v.op].Op == workloads.OpSigmoid {
		x = b.copied(x)
	}
	return b.do(G.Reshape(x, to))
}

// copied returns x in memory of its own: a slice of everything along the last
// axis (which drops that axis if it has one element).
func (b *builder) copied(x *G.Node) *G.Node {
	if x.Shape().TotalSize() == 1 {
		b.unsupported("a copy of one number: Gorgonia's slices turn a tensor of one number into a scalar, which its other operations refuse")
	}
	all := make([]tensor.Slice, x.Dims())
	last := x.Dims() - 1
	all[last] = G.S(0, x.Shape()[last])
	return b.do(G.Slice(x, all...))
}
