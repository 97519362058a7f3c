package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/dlbench/dlbench/report/verify"
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

A page that another version of dlbench wrote is compared in what both versions
show, and only verdicts decide.

The exit code is 0 when all pages agree, 1 when one does not, and 2 when one cannot
be verified: no report of dlbench, damaged, or too large to hold its records.`,
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
				case !r.Agrees():
					code = exitDiffers
					fallthrough
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
	f, err := os.Open(path)
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
	compared := fmt.Sprintf("%s, %s, %s", plural(r.Cells, "table cell"), plural(r.Verdicts, "verdict"), plural(r.Charts, "chart"))
	behind := plural(r.Records, "record")
	if r.Runs > 1 {
		behind += fmt.Sprintf(" of %d runs", r.Runs)
	}
	if r.OtherForm {
		fmt.Fprintf(out, "%s: written by another version of dlbench; compared is what both versions show (%d tables or rows only in the page, %d only in one of this version)\n", path, r.OnlyPage, r.OnlyRecords)
	}
	switch {
	case !r.Agrees():
		fmt.Fprintf(out, "%s: DIFFERS: %s (%s compared with %s)\n", path, plural(len(r.Differences), "difference"), compared, behind)
	case len(r.Differences) > 0:
		fmt.Fprintf(out, "%s: the verdicts agree with %s; %s in what is no verdict\n", path, behind, plural(len(r.Differences), "difference"))
	default:
		fmt.Fprintf(out, "%s: %s agree with %s\n", path, compared, behind)
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
