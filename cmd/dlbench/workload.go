package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/dlbench/dlbench/workloads"
)

func newWorkload() *cobra.Command {
	cmd := &cobra.Command{Use: "workload", Short: "Work with workload files"}
	cmd.AddCommand(&cobra.Command{
		Use:   "check FILE",
		Short: "Check a workload file and show what it resolves to",
		Long: `Read a workload file strictly, resolve it, and print its ops with shapes,
parameters, forward FLOPs and activations of one example. The exit code is 2
with one line that names file, line and column if it is not valid.`,
		Example: "  dlbench workload check mine.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			spec, err := workloads.LoadFile(args[0])
			if err != nil {
				return err
			}
			p, err := spec.Resolve(workloads.DefaultSettings())
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintf(w, "%s\t%s\t%v\n", spec.Workload, spec.Input.Kind, spec.Input.Shape)
			fmt.Fprintln(w, "OP\tNAME\tSHAPE\tPARAMETERS\tFLOPS\tACTIVATIONS")
			var params, flops, activations int64
			for _, l := range p.Layers() {
				fmt.Fprintf(w, "%s\t%s\t%v\t%d\t%d\t%d\n", l.Op, l.Name, l.Shape, l.Params, l.FLOPs, l.Activations)
				params, flops, activations = params+l.Params, flops+l.FLOPs, activations+l.Activations
			}
			fmt.Fprintf(w, "total\t\t\t%d\t%d\t%d\n", params, flops, activations)
			return w.Flush()
		},
	})
	return cmd
}
