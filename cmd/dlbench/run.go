package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/dlbench/dlbench/harness"
	"github.com/dlbench/dlbench/harness/host"
	"github.com/dlbench/dlbench/report"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/workloads"
)

func newRun() *cobra.Command {
	var f suiteFlags
	var out string
	var resume bool
	cmd := &cobra.Command{
		Use:   "run --suite NAME",
		Short: "Measure a suite and write its report",
		Long: `Run every cell of a suite in rounds, each trial in a fresh child process, and
write run.json, trials.jsonl, report.md and report.html into the run's folder.
Each backend's losses, logits, gradients and parameters are held to a float64
oracle first; what did other work is shown as wrong and never ranked.

With --share-process a framework is imported once for all cells of a pass that
can share the import, and each trial is a process that is forked from there:
every one begins as the import left it. That saves the imports and keeps memory
trials, GPUs and workers that cannot fork in fresh processes; the report says so.

The exit code is 0 when every trial ended ok or unsupported, 4 when one did
not, 3 when no trial could be timed, 2 for bad input, and 130 when interrupted.
An undecided comparison is a result and exits with 0.`,
		Example: `  dlbench run --suite quick
  dlbench run --suite quick --backend eager,gorgonia --workload MnistCnn
  dlbench run --suite mine.yaml --out results/runs/mine --budget 10m
  dlbench run --suite mine.yaml --out results/runs/mine --resume
  dlbench run --suite articles-small --share-process`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runSuite(cmd, &f, out, resume)
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&out, "out", "", "the run's `folder` (default results/runs/SUITE-TIME)")
	cmd.Flags().BoolVar(&resume, "resume", false, "go on with the interrupted run in --out")
	cmd.Flags().BoolVar(&f.share, "share-process", false, "import a framework once per pass and fork each trial from there")
	registerForce(cmd, &f.force)
	cmd.Flags().StringVar(&f.label, "label", "", "`TEXT` that names what is measured, such as a commit; history can order runs by it")
	return cmd
}

func runSuite(cmd *cobra.Command, f *suiteFlags, out string, resume bool) error {
	began := time.Now()
	dir, interrupted, err := measure(cmd, f, out, resume)
	if err != nil {
		return err
	}
	return finish(cmd, dir, time.Since(began), interrupted)
}

// measure runs a suite's trials into a folder, which it returns. interrupted is
// harness.ErrInterrupted where the run can go on, else nil.
func measure(cmd *cobra.Command, f *suiteFlags, out string, resume bool) (dir string, interrupted, err error) {
	ctx := cmd.Context()
	if resume && out == "" {
		return "", nil, errors.New("--resume needs --out with the folder of the interrupted run")
	}
	if err := checkLabel(f.label, resume); err != nil {
		return "", nil, err
	}
	plan, err := f.plan(ctx)
	if err != nil {
		return "", nil, err
	}
	if err := f.site.ready(f.unlabelled(plan.Entries())); err != nil {
		return "", nil, err
	}
	began := time.Now()
	if out == "" {
		out = filepath.Join("results", "runs", results.NewDirName(plan.Suite.Name, began))
	}
	if out, err = filepath.Abs(out); err != nil {
		return "", nil, err
	}
	// Before the oracle's results are computed, which may take minutes.
	expected, err := expect(plan)
	if err != nil {
		return "", nil, err
	}
	if !f.force {
		if err := swaps(f.unlabelledForecast(expected), available()); err != nil {
			return "", nil, err
		}
	}
	mask, err := host.Granted(threadsOf(plan))
	if err != nil {
		return "", nil, err
	}
	progress := newProgress(cmd.ErrOrStderr())
	if err := f.prepare(ctx, &plan, progress); err != nil {
		return "", nil, interruptedOr(ctx, err)
	}
	meta, err := f.meta(plan, mask, began)
	if err != nil {
		return "", nil, err
	}
	if meta.Calibration, err = calibrationOf(meta.Host); err != nil {
		progress.warn("the noise floor of this host is not quoted: " + err.Error())
	}
	if !resume { // a run keeps those that it began with
		meta.Forecasts = forecasts(expected)
		if meta.Peaks, err = peaksOf(ctx, mask, threadCounts(plan)); err != nil {
			progress.warn("the peaks of the machine were not measured: " + err.Error())
		}
	}
	journal, earlier, err := openJournal(out, meta, resume)
	if err != nil {
		return "", nil, err
	}
	defer journal.Close()
	for _, w := range append(earlier.Warnings, foreseen(meta)...) {
		progress.warn(w)
	}
	if f.share && !meta.Shared {
		progress.warn("--share-process: no worker of this run can be forked; every trial is a fresh process")
	}
	release, other := host.Measuring()
	defer release()
	if other != "" {
		progress.warn("another run is measuring on this host (process " + other + "): each disturbs the other")
	}
	work, err := os.MkdirTemp("", "dlbench-trial-")
	if err != nil {
		return "", nil, err
	}
	defer os.RemoveAll(work)
	progress.begin(plan, out)
	runErr := harness.Run(ctx, harness.Config{
		Cells: plan.Cells, Seed: meta.Seed, Limits: meta.Limits,
		Rounds: harness.Rounds{Min: meta.Policy.MinRounds, Max: meta.Policy.MaxRounds, Memory: meta.Policy.MemoryTrials},
		CPUs:   mask, Dir: work, Env: []string{runVariable + "=" + out},
		Share: meta.Shared,
		Done:  earlier.Records,
		Next:  undecided(plan.Suite, meta),
		Sink:  journal.Append,
		Watch: progress.event,
	})
	progress.end()
	if runErr != nil && !errors.Is(runErr, harness.ErrInterrupted) {
		return "", nil, runErr
	}
	return out, runErr, nil
}

// checkLabel refuses a label that is not one line for people.
func checkLabel(label string, resume bool) error {
	switch {
	case label != "" && resume:
		return errors.New("--label: a run that is resumed keeps the label that it has")
	case len(label) > 200 || strings.ContainsFunc(label, unicode.IsControl) || strings.TrimSpace(label) != label || !utf8.ValidString(label):
		return fmt.Errorf("--label %q: expected one line of at most 200 bytes, such as a commit id", label)
	}
	return nil
}

// foreseen are the doubts that stand before the first trial, for example that
// the rounds cannot suffice for any verdict.
func foreseen(meta results.Meta) []string {
	warnings := compare.Analyze(results.Run{Meta: meta}).Warnings
	if b := meta.Baseline; b != "" && !slices.ContainsFunc(meta.Cells, func(c results.Cell) bool { return c.Backend == b }) {
		warnings = append(warnings, fmt.Sprintf("the baseline %s is not among the backends of this run: nothing will be compared", b))
	}
	return warnings
}

// undecided is the rule by which a suite stops measuring a cell; nil measures
// every cell in every round.
func undecided(s workloads.Suite, meta results.Meta) harness.Next {
	if s.Rounds.Until == workloads.UntilMax {
		return nil
	}
	return func(done []results.Record) []results.Cell { return compare.Undecided(meta, done) }
}

// runVariable is set in every worker, so that the processes of a run can be
// told from others.
const runVariable = "DLBENCH_RUN"

// openJournal begins a new run or goes on with an interrupted one.
func openJournal(dir string, meta results.Meta, resume bool) (*results.Journal, results.Run, error) {
	if resume {
		return results.Resume(dir, meta)
	}
	j, err := results.Create(dir, meta)
	return j, results.Run{}, err
}

// finish writes the reports of what was measured, prints the table, and turns
// the trials' ends into the exit code.
func finish(cmd *cobra.Command, dir string, took time.Duration, runErr error) error {
	run, analysis, err := conclude(cmd, dir)
	if err != nil {
		return err
	}
	stdout := cmd.OutOrStdout()
	if err := report.Text(stdout, run, analysis, textOptions(stdout)); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "\nran for %s\nreport: %s\n", took.Round(100*time.Millisecond), filepath.Join(dir, "report.html"))
	if runErr != nil {
		return exitError{code: exitInterrupted, err: fmt.Errorf("interrupted; go on with --out %s --resume", dir)}
	}
	return exitOf(run)
}

// conclude reads what was measured, keeps what it took for later plans, and
// writes the reports into the run's folder.
func conclude(cmd *cobra.Command, dir string) (results.Run, compare.Analysis, error) {
	run, err := results.Read(dir)
	if err != nil {
		return results.Run{}, compare.Analysis{}, err
	}
	if err := learn(run); err != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning: what the trials took is not kept for later plans:", err)
	}
	analysis := compare.Analyze(run)
	for _, name := range []string{"report.html", "report.md"} {
		if err := writeReport(filepath.Join(dir, name), run, analysis); err != nil {
			return results.Run{}, compare.Analysis{}, err
		}
	}
	return run, analysis, nil
}

// exitOf turns the ends of all trials, those of checks and memory too, into the
// exit code. Unsupported is a result; a run of nothing else compared nothing.
func exitOf(run results.Run) error {
	all := slices.DeleteFunc(slices.Clone(run.Records), func(r results.Record) bool { return r.End == results.EndInterrupted })
	failed, timed := 0, 0
	for _, r := range all {
		switch {
		case r.End != results.EndOK && r.End != results.EndUnsupported:
			failed++
		case r.End == results.EndOK && r.Kind == results.KindTime:
			timed++
		}
	}
	switch {
	case failed > 0:
		return exitError{code: exitTrialNotOK, err: fmt.Errorf("%d of %d trials did not end ok; the report says which and why", failed, len(all))}
	case timed == 0:
		return exitError{code: exitUndecided, err: errors.New("nothing was compared: no backend supports any cell")}
	}
	return nil
}

// interruptedOr replaces what an ended context made of an operation.
func interruptedOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return exitError{code: exitInterrupted, err: errors.New("interrupted before the first trial")}
	}
	return err
}

// threadCounts are the numbers of threads that cells on the CPU are granted.
func threadCounts(plan harness.Plan) []int {
	var counts []int
	for _, c := range plan.Cells {
		if c.Settings.Device == workloads.DeviceCPU {
			counts = append(counts, c.Settings.Threads)
		}
	}
	return counts
}

func threadsOf(plan harness.Plan) int {
	most := 1
	for _, c := range plan.Cells {
		most = max(most, c.Settings.Threads)
	}
	return most
}
