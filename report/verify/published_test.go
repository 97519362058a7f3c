package verify_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dlbench/dlbench/report"
	"github.com/dlbench/dlbench/report/verify"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

var update = flag.Bool("update", false, "write the published reports anew from their records")

// What is published is what its records say today: every trial that ended ok is
// proven, the tables and the page that are made from the records now are those
// that lie beside them, and the page agrees with the records that it carries. A page
// that an earlier form of the report wrote may word and draw otherwise; then its
// verdicts and its records are compared.
func TestPublished(t *testing.T) {
	runs, err := filepath.Glob(filepath.Join("..", "..", "results", "published", "*", "run.json"))
	if err != nil || len(runs) == 0 {
		t.Fatalf("no published run was found: %v", err)
	}
	for _, path := range runs {
		dir := filepath.Dir(path)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			run, err := results.Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			run.Dir = filepath.Base(dir)
			proven(t, run)
			var tables, page bytes.Buffer
			if err := report.Markdown(&tables, run, compare.Analyze(run)); err != nil {
				t.Fatal(err)
			}
			if err := report.HTML(&page, run, compare.Analyze(run)); err != nil {
				t.Fatal(err)
			}
			if *update {
				for name, content := range map[string][]byte{"report.md": tables.Bytes(), "report.html": page.Bytes()} {
					if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
			if want := read(t, filepath.Join(dir, "report.md")); !bytes.Equal(tables.Bytes(), want) {
				t.Errorf("report.md is not what the records say; -update rewrites it")
			}
			if r, err := verify.Page(page.Bytes()); err != nil || !r.Agrees() {
				t.Errorf("the page that the records give now: %v, %v", r.Differences, err)
			}
			committed(t, read(t, filepath.Join(dir, "report.html")), run)
		})
	}
}

// proven fails for a trial that ended ok without its proof, and for a run that
// proved nothing.
func proven(t *testing.T, run results.Run) {
	t.Helper()
	checks := 0
	for _, r := range run.Records {
		for _, c := range []*results.Check{r.Check, r.FinalCheck} {
			switch {
			case c == nil || r.End != results.EndOK:
			case c.Status != "ok":
				t.Errorf("%s, round %d: ok, and not proven: %s", r.Cell.Name(), r.Round, c.Reason)
			default:
				checks++
			}
		}
	}
	if checks == 0 {
		t.Error("no trial was proven")
	}
}

// committed holds the page that was committed to the records beside it.
func committed(t *testing.T, page []byte, run results.Run) {
	t.Helper()
	r, err := verify.Page(page)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Differences) > 0 {
		t.Errorf("report.html: %v; -update rewrites it", r.Differences)
	}
	if r.OtherForm() && r.Verdicts == 0 {
		t.Error("report.html is of a form of which nothing can be compared; -update rewrites it")
	}
	e, err := report.ReadEmbedded(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	inside, err := e.Run()
	if err != nil {
		t.Fatal(err)
	}
	same := func(a, b results.Record) bool {
		return a.Cell == b.Cell && a.Kind == b.Kind && a.Round == b.Round && a.Start == b.Start && slices.Equal(a.BlockNS, b.BlockNS)
	}
	if !slices.EqualFunc(inside.Records, run.Records, same) {
		t.Errorf("report.html carries %d records, which are not the %d beside it; -update rewrites it", len(inside.Records), len(run.Records))
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
