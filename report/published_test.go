package report

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// What is published is what its records say today: the tables beside them are
// made anew, and every trial that ended ok is proven.
func TestPublished(t *testing.T) {
	folders, err := filepath.Glob(filepath.Join("..", "results", "published", "*", "run.json"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("no published run was found: %v", err)
	}
	for _, path := range folders {
		dir := filepath.Dir(path)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			run, err := results.Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			run.Dir = filepath.Base(dir)
			for _, r := range run.Records {
				if r.End == results.EndOK && (r.Check != nil && r.Check.Status != "ok" || r.FinalCheck != nil && r.FinalCheck.Status != "ok") {
					t.Errorf("%s, round %d: ok, and not proven", r.Cell.Name(), r.Round)
				}
			}
			var b bytes.Buffer
			if err := Markdown(&b, run, compare.Analyze(run)); err != nil {
				t.Fatal(err)
			}
			tables := filepath.Join(dir, "report.md")
			if *update {
				if err := os.WriteFile(tables, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(tables)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(b.Bytes(), want) {
				t.Errorf("%s is not what the records say; -update rewrites it", tables)
			}
		})
	}
}
