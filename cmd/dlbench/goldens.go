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

// find returns the golden of a program that covers the given steps.
func (g goldens) find(ctx context.Context, p workloads.Program, weights, batches, dialect string, steps int) (*workloads.Golden, error) {
	if golden, ok := workloads.GoldenFor(p, dialect); ok && len(golden.Losses) >= steps {
		return &golden, nil
	}
	// A program's hash does not cover the oracle and its budgets: another
	// release may judge otherwise.
	dir := filepath.Join(g.cache.Dir, "goldens-"+release)
	path := filepath.Join(dir, workloads.GoldenFile(p.Hash, dialect))
	if golden, err := workloads.ReadGolden(path); err == nil && golden.Program == p.Hash && golden.Dialect == dialect && len(golden.Losses) >= steps {
		return &golden, nil
	}
	if g.tell != nil {
		g.tell(fmt.Sprintf("computing the float64 oracle of %s, %s, batch %d, %d steps; this is done once", p.Name, p.Mode, p.Batch, steps))
	}
	golden, err := oracle.Compute(ctx, p, weights, batches, dialect, steps)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if _, err := workloads.WriteGolden(dir, golden); err != nil {
		return nil, err
	}
	return &golden, nil
}
