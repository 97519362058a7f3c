package main

import (
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"

	"github.com/spf13/cobra"

	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/harness/host"
	"github.com/dlbench/dlbench/harness/peak"
	"github.com/dlbench/dlbench/workloads"
)

func newDoctor() *cobra.Command {
	var peaks bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say whether this host is fit to measure",
		Long: `Look at what makes measurements on this host less sure or impossible: governor,
load, steal, swap, limits, what of the memory figures can be read, free disk.
It also names the kernels that the backend eager runs on with this processor.
With --peaks it also measures, in about half a second, what one CPU and all that
this process may use reach at best: multiply-adds on registers, and a triad on
arrays beyond the caches. Every run measures them for its own threads.
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
			if err := kernel.CheckForced(); err != nil {
				return err
			}
			kernels := kernel.Kernels()
			fmt.Fprint(w, "eager's kernels:")
			for i, k := range slices.Sorted(maps.Keys(kernels)) {
				fmt.Fprintf(w, "%s %s %s", map[bool]string{true: ","}[i > 0], k, kernels[k])
			}
			fmt.Fprintln(w)
			if peaks {
				if err := printPeaks(w); err != nil {
					return err
				}
			}
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
	cmd.Flags().BoolVar(&peaks, "peaks", false, "also measure FLOP/s and memory bandwidth of the CPUs")
	return cmd
}

func printPeaks(w io.Writer) error {
	mask, err := host.Granted(1)
	if err != nil {
		return err
	}
	if all, err := host.Granted(runtime.NumCPU()); err == nil {
		mask = all
	}
	for _, p := range peak.Measure(mask, []int{1, len(mask)}) {
		fmt.Fprintf(w, "peak  %d threads, %s: %.0f GFLOP/s (%s), %.1f GB/s\n", p.Threads, p.Precision, p.FLOPPerSecond/1e9, p.Kernel, p.BytesPerSecond/1e9)
	}
	return nil
}
