package gorgonia

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// chain is a compiled program for one micro-batch: a link for each checkpointed
// segment and one for the rest, or that one alone.
//
// A Gorgonia graph goes forward and back in one run and holds what it computed,
// so a segment has two (Chen et al., Training Deep Nets with Sublinear Memory Cost,
// 2016, arXiv:1604.06174). The first goes forward only, and of it no more than the
// output stays. When the gradient of that output is known, the second computes the
// segment again and goes back. Both read the same parameters and dropout masks;
// running statistics are those of the second, so they move once.
type chain struct {
	links      []link
	dt         tensor.Dtype
	batch      int // examples of a micro-batch
	micros     int // micro-batches per step
	timeMajor  bool
	params     []*param
	learnables []G.ValueGrad

	examples, tokens, labels []*G.Node // inputs that hold the batch, in all graphs that read it

	drops  []dropout
	random rand.PCG
}

// link is a range of ops.
type link struct {
	first  *graph // of a segment: forward only
	second *graph // nil where neither the segment nor one before it has anything to learn
}

// part is a range of a program's ops, both ends included.
type part struct {
	first, last  int
	forward      bool // without gradients
	checkpointed bool // it gives up after each pass what it computed
}

// whole is a program in one part.
func whole(p workloads.Program) part {
	return part{first: 0, last: len(p.Ops) - 1, forward: p.Mode == workloads.Infer}
}

// newChain compiles a program.
func newChain(p workloads.Program, dt tensor.Dtype) (*chain, error) {
	c := &chain{}
	for _, q := range p.Params {
		c.params = append(c.params, &param{Param: q})
	}
	next := 0
	for i, s := range p.Segments {
		if s.First != next || s.Last < s.First || s.Last >= len(p.Ops)-1 {
			return nil, fmt.Errorf("%w: segment %d is ops %d to %d: expected segments that follow one another from op 0 and leave the last op out", backends.ErrUnsupported, i, s.First, s.Last)
		}
		next = s.Last + 1
		l, err := newLink(p, dt, part{first: s.First, last: s.Last, checkpointed: true})
		if err != nil {
			return nil, err
		}
		if err := c.add(l); err != nil {
			return nil, err
		}
	}
	rest := whole(p)
	rest.first, rest.checkpointed = next, len(p.Segments) > 0
	g, err := compile(p, dt, rest)
	if err != nil {
		return nil, err
	}
	c.dt, c.batch, c.micros, c.timeMajor = g.dt, g.batch, g.micros, g.timeMajor
	return c, c.add(link{second: g})
}

// newLink compiles both graphs of a segment.
func newLink(p workloads.Program, dt tensor.Dtype, at part) (l link, err error) {
	if learns(p, at.last) {
		if l.second, err = compile(p, dt, at); err != nil {
			return link{}, err
		}
	}
	at.forward = true
	if l.first, err = compile(p, dt, at); err != nil {
		return link{}, err
	}
	if l.second != nil {
		err = l.first.share(l.second)
	}
	return l, err
}

// learns reports whether ops up to number last have parameters to learn.
func learns(p workloads.Program, last int) bool {
	return slices.ContainsFunc(p.Ops[:last+1], func(o workloads.Op) bool {
		return o.Name != "" && slices.ContainsFunc(p.Params, func(q workloads.Param) bool {
			return !q.Buffer && strings.HasPrefix(q.Name, o.Name+".")
		})
	})
}

// add puts a link at the end of the chain.
func (c *chain) add(l link) error {
	c.links = append(c.links, l)
	own := l.second
	if own == nil {
		own = l.first
	}
	for i, p := range own.params {
		if len(p.pieces) > 0 || p.buffer != nil {
			c.params[i] = p
		}
	}
	c.drops = append(c.drops, own.drops...)
	c.learnables = append(c.learnables, G.NodesToValueGrads(own.learned)...)
	for _, g := range []*graph{l.first, l.second} {
		if g == nil {
			continue
		}
		c.examples = appendNode(c.examples, g.examples)
		c.tokens = appendNode(c.tokens, g.tokens)
		c.labels = appendNode(c.labels, g.labels)
	}
	return nil
}

// appendNode appends a node that is there.
func appendNode(nodes []*G.Node, n *G.Node) []*G.Node {
	if n == nil {
		return nodes
	}
	return append(nodes, n)
}

// segments counts the links that are computed again.
func (c *chain) segments() int {
	n := 0
	for _, l := range c.links {
		if l.first != nil {
			n++
		}
	}
	return n
}

// last is the graph with the logits and the loss.
func (c *chain) last() *graph { return c.links[len(c.links)-1].second }

// run makes one pass on what the inputs are bound to. Without gradients it ends
// with the logits, or where the last graph does.
func (c *chain) run(gradients bool) error {
	end := len(c.links) - 1
	for i, l := range c.links[:end] {
		if err := l.first.run(); err != nil {
			return err
		}
		for _, g := range []*graph{c.links[i+1].first, c.links[i+1].second} {
			if g == nil {
				continue
			}
			if err := G.Let(g.entry, l.first.output); err != nil {
				return err
			}
		}
	}
	if err := c.last().run(); err != nil || !gradients {
		return err
	}
	for i := end - 1; i >= 0 && c.links[i].second != nil; i-- {
		g := c.links[i].second
		if err := G.Let(g.upstream, c.links[i+1].second.entryGradient); err != nil {
			return err
		}
		if err := g.run(); err != nil {
			return err
		}
	}
	return nil
}

// close ends all machines.
func (c *chain) close() error {
	for _, l := range c.links {
		for _, g := range []*graph{l.first, l.second} {
			if g == nil {
				continue
			}
			if err := g.vm.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}

// logits returns the output of the last pass, row-major.
func (c *chain) logits() []float64 {
	t, ok := c.last().output.(*tensor.Dense)
	if !ok {
		return []float64{scalar(c.last().output)}
	}
	out := make([]float64, t.DataSize())
	for i := range out {
		out[i] = get(t, i)
	}
	return out
}

// reseed makes the next masks those that followed the build.
func (c *chain) reseed() { c.random = *rand.NewPCG(1, 2) }

// drop draws the masks of one pass.
func (c *chain) drop() {
	for _, d := range c.drops {
		threshold := uint32(d.rate * (1 << 32))
		keep := 1 / (1 - d.rate)
		if d.mask.Dtype() == tensor.Float32 {
			draw(d.mask.Float32s(), &c.random, threshold, float32(keep))
		} else {
			draw(d.mask.Float64s(), &c.random, threshold, keep)
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
func (c *chain) save() (restore func()) {
	random := c.random
	type saved struct {
		to   *tensor.Dense
		from []float64
	}
	var stats []saved
	for _, p := range c.params {
		if p.Buffer {
			stats = append(stats, saved{p.buffer, p.read(nil).Data})
		}
	}
	return func() {
		c.random = random
		for _, s := range stats {
			for i, v := range s.from {
				set(s.to, i, v)
			}
		}
		for _, l := range c.links {
			if l.second == nil || !l.second.bound {
				continue
			}
			for _, p := range l.second.params {
				for _, q := range p.pieces {
					if d := q.gradient(); d != nil {
						d.Zero()
					}
				}
			}
		}
	}
}
