package gorgonia

import (
	G "gorgonia.org/gorgonia"

	"github.com/dlbench/dlbench/workloads"
)

// newSolver returns the library's own solver for the program's optimizer.
//
// Momentum computes w += v with v = momentum*v - rate*g: the program's
// v = momentum*v + g, p -= rate*v at a constant rate. AdamSolver is algorithm 1
// of Kingma & Ba with the epsilon outside the corrected root. WithBatchSize
// divides gradients that were summed over micro-batches.
func newSolver(p workloads.Program) G.Solver {
	a := p.Optimizer.Attr
	opts := []G.SolverOpt{G.WithLearnRate(a.Rate), G.WithBatchSize(float64(max(1, p.Accumulate)))}
	if p.Optimizer.Op == workloads.OptAdam {
		return G.NewAdamSolver(append(opts, G.WithBeta1(a.Beta1), G.WithBeta2(a.Beta2), G.WithEps(a.Epsilon))...)
	}
	return G.NewMomentum(append(opts, G.WithMomentum(a.Momentum))...)
}
