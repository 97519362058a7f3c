package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/catalog"
)

// newWorker is what the harness starts: this binary as the worker of one
// embedded backend. People have no use for it, so it is hidden.
func newWorker() *cobra.Command {
	return &cobra.Command{
		Use:    "worker NAME",
		Short:  "Serve one embedded backend on stdin and stdout",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if fault, ok := strings.CutPrefix(args[0], "fake:"); ok {
				return serveFake(fault)
			}
			if request, ok := strings.CutPrefix(args[0], peaksPrefix); ok {
				return servePeaks(cmd.OutOrStdout(), request)
			}
			entry, err := catalog.Find(catalog.Entries(), args[0])
			if err != nil {
				return err
			}
			if entry.New == nil {
				return fmt.Errorf("backend %q is a program of its own, not part of this binary", args[0])
			}
			return backends.Main(entry.Info, entry.New())
		},
	}
}
