package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/dlbench/dlbench/results"
)

// write prints the machine, the demands, and every backend's medians.
func write(out io.Writer, run results.Run, rows []row) {
	h := run.Meta.Host
	fmt.Fprintf(out, "%s, %d cores, %s %s, %s; run of %s\n", h.CPU, h.Cores, h.OS, h.Kernel, h.Go, run.Meta.Started)
	fmt.Fprintln(out, "A ratio is the engine's figure over that of the fastest or leanest in the same round, and the median of the rounds: not the quotient of the medians beside it. Intervals hold it with 95 % or more.")
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nDEMAND\tCELL\tEAGER\tAGAINST\tTHEIRS\tRATIO\tINTERVAL\tROUNDS\tLIMIT\tVERDICT")
	for _, r := range rows {
		figure := milliseconds
		if r.what == "peak memory" {
			figure = mebibytes
		}
		if r.why != "" {
			fmt.Fprintf(t, "%s\t%s\t-\t-\t-\t-\t-\t-\t%.2g\tMISSED: %s\n", r.what, name(r.cell), r.limit, r.why)
			continue
		}
		interval, rounds := "-", "-"
		if r.ratio.share > 0 {
			interval = fmt.Sprintf("%.2f-%.2f", r.ratio.low, r.ratio.high)
		}
		if r.ratio.rounds > 0 {
			rounds = fmt.Sprint(r.ratio.rounds)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%.2f\t%s\t%s\t%.2g\t%s\n", r.what, name(r.cell), figure(r.own), r.rival, figure(r.theirs),
			r.ratio.value, interval, rounds, r.limit, verdict(r))
	}
	t.Flush()
	writeMedians(out, run)
	writeFailures(out, run)
}

func verdict(r row) string {
	if r.exempt != "" {
		return "not judged: " + r.exempt
	}
	word := "held"
	if !r.held() {
		word = "MISSED"
	}
	if r.open() {
		word += ", the interval holds the limit"
	}
	return word
}

// writeMedians prints a line per point and a column per backend: the median step
// time and the peak above import.
func writeMedians(out io.Writer, run results.Run) {
	times, peaks := figures(run)
	var backends []string
	var groups []results.Cell
	for _, c := range run.Meta.Cells {
		if !slices.Contains(backends, c.Backend) {
			backends = append(backends, c.Backend)
		}
		if !slices.Contains(groups, c.Group()) {
			groups = append(groups, c.Group())
		}
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\nMEDIAN STEP, PEAK ABOVE IMPORT\t%s\n", strings.Join(backends, "\t"))
	for _, g := range groups {
		fmt.Fprintf(t, "%s %s %s", g.Mode, g.Precision, name(g))
		for _, b := range backends {
			c := g
			c.Backend = b
			word := "-"
			if len(times[c]) > 0 {
				word = milliseconds(times[c].median())
				if v, ok := peaks[c]; ok {
					word += ", " + mebibytes(v)
				}
			}
			fmt.Fprintf(t, "\t%s", word)
		}
		fmt.Fprintln(t)
	}
	t.Flush()
}

// writeFailures lists trials that ended neither ok nor unsupported.
func writeFailures(out io.Writer, run results.Run) {
	for _, r := range run.Records {
		if r.End != results.EndOK && r.End != results.EndUnsupported {
			fmt.Fprintf(out, "%s: %s trial ended %s: %s\n", r.Cell.Name(), r.Kind, r.End, r.Reason)
		}
	}
}

func milliseconds(sec float64) string { return fmt.Sprintf("%.4g ms", 1e3*sec) }
func mebibytes(b float64) string      { return fmt.Sprintf("%.0f MiB", b/(1<<20)) }
