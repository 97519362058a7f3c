package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dlbench/dlbench/report"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

func newReport() *cobra.Command {
	var out string
	var acrossHosts bool
	cmd := &cobra.Command{
		Use:   "report RUN…",
		Short: "Write the report of a run, or of several",
		Long: `Write the report of a run: a self-contained HTML page, Markdown or text; or its
rows for other programs, one per cell, as CSV or JSON. The format follows the
ending of -o (.html, .md, .txt, .csv, .json); without -o the tables are printed.
The same run gives the same bytes. RUN is a run's folder, or a page that was made
of one.

Several runs stand on one page, in the order in which they are named, each judged
by its own policy; no verdict is about cells of two runs. Runs that measured the
same cell are refused (dlbench compare holds them against each other), and runs of
different hosts unless --across-hosts.`,
		Example: `  dlbench report results/runs/quick-…
  dlbench report results/runs/quick-… -o report.html
  dlbench report results/runs/models-… results/runs/threads-… -o report.html`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("report: no run: expected the folder of one, or of several")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := readRuns(cmd, args, acrossHosts)
			if err != nil {
				return err
			}
			analysis := compare.Analyze(run)
			if out == "" {
				w := cmd.OutOrStdout()
				return report.Text(w, run, analysis, textOptions(w))
			}
			return writeReport(out, run, analysis)
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "`file` to write (.html, .md, .txt, .csv, .json)")
	cmd.Flags().BoolVar(&acrossHosts, "across-hosts", false, "show runs of different hosts on one page all the same")
	return cmd
}

// readRuns reads runs from folders or pages, and makes one of several.
func readRuns(cmd *cobra.Command, args []string, acrossHosts bool) (results.Run, error) {
	var runs []results.Run
	for _, arg := range args {
		more, err := readRunOrPage(cmd, arg)
		if err != nil {
			return results.Run{}, err
		}
		for _, run := range more {
			if len(runs) > 0 && !acrossHosts {
				if diff := runs[0].Meta.Host.Diff(run.Meta.Host); len(diff) > 0 {
					return results.Run{}, fmt.Errorf("%s and %s were measured on different hosts: %s; hint: a report of each, or --across-hosts", args[0], arg, strings.Join(diff, "; "))
				}
			}
			runs = append(runs, run)
		}
	}
	return results.Merge(runs)
}

// readRunOrPage reads a run's folder, or the runs that a page holds.
func readRunOrPage(cmd *cobra.Command, path string) ([]results.Run, error) {
	if ext := strings.ToLower(filepath.Ext(path)); ext == ".html" || ext == ".htm" {
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			f, err := results.OpenFile(path)
			if err != nil {
				return nil, err
			}
			defer f.Close()
			e, err := report.ReadEmbedded(f)
			if err == nil && len(e.Left) > 0 {
				err = fmt.Errorf("the page was too large to hold all records; hint: name the run's folder")
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			return e.Runs, nil
		}
	}
	run, err := readRun(cmd, path)
	return []results.Run{run}, err
}

// writeReport renders in memory first, so that an error leaves no half page
// and an older page stays as it was.
func writeReport(path string, run results.Run, a compare.Analysis) error {
	var page bytes.Buffer
	var err error
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".html", ".htm":
		err = report.HTML(&page, run, a)
	case ".md":
		err = report.Markdown(&page, run, a)
	case ".txt":
		err = report.Text(&page, run, a, report.TextOptions{})
	case ".csv":
		err = report.CSV(&page, run, a)
	case ".json":
		err = report.JSON(&page, run, a)
	default:
		return fmt.Errorf("%s: the ending %q says no format: expected .html, .md, .txt, .csv or .json", path, ext)
	}
	if err != nil {
		return err
	}
	return replaceFile(path, page.Bytes())
}

// replaceFile writes a file whole or not at all.
func replaceFile(path string, content []byte) error {
	temporary := path + ".partial"
	if err := os.WriteFile(temporary, content, 0o644); err != nil {
		_ = os.Remove(temporary)
		return err
	}
	return os.Rename(temporary, path)
}
