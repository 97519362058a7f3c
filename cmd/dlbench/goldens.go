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

// have returns the golden of a program that covers the given steps, if it is
// shipped or was computed before.
func (g goldens) have(p workloads.Program, dialect string, steps int) (*workloads.Golden, bool) {
	if golden, ok := workloads.GoldenFor(p, dialect); ok && len(golden.Losses) >= steps {
		return &golden, true
	}
	path := filepath.Join(g.dir(), workloads.GoldenFile(p.Hash, dialect))
	if golden, err := workloads.ReadGolden(path); err == nil && golden.Program == p.Hash && golden.Dialect == dialect && len(golden.Losses) >= steps {
		return &golden, true
	}
	return nil, false
}

// dir is where this release keeps what it computed. A program's hash does not
// cover the oracle and its budgets: another release may judge otherwise.
func (g goldens) dir() string { return filepath.Join(g.cache.Dir, "goldens-"+release) }

// find returns the golden of a program that covers the given steps.
func (g goldens) find(ctx context.Context, p workloads.Program, weights, batches, dialect string, steps int) (*workloads.Golden, error) {
	if golden, ok := g.have(p, dialect, steps); ok {
		return golden, nil
	}
	if g.tell != nil {
		g.tell(fmt.Sprintf("computing the float64 oracle of %s, %s, batch %d, %d steps; this is done once", p.Name, p.Mode, p.Batch, steps))
	}
	golden, err := oracle.Compute(ctx, p, weights, batches, dialect, steps)
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
