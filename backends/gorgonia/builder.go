package gorgonia

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// builder walks a program and grows the expression graph.
//
// Layouts: an example of shape [N] is held as [batch, N], one of [C,H,W] as
// [batch, C, H, W], a sequence [T,D] as the rows of one matrix, [T*batch, D]
// with the steps outermost where the program has an LSTM, else [batch*T, D].
type builder struct {
	p      workloads.Program
	part   part
	g      *G.ExprGraph
	graph  *graph
	salt   string
	at     string // the op being built, for messages
	params map[string]*param
	uses   map[int]int // number of ops that read the output of an op
}

// value is the output of an op for one micro-batch.
type value struct {
	op    int       // its number in the program; -1 is the batch
	node  *G.Node   // nil until joined
	steps []*G.Node // of a recurrent op: [batch, D] each, while node is nil
	shape []int     // of one example
	kept  bool      // by the part before, for another pass
}

// failure is an error on its way from deep in the walk to compile.
type failure struct{ error }

func newBuilder(p workloads.Program, dt tensor.Dtype, at part, salt int) *builder {
	b := &builder{
		p:      p,
		part:   at,
		g:      G.NewGraph(),
		params: map[string]*param{},
		uses:   map[int]int{},
		graph: &graph{
			dt:     dt,
			micros: max(1, p.Accumulate),
			timeMajor: slices.ContainsFunc(p.Ops, func(o workloads.Op) bool {
				return o.Op == workloads.OpLSTM
			}),
		},
	}
	b.graph.batch = p.Batch / b.graph.micros
	if salt > 0 {
		b.salt = fmt.Sprintf("~%d", salt)
	}
	for _, o := range p.Ops {
		for _, in := range o.In {
			b.uses[in]++
		}
	}
	for _, q := range p.Params {
		h := &param{Param: q}
		b.params[q.Name] = h
		b.graph.params = append(b.graph.params, h)
	}
	return b
}

// do unwraps what a library function returned.
func (b *builder) do(n *G.Node, err error) *G.Node {
	if err != nil {
		panic(failure{err})
	}
	return n
}

func (b *builder) unsupported(format string, args ...any) {
	panic(failure{fmt.Errorf("%w: %s", backends.ErrUnsupported, fmt.Sprintf(format, args...))})
}

// walk builds the ops of the part and returns what it ends with: the logits,
// [batch, K], or the value that the next part begins with.
func (b *builder) walk() *G.Node {
	outs := make([]*value, len(b.p.Ops))
	for i := b.part.first; i <= b.part.last; i++ {
		o := b.p.Ops[i]
		b.at = o.Op
		if o.Name != "" {
			b.at += " " + o.Name
		}
		ins := make([]*value, len(o.In))
		for j, in := range o.In {
			ins[j] = b.source(in, outs)
		}
		outs[i] = b.emit(o, ins)
		outs[i].op, outs[i].shape = i, o.Shape
	}
	if b.part.first > 0 && b.graph.entry == nil {
		b.unsupported("ops %d to %d do not read the value before them", b.part.first, b.part.last)
	}
	last := outs[b.part.last]
	if !b.atEnd() {
		return b.leaving(last)
	}
	if len(last.shape) != 1 {
		b.unsupported("logits of shape %v", last.shape)
	}
	return b.node(last)
}

// atEnd reports whether the part ends with the logits.
func (b *builder) atEnd() bool { return b.part.last == len(b.p.Ops)-1 }

// source is what an op of the part reads: the output of another, the value that
// the part begins with, or the batch.
func (b *builder) source(in int, outs []*value) *value {
	switch {
	case in < 0:
		return &value{op: -1, shape: b.p.Input.Shape}
	case in >= b.part.first:
		return outs[in]
	case in < b.part.first-1:
		b.unsupported("it reads op %d, beyond the beginning of its segment", in)
	}
	shape := b.p.Ops[in].Shape
	if b.graph.entry == nil {
		b.graph.entry = b.input("entry", b.graph.dt, b.held(shape))
	}
	return &value{op: in, node: b.graph.entry, shape: shape, kept: true}
}

// leaving is the output of a part, in memory of its own: one that only passes its
// input on would hand out what is kept for another pass.
func (b *builder) leaving(v *value) *G.Node {
	x, held := b.node(v), b.held(v.shape)
	if x.Op() == nil {
		x = b.copied(x)
	}
	if !x.Shape().Eq(held) {
		x = b.do(G.Reshape(x, held))
	}
	return x
}

func (b *builder) emit(o workloads.Op, in []*value) *value {
	switch o.Op {
	case workloads.OpEmbedding:
		return &value{node: b.embedding(o)}
	case workloads.OpLSTM:
		return &value{steps: b.lstm(o, in[0])}
	case workloads.OpLastStep:
		return &value{node: b.lastStep(in[0])}
	case workloads.OpFlatten:
		return &value{node: b.flatten(in[0])}
	}
	x := b.node(in[0])
	switch o.Op {
	case workloads.OpDense:
		return &value{node: b.dense(o, x)}
	case workloads.OpConv2D:
		return &value{node: b.conv2d(o, x)}
	case workloads.OpMaxPool2D:
		return &value{node: b.do(G.MaxPool2D(x, tensor.Shape{o.Attr.Size, o.Attr.Size}, []int{0, 0}, []int{o.Attr.Stride, o.Attr.Stride}))}
	case workloads.OpAvgPool:
		return &value{node: b.avgPool(in[0])}
	case workloads.OpBatchNorm:
		return &value{node: b.batchNorm(o, x)}
	case workloads.OpLayerNorm:
		return &value{node: b.layerNorm(o, x)}
	case workloads.OpReLU:
		return &value{node: b.relu(x)}
	case workloads.OpSigmoid:
		return &value{node: b.do(G.Sigmoid(x))}
	case workloads.OpAttention:
		return &value{node: b.attention(o, in[0])}
	case workloads.OpDropout:
		return &value{node: b.dropout(o, x)}
	case workloads.OpAdd:
		return &value{node: b.do(G.Add(x, b.node(in[1])))}
	case workloads.OpGELU:
		b.unsupported("gelu: Gorgonia has no error function, and its other operations give only the tanh approximation")
	}
	b.unsupported("op %q", o.Op)
	return nil
}

// node returns the value as one node, joining the steps of a recurrent op.
func (b *builder) node(v *value) *G.Node {
	switch {
	case v.node != nil:
	case v.op == -1 && len(v.steps) == 0:
		v.node = b.examples(b.held(v.shape))
	default:
		v.node = b.join(v.steps)
	}
	return v.node
}

// held is the shape in which a value of the given example shape is held.
func (b *builder) held(shape []int) tensor.Shape {
	if len(shape) == 2 {
		return tensor.Shape{b.graph.batch * shape[0], shape[1]}
	}
	return append(tensor.Shape{b.graph.batch}, shape...)
}

// examples returns the input node of the batch as numbers, in the given shape.
func (b *builder) examples(shape tensor.Shape) *G.Node {
	if n := b.graph.examples; n != nil {
		if !n.Shape().Eq(shape) {
			return b.do(G.Reshape(b.copied(n), shape))
		}
		return n
	}
	b.graph.examples = b.input("x", b.graph.dt, shape)
	return b.graph.examples
}

// input adds an input node without a value.
func (b *builder) input(name string, dt tensor.Dtype, shape tensor.Shape) *G.Node {
	return G.NewTensor(b.g, dt, len(shape), G.WithShape(shape...), G.WithName(name+b.salt))
}

// constant adds the number as a constant of the program's type.
func (b *builder) constant(v float64) *G.Node {
	if b.graph.dt == tensor.Float32 {
		return G.NewConstant(float32(v))
	}
	return G.NewConstant(v)
}

// param returns a parameter of the program.
func (b *builder) param(name string) *param {
	p, ok := b.params[name]
	if !ok {
		panic(failure{fmt.Errorf("the program has no parameter %q", name)})
	}
	return p
}

// whole holds a parameter in one piece, in its canonical layout seen as shape.
func (b *builder) whole(name string, shape ...int) *G.Node {
	p := b.param(name)
	return b.piece(p, piece{n: p.rows()}, shape)
}

// linear holds rows [first, first+n) of a matrix [units, in] as [in, n], the
// layout that a product with examples in rows reads without transposing.
func (b *builder) linear(name string, first, n int) *G.Node {
	p := b.param(name)
	return b.piece(p, piece{first: first, n: n, transposed: true}, []int{p.Shape[1], n})
}

// some holds elements [first, first+n) of a vector.
func (b *builder) some(name string, first, n int) *G.Node {
	return b.piece(b.param(name), piece{first: first, n: n}, []int{n})
}

func (b *builder) piece(p *param, q piece, shape []int) *G.Node {
	q.value = tensor.New(tensor.Of(b.graph.dt), tensor.WithShape(shape...))
	q.node = b.input(fmt.Sprintf("%s[%d]", p.Name, len(p.pieces)), b.graph.dt, shape)
	if err := G.Let(q.node, q.value); err != nil {
		panic(failure{err})
	}
	p.pieces = append(p.pieces, q)
	return q.node
}
