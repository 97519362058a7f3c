package results_test

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/resultstest"
)

func archive(t testing.TB, a results.Archive) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := a.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestArchiveHoldsRunsWhole(t *testing.T) {
	one, two := resultstest.Golden(), resultstest.Run(resultstest.Config{Seed: 2, Rounds: 3})
	one.Warnings = []string{"a torn line"}
	one.Dir, two.Dir = "", ""
	data := archive(t, results.Archive{Runs: []results.Run{one, two, {}}})
	got, err := results.ReadArchive(data)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []results.Run{one, two, {Meta: results.Meta{Schema: results.Schema}}} {
		if !reflect.DeepEqual(got.Runs[i], want) {
			t.Errorf("run %d differs: %d of %d records, meta %+v", i+1, len(got.Runs[i].Records), len(want.Records), got.Runs[i].Meta)
		}
	}
	if again := archive(t, got); !bytes.Equal(again, data) {
		t.Error("what was read is written otherwise")
	}
}

func TestArchiveDropsWhatJSONCannotCarry(t *testing.T) {
	run := resultstest.Run(resultstest.Config{Seed: 2, Rounds: 1})
	run.Records[0].Loss = new(math.NaN())
	got, err := results.ReadArchive(archive(t, results.Archive{Runs: []results.Run{run}}))
	if err != nil || got.Runs[0].Records[0].Loss != nil {
		t.Errorf("loss %v, %v", got.Runs, err)
	}
}

func TestReadArchiveRefuses(t *testing.T) {
	run := resultstest.Run(resultstest.Config{Seed: 2, Rounds: 1})
	whole := string(archive(t, results.Archive{Runs: []results.Run{run}}))
	lines := strings.SplitAfter(whole, "\n")
	for _, test := range []struct{ name, data, want string }{
		{"nothing", "", "the head of the records: it ends too early"},
		{"no newline", `{"schema":1,"runs":0}`, "it ends too early"},
		{"other schema", "{\"schema\":9,\"runs\":0}\n", "schema version 9; this dlbench reads version 1"},
		{"unknown key", "{\"schema\":1,\"runs\":0,\"x\":1}\n", "unknown field"},
		{"runs below zero", "{\"schema\":1,\"runs\":-1}\n", "-1 runs"},
		{"many runs", "{\"schema\":1,\"runs\":1001}\n", "1001 runs: expected at most 1000"},
		{"a run is missing", "{\"schema\":1,\"runs\":1}\n", "run 1: it ends too early"},
		{"a record is missing", strings.Join(lines[:len(lines)-2], ""), "run 1: 1 of 12 records are missing"},
		{"records below zero", lines[0] + strings.Replace(lines[1], `"records":12`, `"records":-2`, 1), "-2 records"},
		{"something follows", whole + "{}\n", "3 bytes follow the last of 1 runs"},
		{"a record twice", strings.Replace(strings.Join(lines[:3], "")+lines[2], `"records":12`, `"records":2`, 1), "run 1:2: "},
		{"an unplanned cell", strings.Replace(whole, `"backend":"eager"`, `"backend":"other"`, 1), "is not planned"},
		{"a long head", "{\"schema\":1,\"runs\":0,\"left_out\":[\"" + strings.Repeat("x", 64<<10) + "\"]}\n", "the head of the records: larger than 65536 bytes"},
		{"much left out", "{\"schema\":1,\"runs\":0,\"left_out\":[" + strings.Repeat(`"",`, 1000) + "\"\"]}\n", "1001 things left out: expected at most 1000"},
		{"a long run", lines[0] + strings.Replace(lines[1], `"records":12`, `"records":12,"warnings":["`+strings.Repeat("x", 17<<20)+`"]`, 1), "run 1: larger than"},
		{"many warnings", lines[0] + strings.Replace(lines[1], `"records":12`, `"records":12,"warnings":[`+strings.Repeat(`"",`, 1000)+`""]`, 1), "run 1: 1001 warnings: expected at most 1000"},
		{"too many objects", strings.Repeat("[", 16<<20+1), "JSON objects and lists"},
		{"too large", strings.Repeat(" ", results.MaxArchive+1), "larger than"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := results.ReadArchive([]byte(test.data)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func FuzzReadArchive(f *testing.F) {
	run := resultstest.Run(resultstest.Config{Seed: 2, Rounds: 1, Cells: resultstest.Cells()[:2], Samples: 2})
	f.Add(archive(f, results.Archive{Runs: []results.Run{run, run}, Left: []string{"x"}}))
	f.Add([]byte("{\"schema\":1,\"runs\":0}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := results.ReadArchive(data)
		if err != nil {
			return
		}
		again, err := results.ReadArchive(archive(t, a))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := archive(t, again), archive(t, a); !bytes.Equal(got, want) {
			t.Errorf("read again it is another archive:\n%s\n%s", got, want)
		}
	})
}
