package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager/oracle"
	"github.com/dlbench/dlbench/harness"
	"github.com/dlbench/dlbench/harness/forecast"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/workloads"
)

func newPlan() *cobra.Command {
	var f suiteFlags
	var asJSON, referenceOnly bool
	cmd := &cobra.Command{
		Use:   "plan --suite NAME",
		Short: "Show what a suite would run, how long and in how much memory",
		Long: `Show every cell of a suite with its work (steps per trial, model FLOPs per step,
bytes of its tensors by count) and what a timed trial of it will take: seconds,
and the peak of the worker's memory. Then what each backend takes, with a
process for each trial and with --share-process, and the whole run.

Each figure names what it rests on: "measured here" on earlier trials of that
cell on this host, which every run leaves in the cache; "reference" on trials on
another host that are shipped with dlbench, scaled to this one by the cells that
both know or else by a small kernel; "estimated" on other cells of the backend
and the work of this one; "unknown" where nothing is known, and then the totals
lack it.`,
		Example: `  dlbench plan --suite quick
  dlbench plan --suite articles --share-process`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := f.plan(cmd.Context())
			if err != nil {
				return err
			}
			p, err := foretell(plan, referenceOnly)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if asJSON {
				enc := json.NewEncoder(out)
				enc.SetIndent("", "  ")
				return enc.Encode(p)
			}
			meta, err := f.meta(plan, nil, time.Now())
			if err != nil {
				return err
			}
			if err := swaps(p.Forecast, available()); err != nil {
				p.Warnings = append(p.Warnings, "run will refuse this: "+err.Error())
			}
			p.Warnings = append(append(p.Warnings, unready(plan.Entries())...), foreseen(meta)...)
			return p.print(out, plan, f.share)
		},
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	cmd.Flags().BoolVar(&f.share, "share-process", false, "show the cells' trials as they are with a shared import")
	cmd.Flags().BoolVar(&referenceOnly, "reference", false, "leave out what was measured on this host")
	return cmd
}

// planned is what plan tells of a suite.
type planned struct {
	forecast.Forecast
	Disk     disk     `json:"disk"`
	Scale    float64  `json:"reference_scale"` // how much longer trials take here than on the reference host
	Oracles  []string `json:"oracles_to_compute,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// unready says which entries cannot run yet, once for all with the same reason.
func unready(entries []backends.Entry) []string {
	var reasons []string
	names := map[string][]string{}
	for _, e := range entries {
		if e.Need == nil {
			continue
		}
		if err := e.Need(); err != nil {
			why := err.Error()
			if names[why] == nil {
				reasons = append(reasons, why)
			}
			names[why] = append(names[why], e.Info.Name)
		}
	}
	for i, why := range reasons {
		reasons[i] = strings.Join(names[why], ", ") + ": " + why
	}
	return reasons
}

// disk is what the files of weights and batches take, in bytes.
type disk struct {
	Needed  int64 `json:"needed_bytes"`
	Missing int64 `json:"missing_bytes"` // still to be written
}

// foretell forecasts the plan; it runs nothing but a kernel of a few milliseconds.
func foretell(plan harness.Plan, referenceOnly bool) (planned, error) {
	cache, err := workloads.DefaultCache()
	if err != nil {
		return planned{}, err
	}
	src, warning := costSources(cache, plan, referenceOnly)
	p := planned{Forecast: forecast.Of(plan, src), Scale: src.Scale()}
	if warning != "" {
		p.Warnings = append(p.Warnings, warning)
	}
	seen := map[string]bool{}
	for _, c := range plan.Cells {
		files, err := cache.Files(c.Program)
		if err != nil {
			return planned{}, err
		}
		for _, file := range files {
			if seen[file.Path] {
				continue
			}
			seen[file.Path] = true
			p.Disk.Needed += file.Bytes
			if !file.There {
				p.Disk.Missing += file.Bytes
			}
		}
		dialect, steps := c.Proof()
		if _, have := (goldens{cache: cache}).have(c.Program, dialect, steps, c.Settings.Precision); !have {
			if name := oracle.Name(c.Program); !slices.Contains(p.Oracles, name) {
				p.Oracles = append(p.Oracles, name)
			}
		}
	}
	return p, nil
}

func (p planned) print(out io.Writer, plan harness.Plan, share bool) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CELL\tSTEPS PER TRIAL\tGFLOP PER STEP\tCOUNTED MIB\tSECONDS PER TRIAL\tPEAK MIB\tABOVE IMPORT\tRESTS ON")
	for _, c := range p.Cells {
		fmt.Fprintf(w, "%s\t%d to %d\t%.3f\t%.1f\t%s\t%s\t%s\t%s\n", c.Name, c.Steps[0], c.Steps[1], float64(c.FLOPs)/1e9, mib(c.Bytes),
			trialSeconds(c, share), mibOrDash(c.Peak), mibOrDash(c.Above), c.Rests)
	}
	fmt.Fprintln(w, "\nBACKEND\tCELLS\tIMPORT\tPEAK MIB\tPROCESS PER TRIAL\tSHARED IMPORT\tRESTS ON")
	for _, b := range p.Backends {
		fmt.Fprintf(w, "%s\t%d\t%.1f s\t%s\t%s\t%s\t%s\n", b.Name, b.Cells, b.Import, mibOrDash(b.Peak), span(b.Fresh), span(b.Shared), b.Rests)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	s := plan.Suite
	n := len(plan.Cells)
	for _, c := range p.Cells {
		if c.Ends != "" {
			n--
		}
	}
	fmt.Fprintf(out, "\n%d cells, %d of them with timed trials: %d check and %d memory trials, then %d to %d timed trials in %d to %d rounds\n",
		len(plan.Cells), n, len(plan.Cells), n*p.MemoryTrials, n*s.Rounds.Min, n*s.Rounds.Max, s.Rounds.Min, s.Rounds.Max)
	fmt.Fprintf(out, "time: %s with a process per trial, %s with --share-process\n", span(p.Fresh), span(p.Shared))
	fmt.Fprintf(out, "memory: %s MiB for the largest worker; the suite's limit is %.0f MiB\n", mibOrDash(p.Peak), mib(s.Limits.Memory))
	fmt.Fprintf(out, "disk: %.1f MiB of weights and batches, of which %.1f MiB are still to be written\n", mib(p.Disk.Needed), mib(p.Disk.Missing))
	p.printBasis(out)
	longest := time.Duration(n*(1+p.MemoryTrials+s.Rounds.Max)) * s.Limits.Trial
	fmt.Fprintf(out, "limits: %s per trial, so %s at the very most", s.Limits.Trial, longest)
	if s.Limits.Suite > 0 {
		fmt.Fprintf(out, "; no round begins that would pass %s, once %d rounds are done", s.Limits.Suite, s.Rounds.Min)
	}
	fmt.Fprintln(out)
	for _, w := range p.Warnings {
		fmt.Fprintln(out, "warning:", w)
	}
	return nil
}

// printBasis says what the figures rest on, and what they leave out.
func (p planned) printBasis(out io.Writer) {
	count := map[forecast.Basis]int{}
	for _, c := range p.Cells {
		count[c.Rests]++
	}
	fmt.Fprintf(out, "these rest on: %d cells measured here, %d on the reference (%s; trials here take %.2f times as long), %d estimated, %d unknown\n",
		count[forecast.Measured], count[forecast.Shipped], forecast.Reference().Host, p.Scale, count[forecast.Estimated], count[forecast.Unknown])
	if n := count[forecast.Unknown]; n > 0 {
		fmt.Fprintf(out, "not counted: the time and memory of the %d unknown cells\n", n)
	}
	if len(p.Oracles) > 0 {
		fmt.Fprintf(out, "not counted: the float64 oracle of %d programs that is not shipped; the first run computes it once, which may take minutes: %v\n", len(p.Oracles), p.Oracles)
	}
}

// trialSeconds is what a timed trial takes, or why there will be none.
func trialSeconds(c forecast.Cell, share bool) string {
	form := forecast.Time
	if share && c.Shares {
		form = forecast.TimeShared
	}
	seconds, ok := c.Seconds[form]
	switch {
	case c.Ends == results.EndWrong:
		return "none: other work"
	case c.Ends != "":
		return "none: " + c.Ends
	case !ok:
		return "-"
	}
	return fmt.Sprintf("%.2f", seconds)
}

func span(s forecast.Span) string {
	if s.Max == 0 {
		return "-"
	}
	least, most := seconds(s.Min), seconds(s.Max)
	if least == most {
		return least.String()
	}
	return least.String() + " to " + most.String()
}

// seconds is a duration as exact as a forecast can be.
func seconds(s float64) time.Duration {
	d := time.Duration(s * float64(time.Second))
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func mibOrDash(bytes int64) string {
	if bytes == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", mib(bytes))
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
