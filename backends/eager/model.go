package eager

import (
	"fmt"
	"slices"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/workloads"
)

// batch is one micro-batch as the model reads it.
type batch[T kernel.Float] struct {
	n      int
	x      []T      // unless half or tokens
	half   []uint16 // x in a 16-bit format
	tokens []int32
	labels []int32
}

// model is a program whose parameters are tensors, read anew at every step.
type model[T kernel.Float] struct {
	program workloads.Program
	params  map[string]*Tensor[T]
	byOp    [][]*Tensor[T] // parameters of each op in the order of Program.Params
	toReLU  []bool         // by op: a ReLU right after it is all that reads its output
	lastUse []int          // by op: the last op that reads its output
	chains  []chain        // by op: what one op may do with it
	values  []*Tensor[T]   // of the pass that is running

	batch    batch[T]   // of the pass that is running
	input    *Tensor[T] // batch.x; nil: tokens
	shape    []int      // of input
	segments []opSegment[T]
}

// opSegment is one of the program's segments.
type opSegment[T kernel.Float] struct {
	m           *model[T]
	first, last int // ops
}

func (s *opSegment[T]) compute(t *Tape[T], _ *Tensor[T]) *Tensor[T] {
	s.m.span(t, s.first, s.last)
	return s.m.values[s.last]
}

// paramParts lists the parameters of an op, in the order in which apply takes them.
var paramParts = map[string][]string{
	workloads.OpDense:     {"weight", "bias"},
	workloads.OpConv2D:    {"weight", "bias"},
	workloads.OpBatchNorm: {"weight", "bias", "running_mean", "running_var"},
	workloads.OpLayerNorm: {"weight", "bias"},
	workloads.OpEmbedding: {"weight"},
	workloads.OpLSTM:      {"weight_ih", "weight_hh", "bias"},
	workloads.OpAttention: {"qkv.weight", "qkv.bias", "out.weight", "out.bias"},
}

// newModel binds the program's ops to params.
func newModel[T kernel.Float](p workloads.Program, params map[string]*Tensor[T]) (*model[T], error) {
	m := &model[T]{program: p, params: params, values: make([]*Tensor[T], len(p.Ops)), lastUse: make([]int, len(p.Ops))}
	for i, op := range p.Ops {
		var own []*Tensor[T]
		for _, part := range paramParts[op.Op] {
			q := params[op.Name+"."+part]
			if q == nil && !(part == "bias" && !op.Attr.Bias && (op.Op == workloads.OpDense || op.Op == workloads.OpConv2D)) {
				return nil, fmt.Errorf("%s %s: no parameter %s.%s", op.Op, op.Name, op.Name, part)
			}
			own = append(own, q)
		}
		m.byOp = append(m.byOp, own)
		for _, in := range op.In {
			if in >= i || in < -1 {
				return nil, fmt.Errorf("op %d (%s) reads op %d: expected an earlier one or -1", i, op.Op, in)
			}
			if in >= 0 {
				m.lastUse[in] = i
			}
		}
	}
	if n := len(p.Ops); n > 0 {
		m.lastUse[n-1] = n // the logits
	}
	m.toReLU = make([]bool, len(p.Ops))
	for i := range len(p.Ops) - 1 {
		m.toReLU[i] = p.Ops[i+1].Op == workloads.OpReLU && m.lastUse[i] == i+1 && slices.Contains(rectifying, p.Ops[i].Op)
	}
	for i := range p.Ops {
		m.chains = append(m.chains, m.chainFrom(i))
	}
	next := 0
	for _, s := range p.Segments {
		if s.First < next || s.Last < s.First || s.Last >= len(p.Ops)-1 {
			return nil, fmt.Errorf("segment %d-%d: expected segments in order, apart, before the last op", s.First, s.Last)
		}
		next = s.Last + 1
		m.segments = append(m.segments, opSegment[T]{m, s.First, s.Last})
	}
	m.shape = append([]int{0}, tapeShape(p.Input.Shape)...)
	return m, nil
}

// forward runs the whole program on one micro-batch and returns the logits.
// While the tape records, the program's segments keep only their results; they
// read m.values again on the way back, so those stay until the next pass.
func (m *model[T]) forward(t *Tape[T], b batch[T]) *Tensor[T] {
	clear(m.values)
	m.batch, m.input = b, nil
	if b.tokens == nil {
		m.shape[0] = b.n
		m.input = t.tensor(m.shape)
		m.input.Data, m.input.half = b.x, b.half
	}
	next := 0
	if t.recording && !t.hooks.faults.keepAll {
		for i := range m.segments {
			s := &m.segments[i]
			m.span(t, next, s.first-1)
			m.values[s.last] = t.checkpoint(nil, s)
			next = s.last + 1
		}
	}
	m.span(t, next, len(m.program.Ops)-1)
	return m.values[len(m.values)-1]
}

// span runs ops first to last. Values that were made here and have no later use
// are given up at once, but for what the way back reads if the tape records.
func (m *model[T]) span(t *Tape[T], first, last int) {
	for i, end := first, 0; i <= last; i = end + 1 {
		end = i
		if c := &m.chains[i]; c.last > 0 && c.last <= last && t.fuses(c) {
			end = c.last
			m.values[end] = m.applyChain(t, i)
		} else {
			t.BeforeReLU(m.toReLU[i] && i < last)
			m.values[i] = m.apply(t, i)
		}
		for _, in := range m.program.Ops[i].In {
			switch {
			case in < first || m.lastUse[in] != i || m.values[in] == nil:
			case t.recording:
				t.Leave(m.values[in])
			default:
				t.Free(m.values[in])
				m.values[in] = nil
			}
		}
	}
}

// in is what op reads at place j.
func (m *model[T]) in(op *workloads.Op, j int) *Tensor[T] {
	if id := op.In[j]; id >= 0 {
		return m.values[id]
	}
	return m.input
}

// apply runs op i.
func (m *model[T]) apply(t *Tape[T], i int) *Tensor[T] {
	op, own := &m.program.Ops[i], m.byOp[i]
	a := &op.Attr
	in := func(j int) *Tensor[T] { return m.in(op, j) }
	switch op.Op {
	case workloads.OpDense:
		return t.Dense(in(0), own[0], own[1])
	case workloads.OpConv2D:
		return t.Conv2D(in(0), own[0], own[1], a.Stride, a.Pad)
	case workloads.OpMaxPool2D:
		return t.MaxPool2D(in(0), a.Size, a.Stride)
	case workloads.OpAvgPool:
		return t.AvgPool(in(0))
	case workloads.OpBatchNorm:
		return t.BatchNorm(in(0), own[0], own[1], own[2], own[3], a.Epsilon, a.Momentum)
	case workloads.OpLayerNorm:
		if len(op.Shape) == 3 {
			return t.layerNormImages(in(0), own[0], own[1], a.Epsilon)
		}
		return t.LayerNorm(in(0), own[0], own[1], a.Epsilon)
	case workloads.OpReLU:
		return t.ReLU(in(0))
	case workloads.OpGELU:
		return t.GELU(in(0))
	case workloads.OpSigmoid:
		return t.Sigmoid(in(0))
	case workloads.OpFlatten:
		return t.Flatten(in(0))
	case workloads.OpEmbedding:
		return t.Embedding(m.batch.tokens, m.batch.n, own[0])
	case workloads.OpLSTM:
		return t.LSTM(in(0), own[0], own[1], own[2])
	case workloads.OpAttention:
		return t.Attention(in(0), own[0], own[1], own[2], own[3], a.Heads, a.Causal && !t.hooks.faults.noCausal)
	case workloads.OpDropout:
		return t.Dropout(in(0), a.Rate, i)
	case workloads.OpAdd:
		return t.Add(in(0), in(1))
	case workloads.OpLastStep:
		return t.LastStep(in(0))
	}
	panic("eager: op " + op.Op + " passed the check of the build") // supported refuses it
}

// loss of the logits: scale times the sum over the examples.
func (m *model[T]) loss(t *Tape[T], logits *Tensor[T], labels []int32, scale float64) T {
	if m.program.Loss.Op == workloads.LossSigmoid {
		return t.SigmoidCrossEntropy(logits, labels, scale)
	}
	return t.SoftmaxCrossEntropy(logits, labels, scale)
}

// ops, losses and optimizers that can be built.
var (
	supportedOps = []string{
		workloads.OpDense, workloads.OpConv2D, workloads.OpMaxPool2D, workloads.OpAvgPool, workloads.OpBatchNorm, workloads.OpLayerNorm,
		workloads.OpReLU, workloads.OpGELU, workloads.OpSigmoid, workloads.OpFlatten, workloads.OpEmbedding, workloads.OpLSTM,
		workloads.OpAttention, workloads.OpDropout, workloads.OpAdd, workloads.OpLastStep,
	}
	supportedLosses     = []string{workloads.LossSoftmax, workloads.LossSigmoid}
	supportedOptimizers = []string{workloads.OptSGD, workloads.OptAdam}
)

// allowedAttrs are the attributes that each op reads, by a copy of Attr in
// which they alone are kept. Anything else set is refused: it would mean
// something that this engine does not do.
var allowedAttrs = map[string]func(a workloads.Attr) workloads.Attr{
	workloads.OpDense: func(a workloads.Attr) workloads.Attr { return workloads.Attr{Units: a.Units, Bias: a.Bias} },
	workloads.OpConv2D: func(a workloads.Attr) workloads.Attr {
		return workloads.Attr{Filters: a.Filters, Kernel: a.Kernel, Stride: a.Stride, Pad: a.Pad, Bias: a.Bias}
	},
	workloads.OpMaxPool2D: func(a workloads.Attr) workloads.Attr { return workloads.Attr{Size: a.Size, Stride: a.Stride} },
	workloads.OpBatchNorm: func(a workloads.Attr) workloads.Attr { return workloads.Attr{Epsilon: a.Epsilon, Momentum: a.Momentum} },
	workloads.OpLayerNorm: func(a workloads.Attr) workloads.Attr { return workloads.Attr{Epsilon: a.Epsilon} },
	workloads.OpEmbedding: func(a workloads.Attr) workloads.Attr { return workloads.Attr{Vocab: a.Vocab, Units: a.Units} },
	workloads.OpLSTM:      func(a workloads.Attr) workloads.Attr { return workloads.Attr{Units: a.Units} },
	workloads.OpAttention: func(a workloads.Attr) workloads.Attr { return workloads.Attr{Heads: a.Heads, Causal: a.Causal} },
	workloads.OpDropout:   func(a workloads.Attr) workloads.Attr { return workloads.Attr{Rate: a.Rate} },
	workloads.LossSoftmax: func(a workloads.Attr) workloads.Attr { return workloads.Attr{Reduction: a.Reduction} },
	workloads.LossSigmoid: func(a workloads.Attr) workloads.Attr { return workloads.Attr{Reduction: a.Reduction} },
	workloads.OptSGD:      func(a workloads.Attr) workloads.Attr { return workloads.Attr{Rate: a.Rate, Momentum: a.Momentum} },
	workloads.OptAdam: func(a workloads.Attr) workloads.Attr {
		return workloads.Attr{Rate: a.Rate, Beta1: a.Beta1, Beta2: a.Beta2, Epsilon: a.Epsilon}
	},
}

// checkAttr refuses attributes that the op does not read.
func checkAttr(op workloads.Op) error {
	var kept workloads.Attr
	if keep := allowedAttrs[op.Op]; keep != nil {
		kept = keep(op.Attr)
	}
	if kept != op.Attr {
		return fmt.Errorf("%w: %s %s has attributes that this op does not read: %+v", backends.ErrUnsupported, op.Op, op.Name, op.Attr)
	}
	return nil
}
