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
	cmd := &cobra.Command{
		Use:   "report RUN",
		Short: "Write the report of a run",
		Long: `Write the report of a run: a self-contained HTML page, Markdown or text; or its
rows for other programs, one per cell, as CSV or JSON. The format follows the
ending of -o (.html, .md, .txt, .csv, .json); without -o the tables are printed.
The same run gives the same bytes.`,
		Example: `  dlbench report results/runs/quick-…
  dlbench report results/runs/quick-… -o report.html
  dlbench report results/runs/quick-… -o report.md`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := readRun(cmd, args[0])
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
	return cmd
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
