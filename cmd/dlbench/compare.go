package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dlbench/dlbench/report"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// compareFlags are what "compare" was asked for.
type compareFlags struct {
	report.ComparisonQuery
	minEffect, alpha string
	format, out      string
}

func newCompare() *cobra.Command {
	var f compareFlags
	cmd := &cobra.Command{
		Use:   "compare RUN [RUN…]",
		Short: "Compare any backends, settings or runs",
		Long: `Hold cells against each other, one per line: the medians of both sides with their
95 % intervals, the ratio head/base with the range that the evidence leaves open,
the verdict, and every doubt as a note. In one run each backend is held against
the run's baseline, round by round; of several runs the first is the base of all
others, cell by cell.

--base says what the base has instead, in any parts of cells' names (workload,
mode, precision, device, data, batch, accumulate, threads, checkpoint, allocator,
backend, run). The heads are the cells that differ from it in these keys alone.

--filter, --table, --row, --col and --ignore are the expressions of benchstat over
the same keys: "backend:(eager OR gomlx) -mode:infer", "batch@num",
"backend@(eager gorgonia)". The first value of --col is the base unless --base
names one. Cells of different programs are never compared, whatever their names.

Verdicts are those of "report" and "gate": all comparisons of a table share alpha.
Runs of different hosts are refused unless --across-hosts.

The exit code is 0 when anything was compared, whatever came out ("gate" judges),
3 when nothing could be, 2 for bad input.`,
		Example: `  dlbench compare results/runs/quick-…
  dlbench compare results/runs/quick-… --base backend=eager --filter mode:train
  dlbench compare results/runs/threads --base threads=1 --row workload,backend
  dlbench compare results/runs/before results/runs/after -o after.md
  dlbench compare results/runs/quick-… --col 'allocator@(default tuned)' --format csv`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("compare: expected the folder of at least one run")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Base, "base", "", "what the base has: `KEY=VALUE,…` (default the run's baseline; of several runs the first)")
	flags.StringVar(&f.Metric, "metric", "", "`NAME` of what is compared (default what the run is judged by)")
	flags.StringVar(&f.Filter, "filter", "", "compare only cells that match this `expression`")
	flags.StringVar(&f.Table, "table", "", "one table per value of these `keys`")
	flags.StringVar(&f.Row, "row", "", "order and label rows by these `keys`")
	flags.StringVar(&f.Col, "col", "", "compare across these `keys`")
	flags.StringVar(&f.Ignore, "ignore", "", "compare cells though they differ in these `keys`")
	flags.StringVar(&f.minEffect, "min-effect", "", "smaller relative changes are none, such as `0.02` or 2% (default the first run's)")
	flags.StringVar(&f.alpha, "alpha", "", "probability of any false verdict, such as `0.05` (default the first run's)")
	flags.BoolVar(&f.AcrossHosts, "across-hosts", false, "compare runs of different hosts all the same")
	flags.StringVar(&f.format, "format", "", "`text`, md, csv or json (default text, or by the ending of -o)")
	flags.StringVarP(&f.out, "output", "o", "", "`file` to write (.txt, .md, .csv, .json)")
	return cmd
}

// comparisonFormats are the formats by their names.
var comparisonFormats = map[string]func(io.Writer, report.Comparison, report.TextOptions) error{
	"text": report.CompareText,
	"md": func(w io.Writer, t report.Comparison, _ report.TextOptions) error {
		return report.CompareMarkdown(w, t)
	},
	"csv":  func(w io.Writer, t report.Comparison, _ report.TextOptions) error { return report.CompareCSV(w, t) },
	"json": func(w io.Writer, t report.Comparison, _ report.TextOptions) error { return report.CompareJSON(w, t) },
}

// comparisonEndings are the formats by the endings of files.
var comparisonEndings = map[string]string{".txt": "text", ".md": "md", ".csv": "csv", ".json": "json"}

func (f *compareFlags) run(cmd *cobra.Command, dirs []string) error {
	if err := f.check(); err != nil {
		return err
	}
	runs, err := f.read(dirs)
	if err != nil {
		return err
	}
	table, err := report.Compare(runs, f.ComparisonQuery)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	var page bytes.Buffer
	if err := comparisonFormats[f.format](&page, table, textOptions(out)); err != nil {
		return err
	}
	if f.out != "" {
		err = replaceFile(f.out, page.Bytes())
	} else {
		_, err = out.Write(page.Bytes())
	}
	if err != nil {
		return err
	}
	if !table.Compared() {
		return exitError{code: exitUndecided, err: errors.New("nothing was compared; the notes of the table say why")}
	}
	return nil
}

// check reads the flags that cobra cannot check, before any run is read.
func (f *compareFlags) check() (err error) {
	if f.minEffect != "" {
		v, err := share("--min-effect", f.minEffect)
		if err != nil {
			return err
		}
		f.MinEffect = &v
	}
	if f.alpha != "" {
		v, err := share("--alpha", f.alpha)
		if err == nil && (v <= 0 || v >= 1) {
			err = fmt.Errorf("--alpha %s: expected more than 0 and less than 1", f.alpha)
		}
		if err != nil {
			return err
		}
		f.Alpha = &v
	}
	if f.out != "" {
		ending := strings.ToLower(filepath.Ext(f.out))
		named := comparisonEndings[ending]
		if named == "" {
			return fmt.Errorf("%s: the ending %q says no format: expected .txt, .md, .csv or .json", f.out, ending)
		}
		if f.format == "" {
			f.format = named
		}
	}
	if f.format == "" {
		f.format = "text"
	}
	if comparisonFormats[f.format] == nil {
		return fmt.Errorf("--format %q: expected text, md, csv or json", f.format)
	}
	return nil
}

// share reads a part of 1, also in percent.
func share(flag, text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v >= 0) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%s %q: expected a part of 1 such as 0.02, or 2%%", flag, text)
	}
	return v, nil
}

// read reads the runs, and of the samples only what their metrics take.
func (f *compareFlags) read(dirs []string) ([]results.Run, error) {
	var runs []results.Run
	var folders []os.FileInfo
	for i, dir := range dirs {
		if info, err := os.Stat(dir); err == nil {
			for j, other := range folders {
				if os.SameFile(info, other) {
					return nil, fmt.Errorf("%s and %s are the same run: expected different ones; hint: one argument compares its backends", dirs[j], dirs[i])
				}
			}
			folders = append(folders, info)
		}
		run, err := results.ReadNamed(dir, f.metrics)
		if err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	return runs, nil
}

// metrics are those that a run may be compared by.
func (f *compareFlags) metrics(meta results.Meta) (list []results.Metric) {
	if m, ok := results.LookupMetric(f.Metric); ok {
		return append(list, m)
	}
	for mode := range meta.Policy.Metric {
		m, _ := compare.Primary(meta.Policy, mode)
		list = append(list, m)
	}
	return list
}
