package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/dlbench/dlbench/report"
	"github.com/dlbench/dlbench/report/verify"
	"github.com/dlbench/dlbench/results"
)

func newVerify() *cobra.Command {
	return &cobra.Command{
		Use:   "verify REPORT.html…",
		Short: "Check a report's page against the records in it",
		Long: `Judge the records that stand in a report's page again, write the page again, and
compare the two: every cell of every table, every verdict, all other text in both
languages, the data of the charts, figures, scripts, style and policy. It says
where they differ, and what each says.

It shows that a page says what its records say, not that the records were measured:
who can write a page can write records.

A page that another version of dlbench wrote cannot be verified: of it, only the
verdicts in tables that both versions have are compared. Verify it with that
version, or write it again from its records with dlbench report.

The exit code is 0 when all pages agree, 1 when one does not, and 2 when one cannot
be verified: no report of this dlbench, damaged, or too large to hold its records.`,
		Example: `  dlbench verify report.html`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("verify: no page: expected report.html")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			out, code := cmd.OutOrStdout(), exitOK
			for _, path := range args {
				r, err := verifyFile(path)
				switch {
				case err != nil:
					fmt.Fprintf(cmd.ErrOrStderr(), "error: %s: %v\n", path, err)
					if code == exitOK {
						code = exitBadInput
					}
				case len(r.Differences) > 0:
					code = exitDiffers
					tell(out, path, r)
				case r.OtherForm():
					fmt.Fprintf(cmd.ErrOrStderr(), "error: %s was %s: %d of %d verdicts could be compared and agree; hint: verify it with that version, or write it again with dlbench report %s -o report.html\n",
						path, otherForm(r), r.Verdicts, r.AllVerdicts, path)
					if code == exitOK {
						code = exitBadInput
					}
				default:
					tell(out, path, r)
				}
			}
			if code != exitOK {
				return exitError{code: code}
			}
			return nil
		},
	}
}

// maxPage is larger than any page that dlbench writes.
const maxPage = 256 << 20

func verifyFile(path string) (verify.Result, error) {
	f, err := results.OpenFile(path)
	if err != nil {
		return verify.Result{}, err
	}
	defer f.Close()
	page, err := io.ReadAll(io.LimitReader(f, maxPage+1))
	if err != nil {
		return verify.Result{}, err
	}
	return verify.Page(page)
}

func tell(out io.Writer, path string, r verify.Result) {
	for _, d := range r.Differences {
		fmt.Fprintf(out, "%s: %s\n", path, d)
	}
	if r.OtherForm() {
		fmt.Fprintf(out, "%s: DIFFERS: %d of the %d verdicts that could be compared, of %d; it was %s\n", path, len(r.Differences), r.Verdicts, r.AllVerdicts, otherForm(r))
		return
	}
	compared := fmt.Sprintf("%s, %s, %s", plural(r.Cells, "table cell"), plural(r.Verdicts, "verdict"), plural(r.Charts, "chart"))
	behind := plural(r.Records, "record")
	if r.Runs > 1 {
		behind += fmt.Sprintf(" of %d runs", r.Runs)
	}
	if len(r.Differences) > 0 {
		fmt.Fprintf(out, "%s: DIFFERS: %s (%s compared with %s)\n", path, plural(len(r.Differences), "difference"), compared, behind)
	} else {
		fmt.Fprintf(out, "%s: %s agree with %s\n", path, compared, behind)
	}
}

func otherForm(r verify.Result) string {
	return fmt.Sprintf("written by another dlbench (form %s; this one writes %s)", r.Form, report.Form())
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
