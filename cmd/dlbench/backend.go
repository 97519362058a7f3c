package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dlbench/dlbench/backends/backendtest"
	"github.com/dlbench/dlbench/backends/catalog"
	"github.com/dlbench/dlbench/workloads"
)

func newBackend() *cobra.Command {
	cmd := &cobra.Command{Use: "backend", Short: "Work with backends"}
	var asJSON, verbose bool
	check := &cobra.Command{
		Use:   "check (NAME | -- CMD…)",
		Short: "Hold a worker to PROTOCOL.md and to the oracle",
		Long: `Start a worker many times and hold it to the compliance suite: handshake,
strictness, every op, loss and optimizer that it claims against the float64
oracle, reset, step numbering, clocks, and deliberate mistakes that its results
must reveal. The worker is an entry of the catalog, or any command after "--".

The exit code is 0 when every case passed and 4 when one failed.`,
		Example: `  dlbench backend check gorgonia
  dlbench backend check -- python3 backends/testdata/linear_worker.py`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			argv, err := workerCommand(args, cmd.ArgsLenAtDash() == 0)
			if err != nil {
				return err
			}
			return checkBackend(cmd, argv, asJSON, verbose)
		},
	}
	check.Flags().BoolVar(&asJSON, "json", false, "the whole report as JSON")
	check.Flags().BoolVarP(&verbose, "verbose", "v", false, "passed cases too, and the worker's standard error")
	cmd.AddCommand(check)
	return cmd
}

// workerCommand is the command to hold to the suite: the arguments themselves
// after a dash, else the command of the catalog's entry.
func workerCommand(args []string, dashed bool) ([]string, error) {
	if dashed {
		return args, nil
	}
	if len(args) != 1 {
		return nil, errors.New("one name of the catalog, or a command after --")
	}
	entry, err := catalog.Find(entries(), args[0])
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	argv := make([]string, len(entry.Argv))
	for i, a := range entry.Argv {
		argv[i] = strings.ReplaceAll(a, "{self}", self)
	}
	return argv, nil
}

func checkBackend(cmd *cobra.Command, argv []string, asJSON, verbose bool) error {
	cache, err := workloads.DefaultCache()
	if err != nil {
		return err
	}
	out, noise := cmd.OutOrStdout(), cmd.ErrOrStderr()
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
	if !verbose {
		noise = nil
	}
	if !asJSON {
		opts.Done = func(r backendtest.Result) {
			if r.Status != backendtest.Pass || verbose {
				fmt.Fprintf(out, "%-5s %s  %s\n", r.Status, r.Name, r.Reason)
			}
		}
	}
	report := backendtest.Run(cmd.Context(), backendtest.Command(argv, noise), opts)
	if asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		if err := enc.Encode(report); err != nil {
			return err
		}
	} else if err := report.WriteText(out); err != nil {
		return err
	}
	if cmd.Context().Err() != nil {
		return exitError{code: exitInterrupted, err: errors.New("interrupted")}
	}
	if !report.OK() {
		return exitError{code: exitTrialNotOK, err: fmt.Errorf("%d cases failed", report.Count(backendtest.Fail))}
	}
	return nil
}
