package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dlbench/dlbench/harness/host"
	"github.com/dlbench/dlbench/workloads"
)

func newDoctor() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Say whether this host is fit to measure",
		Long: `Look at what makes measurements on this host less sure or impossible: governor,
load, steal, swap, limits, what of the memory figures can be read, free disk.
The exit code is 2 if something makes measuring impossible.`,
		Example: "  dlbench doctor",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cache, err := workloads.DefaultCache()
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			mask, err := host.Granted(1)
			if err != nil {
				return err
			}
			h := host.Fingerprint(mask)
			fmt.Fprintf(w, "%s, %d cores, %.1f GiB, %s %s, %s\n", h.CPU, h.Cores, float64(h.MemBytes)/(1<<30), h.OS, h.Kernel, h.Go)
			fmt.Fprintf(w, "CPU features: %v\n", h.Flags)
			bad := 0
			for _, f := range host.Doctor(cache.Dir) {
				fmt.Fprintf(w, "%-5s %s\n", f.Level, f.What)
				if f.Hint != "" {
					fmt.Fprintf(w, "      hint: %s\n", f.Hint)
				}
				if f.Level == host.Bad {
					bad++
				}
			}
			if bad > 0 {
				return fmt.Errorf("this host cannot measure: %d findings are bad", bad)
			}
			return nil
		},
	}
}
