package workloads

import (
	"maps"
	"slices"
)

// dataVersion is part of every cache key: raise it when a generator or the
// initial values change.
const dataVersion = 1

// generator fills one example of class label into x (float32) or tokens.
type generator struct {
	inputs []string
	float  func(in Input, d Data) func(s stream, label int, x []float32)
	tokens func(in Input, d Data) func(s stream, label int, x []int32)
}

// generators is the table of synthetic data. A model can learn each of them:
// the class decides the mean of the input, under noise of the same size.
var generators = map[string]generator{
	"class-blobs":     {inputs: []string{KindImage, KindVector}, float: classBlobs},
	"planted-tokens":  {inputs: []string{KindTokens}, tokens: plantedTokens},
	"class-sequences": {inputs: []string{KindSequence}, float: classSequences},
}

func generatorNames() []string { return slices.Sorted(maps.Keys(generators)) }

// classBlobs is one fixed pattern per class plus noise. An image's pattern is
// coarse, a 4x4 grid per channel, so that pooling does not average it away.
func classBlobs(in Input, d Data) func(stream, int, []float32) {
	n, _ := elements(in.Shape)
	at := func(i int) int { return i } // element -> pattern entry
	size := int(n)
	if in.Kind == KindImage {
		const grid = 4
		h, w := in.Shape[1], in.Shape[2]
		size = in.Shape[0] * grid * grid
		at = func(i int) int {
			c, y, x := i/(h*w), i/w%h, i%w
			return (c*grid+y*grid/h)*grid + x*grid/w
		}
	}
	patterns := classPatterns("blob", d, size)
	return func(s stream, label int, x []float32) {
		for i := range x {
			x[i] = float32(patterns[label][at(i)] + float64(0.5*s.noise()))
		}
	}
}

// plantedTokens draws a quarter of the positions from the class's own few
// tokens and the others from the rest of the vocabulary.
func plantedTokens(in Input, d Data) func(stream, int, []int32) {
	own := max(1, min(16, in.Vocab/(2*d.Classes))) // tokens of a class: [label*own, (label+1)*own)
	rest := d.Classes * own
	return func(s stream, label int, x []int32) {
		for i := range x {
			if s.below(4) == 0 {
				x[i] = int32(label*own + s.below(own))
			} else {
				x[i] = int32(rest + s.below(max(1, in.Vocab-rest)))
			}
		}
	}
}

// classSequences gives each class a fixed direction in feature space, a second
// one that flips sign with a period of its own, and noise.
func classSequences(in Input, d Data) func(stream, int, []float32) {
	steps, features := in.Shape[0], in.Shape[1]
	still, moving := classPatterns("sequence-still", d, features), classPatterns("sequence-moving", d, features)
	return func(s stream, label int, x []float32) {
		for t := range steps {
			sign := 1 - 2*float64(t/(1+label%8)%2)
			for f := range features {
				v := float64(0.7*still[label][f]) + float64(0.7*sign*moving[label][f])
				x[t*features+f] = float32(v + float64(0.5*s.noise()))
			}
		}
	}
}

// classPatterns draws one vector per class, uniform in [-1, 1).
func classPatterns(label string, d Data, size int) [][]float64 {
	out := make([][]float64, d.Classes)
	for c := range out {
		s := newStream("pattern/"+label, d.Seed, uint64(c))
		out[c] = make([]float64, size)
		for i := range out[c] {
			out[c][i] = s.unit()
		}
	}
	return out
}

// batchSource yields a program's examples in order; example i has its own
// stream, so it does not depend on the batch size.
type batchSource struct {
	float  func(i int, x []float32)
	tokens func(i int, x []int32)
	label  func(i int) int32
}

func synthetic(p Program) batchSource {
	g := generators[p.Data.Generator]
	label := func(i int) int32 {
		return int32(newStream("label", p.Data.Seed, uint64(i)).below(p.Data.Classes))
	}
	src := batchSource{label: label}
	if g.tokens != nil {
		fill := g.tokens(p.Input, p.Data)
		src.tokens = func(i int, x []int32) { fill(newStream("example", p.Data.Seed, uint64(i)), int(label(i)), x) }
	} else {
		fill := g.float(p.Input, p.Data)
		src.float = func(i int, x []float32) { fill(newStream("example", p.Data.Seed, uint64(i)), int(label(i)), x) }
	}
	return src
}

// InitialValues returns the initial values of one parameter: uniform in
// [Center-Bound, Center+Bound], from a stream of its own. Every backend loads
// them from the file that Cache.Weights writes.
func (p Program) InitialValues(q Param) []float32 {
	n, _ := elements(q.Shape)
	out := make([]float32, n)
	p.initialValues(q)(out)
	return out
}

// initialValues returns a function that fills the next values of q in order.
func (p Program) initialValues(q Param) func([]float32) {
	s := newStream("param/"+q.Name, p.Data.Seed)
	return func(x []float32) {
		for i := range x {
			x[i] = float32(q.Center + float64(q.Bound*s.unit())) // the conversion keeps the product from being fused
		}
	}
}
