package gorgonia

import (
	"errors"
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

const (
	// maxSalts bounds the search for input names without a collision of hashes.
	maxSalts = 8
	// manyNodes is where the chance of a collision, n²/2³³, is worth growing the
	// graph twice: one in 10,000. It adds about 5 % to the time of the compiler.
	manyNodes = 1000
)

// grow builds the graph of a part of the program with its gradients, under input names
// for which no two of its nodes have the same hash.
func grow(p workloads.Program, dt tensor.Dtype, at part) (*builder, error) {
	return growChecked(p, dt, at, manyNodes)
}

// growChecked grows a graph of at least twice nodes under two names.
//
// A node is merged into an older one of equal hash in two places. The compiler
// merges any two; collides finds those. The graph, while it grows, merges
// those of equal operation, type and shape, whatever they are applied to: they
// are gone before anyone can look. But other names give other hashes, so the
// graph of other names, where those nodes are apart, has more nodes.
func growChecked(p workloads.Program, dt tensor.Dtype, at part, twice int) (*builder, error) {
	whole := 0 // nodes of the largest graph seen
	var failed error
	for salt := range maxSalts {
		b, err := growSalted(p, dt, at, salt)
		if errors.Is(err, errGradient) {
			failed = err // a weight whose only reader was merged away has none
			continue
		}
		if err != nil {
			return nil, err
		}
		nodes := len(b.g.AllNodes())
		if whole == 0 && nodes >= twice {
			twin, err := growSalted(p, dt, at, maxSalts+salt)
			if err != nil {
				return nil, err
			}
			whole = len(twin.g.AllNodes())
		}
		if whole = max(whole, nodes); nodes == whole && !collides(b.g) {
			return b, nil
		}
	}
	if failed != nil {
		return nil, failed
	}
	return nil, fmt.Errorf("%w: nodes of the graph collide in Gorgonia's 32-bit hashes under each of %d names tried", backends.ErrUnsupported, maxSalts)
}

// errGradient says that the library found no gradient of the graph.
var errGradient = errors.New("gradient")

func growSalted(p workloads.Program, dt tensor.Dtype, at part, salt int) (_ *builder, err error) {
	b := newBuilder(p, dt, at, salt)
	defer b.recover(&err)
	out := b.walk()
	if at.forward || b.atEnd() {
		G.Read(out, &b.graph.output)
	}
	if at.forward {
		return b, nil
	}
	wrt, entry := b.learnables(), b.graph.entry
	if entry != nil && learns(p, at.first-1) {
		wrt = append(wrt, entry)
	} else {
		entry = nil
	}
	if b.atEnd() {
		loss := b.loss(out)
		G.Read(loss, &b.graph.lossValue)
		b.at = "gradient"
		_, err = G.Grad(loss, wrt...)
	} else {
		b.at = "gradient"
		b.graph.upstream = b.input("upstream", dt, out.Shape())
		_, err = G.Backpropagate(G.Nodes{out}, G.Nodes{b.graph.upstream}, wrt)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errGradient, err)
	}
	if entry != nil {
		G.Read(entry.Deriv(), &b.graph.entryGradient)
	}
	return b, nil
}

// collides reports whether two nodes have the same hash.
func collides(g *G.ExprGraph) bool {
	seen := make(map[uint32]bool)
	for _, n := range g.AllNodes() {
		h := n.Hashcode()
		if seen[h] {
			return true
		}
		seen[h] = true
	}
	return false
}

// recover, deferred, turns a failure, or a panic of the library, into an error
// that names the op.
func (b *builder) recover(err *error) {
	switch x := recover().(type) {
	case nil:
	case failure:
		*err = fmt.Errorf("%s: %w", b.at, x.error)
	case error:
		*err = fmt.Errorf("%s: gorgonia: %w", b.at, x)
	default:
		*err = fmt.Errorf("%s: gorgonia: %v", b.at, x)
	}
}
