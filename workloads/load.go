package workloads

import (
	"errors"
	"io/fs"
	"slices"
)

// Load reads one workload from a YAML file. It is strict: unknown keys,
// duplicate keys or names, anchors, aliases, tags and shapes that do not fit
// are errors of one line, file:line:col: what: expected; hint. Most are a
// *FileError, which also has an excerpt of the file.
func Load(fsys fs.FS, path string) (Spec, error) {
	data, err := readFS(fsys, path)
	if err != nil {
		return Spec{}, err
	}
	return parseSpec(path, data)
}

// LoadFile is Load for a path of the operating system.
func LoadFile(path string) (Spec, error) {
	data, err := readOS(path)
	if err != nil {
		return Spec{}, err
	}
	return parseSpec(path, data)
}

func parseSpec(file string, data []byte) (Spec, error) {
	r := &reader{file: file, source: data}
	s := r.spec(r.parse())
	if r.err != nil {
		return Spec{}, r.err
	}
	// What depends on shapes is found by resolving once.
	set := DefaultSettings()
	set.Batch = 1
	if _, err := s.Resolve(set); err != nil {
		if le, ok := errors.AsType[*LayerError](err); ok && le.at.line > 0 {
			return Spec{}, &FileError{File: file, Line: le.at.line, Col: le.at.col, Message: le.Layer + ": " + le.Message, source: data}
		}
		return Spec{}, err
	}
	return s, nil
}

func (r *reader) spec(root yamlValue) Spec {
	m := root.mapping([]string{"workload", "title", "source", "input", "data", "layers", "loss", "optimizer", "steps"})
	s := Spec{
		file:     r.file,
		Workload: m.need("workload").text(),
		Title:    m.get("title").words([]string{"en", "zh"}),
		Source:   m.get("source").words([]string{"article", "place", "paper", "note"}),
		Input:    r.input(m.need("input")),
	}
	if r.err == nil {
		r.wrap(m.get("workload"), checkWorkloadName(s.Workload))
	}
	s.Data = r.data(m.need("data"), s.Input)
	s.Layers = r.layers(m.need("layers"), 0)
	s.Loss = r.tail(m.need("loss"), []string{"op", "reduction"})
	s.Optimizer = r.tail(m.need("optimizer"), []string{"op", "rate", "momentum", "beta1", "beta2", "epsilon"})
	s.Steps = r.steps(m.need("steps"), Steps{})
	return s
}

// wrap records err, if any, at v.
func (r *reader) wrap(v yamlValue, err error) {
	if err != nil {
		v.fail("%v", err)
	}
}

func (r *reader) input(v yamlValue) Input {
	m := v.mapping([]string{"kind", "shape", "vocab"})
	in := Input{Kind: m.need("kind").text(), Vocab: m.get("vocab").integer()}
	for _, d := range m.need("shape").list() {
		in.Shape = append(in.Shape, d.integer())
	}
	if r.err == nil {
		r.wrap(v, in.check())
	}
	return in
}

func (r *reader) data(v yamlValue, in Input) Data {
	m := v.mapping([]string{"generator", "classes", "batches", "seed"})
	seed := m.need("seed")
	d := Data{Generator: m.need("generator").text(), Classes: m.need("classes").integer(), Batches: m.need("batches").integer(), Seed: uint64(max(0, seed.integer()))}
	if seed.integer() < 0 {
		seed.fail("%d: expected 0 or more", seed.integer())
	}
	if r.err == nil {
		r.wrap(v, d.check(in))
	}
	return d
}

// layers reads a list of layers; depth counts the bodies around it.
func (r *reader) layers(v yamlValue, depth int) []Layer {
	if depth > 8 {
		v.fail("bodies within bodies: expected at most 8 levels")
		return nil
	}
	var out []Layer
	for _, item := range v.list() {
		out = append(out, r.layer(item, depth))
	}
	if r.err == nil && len(out) == 0 {
		v.fail("an empty list: expected at least one layer")
	}
	return out
}

// blockKeys are the attributes of the layers that hold layers.
var blockKeys = map[string][]string{
	LayerResidual: {"body", "shortcut", "repeat"},
	LayerGroup:    {"body", "repeat"},
}

func (r *reader) layer(v yamlValue, depth int) Layer {
	all := v.mapping(nil)
	op := all.need("op").text()
	if r.err != nil {
		return Layer{}
	}
	keys, isBlock := blockKeys[op]
	if kind, ok := opKinds[op]; ok {
		keys = kind.keys
	} else if !isBlock {
		all.get("op").fail("unknown op %s%s", quote(op), didYouMean(op, append(layerOps(), LayerResidual, LayerGroup)))
		return Layer{}
	}
	m := v.mapping(append([]string{"op"}, keys...))
	l := Layer{
		Op: op, Name: m.get("name").text(), at: v.place(),
		Padding: m.get("padding").text(), Last: m.get("last").boolean(false), Repeat: r.positive(m.get("repeat")),
		Attr: Attr{
			Units: m.get("units").integer(), Filters: m.get("filters").integer(), Kernel: m.get("kernel").integer(),
			Stride: r.positive(m.get("stride")), Size: m.get("size").integer(), Vocab: r.positive(m.get("vocab")), Heads: m.get("heads").integer(),
			Causal: m.get("causal").boolean(false), Epsilon: r.aboveZero(m.get("epsilon")), Momentum: r.aboveZero(m.get("momentum")), Rate: m.get("rate").number(),
		},
	}
	l.Bias = slices.Contains(keys, "bias") && m.get("bias").boolean(true)
	if op == OpConv2D && l.Padding == "" {
		m.need("padding")
	}
	if op == OpDropout {
		m.need("rate")
	}
	if isBlock {
		l.Body = r.layers(m.need("body"), depth+1)
		if short := m.get("shortcut"); !short.missing() {
			l.Shortcut = r.layers(short, depth+1)
		}
	}
	return l
}

// positive reads an optional count: where it is given, 0 is not "the default".
func (r *reader) positive(v yamlValue) int {
	n := v.integer()
	if r.err == nil && !v.missing() && n < 1 {
		v.fail("%d: expected at least 1", n)
	}
	return n
}

func (r *reader) aboveZero(v yamlValue) float64 {
	x := v.number()
	if r.err == nil && !v.missing() && !(x > 0) {
		v.fail("%v: expected more than 0", x)
	}
	return x
}

// tail reads the loss or the optimizer.
func (r *reader) tail(v yamlValue, keys []string) Layer {
	m := v.mapping(keys)
	return Layer{
		Op: m.need("op").text(), at: v.place(),
		Attr: Attr{
			Rate: m.get("rate").number(), Momentum: m.get("momentum").number(), Reduction: m.get("reduction").text(),
			Beta1: r.aboveZero(m.get("beta1")), Beta2: r.aboveZero(m.get("beta2")), Epsilon: r.aboveZero(m.get("epsilon")),
		},
	}
}

// steps reads step counts over those of def. The cap of the warm-up may be
// written as warmup: {max: N} or as warmup-max: N.
func (r *reader) steps(v yamlValue, def Steps) Steps {
	m := v.mapping([]string{"check", "warmup", "warmup-max", "blocks", "per-block"})
	s := def
	set := func(key string, to *int) {
		if x := m.get(key); !x.missing() {
			*to = x.integer()
		}
	}
	set("check", &s.Check)
	set("warmup-max", &s.WarmupMax)
	set("blocks", &s.Blocks)
	set("per-block", &s.PerBlock)
	if w := m.get("warmup"); !w.missing() {
		if !m.get("warmup-max").missing() {
			w.fail("given twice: expected warmup or warmup-max")
		}
		s.WarmupMax = w.mapping([]string{"max"}).need("max").integer()
	}
	if r.err == nil {
		r.wrap(v, s.check())
	}
	return s
}
