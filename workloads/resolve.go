package workloads

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/dlbench/dlbench/strictyaml"
)

// ProgramSchema is the version of Program's JSON form. It is part of the hash.
const ProgramSchema = 1

const (
	maxOps      = 10_000
	maxElements = 1 << 40 // of any shape: keeps int64 products exact
	maxTensor   = 1 << 30 // elements of one parameter, or of one example's activation: keeps FLOPs in int64
)

// Resolve turns the spec into the program that set asks for.
//
// In inference there is no optimizer, dropout is left out, and batch
// normalisation uses its running statistics; the loss stays, to judge the
// logits. In training batch normalisation uses the biased variance of the
// (micro-)batch and moves its running statistics by
//
//	running = (1-momentum)*running + momentum*batch
//
// with the unbiased variance of the batch.
//
// Hash covers what decides the computed function: schema, mode, batch,
// accumulate, input, data recipe, ops, parameters with their initial values,
// loss and optimizer. It does not cover precision, device, threads, data
// placement, segments, title or the workload's name.
//
// An error names the layer (with its place in the file, if it was loaded from
// one), what is wrong and what was expected, in one line.
func (s Spec) Resolve(set Settings) (Program, error) {
	if err := s.check(); err != nil {
		return Program{}, err
	}
	if err := set.Validate(); err != nil {
		return Program{}, fmt.Errorf("%s: %w", s.Workload, err)
	}
	r := resolver{name: s.Workload, mode: set.Mode, input: s.Input, names: map[string]strictyaml.Place{}}
	out, err := r.layers(s.Layers, value{id: -1, shape: s.Input.Shape}, "")
	if err != nil {
		return Program{}, err
	}
	if out.id != len(r.ops)-1 {
		return Program{}, fmt.Errorf("%s: the model has no op besides dropout: expected at least one layer", s.where())
	}
	loss, err := s.loss(out.shape)
	if err != nil {
		return Program{}, err
	}
	p := Program{
		Schema: ProgramSchema, Name: s.Workload, Mode: set.Mode, Batch: set.Batch, Accumulate: set.Accumulate,
		Input: s.Input, Data: s.Data, Ops: r.ops, Params: r.params, Loss: loss,
	}
	p.Input.Shape = slices.Clone(s.Input.Shape)
	if set.Mode == Train {
		if p.Optimizer, err = s.optimizer(); err != nil {
			return Program{}, err
		}
	}
	if err := p.count(set.Precision); err != nil {
		return Program{}, fmt.Errorf("%s: %w", s.where(), err)
	}
	if p.Segments, err = p.segments(set.Checkpoint); err != nil {
		return Program{}, fmt.Errorf("%s: %w", s.where(), err)
	}
	p.Hash = p.hash()
	return p, nil
}

// WithoutDropout returns the same program with every dropout rate 0: the form
// in which it is held to the oracle. The hash stays.
func (p Program) WithoutDropout() Program {
	p.Ops = slices.Clone(p.Ops)
	for i := range p.Ops {
		if p.Ops[i].Op == OpDropout {
			p.Ops[i].Attr.Rate = 0
		}
	}
	return p
}

// HasDropout reports whether the program drops anything at random.
func (p Program) HasDropout() bool {
	return slices.ContainsFunc(p.Ops, func(o Op) bool { return o.Op == OpDropout && o.Attr.Rate > 0 })
}

// value is the output of an op, or the batch (-1), while resolving.
type value struct {
	id    int
	shape []int
}

type resolver struct {
	name   string // of the workload
	mode   Mode
	input  Input
	ops    []Op
	params []Param
	names  map[string]strictyaml.Place // layer name -> where it was given
}

// layers appends the ops of ls, fed with in, and returns the last one's output.
// suffix is appended to names, to keep the copies of a repeated body apart.
func (r *resolver) layers(ls []Layer, in value, suffix string) (value, error) {
	for i, l := range ls {
		if l.at.Line == 0 {
			l.at.File = fmt.Sprintf("%s layer %d", r.name, i+1)
		}
		var err error
		switch l.Op {
		case LayerResidual, LayerGroup:
			in, err = r.block(l, in, suffix)
		default:
			in, err = r.layer(l, in, suffix)
		}
		if err != nil {
			return value{}, err
		}
	}
	return in, nil
}

// block appends the copies of a residual or group layer.
func (r *resolver) block(l Layer, in value, suffix string) (value, error) {
	if len(l.Body) == 0 {
		return value{}, l.errorf("empty body: expected at least one layer")
	}
	if l.Op == LayerGroup && len(l.Shortcut) > 0 {
		return value{}, l.errorf("shortcut belongs to residual")
	}
	if l.Repeat < 0 || l.Repeat > maxOps {
		return value{}, l.errorf("repeat %d: expected 1 to %d", l.Repeat, maxOps)
	}
	for n := range max(1, l.Repeat) {
		sub := suffix
		if l.Repeat > 0 {
			sub += "_" + strconv.Itoa(n+1)
		}
		body, err := r.layers(l.Body, in, sub)
		if err != nil {
			return value{}, err
		}
		if l.Op == LayerGroup {
			in = body
			continue
		}
		short, err := r.layers(l.Shortcut, in, sub)
		if err != nil {
			return value{}, err
		}
		if !slices.Equal(body.shape, short.shape) {
			return value{}, l.errorf("body gives %v and shortcut %v: expected equal shapes", body.shape, short.shape)
		}
		if in, err = r.emit(l, Op{Op: OpAdd, In: []int{body.id, short.id}, Shape: body.shape}); err != nil {
			return value{}, err
		}
	}
	return in, nil
}

// layer appends one op, or two for an lstm of which only the last step is kept.
func (r *resolver) layer(l Layer, in value, suffix string) (value, error) {
	kind, ok := opKinds[l.Op]
	if !ok {
		return value{}, l.errorf("unknown op %q%s", l.Op, strictyaml.DidYouMean(l.Op, layerOps()))
	}
	if l.Op == OpDropout {
		if l.Rate < 0 || l.Rate >= 1 {
			return value{}, l.errorf("rate %v: expected 0 <= rate < 1", l.Rate)
		}
		if r.mode == Infer {
			return in, nil
		}
	}
	switch {
	case kind.params == nil && l.Name != "":
		return value{}, l.errorf("name %q: %s owns no parameters and takes no name", l.Name, l.Op)
	case kind.params != nil:
		if err := checkLayerName(l.Name); err != nil {
			return value{}, l.errorf("%v", err)
		}
		l.Name += suffix
		if before, dup := r.names[l.Name]; dup {
			return value{}, l.errorf("duplicate name %q, first used at %s", l.Name, before)
		}
		r.names[l.Name] = l.at
	}
	attr, shape, err := kind.shape(l, in.shape, r.input)
	if err != nil {
		return value{}, l.errorf("%v", err)
	}
	if l.Op == OpEmbedding && in.id != -1 {
		return value{}, l.errorf("reads the output of another layer: expected to be the first layer, on tokens")
	}
	if l.Op != OpEmbedding && in.id == -1 && r.input.Kind == KindTokens {
		return value{}, l.errorf("reads tokens: expected an embedding as the first layer")
	}
	op := Op{Op: l.Op, Name: l.Name, In: []int{in.id}, Shape: shape, Attr: attr}
	if kind.params != nil {
		for _, q := range kind.params(op, in.shape) {
			if n, ok := elements(q.Shape); !ok || n > maxTensor {
				return value{}, l.errorf("parameter %s %v is too large: expected at most %d elements", q.Name, q.Shape, maxTensor)
			}
			r.params = append(r.params, q)
		}
	}
	out, err := r.emit(l, op)
	if err != nil || !(l.Op == OpLSTM && l.Last) {
		return out, err
	}
	return r.emit(l, Op{Op: OpLastStep, In: []int{out.id}, Shape: shape[1:]})
}

func (r *resolver) emit(l Layer, op Op) (value, error) {
	if len(r.ops) == maxOps {
		return value{}, l.errorf("the model has more than %d ops", maxOps)
	}
	if n, ok := elements(op.Shape); !ok || n > maxTensor {
		return value{}, l.errorf("output %v is too large: expected at most %d elements", op.Shape, maxTensor)
	}
	op.Shape = slices.Clone(op.Shape)
	r.ops = append(r.ops, op)
	return value{id: len(r.ops) - 1, shape: op.Shape}, nil
}

// errorf says what is wrong with the layer, and where it stands.
func (l Layer) errorf(format string, args ...any) error {
	what := l.Op
	if l.Name != "" {
		what += " " + l.Name
	}
	return &LayerError{at: l.at, Layer: what, Message: fmt.Sprintf(format, args...)}
}

// LayerError is a layer that cannot be resolved.
type LayerError struct {
	Layer   string // op and name
	Message string

	at strictyaml.Place // in the file, or the number of the layer in a spec that was not loaded
}

// Error gives place, layer and message in one line.
func (e *LayerError) Error() string { return e.at.String() + ": " + e.Layer + ": " + e.Message }

// elements is the product of a shape, and false where a side is not positive
// or the product passes maxElements.
func elements(shape []int) (int64, bool) {
	n := int64(1)
	for _, d := range shape {
		if d < 1 || int64(d) > maxElements/n {
			return 0, false
		}
		n *= int64(d)
	}
	return n, true
}
