package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/workloads"
)

// Oracle returns the float64 account of a program over the given number of
// steps, under a backend's dialect, with the budgets of precisions.
type Oracle func(ctx context.Context, p workloads.Program, weights, batches, dialect string, steps int, precisions ...workloads.Precision) (*workloads.Golden, error)

// Plan is a suite with everything decided: which cells, on which files, held
// to which oracle results.
type Plan struct {
	Suite     workloads.Suite
	Cells     []Cell
	Workloads map[string]results.Workload // by name
}

// Selection narrows a suite; empty lists keep everything.
type Selection struct {
	Backends  []string
	Workloads []string
	Own       []workloads.Spec // the user's workloads, found before the shipped ones
	DataDir   string           // a folder with a real data set, instead of the generators
}

// NewPlan resolves every line of the suite for every backend. It writes no
// file: Prepare does.
func NewPlan(suite workloads.Suite, entries []backends.Entry, sel Selection) (Plan, error) {
	p := Plan{Suite: suite, Workloads: map[string]results.Workload{}}
	for i, own := range sel.Own {
		if _, ok := workloads.Find(own.Workload); ok {
			return Plan{}, fmt.Errorf("--spec: %s is the name of a shipped workload; choose another, so that results cannot be mixed up", own.Workload)
		}
		if slices.ContainsFunc(sel.Own[:i], func(o workloads.Spec) bool { return o.Workload == own.Workload }) {
			return Plan{}, fmt.Errorf("--spec: two files define %s", own.Workload)
		}
	}
	lines, err := suite.Expand(sel.Own...)
	if err != nil {
		return Plan{}, err
	}
	if err := sel.check(suite, lines); err != nil {
		return Plan{}, err
	}
	for mode, name := range suite.Compare.Metric {
		if _, ok := results.LookupMetric(name); !ok {
			return Plan{}, fmt.Errorf("suite %s: compare.metric.%s: unknown metric %q: expected one of %s", suite.Name, mode, name, metricNames())
		}
	}
	for _, line := range lines {
		if !kept(sel.Workloads, line.Spec.Workload) {
			continue
		}
		program, err := line.Spec.Resolve(line.Settings)
		if err != nil {
			return Plan{}, fmt.Errorf("suite %s: %w", suite.Name, err)
		}
		if m, ok := results.LookupMetric(suite.Compare.Metric[line.Settings.Mode]); ok {
			if err := m.Judgeable(line.Spec.Steps.PerBlock, line.Spec.Steps.Blocks); err != nil {
				return Plan{}, fmt.Errorf("suite %s: compare.metric.%s: %s: %w", suite.Name, line.Settings.Mode, program.Name, err)
			}
		}
		if sel.DataDir != "" {
			if program, err = program.WithDataset(sel.DataDir); err != nil {
				return Plan{}, err
			}
		}
		// Inference leaves layers out; the fullest form describes the workload.
		if w := describe(line.Spec, program); len(w.Layers) > len(p.Workloads[program.Name].Layers) {
			p.Workloads[program.Name] = w
		}
		for _, name := range sel.backends(suite) {
			if !kept(line.Backends, name) && !slices.Contains(line.Backends, plainName(name)) {
				continue
			}
			i := slices.IndexFunc(entries, func(e backends.Entry) bool { return e.Info.Name == name })
			if i < 0 {
				return Plan{}, fmt.Errorf("suite %s: backend %q is not in the catalog; `dlbench list backends` shows it", suite.Name, name)
			}
			c := Cell{
				Name: cellName(program, line.Settings, name), Work: work(program, line.Settings.Precision),
				Entry: entries[i], Program: program, Settings: line.Settings, Steps: line.Spec.Steps,
			}
			if slices.ContainsFunc(p.Cells, func(o Cell) bool { return o.Name == c.Name }) {
				return Plan{}, fmt.Errorf("suite %s: cell %s is there twice", suite.Name, c.Name.Name())
			}
			p.Cells = append(p.Cells, c)
		}
	}
	if len(p.Cells) == 0 {
		return Plan{}, errors.New("nothing is left to run: no cell of the suite passes --backend and --workload")
	}
	return p, nil
}

// Entries returns the catalog entry of every backend that has a cell; two where
// it runs in another environment on another device.
func (p Plan) Entries() []backends.Entry {
	var all []backends.Entry
	for _, c := range p.Cells {
		if !slices.ContainsFunc(all, func(e backends.Entry) bool {
			return e.Info.Name == c.Entry.Info.Name && e.Environment == c.Entry.Environment
		}) {
			all = append(all, c.Entry)
		}
	}
	return all
}

// Prepare writes the weights and batches of all cells into the cache and finds
// the oracle's results. It may take long for a workload whose results are not
// shipped, so progress is told which program is being computed.
func (p *Plan) Prepare(ctx context.Context, cache workloads.Cache, dataDir string, oracle Oracle) error {
	for i := range p.Cells {
		c := &p.Cells[i]
		var err error
		if c.Weights, err = cache.Weights(c.Program); err != nil {
			return err
		}
		if c.Batches, err = cache.Batches(c.Program, dataDir); err != nil {
			return err
		}
		dialect, steps := c.Proof()
		if c.Golden, err = oracle(ctx, c.Program, c.Weights, c.Batches, dialect, steps, c.Settings.Precision); err != nil {
			return fmt.Errorf("the oracle's result of %s: %w", c.Name.Name(), err)
		}
	}
	return nil
}

// Proof is what the cell is held to: the oracle's account in this dialect over
// so many steps.
func (c Cell) Proof() (dialect string, steps int) {
	steps = max(c.Steps.Check, c.Steps.Measured())
	if c.Settings.Mode == workloads.Infer {
		steps = max(c.Steps.Check, c.Program.Data.Batches) // without updates a step's loss depends on its batch alone
	}
	return dialectOf(c.Entry, c.Program), steps
}

// dialectOf names the declared variant that the oracle must follow for a
// backend, "" for the definition itself.
func dialectOf(e backends.Entry, p workloads.Program) string {
	if p.Optimizer.Op == workloads.OptAdam && e.Info.Dialect["adam-epsilon"] == "uncorrected" {
		return workloads.AdamUncorrected
	}
	return ""
}

// backends are those of the suite that are kept, in its order. A selection may
// name a backend of the suite in another version, X@VERSION: it comes after X.
func (sel Selection) backends(suite workloads.Suite) []string {
	var names []string
	for _, name := range suite.Backends {
		if kept(sel.Backends, name) {
			names = append(names, name)
		}
		for _, b := range sel.Backends {
			if plainName(b) == name && b != name && !slices.Contains(suite.Backends, b) && !slices.Contains(names, b) {
				names = append(names, b)
			}
		}
	}
	return names
}

// plainName is a backend's name without the version of its environment.
func plainName(backend string) string {
	name, _, _ := strings.Cut(backend, "@")
	return name
}

// check refuses a selection that names what the suite does not have.
func (sel Selection) check(suite workloads.Suite, lines []workloads.Planned) error {
	for _, b := range sel.Backends {
		if !slices.Contains(suite.Backends, b) && !slices.Contains(suite.Backends, plainName(b)) {
			return fmt.Errorf("--backend %s: suite %s has %v", b, suite.Name, suite.Backends)
		}
	}
	for _, w := range sel.Workloads {
		if !slices.ContainsFunc(lines, func(l workloads.Planned) bool { return l.Spec.Workload == w }) {
			var names []string
			for _, l := range lines {
				if !slices.Contains(names, l.Spec.Workload) {
					names = append(names, l.Spec.Workload)
				}
			}
			return fmt.Errorf("--workload %s: suite %s has %v", w, suite.Name, names)
		}
	}
	return nil
}

func metricNames() string {
	var names []string
	for _, m := range results.Metrics {
		names = append(names, m.Name)
	}
	return strings.Join(names, ", ")
}

func kept(list []string, name string) bool { return len(list) == 0 || slices.Contains(list, name) }

func cellName(p workloads.Program, s workloads.Settings, backend string) results.Cell {
	return results.Cell{
		Workload: p.Name, Hash: p.Hash, Mode: string(s.Mode), Precision: string(s.Precision),
		Device: s.Device, Data: s.Data, Batch: s.Batch, Accumulate: s.Accumulate,
		Threads: s.Threads, Checkpoint: s.Checkpoint, Allocator: s.Allocator, Backend: backend,
	}
}

// describe is the part of a workload that a report shows.
func describe(spec workloads.Spec, p workloads.Program) results.Workload {
	w := results.Workload{Title: spec.Title, Source: spec.Source, Params: backends.Trainable(p)}
	for _, l := range p.Layers() {
		w.Layers = append(w.Layers, results.Layer(l))
	}
	return w
}

// work is what a record says of one step of a program.
func work(p workloads.Program, prec workloads.Precision) results.Work {
	w, s := p.Work, p.State(prec)
	return results.Work{
		Examples: w.Examples, ModelFLOPs: w.ModelFLOPs, ParamBytes: w.ParamBytes, ActivationBytes: w.ActivationBytes,
		GradientBytes: s.Gradients, OptimizerBytes: s.Optimizer, InputBytes: s.Inputs,
		KeptBytes: p.KeptBytes(prec),
	}
}
