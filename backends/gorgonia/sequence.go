package gorgonia

import (
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/dlbench/dlbench/workloads"
)

// embedding looks rows up: tokens [R] -> [R, units].
func (b *builder) embedding(o workloads.Op) *G.Node {
	rows := b.graph.batch * b.p.Input.Shape[0]
	if b.graph.tokens == nil {
		b.graph.tokens = b.input("tokens", tensor.Int, tensor.Shape{rows})
	}
	table := b.whole(o.Name+".weight", o.Attr.Vocab, o.Attr.Units)
	return b.do(G.ByIndices(table, b.graph.tokens, 0))
}

// lstm unrolls the recurrence and returns the hidden states [batch, units].
// The input's products with the weights of a gate are made for all steps at
// once. Each gate has weights of its own: slicing columns of a common product
// would copy in every step.
func (b *builder) lstm(o workloads.Op, v *value) []*G.Node {
	steps, units := v.shape[0], o.Attr.Units
	switch {
	case steps == 1 && b.p.Mode == workloads.Train:
		b.unsupported("lstm over one step in training: its recurrent weights are never read, and Gorgonia has no gradient of what is not read")
	case b.graph.batch == 1 && units == 1:
		b.unsupported("lstm of one unit with one example: Gorgonia's slices turn tensors of one number into scalars, which its products refuse")
	}
	x := b.node(v)
	gates := make([][]*G.Node, 4) // i, f, g, o: the input's part per step
	hidden := make([]*G.Node, 4)
	for k := range gates {
		in := b.affine(x, b.linear(o.Name+".weight_ih", k*units, units), b.some(o.Name+".bias", k*units, units))
		gates[k] = b.split(b.do(G.Reshape(in, tensor.Shape{steps, b.graph.batch, units})), steps)
		hidden[k] = b.linear(o.Name+".weight_hh", k*units, units)
	}
	out := make([]*G.Node, steps)
	var h, c *G.Node
	for t := range steps {
		gate := func(k int) *G.Node {
			if t == 0 {
				return gates[k][t] // the initial state is zero
			}
			return b.do(G.Add(b.do(G.Mul(h, hidden[k])), gates[k][t]))
		}
		i, g := b.do(G.Sigmoid(gate(0))), b.do(G.Tanh(gate(2)))
		next := b.do(G.HadamardProd(i, g))
		if t > 0 {
			f := b.do(G.Sigmoid(gate(1)))
			next = b.do(G.Add(b.do(G.HadamardProd(f, c)), next))
		}
		c = next
		h = b.do(G.HadamardProd(b.do(G.Sigmoid(gate(3))), b.do(G.Tanh(c))))
		out[t] = h
	}
	return out
}

// lastStep gives [batch, D], the last step of a sequence.
func (b *builder) lastStep(v *value) *G.Node {
	if v.node == nil && len(v.steps) > 0 {
		return v.steps[len(v.steps)-1]
	}
	if b.graph.batch == 1 && v.shape[1] == 1 {
		b.unsupported("last-step of one feature with one example: Gorgonia's slices turn a tensor of one number into a scalar, which its products refuse")
	}
	x, axis := b.stepsOf(v)
	at := make([]tensor.Slice, axis+1)
	at[axis] = G.S(v.shape[0] - 1)
	return b.do(G.Slice(x, at...))
}

// attention is multi-head self-attention: softmax(q*kᵀ/sqrt(d))*v per head.
func (b *builder) attention(o workloads.Op, v *value) *G.Node {
	steps, d, heads := v.shape[0], v.shape[1], o.Attr.Heads
	batch, size := b.graph.batch, v.shape[1]/o.Attr.Heads
	if steps == 1 || size == 1 {
		b.unsupported("attention over %d steps with %d features per head: Gorgonia's batched product needs at least 2 of each", steps, size)
	}
	x := b.node(v)
	// Rows are [batch, steps] or [steps, batch]; a head is [batch, heads, steps, size].
	rows, permute, back := tensor.Shape{batch, steps, heads, size}, []int{0, 2, 1, 3}, []int{0, 2, 1, 3}
	if b.graph.timeMajor {
		rows, permute, back = tensor.Shape{steps, batch, heads, size}, []int{1, 2, 0, 3}, []int{2, 0, 1, 3}
	}
	var qkv [3]*G.Node
	for k := range qkv {
		y := b.affine(x, b.linear(o.Name+".qkv.weight", k*d, d), b.some(o.Name+".qkv.bias", k*d, d))
		qkv[k] = b.do(G.Transpose(b.do(G.Reshape(y, rows)), permute...))
	}
	scores := b.do(G.BatchedMatMul(qkv[0], qkv[1], false, true))
	scores = b.do(G.Mul(scores, b.constant(1/math.Sqrt(float64(size)))))
	if o.Attr.Causal {
		scores = b.do(G.Add(scores, b.causalMask(scores.Shape())))
	}
	scores = b.do(G.Reshape(scores, tensor.Shape{batch * heads * steps, steps, 1}))
	weights := b.do(G.Reshape(b.do(G.SoftMax(scores, 1)), tensor.Shape{batch, heads, steps, steps}))
	context := b.do(G.Transpose(b.do(G.BatchedMatMul(weights, qkv[2])), back...))
	context = b.do(G.Reshape(context, tensor.Shape{batch * steps, d}))
	return b.affine(context, b.linear(o.Name+".out.weight", 0, d), b.some(o.Name+".out.bias", 0, d))
}

// causalMask returns an input that is 0 where a step may look and so low
// elsewhere that the exponential is exactly 0.
func (b *builder) causalMask(shape tensor.Shape) *G.Node {
	const low = -1e30
	mask := tensor.New(tensor.Of(b.graph.dt), tensor.WithShape(shape...))
	steps := shape[len(shape)-1]
	for i := range shape.TotalSize() {
		if i%steps > i/steps%steps {
			set(mask, i, low)
		}
	}
	n := b.input("causal "+b.at, b.graph.dt, shape)
	if err := G.Let(n, mask); err != nil {
		panic(failure{err})
	}
	return n
}
