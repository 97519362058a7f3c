package gorgonia

import (
	"math/rand/v2"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/dlbench/dlbench/workloads"
)

// graph is a compiled program for one micro-batch.
type graph struct {
	vm         G.VM
	batch      int // examples of a micro-batch
	micros     int // micro-batches per step
	timeMajor  bool
	dt         tensor.Dtype
	params     []*param
	learnables []G.ValueGrad
	bound      bool // gradients add up over passes until the solver clears them

	examples *G.Node // the batch as numbers; nil where only tokens are read
	tokens   *G.Node // the batch as row numbers of an embedding; nil without one
	labels   *G.Node // nil in inference

	drops  []dropout
	random rand.PCG

	logitsValue, lossValue G.Value
}

// dropout is a mask that is drawn anew for every pass.
type dropout struct {
	mask *tensor.Dense
	rate float64
}

// compile builds the graph of the program, differentiates it, and compiles it
// for a TapeMachine.
func compile(p workloads.Program, dt tensor.Dtype) (_ *graph, err error) {
	b, err := grow(p, dt)
	if err != nil {
		return nil, err
	}
	defer b.recover(&err)
	g := b.graph
	if p.Mode == workloads.Infer {
		g.vm = G.NewTapeMachine(b.g, G.EvalMode())
		return g, nil
	}
	nodes := b.learnables()
	var opts []G.VMOpt
	// Bound dual values add up over passes and belong to one parameter each. A
	// plain gradient is the result of the last pass and may be shared.
	if g.bound = g.micros > 1 || shareGradients(nodes); g.bound {
		opts = append(opts, G.BindDualValues(nodes...))
	}
	b.at = "compile"
	g.vm = G.NewTapeMachine(b.g, opts...)
	g.learnables = G.NodesToValueGrads(nodes)
	return g, nil
}

func shareGradients(nodes G.Nodes) bool {
	seen := make(map[*G.Node]bool)
	for _, n := range nodes {
		if seen[n.Deriv()] {
			return true
		}
		seen[n.Deriv()] = true
	}
	return false
}

// logits returns the output of the last pass, row-major.
func (g *graph) logits() []float64 {
	t, ok := g.logitsValue.(*tensor.Dense)
	if !ok {
		return []float64{scalar(g.logitsValue)}
	}
	out := make([]float64, t.DataSize())
	for i := range out {
		out[i] = get(t, i)
	}
	return out
}

// reseed makes the next masks those that followed the build.
func (g *graph) reseed() { g.random = *rand.NewPCG(1, 2) }

// drop draws the masks of one pass.
func (g *graph) drop() {
	for _, d := range g.drops {
		threshold := uint32(d.rate * (1 << 32))
		keep := 1 / (1 - d.rate)
		if d.mask.Dtype() == tensor.Float32 {
			draw(d.mask.Float32s(), &g.random, threshold, float32(keep))
		} else {
			draw(d.mask.Float64s(), &g.random, threshold, keep)
		}
	}
}

// draw sets an element to 0 with probability threshold/2^32, else to keep. One
// 64-bit number serves two elements.
func draw[T float32 | float64](mask []T, random *rand.PCG, threshold uint32, keep T) {
	for i := 0; i < len(mask); i += 2 {
		bits := random.Uint64()
		for j := i; j < min(i+2, len(mask)); j++ {
			mask[j] = keep
			if uint32(bits) < threshold {
				mask[j] = 0
			}
			bits >>= 32
		}
	}
}

// save notes the state that a pass changes and returns what restores it:
// running statistics, the state of the mask generator, accumulated gradients.
func (g *graph) save() (restore func()) {
	random := g.random
	type saved struct {
		to   *tensor.Dense
		from []float64
	}
	var stats []saved
	for _, p := range g.params {
		if p.Buffer {
			stats = append(stats, saved{p.buffer, p.read(nil).Data})
		}
	}
	return func() {
		g.random = random
		for _, s := range stats {
			for i, v := range s.from {
				set(s.to, i, v)
			}
		}
		if !g.bound {
			return
		}
		for _, p := range g.params {
			for _, q := range p.pieces {
				if d := q.gradient(); d != nil {
					d.Zero()
				}
			}
		}
	}
}

// learnables are the trainable nodes in the order of the program's parameters.
func (b *builder) learnables() G.Nodes {
	var nodes G.Nodes
	for _, p := range b.graph.params {
		for _, q := range p.pieces {
			nodes = append(nodes, q.node)
		}
	}
	return slices.Clip(nodes)
}
