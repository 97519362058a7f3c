package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dlbench/dlbench/results"
)

func newExport() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "export RUN",
		Short: "Write a run in a format of other tools",
		Long: `Write the valid timed trials of a run to standard output, as Go benchmark format
(for benchstat and other tools that read it) or as CSV with one line per trial.`,
		Example: `  dlbench export --format bench results/runs/quick-… > run.txt
  benchstat -col /backend run.txt
  dlbench export --format csv results/runs/quick-… > run.csv`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := readRun(cmd, args[0])
			if err != nil {
				return err
			}
			switch format {
			case "bench":
				return results.ExportBench(cmd.OutOrStdout(), run)
			case "csv":
				return results.ExportCSV(cmd.OutOrStdout(), run)
			}
			return fmt.Errorf("--format %q: expected bench or csv", format)
		},
	}
	cmd.Flags().StringVar(&format, "format", "bench", "bench or csv")
	return cmd
}

// readRun reads a run's folder and passes its warnings on.
func readRun(cmd *cobra.Command, dir string) (results.Run, error) {
	run, err := results.Read(dir)
	if err != nil {
		return results.Run{}, err
	}
	for _, w := range run.Warnings {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
	}
	return run, nil
}
