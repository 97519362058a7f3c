package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dlbench/dlbench/harness"
	"github.com/dlbench/dlbench/harness/fit"
	"github.com/dlbench/dlbench/harness/host"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/strictyaml"
	"github.com/dlbench/dlbench/workloads"
)

// fitFlags are the cell whose batch is looked for.
type fitFlags struct {
	backend, memory, mode, precision, device, data, allocator string
	accumulate, threads, checkpoint, most, trials             int
	within                                                    float64
	timeout                                                   time.Duration
	specs, envs                                               []string
}

func newFit() *cobra.Command {
	var f fitFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "fit WORKLOAD --backend B --memory 4GiB",
		Short: "Find the largest batch that fits into so much memory",
		Long: `Find the largest batch of a workload with which a backend's worker stays within
so much memory: by memory trials in fresh processes, each stopped when it passes
the limit. A worker grows nearly in a straight line with its batch, so a few
trials do. What is measured is the largest resident size of the worker's process
tree over build and steps, the framework itself and the workload's resident
batches included; on a GPU what it takes of the device's memory.

The exit code is 0 when a batch fits, 1 when not even the smallest does, and 2
for bad input.`,
		Example: `  dlbench fit MnistCnn --backend eager --memory 1GiB
  dlbench fit CheckpointStackDeep --backend pytorch --memory 4GiB --checkpoint 8
  dlbench fit TextLstm --backend jax --memory 2GiB --precision bf16-mixed --accumulate 4`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, args[0], asJSON)
		},
	}
	def := workloads.DefaultSettings()
	cmd.Flags().StringVar(&f.backend, "backend", "", "the `backend`")
	cmd.Flags().StringVar(&f.memory, "memory", "", "`SIZE` that the worker may take, such as 4GiB")
	cmd.Flags().StringVar(&f.mode, "mode", string(def.Mode), "train or infer")
	cmd.Flags().StringVar(&f.precision, "precision", string(def.Precision), "as in a suite")
	cmd.Flags().StringVar(&f.device, "device", def.Device, "cpu or cuda")
	cmd.Flags().StringVar(&f.data, "data", def.Data, "resident, host or loader")
	cmd.Flags().IntVar(&f.accumulate, "accumulate", def.Accumulate, "micro-batches per step; batches are multiples of it")
	cmd.Flags().IntVar(&f.threads, "threads", def.Threads, "granted CPU threads")
	cmd.Flags().IntVar(&f.checkpoint, "checkpoint", def.Checkpoint, "recomputed segments")
	cmd.Flags().StringVar(&f.allocator, "allocator", workloads.AllocatorDefault, "default, tuned or returning")
	cmd.Flags().IntVar(&f.most, "most", 1<<16, "largest `batch` to try")
	cmd.Flags().IntVar(&f.trials, "trials", 16, "at most so many trials")
	cmd.Flags().Float64Var(&f.within, "within", 0.02, "how exact, as a `share` of the batch")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 5*time.Minute, "of one trial")
	cmd.Flags().StringSliceVar(&f.specs, "spec", nil, "workload `file` of your own; may be repeated")
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	registerEnv(cmd, &f.envs)
	_ = cmd.MarkFlagRequired("backend")
	_ = cmd.MarkFlagRequired("memory")
	return cmd
}

// found is what fit tells.
type found struct {
	Cell   string      `json:"cell"` // that of the largest batch, or of the smallest that was tried
	Memory int64       `json:"memory_bytes"`
	Batch  int         `json:"batch"` // 0: none fits
	Fails  int         `json:"smallest_that_does_not_fit,omitempty"`
	Tried  []fit.Tried `json:"tried"`
}

func (f *fitFlags) run(cmd *cobra.Command, workload string, asJSON bool) error {
	ctx := cmd.Context()
	search, err := f.search()
	if err != nil {
		return err
	}
	m, err := f.measurer(ctx, workload, search)
	if err != nil {
		return err
	}
	defer m.close()
	progress := newProgress(cmd.ErrOrStderr())
	tried, err := fit.Largest(ctx, search, m.guess(search), func(ctx context.Context, batch int) (fit.Tried, error) {
		t, err := m.measure(ctx, batch)
		if err == nil && !asJSON {
			progress.tell(fmt.Sprintf("batch %d: %s", batch, inWords(t)))
		}
		return t, err
	})
	if err != nil {
		return interruptedOr(ctx, err)
	}
	fits, fails := fit.Best(tried)
	out := found{Memory: search.Memory, Batch: fits.Batch, Fails: fails.Batch, Tried: tried}
	cell, err := m.cell(max(fits.Batch, search.Step))
	if err != nil {
		return err
	}
	out.Cell = cell.Name.Name()
	if asJSON {
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetIndent("", "  ")
		err = enc.Encode(out)
	} else {
		err = out.print(cmd.OutOrStdout(), search)
	}
	if err == nil && fits.Batch == 0 {
		return exitError{code: exitDiffers, err: fmt.Errorf("not even a batch of %d fits into %s: %s", search.Step, f.memory, inWords(fails))}
	}
	return err
}

// search reads the bounds.
func (f *fitFlags) search() (fit.Search, error) {
	bytes, err := workloads.ParseBytes(f.memory)
	if err != nil {
		return fit.Search{}, fmt.Errorf("--memory %w", err)
	}
	if f.accumulate < 1 { // batches are multiples of it
		return fit.Search{}, fmt.Errorf("--accumulate %d: expected at least 1", f.accumulate)
	}
	if free := available(); f.device == workloads.DeviceCPU && bytes > free {
		return fit.Search{}, fmt.Errorf("--memory %s: only %.1f GiB are available, and a larger worker would swap", f.memory, gib(free))
	}
	s := fit.Search{Memory: bytes, Step: f.accumulate, Most: f.most, Trials: f.trials, Within: f.within}
	return s, s.Validate()
}

// fitting measures batches of one workload on one backend.
type fitting struct {
	flags  *fitFlags
	site   site
	spec   workloads.Spec
	cache  workloads.Cache
	folder string
	config harness.Config
}

func (f *fitFlags) measurer(ctx context.Context, workload string, s fit.Search) (*fitting, error) {
	m := &fitting{flags: f}
	var err error
	if m.spec, err = f.find(workload); err != nil {
		return nil, err
	}
	if m.site, err = here(ctx, f.envs); err != nil {
		return nil, err
	}
	m.site = m.site.with(f.backend)
	cell, err := m.cell(s.Step)
	if err != nil {
		return nil, err
	}
	if err := m.site.ready(harness.Plan{Cells: []harness.Cell{cell}}.Entries()); err != nil {
		return nil, err
	}
	mask, err := host.Granted(f.threads)
	if err != nil {
		return nil, err
	}
	if m.folder, err = os.MkdirTemp("", "dlbench-fit-"); err != nil {
		return nil, err
	}
	// Batches of many sizes would fill the user's cache.
	m.cache = workloads.Cache{Dir: m.folder}
	m.config = harness.Config{
		Limits: results.Limits{TrialNS: f.timeout.Nanoseconds(), MemoryBytes: s.Memory},
		CPUs:   mask, Dir: m.folder,
	}
	return m, nil
}

func (m *fitting) close() { os.RemoveAll(m.folder) }

// find reads the user's own workloads, then those that are shipped.
func (f *fitFlags) find(name string) (workloads.Spec, error) {
	var names []string
	for _, path := range f.specs {
		spec, err := workloads.LoadFile(path)
		if err != nil {
			return workloads.Spec{}, err
		}
		if spec.Workload == name {
			return spec, nil
		}
		names = append(names, spec.Workload)
	}
	if spec, ok := workloads.Find(name); ok {
		return spec, nil
	}
	for _, s := range workloads.Shipped() {
		names = append(names, s.Workload)
	}
	return workloads.Spec{}, fmt.Errorf("unknown workload %s%s", strictyaml.Quote(name), strictyaml.DidYouMean(name, names))
}

// steps of one memory trial: memory does not change from step to step.
var fitSteps = workloads.Steps{Check: workloads.CheckSteps, WarmupMax: 1, Blocks: 2, PerBlock: 1}

// cell is the one of that batch.
func (m *fitting) cell(batch int) (harness.Cell, error) {
	f := m.flags
	allocator := f.allocator
	if allocator == workloads.AllocatorDefault {
		allocator = ""
	}
	line := workloads.CellLine{
		Workloads: []string{m.spec.Workload}, Modes: []workloads.Mode{workloads.Mode(f.mode)},
		Precisions: []workloads.Precision{workloads.Precision(f.precision)}, Devices: []string{f.device}, Data: []string{f.data},
		Batches: []int{batch}, Accumulates: []int{f.accumulate}, Threads: []int{f.threads},
		Checkpoints: []workloads.Checkpointing{{Segments: f.checkpoint}}, Allocators: []string{allocator}, Steps: fitSteps,
	}
	suite := workloads.Suite{Name: "fit", Backends: []string{f.backend}, Cells: []workloads.CellLine{line}}
	var sel harness.Selection
	if _, shipped := workloads.Find(m.spec.Workload); !shipped {
		sel.Own = []workloads.Spec{m.spec}
	}
	plan, err := harness.NewPlan(suite, m.site.entries(), sel)
	if err != nil {
		return harness.Cell{}, errors.New(strings.TrimPrefix(err.Error(), "suite fit: "))
	}
	cell := plan.Cells[0]
	if f.device != workloads.DeviceCPU {
		cell.Entry = m.site.onDevice(f.backend, f.device)
	}
	return cell, nil
}

// guess is a batch that the counted bytes say takes half of the memory: what the
// framework itself takes is not known before the first trial.
func (m *fitting) guess(s fit.Search) int {
	small, err1 := m.cell(s.Step)
	large, err2 := m.cell(2 * s.Step)
	each := int64(1)
	if err1 == nil && err2 == nil {
		each = max(1, (harness.CountedBytes(large)-harness.CountedBytes(small))/int64(s.Step))
	}
	return int(min(s.Memory/2/each, int64(s.Most)))
}

// measure runs one memory trial.
func (m *fitting) measure(ctx context.Context, batch int) (fit.Tried, error) {
	cell, err := m.cell(batch)
	if err != nil {
		return fit.Tried{}, err
	}
	if cell.Weights, err = m.cache.Weights(cell.Program); err != nil {
		return fit.Tried{}, err
	}
	if cell.Batches, err = m.cache.Batches(cell.Program, ""); err != nil {
		return fit.Tried{}, err
	}
	defer os.Remove(cell.Batches)
	r := harness.MemoryTrial(ctx, m.config, cell)
	if ctx.Err() != nil {
		return fit.Tried{}, ctx.Err()
	}
	t := fit.Tried{Batch: batch, Peak: harness.Occupied(r)}
	switch {
	case r.End == results.EndOK && t.Peak == 0:
		return t, fmt.Errorf("batch %d: the worker's memory cannot be read here", batch)
	case r.End == results.EndOK:
		t.Fits = t.Peak <= m.config.Limits.MemoryBytes
	case slices.Contains([]string{results.EndOOM, results.EndTimeout}, r.End):
		t.Why = r.End
	default:
		return t, fmt.Errorf("batch %d: the trial ended %s: %s", batch, r.End, r.Reason)
	}
	return t, nil
}

// inWords is a trial in words.
func inWords(t fit.Tried) string {
	size := fmt.Sprintf("%.1f MiB", mib(t.Peak))
	switch {
	case t.Fits:
		return size + " at its peak, fits"
	case t.Why == results.EndOOM:
		return "stopped at the limit"
	case t.Why != "":
		return "does not fit: " + t.Why
	}
	return size + " at its peak, does not fit"
}

func (o found) print(out io.Writer, s fit.Search) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "BATCH\tPEAK MIB\tFITS")
	for _, t := range o.Tried {
		fits := "yes"
		if !t.Fits {
			fits = "no"
			if t.Why != "" {
				fits += " (" + t.Why + ")"
			}
		}
		fmt.Fprintf(w, "%d\t%s\t%s\n", t.Batch, mibOrDash(t.Peak), fits)
	}
	if err := w.Flush(); err != nil || o.Batch == 0 {
		return err
	}
	last := o.Tried[slices.IndexFunc(o.Tried, func(t fit.Tried) bool { return t.Batch == o.Batch })]
	_, err := fmt.Fprintf(out, "\nlargest batch that fits: %d, %.1f of %.1f MiB (%s)\n", o.Batch, mib(last.Peak), mib(s.Memory), o.Cell)
	if err != nil {
		return err
	}
	if o.Fails == 0 {
		_, err = fmt.Fprintln(out, "no larger batch was tried, or none is allowed by --most or --trials")
	} else {
		_, err = fmt.Fprintf(out, "smallest batch that was found not to fit: %d\n", o.Fails)
	}
	return err
}
