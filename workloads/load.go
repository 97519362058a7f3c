package workloads

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/dlbench/dlbench/strictyaml"
)

// Load reads one workload from a YAML file. It is strict: unknown keys,
// duplicate keys or names, anchors, aliases, tags and shapes that do not fit
// are errors of one line, file:line:col: what: expected; hint. Most are a
// *strictyaml.FileError, which also has an excerpt of the file.
func Load(fsys fs.FS, path string) (Spec, error) {
	data, err := strictyaml.ReadFS(fsys, path)
	if err != nil {
		return Spec{}, err
	}
	return parseSpec(path, data)
}

// LoadFile is Load for a path of the operating system.
func LoadFile(path string) (Spec, error) {
	data, err := strictyaml.ReadOS(path)
	if err != nil {
		return Spec{}, err
	}
	return parseSpec(path, data)
}

func parseSpec(file string, data []byte) (Spec, error) {
	r := &reader{strictyaml.NewReader(file, data)}
	s := r.spec(r.Parse())
	if r.Err != nil {
		return Spec{}, r.Err
	}
	// What depends on shapes is found by resolving once.
	set := DefaultSettings()
	set.Batch = 1
	if _, err := s.Resolve(set); err != nil {
		if le, ok := errors.AsType[*LayerError](err); ok && le.at.Line > 0 {
			return Spec{}, &strictyaml.FileError{File: file, Line: le.at.Line, Col: le.at.Col, Message: le.Layer + ": " + le.Message, Source: data}
		}
		return Spec{}, err
	}
	return s, nil
}

func (r *reader) spec(root strictyaml.Value) Spec {
	m := root.Mapping([]string{"workload", "title", "source", "input", "data", "layers", "loss", "optimizer", "steps"})
	s := Spec{
		file:     r.File,
		Workload: m.Need("workload").Text(),
		Title:    m.Get("title").Words([]string{"en", "zh"}),
		Source:   m.Get("source").Words([]string{"article", "place", "paper", "note"}),
		Input:    r.input(m.Need("input")),
	}
	if r.Err == nil {
		r.wrap(m.Get("workload"), checkWorkloadName(s.Workload))
	}
	s.Data = r.data(m.Need("data"), s.Input)
	s.Layers = r.layers(m.Need("layers"), 0)
	s.Loss = r.tail(m.Need("loss"), []string{"op", "reduction"})
	s.Optimizer = r.tail(m.Need("optimizer"), []string{"op", "rate", "momentum", "beta1", "beta2", "epsilon"})
	s.Steps = r.steps(m.Need("steps"), Steps{})
	return s
}

// wrap records err, if any, at v.
func (r *reader) wrap(v strictyaml.Value, err error) {
	if err != nil {
		v.Fail("%v", err)
	}
}

func (r *reader) input(v strictyaml.Value) Input {
	m := v.Mapping([]string{"kind", "shape", "vocab"})
	in := Input{Kind: m.Need("kind").Text(), Vocab: m.Get("vocab").Integer()}
	for _, d := range m.Need("shape").List() {
		in.Shape = append(in.Shape, d.Integer())
	}
	if r.Err == nil {
		r.wrap(v, in.check())
	}
	return in
}

func (r *reader) data(v strictyaml.Value, in Input) Data {
	m := v.Mapping([]string{"generator", "classes", "batches", "seed"})
	seed := m.Need("seed")
	d := Data{Generator: m.Need("generator").Text(), Classes: m.Need("classes").Integer(), Batches: m.Need("batches").Integer(), Seed: uint64(max(0, seed.Integer()))}
	if seed.Integer() < 0 {
		seed.Fail("%d: expected 0 or more", seed.Integer())
	}
	if r.Err == nil {
		r.wrap(v, d.check(in))
	}
	return d
}

// layers reads a list of layers; depth counts the bodies around it.
func (r *reader) layers(v strictyaml.Value, depth int) []Layer {
	if depth > 8 {
		v.Fail("bodies within bodies: expected at most 8 levels")
		return nil
	}
	var out []Layer
	for _, item := range v.List() {
		out = append(out, r.layer(item, depth))
	}
	if r.Err == nil && len(out) == 0 {
		v.Fail("an empty list: expected at least one layer")
	}
	return out
}

// blockKeys are the attributes of the layers that hold layers.
var blockKeys = map[string][]string{
	LayerResidual: {"body", "shortcut", "repeat"},
	LayerGroup:    {"body", "repeat"},
}

func (r *reader) layer(v strictyaml.Value, depth int) Layer {
	all := v.Mapping(nil)
	op := all.Need("op").Text()
	if r.Err != nil {
		return Layer{}
	}
	keys, isBlock := blockKeys[op]
	if kind, ok := opKinds[op]; ok {
		keys = kind.keys
	} else if !isBlock {
		all.Get("op").Fail("unknown op %s%s", strictyaml.Quote(op), strictyaml.DidYouMean(op, append(layerOps(), LayerResidual, LayerGroup)))
		return Layer{}
	}
	m := v.Mapping(append([]string{"op"}, keys...))
	l := Layer{
		Op: op, Name: m.Get("name").Text(), at: v.Place(),
		Padding: m.Get("padding").Text(), Last: m.Get("last").Boolean(false), Repeat: r.positive(m.Get("repeat")),
		Attr: Attr{
			Units: m.Get("units").Integer(), Filters: m.Get("filters").Integer(), Kernel: m.Get("kernel").Integer(),
			Stride: r.positive(m.Get("stride")), Size: m.Get("size").Integer(), Vocab: r.positive(m.Get("vocab")), Heads: m.Get("heads").Integer(),
			Causal: m.Get("causal").Boolean(false), Epsilon: r.aboveZero(m.Get("epsilon")), Momentum: r.aboveZero(m.Get("momentum")), Rate: m.Get("rate").Number(),
		},
	}
	l.Bias = slices.Contains(keys, "bias") && m.Get("bias").Boolean(true)
	if op == OpConv2D && l.Padding == "" {
		m.Need("padding")
	}
	if op == OpDropout {
		m.Need("rate")
	}
	if isBlock {
		l.Body = r.layers(m.Need("body"), depth+1)
		if short := m.Get("shortcut"); !short.Missing() {
			l.Shortcut = r.layers(short, depth+1)
		}
	}
	return l
}

// positive reads an optional count: where it is given, 0 is not "the default".
func (r *reader) positive(v strictyaml.Value) int {
	n := v.Integer()
	if r.Err == nil && !v.Missing() && n < 1 {
		v.Fail("%d: expected at least 1", n)
	}
	return n
}

func (r *reader) aboveZero(v strictyaml.Value) float64 {
	x := v.Number()
	if r.Err == nil && !v.Missing() && !(x > 0) {
		v.Fail("%v: expected more than 0", x)
	}
	return x
}

// tail reads the loss or the optimizer.
func (r *reader) tail(v strictyaml.Value, keys []string) Layer {
	m := v.Mapping(keys)
	return Layer{
		Op: m.Need("op").Text(), at: v.Place(),
		Attr: Attr{
			Rate: m.Get("rate").Number(), Momentum: m.Get("momentum").Number(), Reduction: m.Get("reduction").Text(),
			Beta1: r.aboveZero(m.Get("beta1")), Beta2: r.aboveZero(m.Get("beta2")), Epsilon: r.aboveZero(m.Get("epsilon")),
		},
	}
}

// steps reads step counts over those of def. The cap of the warm-up may be
// written as warmup: {max: N} or as warmup-max: N.
func (r *reader) steps(v strictyaml.Value, def Steps) Steps {
	m := v.Mapping([]string{"check", "warmup", "warmup-max", "blocks", "per-block"})
	s := def
	set := func(key string, to *int) {
		if x := m.Get(key); !x.Missing() {
			*to = x.Integer()
		}
	}
	set("check", &s.Check)
	set("warmup-max", &s.WarmupMax)
	set("blocks", &s.Blocks)
	set("per-block", &s.PerBlock)
	if w := m.Get("warmup"); !w.Missing() {
		if !m.Get("warmup-max").Missing() {
			w.Fail("given twice: expected warmup or warmup-max")
		}
		s.WarmupMax = w.Mapping([]string{"max"}).Need("max").Integer()
	}
	if r.Err == nil {
		r.wrap(v, s.check())
	}
	return s
}

// reader reads workloads and suites.
type reader struct{ *strictyaml.Reader }
