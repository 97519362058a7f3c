package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dlbench/dlbench/harness"
)

func newPlan() *cobra.Command {
	var f suiteFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "plan --suite NAME",
		Short: "Show what a suite would run, and what it takes at least",
		Long: `Show every cell of a suite with its work: steps per trial, model FLOPs per step,
and the bytes that parameters, gradients, optimizer state, activations and
batches take by count. A backend needs more than that: its runtime, workspaces
and allocator come on top, and only a run measures them.`,
		Example: "  dlbench plan --suite quick",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := f.plan()
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(forecasts(plan))
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "CELL\tSTEPS PER TRIAL\tGFLOP PER STEP\tCOUNTED MIB")
			for _, c := range forecasts(plan) {
				fmt.Fprintf(w, "%s\t%d to %d\t%.3f\t%.1f\n", c.Cell, c.StepsMin, c.StepsMax, float64(c.FLOPs)/1e9, float64(c.Bytes)/(1<<20))
			}
			if err := w.Flush(); err != nil {
				return err
			}
			s := plan.Suite
			n := len(plan.Cells)
			fmt.Fprintf(cmd.OutOrStdout(), "\n%d cells: %d check and memory trials, then %d to %d timed trials in %d to %d rounds\n", n, 2*n, n*s.Rounds.Min, n*s.Rounds.Max, s.Rounds.Min, s.Rounds.Max)
			longest := time.Duration(n*(2+s.Rounds.Max)) * s.Limits.Trial
			fmt.Fprintf(cmd.OutOrStdout(), "limits: %s per trial, so %s at the very most", s.Limits.Trial, longest)
			if s.Limits.Suite > 0 {
				fmt.Fprintf(cmd.OutOrStdout(), "; no round begins that would pass %s, once %d rounds are done", s.Limits.Suite, s.Rounds.Min)
			}
			fmt.Fprintln(cmd.OutOrStdout())
			meta, err := f.meta(plan, nil, time.Now())
			if err != nil {
				return err
			}
			for _, w := range foreseen(meta) {
				fmt.Fprintln(cmd.OutOrStdout(), "warning:", w)
			}
			return nil
		},
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

// forecast is what is known of a cell before it runs.
type forecast struct {
	Cell     string `json:"cell"`
	StepsMin int    `json:"steps_min"` // steady at once
	StepsMax int    `json:"steps_max"` // never steady
	FLOPs    int64  `json:"model_flops_per_step"`
	Bytes    int64  `json:"counted_bytes"`
}

func forecasts(plan harness.Plan) []forecast {
	var all []forecast
	for _, c := range plan.Cells {
		least := 1 + c.Steps.Check + c.Steps.Measured()
		all = append(all, forecast{
			Cell: c.Name.Name(), StepsMin: least, StepsMax: least + c.Steps.WarmupMax,
			FLOPs: c.Work.ModelFLOPs, Bytes: harness.CountedBytes(c),
		})
	}
	return all
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
