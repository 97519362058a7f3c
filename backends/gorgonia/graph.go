package gorgonia

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/dlbench/dlbench/workloads"
)

// graph is a range of a program's ops for one micro-batch, compiled.
type graph struct {
	vm        G.VM
	batch     int // examples of a micro-batch
	micros    int // micro-batches per step
	timeMajor bool
	dt        tensor.Dtype
	params    []*param // of the program; those that the range reads have pieces or a buffer
	learned   G.Nodes
	bound     bool // gradients add up over passes until the solver clears them

	entry    *G.Node // output of the op before the range; nil where it begins with the batch
	upstream *G.Node // gradient of the range's output; nil where there is none, or the loss follows
	examples *G.Node // the batch as numbers; nil where only tokens are read
	tokens   *G.Node // the batch as row numbers of an embedding; nil without one
	labels   *G.Node // nil without a loss

	drops []dropout

	output        G.Value // logits in the last range, else what the next one begins with
	lossValue     G.Value
	entryGradient G.Value

	passing []*G.Node // nodes whose values are given up after each pass
}

// dropout is a mask that is drawn anew for every pass.
type dropout struct {
	node *G.Node
	mask *tensor.Dense
	rate float64
}

// compile builds the graph of a part of the program, differentiates it unless
// the part is forward only, and compiles it for a TapeMachine.
func compile(p workloads.Program, dt tensor.Dtype, at part) (_ *graph, err error) {
	b, err := grow(p, dt, at)
	if err != nil {
		return nil, err
	}
	defer b.recover(&err)
	g := b.graph
	var opts []G.VMOpt
	if p.Mode == workloads.Infer {
		opts = append(opts, G.EvalMode())
	}
	if !at.forward {
		g.learned = b.learnables()
		// Bound dual values add up over passes and belong to one parameter each. A
		// plain gradient is the result of the last pass and may be shared.
		if g.bound = len(g.learned) > 0 && (g.micros > 1 || shareGradients(g.learned)); g.bound {
			opts = append(opts, G.BindDualValues(g.learned...))
		}
	}
	b.at = "compile"
	g.vm = G.NewTapeMachine(b.g, opts...)
	if at.checkpointed {
		g.passing = b.passing()
	}
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

// run makes one pass.
func (g *graph) run() error {
	err := g.vm.RunAll()
	g.vm.Reset()
	if err != nil {
		return err
	}
	return g.release()
}

// passing are the nodes that only a pass itself reads: all that is computed but
// gradients that the solver takes from their nodes.
func (b *builder) passing() []*G.Node {
	kept := map[*G.Node]bool{}
	if !b.graph.bound {
		for _, n := range b.graph.learned {
			kept[n.Deriv()] = true
		}
	}
	var nodes []*G.Node
	for _, n := range b.g.AllNodes() {
		if n.Op() != nil && !n.IsScalar() && !kept[n] {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// release lets go of the values of a pass. A node holds its value until it is
// computed again, and so would every activation of every segment stay. The
// library's own UnbindAllNonInputs hands tensors to a pool, some of them twice.
func (g *graph) release() error {
	for _, n := range g.passing {
		if _, ok := n.Value().(*tensor.Dense); !ok {
			continue
		}
		if err := G.UnsafeLet(n, released{n.Shape(), n.Dtype()}); err != nil {
			return err
		}
	}
	return nil
}

// released is a value that is no more.
type released struct {
	shape tensor.Shape
	dt    tensor.Dtype
}

func (v released) Shape() tensor.Shape { return v.shape }
func (v released) Size() int           { return v.shape.TotalSize() }
func (v released) Data() any           { return nil }
func (v released) Dtype() tensor.Dtype { return v.dt }
func (v released) Uintptr() uintptr    { return 0 }
func (v released) MemSize() uintptr    { return 0 }

func (v released) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "released %v", v.shape) }

// share makes g compute with the parameters and masks of another graph of the
// same part.
func (g *graph) share(other *graph) error {
	for i, p := range g.params {
		if len(p.pieces) != len(other.params[i].pieces) {
			return fmt.Errorf("%s: held in %d pieces and in %d", p.Name, len(p.pieces), len(other.params[i].pieces))
		}
		for j, q := range p.pieces {
			if err := G.Let(q.node, other.params[i].pieces[j].value); err != nil {
				return err
			}
		}
	}
	if len(g.drops) != len(other.drops) {
		return fmt.Errorf("%d masks, and %d", len(g.drops), len(other.drops))
	}
	for i, d := range g.drops {
		if err := G.Let(d.node, other.drops[i].mask); err != nil {
			return err
		}
	}
	return nil
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
