package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/dlbench/dlbench/backends/eager/oracle"
	"github.com/dlbench/dlbench/workloads"
)

// newGolden is for maintainers: it makes the oracle's results that are
// committed under workloads/goldens.
func newGolden() *cobra.Command {
	var dir string
	var missing bool
	cmd := &cobra.Command{
		Use:   "golden [WORD…]",
		Short: "Compute the shipped oracle results anew",
		Long: `Compute the oracle's results of all shipped programs in float64, or of those whose
name (WORKLOAD/MODE/BATCH) contains one of the words, and write one file each. It takes
minutes; the largest program needs about 20 GiB. With --missing, what is committed
stays, and only the budgets and programs that it lacks are added.`,
		Example: "  dlbench golden\n  dlbench golden MnistMlp Tiny",
		Hidden:  true,
		RunE: func(cmd *cobra.Command, words []string) error {
			cache, err := workloads.DefaultCache()
			if err != nil {
				return err
			}
			cells, err := oracle.Shipped()
			if err != nil {
				return err
			}
			cells = oracle.Select(cells, words...)
			if len(cells) == 0 {
				return errors.New("no shipped program has a name with any of these words")
			}
			return oracle.WriteAll(cmd.Context(), dir, cache, cells, missing, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "workloads/goldens", "`folder` to write into")
	cmd.Flags().BoolVar(&missing, "missing", false, "add what is missing, and leave the rest as it is")
	return cmd
}
