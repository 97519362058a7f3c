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
	"github.com/dlbench/dlbench/workloads"
)

func newBackend() *cobra.Command {
	cmd := &cobra.Command{Use: "backend", Short: "Work with backends"}
	var c backendCheck
	check := &cobra.Command{
		Use:   "check (NAME | -- CMD…)",
		Short: "Hold a worker to PROTOCOL.md and to the oracle",
		Long: `Start a worker many times and hold it to the compliance suite: handshake,
strictness, every op, loss and optimizer that it claims against the float64
oracle, reset, step numbering, clocks, and deliberate mistakes that its results
must reveal. The worker is an entry of the catalog, or any command after "--".

Cases are named protocol/…, program/NAME/PRECISION, state/…, clock/…, mutant/…
and claim/…. Each has a worker of its own, which may take one minute; after two
that give no answer the suite stops.

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
			argv, env, err := workerCommand(args, cmd.ArgsLenAtDash() == 0)
			if err != nil {
				return err
			}
			return c.run(cmd, argv, env)
		},
	}
	check.Flags().BoolVar(&c.asJSON, "json", false, "the whole report as JSON")
	check.Flags().BoolVarP(&c.verbose, "verbose", "v", false, "each case as it comes, and all of the worker's standard error")
	check.Flags().StringVar(&c.only, "only", "", "run the cases whose name contains `PATTERN`, or matches it if it has * ? or [")
	cmd.AddCommand(check)
	return cmd
}

var errWhichWorker = errors.New("which worker? Expected a NAME of the catalog (dlbench list backends), or -- CMD…")

// workerCommand is the command to hold to the suite, and what its environment
// has besides ours: the arguments themselves after a dash, else what the
// catalog's entry says.
func workerCommand(args []string, dashed bool) (argv, env []string, err error) {
	if dashed {
		return args, nil, nil
	}
	if len(args) != 1 {
		return nil, nil, errWhichWorker
	}
	entry, err := catalog.Find(entries(), args[0])
	if err != nil {
		return nil, nil, err
	}
	return entry.Argv, entry.Env, ready([]backends.Entry{entry})
}

// backendCheck is what "backend check" was asked for.
type backendCheck struct {
	asJSON, verbose bool
	only            string
}

func (c backendCheck) run(cmd *cobra.Command, argv, env []string) error {
	cache, err := workloads.DefaultCache()
	if err != nil {
		return err
	}
	known := goldens{cache: cache}
	opts := backendtest.Options{
		Cache:   cache,
		Timeout: time.Minute,
		Golden: func(ctx context.Context, p workloads.Program, weights, batches, dialect string, steps int) (workloads.Golden, error) {
			golden, err := known.find(ctx, p, weights, batches, dialect, steps)
			if err != nil {
				return workloads.Golden{}, err
			}
			return *golden, nil
		},
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
	report := backendtest.Run(cmd.Context(), backendtest.Command(argv, noise, env...), opts)
	clear()
	if c.asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		err = enc.Encode(report)
	} else {
		err = report.WriteText(out)
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
