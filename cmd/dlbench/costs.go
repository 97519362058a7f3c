package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/dlbench/dlbench/harness"
	"github.com/dlbench/dlbench/harness/forecast"
	"github.com/dlbench/dlbench/harness/host"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/workloads"
)

// costSources is what forecasts rest on. The warning says why the costs that
// this host's runs left in the cache cannot be used, if so.
func costSources(cache workloads.Cache, plan harness.Plan, referenceOnly bool) (src forecast.Sources, warning string) {
	src.Reference = forecast.Reference()
	mask, err := host.Granted(threadsOf(plan))
	if err != nil {
		mask = nil // the run will say so
	}
	src.Canary = fastestCanary(mask)
	if referenceOnly {
		return src, ""
	}
	src.Here, err = forecast.Read(forecast.Path(cache.Dir), forecast.HostName(host.Fingerprint(mask)))
	if err != nil {
		warning = "what earlier runs took here is left out: " + err.Error()
	}
	return src, warning
}

// fastestCanary is how fast this host is when nothing disturbs it, in seconds.
func fastestCanary(mask []int) float64 {
	fastest := host.Canary(mask)
	for range 20 {
		fastest = min(fastest, host.Canary(mask))
	}
	return fastest.Seconds()
}

// learn keeps what the trials of a run took, for later forecasts. A run is as
// good without, so failing to is a warning.
func learn(run results.Run) error {
	cache, err := workloads.DefaultCache()
	if err != nil {
		return err
	}
	return forecast.Add(forecast.Path(cache.Dir), forecast.Learn(run))
}

// newCosts is for maintainers: it makes the reference that is shipped.
func newCosts() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:     "costs RUN…",
		Short:   "Make the shipped reference of what trials take",
		Long:    `Learn from runs of one host what their trials took, and write it to a file.`,
		Example: "  dlbench costs results/runs/articles-small -o harness/forecast/reference.json",
		Args:    cobra.MinimumNArgs(1),
		Hidden:  true,
		RunE: func(_ *cobra.Command, dirs []string) error {
			var known forecast.Known
			for _, dir := range dirs {
				run, err := results.Read(dir)
				if err != nil {
					return err
				}
				learned := forecast.Learn(run)
				if known.Host != "" && known.Host != learned.Host {
					return fmt.Errorf("%s: a run of %s: expected %s, as the runs before it", dir, learned.Host, known.Host)
				}
				known = known.Merge(learned)
			}
			return forecast.WriteReference(out, known)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "harness/forecast/reference.json", "the `file` to write")
	return cmd
}

// newPlanAccuracy is for maintainers: it holds a forecast to the run that followed.
func newPlanAccuracy() *cobra.Command {
	return &cobra.Command{
		Use:     "plan-accuracy PLAN RUN",
		Short:   "Hold what plan --json said to the run that followed",
		Example: "  dlbench plan-accuracy plan.json results/runs/quick",
		Args:    cobra.ExactArgs(2),
		Hidden:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			var p planned
			if err := json.Unmarshal(text, &p); err != nil {
				return fmt.Errorf("%s: not what plan --json writes: %w", args[0], err)
			}
			run, err := results.Read(args[1])
			if err != nil {
				return err
			}
			rows, err := p.Against(run)
			if err != nil {
				return err
			}
			return printAccuracy(cmd.OutOrStdout(), rows)
		},
	}
}

// printAccuracy fails if a forecast is off by more than its tolerance.
func printAccuracy(out io.Writer, rows []forecast.Compared) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WHAT\tFORECAST\tCAME\tOFF")
	right := true
	for _, r := range rows {
		foretold := fmt.Sprintf("%.1f", r.Forecast.Min)
		if r.Forecast.Max != r.Forecast.Min {
			foretold += fmt.Sprintf(" to %.1f", r.Forecast.Max)
		}
		fmt.Fprintf(w, "%s\t%s %s\t%.1f %s\t%+.0f %%\n", r.What, foretold, r.Unit, r.Came, r.Unit, 100*r.Off())
		right = right && r.Right()
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if !right {
		return errors.New("a forecast is off by more than a third")
	}
	return nil
}
