package workloads

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// opKind is what Resolve knows of one op: its output shape with all attributes
// filled in, the parameters it owns, and the multiply-adds of one example.
type opKind struct {
	keys   []string // authored attributes besides op, for strict reading
	shape  func(l Layer, in []int, input Input) (Attr, []int, error)
	params func(o Op, in []int) []Param // nil: owns none
	macs   func(o Op, in []int) int64   // nil: not counted
}

// opKinds is the table of the ops that authors write. OpAdd is missing: only
// residual makes it.
var opKinds = map[string]opKind{
	OpDense:     {keys: []string{"name", "units", "bias"}, shape: denseShape, params: denseParams, macs: denseMACs},
	OpConv2D:    {keys: []string{"name", "filters", "kernel", "stride", "padding", "bias"}, shape: convShape, params: convParams, macs: convMACs},
	OpMaxPool2D: {keys: []string{"size", "stride"}, shape: poolShape},
	OpAvgPool:   {shape: avgPoolShape},
	OpBatchNorm: {keys: []string{"name", "epsilon", "momentum"}, shape: batchNormShape, params: batchNormParams},
	OpLayerNorm: {keys: []string{"name", "epsilon"}, shape: layerNormShape, params: layerNormParams},
	OpReLU:      {shape: sameShape},
	OpGELU:      {shape: sameShape},
	OpSigmoid:   {shape: sameShape},
	OpFlatten:   {shape: flattenShape},
	OpEmbedding: {keys: []string{"name", "vocab", "units"}, shape: embeddingShape, params: embeddingParams},
	OpLSTM:      {keys: []string{"name", "units", "last"}, shape: lstmShape, params: lstmParams, macs: lstmMACs},
	OpAttention: {keys: []string{"name", "heads", "causal"}, shape: attentionShape, params: attentionParams, macs: attentionMACs},
	OpDropout:   {keys: []string{"rate"}, shape: dropoutShape},
	OpLastStep:  {shape: lastStepShape},
}

// layerOps lists what may stand in an authored layer's op, sorted.
func layerOps() []string {
	return slices.Sorted(maps.Keys(opKinds)) // residual and group are added by the reader's own table
}

const maxSide = 1 << 24 // of any authored size

func checkSize(what string, v int) error {
	if v < 1 || v > maxSide {
		return fmt.Errorf("%s %d: expected 1 to %d", what, v, maxSide)
	}
	return nil
}

func denseShape(l Layer, in []int, _ Input) (Attr, []int, error) {
	if len(in) > 2 {
		return Attr{}, nil, fmt.Errorf("input %v: expected [N] or [T,N]; put a flatten before it", in)
	}
	return Attr{Units: l.Units, Bias: l.Bias}, withLast(in, l.Units), checkSize("units", l.Units)
}

func denseParams(o Op, in []int) []Param {
	n := in[len(in)-1]
	ps := []Param{{Name: o.Name + ".weight", Shape: []int{o.Attr.Units, n}, Bound: heBound(n)}}
	if o.Attr.Bias {
		ps = append(ps, Param{Name: o.Name + ".bias", Shape: []int{o.Attr.Units}, Bound: 1 / math.Sqrt(float64(n))})
	}
	return ps
}

func denseMACs(o Op, in []int) int64 {
	n, _ := elements(o.Shape)
	return n * int64(in[len(in)-1])
}

func convShape(l Layer, in []int, _ Input) (Attr, []int, error) {
	if err := needRank(in, 3, "[C,H,W]"); err != nil {
		return Attr{}, nil, err
	}
	a := Attr{Filters: l.Filters, Kernel: l.Kernel, Stride: max(1, l.Stride), Pad: l.Pad, Bias: l.Bias}
	if err := checkSize("filters", a.Filters); err != nil {
		return a, nil, err
	}
	if err := checkSize("kernel", a.Kernel); err != nil {
		return a, nil, err
	}
	if l.Stride < 0 || a.Stride > maxSide {
		return a, nil, fmt.Errorf("stride %d: expected at least 1", l.Stride)
	}
	switch l.Padding {
	case "":
	case "valid":
		a.Pad = 0
	case "same":
		if a.Kernel%2 == 0 {
			return a, nil, fmt.Errorf("padding same with kernel %d: expected an odd kernel, else the two sides differ between frameworks", a.Kernel)
		}
		a.Pad = (a.Kernel - 1) / 2
	default:
		return a, nil, fmt.Errorf("padding %q: expected same or valid", l.Padding)
	}
	if a.Pad < 0 || a.Pad >= a.Kernel {
		return a, nil, fmt.Errorf("pad %d: expected 0 to kernel-1", a.Pad)
	}
	h, w := in[1]+2*a.Pad-a.Kernel, in[2]+2*a.Pad-a.Kernel
	if h < 0 || w < 0 {
		return a, nil, fmt.Errorf("kernel %d does not fit input %v with %d zeros around it", a.Kernel, in, a.Pad)
	}
	return a, []int{a.Filters, h/a.Stride + 1, w/a.Stride + 1}, nil
}

func convParams(o Op, in []int) []Param {
	fan := in[0] * o.Attr.Kernel * o.Attr.Kernel
	ps := []Param{{Name: o.Name + ".weight", Shape: []int{o.Attr.Filters, in[0], o.Attr.Kernel, o.Attr.Kernel}, Bound: heBound(fan)}}
	if o.Attr.Bias {
		ps = append(ps, Param{Name: o.Name + ".bias", Shape: []int{o.Attr.Filters}, Bound: 1 / math.Sqrt(float64(fan))})
	}
	return ps
}

func convMACs(o Op, in []int) int64 {
	n, _ := elements(o.Shape)
	return n * int64(in[0]) * int64(o.Attr.Kernel) * int64(o.Attr.Kernel)
}

func poolShape(l Layer, in []int, _ Input) (Attr, []int, error) {
	if err := needRank(in, 3, "[C,H,W]"); err != nil {
		return Attr{}, nil, err
	}
	if err := checkSize("size", l.Size); err != nil {
		return Attr{}, nil, err
	}
	a := Attr{Size: l.Size, Stride: l.Stride}
	if a.Stride == 0 {
		a.Stride = a.Size
	}
	if err := checkSize("stride", a.Stride); err != nil {
		return a, nil, err
	}
	if in[1] < a.Size || in[2] < a.Size {
		return a, nil, fmt.Errorf("window %d does not fit input %v", a.Size, in)
	}
	return a, []int{in[0], (in[1]-a.Size)/a.Stride + 1, (in[2]-a.Size)/a.Stride + 1}, nil
}

func avgPoolShape(_ Layer, in []int, _ Input) (Attr, []int, error) {
	switch len(in) {
	case 3:
		return Attr{}, in[:1], nil
	case 2:
		return Attr{}, in[1:], nil
	}
	return Attr{}, nil, fmt.Errorf("input %v: expected [C,H,W] or [T,D]", in)
}

func batchNormShape(l Layer, in []int, _ Input) (Attr, []int, error) {
	if len(in) == 2 {
		return Attr{}, nil, fmt.Errorf("input %v: expected [C] or [C,H,W]; a sequence takes layernorm", in)
	}
	a := Attr{Epsilon: l.Epsilon, Momentum: l.Momentum}
	if a.Epsilon == 0 {
		a.Epsilon = 1e-5
	}
	if a.Momentum == 0 {
		a.Momentum = 0.1
	}
	if !(a.Momentum > 0 && a.Momentum <= 1) {
		return a, nil, fmt.Errorf("momentum %v: expected 0 < momentum <= 1, the weight of the new value", a.Momentum)
	}
	return a, in, checkEpsilon(a.Epsilon)
}

func batchNormParams(o Op, in []int) []Param {
	c := slices.Clone(in[:1])
	return []Param{
		{Name: o.Name + ".weight", Shape: c, Center: 1, Bound: 0.25},
		{Name: o.Name + ".bias", Shape: c, Bound: 0.25},
		{Name: o.Name + ".running_mean", Shape: c, Bound: 0.25, Buffer: true},
		{Name: o.Name + ".running_var", Shape: c, Center: 1, Bound: 0.25, Buffer: true},
	}
}

func layerNormShape(l Layer, in []int, _ Input) (Attr, []int, error) {
	a := Attr{Epsilon: l.Epsilon}
	if a.Epsilon == 0 {
		a.Epsilon = 1e-5
	}
	return a, in, checkEpsilon(a.Epsilon)
}

func layerNormParams(o Op, in []int) []Param {
	d := slices.Clone(in[len(in)-1:])
	return []Param{
		{Name: o.Name + ".weight", Shape: d, Center: 1, Bound: 0.25},
		{Name: o.Name + ".bias", Shape: d, Bound: 0.25},
	}
}

func sameShape(_ Layer, in []int, _ Input) (Attr, []int, error) { return Attr{}, in, nil }

func dropoutShape(l Layer, in []int, _ Input) (Attr, []int, error) {
	return Attr{Rate: l.Rate}, in, nil
}

func flattenShape(_ Layer, in []int, _ Input) (Attr, []int, error) {
	n, ok := elements(in)
	if !ok {
		return Attr{}, nil, fmt.Errorf("input %v is too large", in)
	}
	return Attr{}, []int{int(n)}, nil
}

func embeddingShape(l Layer, in []int, input Input) (Attr, []int, error) {
	if input.Kind != KindTokens {
		return Attr{}, nil, fmt.Errorf("input kind %s: expected tokens", input.Kind)
	}
	a := Attr{Vocab: l.Vocab, Units: l.Units}
	if a.Vocab == 0 {
		a.Vocab = input.Vocab
	}
	if a.Vocab < input.Vocab {
		return a, nil, fmt.Errorf("vocab %d: expected at least the input's %d", a.Vocab, input.Vocab)
	}
	if err := checkSize("vocab", a.Vocab); err != nil {
		return a, nil, err
	}
	return a, []int{in[0], a.Units}, checkSize("units", a.Units)
}

func embeddingParams(o Op, _ []int) []Param {
	return []Param{{Name: o.Name + ".weight", Shape: []int{o.Attr.Vocab, o.Attr.Units}, Bound: 1}}
}

func lstmShape(l Layer, in []int, _ Input) (Attr, []int, error) {
	if err := needRank(in, 2, "[T,D]"); err != nil {
		return Attr{}, nil, err
	}
	return Attr{Units: l.Units}, []int{in[0], l.Units}, checkSize("units", l.Units)
}

func lstmParams(o Op, in []int) []Param {
	h, b := o.Attr.Units, 1/math.Sqrt(float64(o.Attr.Units))
	return []Param{
		{Name: o.Name + ".weight_ih", Shape: []int{4 * h, in[1]}, Bound: b},
		{Name: o.Name + ".weight_hh", Shape: []int{4 * h, h}, Bound: b},
		{Name: o.Name + ".bias", Shape: []int{4 * h}, Bound: b},
	}
}

func lstmMACs(o Op, in []int) int64 {
	h := int64(o.Attr.Units)
	return int64(in[0]) * 4 * h * (int64(in[1]) + h)
}

func attentionShape(l Layer, in []int, _ Input) (Attr, []int, error) {
	if err := needRank(in, 2, "[T,D]"); err != nil {
		return Attr{}, nil, err
	}
	if l.Heads < 1 || in[1]%l.Heads != 0 {
		return Attr{}, nil, fmt.Errorf("heads %d: expected a divisor of the %d features", l.Heads, in[1])
	}
	return Attr{Heads: l.Heads, Causal: l.Causal}, in, nil
}

func attentionParams(o Op, in []int) []Param {
	d := in[1]
	w, b := math.Sqrt(3/float64(d)), 1/math.Sqrt(float64(d))
	return []Param{
		{Name: o.Name + ".qkv.weight", Shape: []int{3 * d, d}, Bound: w},
		{Name: o.Name + ".qkv.bias", Shape: []int{3 * d}, Bound: b},
		{Name: o.Name + ".out.weight", Shape: []int{d, d}, Bound: w},
		{Name: o.Name + ".out.bias", Shape: []int{d}, Bound: b},
	}
}

// attentionMACs counts the four projections and the two products of the
// attention matrix; a causal mask does not lower it.
func attentionMACs(_ Op, in []int) int64 {
	t, d := int64(in[0]), int64(in[1])
	return 4*d*d*t + 2*t*t*d
}

func lastStepShape(_ Layer, in []int, _ Input) (Attr, []int, error) {
	return Attr{}, in[min(1, len(in)):], needRank(in, 2, "[T,D]")
}

// heBound is the uniform bound that keeps the variance of ReLU layers (He et
// al., Delving Deep into Rectifiers, 2015, arXiv:1502.01852).
func heBound(fanIn int) float64 { return math.Sqrt(6 / float64(fanIn)) }

func withLast(in []int, last int) []int {
	out := slices.Clone(in)
	out[len(out)-1] = last
	return out
}

func needRank(in []int, rank int, form string) error {
	if len(in) != rank {
		return fmt.Errorf("input %v: expected %s", in, form)
	}
	return nil
}

func checkEpsilon(e float64) error {
	if !(e > 0 && e < 1) {
		return fmt.Errorf("epsilon %v: expected 0 < epsilon < 1", e)
	}
	return nil
}
