package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dlbench/dlbench/report"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare/history"
)

func newHistory() *cobra.Command {
	var cell, metric, labels, format, out string
	var alpha float64
	cmd := &cobra.Command{
		Use:   "history DIR",
		Short: "Show how cells changed from run to run",
		Long: `Read all runs in a folder and below, and show for each of their cells the median
of every run, and where it changed: change points by E-divisive with permutation
tests, on the medians. What must not be compared is a series of its own, and it
is said: other hosts, other programs, shared imports.

The runs are in the order of their dates, or with --label-from in that of their
labels (dlbench run --label): the file holds one label per line, oldest first,
such as git rev-list --reverse prints; commit ids may be shortened on either
side. A run whose label is not in it is left out, with a warning.

The format follows --format, or the ending of -o (.html, .md, .csv, .json, .txt).
The same runs give the same bytes.`,
		Example: `  dlbench history results/runs
  dlbench history results/runs --cell 'MnistCnn.*backend=eager' -o history.html
  git rev-list --reverse HEAD | dlbench history results/runs --label-from - --format csv`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("history: %d folders: expected the one that holds the runs, here or below", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := historyOptions(cmd, cell, metric, labels, alpha)
			if err != nil {
				return err
			}
			write, err := historyWriter(cmd, format, out)
			if err != nil {
				return err
			}
			h, err := readHistory(cmd, args[0], o)
			if err != nil {
				return err
			}
			return write(h)
		},
	}
	cmd.Flags().StringVar(&cell, "cell", "", "only cells whose name matches the regular expression `PATTERN`")
	cmd.Flags().StringVar(&metric, "metric", "", "the metric `NAME` (default: the one by which a run judges the cell)")
	cmd.Flags().StringVar(&labels, "label-from", "", "order the runs by the labels in a `FILE`, one per line; - reads standard input")
	cmd.Flags().Float64Var(&alpha, "alpha", 0.05, "probability of finding any change where nothing changed, over all series")
	cmd.Flags().StringVar(&format, "format", "", "text, md, csv or json (default text)")
	cmd.Flags().StringVarP(&out, "output", "o", "", "`file` to write (.html, .md, .csv, .json, .txt)")
	return cmd
}

func historyOptions(cmd *cobra.Command, cell, metric, labels string, alpha float64) (history.Options, error) {
	o := history.Options{Metric: metric, Alpha: alpha}
	if !(alpha > 0 && alpha < 1) {
		return o, fmt.Errorf("--alpha %g: expected more than 0 and less than 1", alpha)
	}
	if cell != "" {
		pattern, err := regexp.Compile(cell)
		if err != nil {
			return o, fmt.Errorf("--cell: %w; hint: a regular expression such as 'MnistCnn.*backend=eager'", err)
		}
		o.Cell = pattern
	}
	if _, ok := results.LookupMetric(metric); metric != "" && !ok {
		var names []string
		for _, m := range results.Metrics {
			names = append(names, m.Name)
		}
		return o, fmt.Errorf("--metric %q: expected one of %s", metric, strings.Join(names, ", "))
	}
	if labels == "" {
		return o, nil
	}
	in := cmd.InOrStdin()
	if labels != "-" {
		f, err := os.Open(labels)
		if err != nil {
			return o, fmt.Errorf("--label-from: %w", err)
		}
		defer f.Close()
		in = f
	}
	var err error
	if o.Labels, err = readLabels(in); err != nil {
		return o, fmt.Errorf("--label-from %s: %w", labels, err)
	}
	return o, nil
}

// readLabels reads one label per line; blank lines are passed over.
func readLabels(in io.Reader) ([]string, error) {
	var labels []string
	at := map[string]int{}
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		label := strings.TrimSpace(lines.Text())
		if label == "" {
			continue
		}
		if before := at[label]; before != 0 {
			return nil, fmt.Errorf("line %d: label %q is in line %d already", n, label, before)
		}
		at[label] = n
		labels = append(labels, label)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(labels) == 0 {
		return nil, fmt.Errorf("no label; expected one per line, oldest first")
	}
	return labels, nil
}

// readHistory reads all runs below a folder. One that cannot be read is a warning.
func readHistory(cmd *cobra.Command, dir string, o history.Options) (history.History, error) {
	dirs, err := results.Find(dir)
	if err != nil {
		return history.History{}, err
	}
	if len(dirs) == 0 {
		return history.History{}, fmt.Errorf("%s: no run here or below", dir)
	}
	var metrics []results.Metric
	for _, m := range results.Metrics {
		if m.Name == o.Metric || o.Metric == "" && m.Percentile > 0 {
			metrics = append(metrics, m)
		}
	}
	r := history.NewReader(o)
	for _, d := range dirs {
		if err := cmd.Context().Err(); err != nil {
			return history.History{}, exitError{code: exitInterrupted, err: fmt.Errorf("interrupted")}
		}
		name, err := filepath.Rel(dir, d)
		if err != nil || name == "." {
			name = filepath.Base(d)
		}
		run, err := results.ReadFor(d, metrics...)
		if err != nil {
			r.Skip(name, err)
			continue
		}
		r.Add(name, run)
	}
	h := r.History()
	if len(h.Series) == 0 {
		for _, w := range h.Warnings {
			fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
		}
		noun := "runs"
		if len(dirs) == 1 {
			noun = "run"
		}
		return h, fmt.Errorf("%s: no cell to show in %d %s; hint: --cell is matched against names such as MnistCnn/mode=train/precision=f32/batch=32/backend=eager", dir, len(dirs), noun)
	}
	return h, nil
}

// historyWriter is what writes a history in the format that was asked for.
func historyWriter(cmd *cobra.Command, format, out string) (func(history.History) error, error) {
	writers := map[string]func(io.Writer, history.History) error{
		"html": report.HistoryHTML, "md": report.HistoryMarkdown, "csv": report.HistoryCSV, "json": report.HistoryJSON,
		"text": func(w io.Writer, h history.History) error { return report.HistoryText(w, h, textOptions(w)) },
	}
	if out != "" && format == "" {
		endings := map[string]string{".html": "html", ".htm": "html", ".md": "md", ".csv": "csv", ".json": "json", ".txt": "text"}
		ext := strings.ToLower(filepath.Ext(out))
		if format = endings[ext]; format == "" {
			return nil, fmt.Errorf("%s: the ending %q says no format: expected .html, .md, .csv, .json or .txt", out, ext)
		}
	}
	if format == "" {
		format = "text"
	}
	write, ok := writers[format]
	if !ok {
		return nil, fmt.Errorf("--format %q: expected text, md, csv or json, or a page with -o FILE.html", format)
	}
	return func(h history.History) error {
		if out == "" {
			return write(cmd.OutOrStdout(), h)
		}
		var page bytes.Buffer
		if err := write(&page, h); err != nil {
			return err
		}
		return replaceFile(out, page.Bytes())
	}, nil
}
