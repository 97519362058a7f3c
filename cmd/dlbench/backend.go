package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/backendtest"
	"github.com/dlbench/dlbench/backends/catalog"
	"github.com/dlbench/dlbench/backends/eager/oracle"
	"github.com/dlbench/dlbench/harness"
	"github.com/dlbench/dlbench/workloads"
)

func newBackend() *cobra.Command {
	cmd := &cobra.Command{Use: "backend", Short: "Work with backends"}
	var c backendCheck
	var envs []string
	check := &cobra.Command{
		Use:   "check (NAME | -- CMD…)",
		Short: "Hold a worker to PROTOCOL.md and to the oracle",
		Long: `Start a worker many times and hold it to the compliance suite: handshake,
strictness, every op, loss and optimizer that it claims against the float64
oracle, reset, step numbering, clocks, and deliberate mistakes that its results
must reveal. The worker is an entry of the catalog, or any command after "--".

Cases are named protocol/…, fork/…, program/NAME/PRECISION, state/…, learn/…, clock/…,
mutant/… and claim/…. Each has a worker of its own, which may take one minute;
after two that give no answer the suite stops. A worker that can fork loads its
framework once and is forked for each case, except for those about the ends of
processes; --fresh starts it anew for all. A mistake is made with every program
that the worker proved, which takes a compiling framework a quarter of an hour;
with --quick only until a program has revealed it, and precisions of fewer bits than
float32 are proven on as many programs as have every op in them.

An entry of the catalog gets the environment that a trial with one thread has; a
command gets that of this process, with the thread counts set to one.

The exit code is 0 when every case passed and 4 when one failed.`,
		Example: `  dlbench backend check gorgonia
  dlbench backend check -- python3 backends/testdata/linear_worker.py
  dlbench backend check --only 'program/conv2d*' -- node worker.js`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errWhichWorker
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := workerCommand(cmd.Context(), args, cmd.ArgsLenAtDash() == 0, envs)
			if err != nil {
				return err
			}
			return c.run(cmd, w)
		},
	}
	check.Flags().BoolVar(&c.asJSON, "json", false, "the whole report as JSON")
	check.Flags().BoolVarP(&c.verbose, "verbose", "v", false, "each case as it comes, and all of the worker's standard error")
	check.Flags().StringVar(&c.only, "only", "", "run the cases whose name contains `PATTERN`, or matches it if it has * ? or [")
	check.Flags().BoolVar(&c.fresh, "fresh", false, "start the worker for every case, though it can fork")
	check.Flags().BoolVar(&c.quick, "quick", false, "prove 16-bit precisions once per op, and be done with a deliberate mistake once one program has revealed it")
	check.Flags().StringVar(&c.capabilities, "capabilities", "", "also write what was proven into NAME.json in `FOLDER`")
	registerEnv(check, &envs)
	cmd.AddCommand(check)
	return cmd
}

var errWhichWorker = errors.New("which worker? Expected a NAME of the catalog (dlbench list backends), or -- CMD…")

// checked is the worker to hold to the suite.
type checked struct {
	argv, env []string
	forks     bool              // it says so, or has to be asked
	name      string            // in the catalog; "" of a command
	versions  map[string]string // of an entry of the catalog, as lists show them
}

// workerCommand is the arguments themselves after a dash, else what the
// catalog's entry says.
func workerCommand(ctx context.Context, args []string, dashed bool, envs []string) (checked, error) {
	if dashed {
		return checked{argv: args, forks: true}, nil
	}
	if len(args) != 1 {
		return checked{}, errWhichWorker
	}
	s, err := here(ctx, envs)
	if err != nil {
		return checked{}, err
	}
	s = s.with(args[0])
	entry, err := catalog.Find(s.entries(), args[0])
	if err != nil {
		return checked{}, err
	}
	w := checked{argv: entry.Argv, env: harness.Environment(entry, 1), forks: entry.Forks, name: entry.Info.Name, versions: s.versions(entry)}
	return w, s.ready([]backends.Entry{entry})
}

// backendCheck is what "backend check" was asked for.
type backendCheck struct {
	asJSON, verbose, fresh, quick bool
	only, capabilities            string
}

func (c backendCheck) run(cmd *cobra.Command, w checked) error {
	if c.capabilities != "" && (w.name == "" || c.only != "") {
		return errors.New("--capabilities is for a NAME of the catalog and the whole suite, without --only")
	}
	cache, err := workloads.DefaultCache()
	if err != nil {
		return err
	}
	known := goldens{cache: cache}
	opts := backendtest.Options{
		Cache:        cache,
		Timeout:      time.Minute,
		FirstFinding: c.quick,
		Golden: func(ctx context.Context, p workloads.Program, weights, batches, dialect string, steps int, precisions ...workloads.Precision) (workloads.Golden, error) {
			golden, err := known.find(ctx, p, weights, batches, dialect, steps, precisions...)
			if err != nil {
				return workloads.Golden{}, err
			}
			return *golden, nil
		},
		Correct: oracle.Correct,
	}
	if c.only != "" {
		if opts.Only, err = caseFilter(c.only); err != nil {
			return err
		}
	}
	var noise io.Writer
	if c.verbose {
		noise = cmd.ErrOrStderr()
	}
	out := cmd.OutOrStdout()
	clear := c.tellProgress(cmd, &opts)
	if w.forks && !c.fresh {
		forks := backendtest.NewForks(w.argv, noise, w.env...)
		defer forks.Close()
		// Whether a foreign worker forks, it is asked; the catalog's are held to it.
		if w.env != nil || canFork(cmd.Context(), forks, opts.Timeout) {
			opts.Forked = forks.Connect
		}
	}
	report := backendtest.Run(cmd.Context(), backendtest.Command(w.argv, noise, w.env...), opts)
	clear()
	if c.asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		err = enc.Encode(report)
	} else {
		err = report.WriteText(out)
	}
	if err == nil && c.capabilities != "" {
		err = writeCapabilities(c.capabilities, w.name, report, w.versions)
	}
	if err != nil {
		return err
	}
	failed := report.Count(backendtest.Fail)
	switch {
	case cmd.Context().Err() != nil:
		return exitError{code: exitInterrupted, err: errors.New("interrupted")}
	case len(report.Results) == 0:
		return fmt.Errorf("no case for this worker is called like --only %q: names look like protocol/order, program/dense/f32, state/reset, clock/honest, mutant/rate", c.only)
	case failed == 1:
		return exitError{code: exitTrialNotOK, err: errors.New("1 case failed")}
	case !report.OK():
		return exitError{code: exitTrialNotOK, err: fmt.Errorf("%d cases failed", failed)}
	}
	return nil
}

// canFork asks a worker for a fork, in place of which every other one must refuse
// it. What is wrong with one that does not answer the suite will tell.
func canFork(ctx context.Context, forks *backendtest.Forks, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	conn, err := forks.Connect(ctx)
	if err != nil {
		return false
	}
	conn.Kill()
	return true
}

// tellProgress shows how far the suite is: each case in verbose mode, a count
// that is rewritten in place on a terminal. The report comes after clear.
func (c backendCheck) tellProgress(cmd *cobra.Command, opts *backendtest.Options) (clear func()) {
	done, failed := 0, 0
	out, errs := cmd.OutOrStdout(), cmd.ErrOrStderr()
	switch {
	case c.verbose && !c.asJSON:
		opts.Done = func(r backendtest.Result) { fmt.Fprintf(out, "%-5s %s\n", r.Status, r.Name) }
	case isTerminal(errs):
		opts.Done = func(r backendtest.Result) {
			done++
			if r.Status == backendtest.Fail {
				failed++
			}
			fmt.Fprintf(errs, "\r\x1b[2K%d cases, %d failed  %s", done, failed, r.Name)
		}
		return func() { fmt.Fprint(errs, "\r\x1b[2K") }
	}
	return func() {}
}

// caseFilter matches names of cases: those that contain the pattern, or, if it
// has wildcards, those that path.Match takes, whole or up to one of their slashes.
func caseFilter(pattern string) (func(name string) bool, error) {
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, fmt.Errorf("--only %q: %w; expected a part of a name, or * ? [a-z]", pattern, err)
	}
	if !strings.ContainsAny(pattern, "*?[") {
		return func(name string) bool { return strings.Contains(name, pattern) }, nil
	}
	return func(name string) bool {
		for ; name != "."; name = path.Dir(name) {
			if ok, _ := path.Match(pattern, name); ok {
				return true
			}
		}
		return false
	}, nil
}
