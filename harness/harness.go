// Package harness plans and runs: it turns cells into trials, runs each trial
// in a child process of its own, and hands every record to a sink before the next
// one starts. It measures and proves; it never judges speed.
package harness

import (
	"context"
	"time"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/harness/gpu"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/workloads"
)

// Cell is one cell with everything that its trials need.
type Cell struct {
	Name     results.Cell
	Work     results.Work
	Entry    backends.Entry
	Program  workloads.Program
	Settings workloads.Settings
	Weights  string // path of the safetensors file
	Batches  string // path of the safetensors file
	Steps    workloads.Steps
	Golden   *workloads.Golden // nil: nothing to prove against, the cell is unproven
}

// Next says which cells are still undecided; the caller passes the function
// that judges, so that harness cannot.
type Next func(done []results.Record) []results.Cell

// Config is one run.
type Config struct {
	Cells  []Cell
	Seed   uint64
	Limits results.Limits
	Rounds Rounds
	CPUs   []int                       // the mask that every worker inherits
	Env    []string                    // extra environment of every worker, after the clean base
	Dir    string                      // working directory of the workers, an empty folder
	Done   []results.Record            // of an interrupted run that is resumed
	GPU    func() (*gpu.Device, error) // asked at the first trial on one; nil: gpu.Find
	Share  bool                        // fork the check and timed trials of a backend from one process, where CanShare
	Next   Next
	Sink   func(results.Record) error
	Watch  func(Event) // may be nil
}

// Rounds bounds the number of rounds. Min wins over the suite's time limit:
// fewer rounds would leave no interval.
type Rounds struct {
	Min, Max int
	Memory   int // memory trials per cell; 0 is 1
}

// Event tells a watcher what is being measured.
type Event struct {
	Kind    string // of the trial
	Round   int    // 0 for check and memory trials
	Rounds  int    // how many are planned at most
	Index   int    // position in this pass, from 1
	Total   int    // trials in this pass
	Cell    results.Cell
	Elapsed time.Duration
	Left    time.Duration   // estimate; 0 while nothing is known
	Record  *results.Record // nil before the trial, set after it
}

// trialRunner runs one trial; tests replace it.
type trialRunner func(ctx context.Context, c Cell, kind string, at place) results.Record

// place is where a trial stands in the run.
type place struct {
	round, attempt, order int
	shared, more          bool // see turn
}
