package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dlbench/dlbench/backends/eager/oracle"
	"github.com/dlbench/dlbench/workloads"
)

// goldens finds the oracle's results: those that are shipped, else those that
// this user's cache holds, else they are computed once and kept.
type goldens struct {
	cache workloads.Cache
	tell  func(string) // what is being computed; it may take minutes
}

// have returns the golden of a program that covers the given steps and
// precisions, if it is shipped or was computed before.
func (g goldens) have(p workloads.Program, dialect string, steps int, precisions ...workloads.Precision) (*workloads.Golden, bool) {
	golden, ok := g.known(p, dialect, steps, precisions)
	return golden, ok && len(oracle.Missing(*golden, p.Mode, precisions)) == 0
}

// known returns the golden of a program that covers the given steps; it may lack
// budgets of precisions. What this user's cache holds was extended where the
// shipped one lacked some.
func (g goldens) known(p workloads.Program, dialect string, steps int, precisions []workloads.Precision) (*workloads.Golden, bool) {
	shipped, ok := workloads.GoldenFor(p, dialect)
	ok = ok && len(shipped.Losses) >= steps
	if ok && len(oracle.Missing(shipped, p.Mode, precisions)) == 0 {
		return &shipped, true
	}
	path := filepath.Join(g.dir(), workloads.GoldenFile(p.Hash, dialect))
	if golden, err := workloads.ReadGolden(path); err == nil && golden.Program == p.Hash && golden.Dialect == dialect && len(golden.Losses) >= steps {
		return &golden, true
	}
	return &shipped, ok
}

// dir is where this release keeps what it computed. A program's hash does not
// cover the oracle and its budgets: another release may judge otherwise.
func (g goldens) dir() string { return filepath.Join(g.cache.Dir, "goldens-"+release) }

// find returns the golden of a program that covers the given steps and, where
// the oracle can say what they may do, precisions.
func (g goldens) find(ctx context.Context, p workloads.Program, weights, batches, dialect string, steps int, precisions ...workloads.Precision) (*workloads.Golden, error) {
	before, ok := g.known(p, dialect, steps, precisions)
	if ok && len(oracle.Missing(*before, p.Mode, precisions)) == 0 {
		return before, nil
	}
	if g.tell != nil {
		g.tell(fmt.Sprintf("computing the float64 oracle of %s, %s, batch %d, %d steps; this is done once", p.Name, p.Mode, p.Batch, steps))
	}
	var golden workloads.Golden
	var err error
	if ok {
		golden, err = oracle.Extend(ctx, *before, p, weights, batches, precisions...)
	} else {
		golden, err = oracle.Compute(ctx, p, weights, batches, dialect, steps, precisions...)
	}
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(g.dir(), 0o755); err != nil {
		return nil, err
	}
	if _, err := workloads.WriteGolden(g.dir(), golden); err != nil {
		return nil, err
	}
	return &golden, nil
}
