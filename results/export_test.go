package results_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchproc"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/resultstest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// The exported file goes through benchstat's own reader and projections:
// comparing backends must leave one table per group and no stray dimension.
func TestExportBench(t *testing.T) {
	run := resultstest.Run(resultstest.Config{Seed: 2, Rounds: 8, Noise: 0.02, Memory: true})
	// Versions that differ between trials must not split what is compared.
	for i := range run.Records {
		run.Records[i].Worker.Versions = map[string]string{"go": fmt.Sprint(i)}
	}
	var out bytes.Buffer
	if err := results.ExportBench(&out, run); err != nil {
		t.Fatal(err)
	}
	var parser benchproc.ProjectionParser
	table, err := parser.Parse(".config", nil)
	if err != nil {
		t.Fatal(err)
	}
	row, err := parser.Parse(".fullname", nil)
	if err != nil {
		t.Fatal(err)
	}
	column, err := parser.Parse("/backend", nil)
	if err != nil {
		t.Fatal(err)
	}
	tables, columns, rows := map[string]bool{}, map[string]bool{}, map[string]bool{}
	values := map[string][]float64{}
	r := benchfmt.NewReader(&out, "run.txt")
	for r.Scan() {
		switch rec := r.Result().(type) {
		case *benchfmt.SyntaxError:
			t.Fatal(rec)
		case *benchfmt.Result:
			tables[table.Project(rec).String()] = true
			rows[row.Project(rec).String()] = true
			columns[column.Project(rec).String()] = true
			if v, ok := rec.Value("sec/step"); ok {
				values[string(rec.Name)] = append(values[string(rec.Name)], v)
			}
			if rec.GetConfig("cpu") != run.Meta.Host.CPU {
				t.Fatalf("cpu is %q", rec.GetConfig("cpu"))
			}
		}
	}
	if len(tables) != 1 || len(columns) != 3 || len(rows) != 4 {
		t.Errorf("%d configurations, %d columns %v, %d rows %v; want 1, 3, 4", len(tables), len(columns), columns, len(rows), rows)
	}
	if len(values) != 12 {
		t.Errorf("%d names", len(values))
	}
	step, _ := results.LookupMetric("step-time")
	for name, got := range values {
		var want []float64
		for _, r := range run.Records {
			if v, ok := step.Of(r); ok && r.Cell.Name() == name {
				want = append(want, v)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	units := r.Units()
	for unit, better := range map[string]int{"sec/step": -1, "examples/sec": 1, "peak-memory-B": -1} {
		if got := units.GetBetter(unit); got != better {
			t.Errorf("%s: better is %d, want %d", unit, got, better)
		}
	}
	if u := units.Get("FLOP/step", "assume"); u == nil || u.Value != "exact" {
		t.Error("FLOP/step is not exact")
	}
}

func TestExportGolden(t *testing.T) {
	run := resultstest.Golden()
	run.Records = slices.DeleteFunc(run.Records, func(r results.Record) bool { return r.Round > 2 })
	for name, export := range map[string]func(*bytes.Buffer) error{
		"golden.bench.txt": func(b *bytes.Buffer) error { return results.ExportBench(b, run) },
		"golden.csv":       func(b *bytes.Buffer) error { return results.ExportCSV(b, run) },
	} {
		var got bytes.Buffer
		if err := export(&got); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name)
		if *update {
			os.MkdirAll("testdata", 0o777)
			os.WriteFile(path, got.Bytes(), 0o666)
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s differs; run go test -update and look at the difference", path)
		}
	}
}

func TestExportBenchLeavesOutFailedCells(t *testing.T) {
	run := resultstest.Golden()
	var out bytes.Buffer
	if err := results.ExportBench(&out, run); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(out.String(), "\n") {
		if strings.HasPrefix(line, "Benchmark") && (strings.Contains(line, "backend=jax") || strings.Contains(line, "MnistCnn") && strings.Contains(line, "gomlx")) {
			t.Errorf("a cell with failed trials is exported: %s", line)
		}
	}
	if !strings.Contains(out.String(), "# left out: MnistCnn/mode=train/precision=f32/batch=8/backend=gomlx: killed by SIGKILL in measure\n") {
		t.Error("what is left out is not named")
	}
}

func TestExportCSV(t *testing.T) {
	run := resultstest.Golden()
	var out bytes.Buffer
	if err := results.ExportCSV(&out, run); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1+len(run.Records) {
		t.Errorf("%d rows, want one per record and the header: %d", len(rows), 1+len(run.Records))
	}
	at := func(name string) int {
		i := slices.Index(rows[0], name)
		if i < 0 {
			t.Fatalf("no column %q in %q", name, rows[0])
		}
		return i
	}
	step, counts, end, round, kind := at("step-time (sec/step)"), at("counts"), at("end"), at("round"), at("kind")
	for i, row := range rows[1:] {
		v, err := strconv.ParseFloat(row[step], 64)
		if want := row[end] == "ok" && row[kind] == "time"; want != (err == nil && v > 0) {
			t.Errorf("row %d: step-time %q of a %s trial that ended %s", i+1, row[step], row[kind], row[end])
		}
		if want := row[round] != "12"; strconv.FormatBool(want) != row[counts] {
			t.Errorf("row %d: counts is %s in round %s; round 12 was interrupted", i+1, row[counts], row[round])
		}
	}
}

type fullDisk struct{}

var errFull = errors.New("full")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestExportReportsWriteErrors(t *testing.T) {
	run := resultstest.Golden()
	if err := results.ExportBench(fullDisk{}, run); !errors.Is(err, errFull) {
		t.Errorf("bench: %v", err)
	}
	if err := results.ExportCSV(fullDisk{}, run); !errors.Is(err, errFull) {
		t.Errorf("csv: %v", err)
	}
}
