package results_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/resultstest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("RESULTS_TEST_HOLD"); dir != "" { // a process that holds a run until it is killed
		if _, err := results.Create(dir, resultstest.Run(resultstest.Config{Rounds: 1}).Meta); err != nil {
			panic(err)
		}
		os.Stdout.WriteString("locked\n")
		time.Sleep(time.Minute)
		return
	}
	os.Exit(m.Run())
}

// write puts a run into a new folder.
func write(t *testing.T, run results.Run) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	j, err := results.Create(dir, run.Meta)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range run.Records {
		if err := j.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func small() results.Run {
	return resultstest.Run(resultstest.Config{Seed: 3, Rounds: 2, Noise: 0.01, Check: true, Memory: true})
}

func TestRoundTrip(t *testing.T) {
	for name, want := range map[string]results.Run{"small": small(), "golden": resultstest.Golden()} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, want)
			got, err := results.Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			if got.Dir != dir || got.Warnings != nil {
				t.Errorf("dir %q, warnings %q", got.Dir, got.Warnings)
			}
			if !reflect.DeepEqual(got.Meta, want.Meta) {
				t.Errorf("meta: got %+v\nwant %+v", got.Meta, want.Meta)
			}
			if !reflect.DeepEqual(got.Records, want.Records) {
				t.Error("records differ")
			}
			if left, _ := os.ReadDir(dir); len(left) != 2 {
				t.Errorf("the folder holds %v, expected run.json and trials.jsonl only", left)
			}
		})
	}
}

// Each line is on disk, whole, when Append returns.
func TestAppendIsVisibleAtOnce(t *testing.T) {
	run := small()
	dir := filepath.Join(t.TempDir(), "run")
	j, err := results.Create(dir, run.Meta)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for i, r := range run.Records[:3] {
		if err := j.Append(r); err != nil {
			t.Fatal(err)
		}
		if got, err := results.Read(dir); err != nil || len(got.Records) != i+1 {
			t.Fatalf("after %d: %d records, %v", i+1, len(got.Records), err)
		}
	}
}

func TestAppendConcurrently(t *testing.T) {
	run := small()
	dir := filepath.Join(t.TempDir(), "run")
	j, err := results.Create(dir, run.Meta)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, r := range run.Records {
		wg.Go(func() {
			if err := j.Append(r); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	j.Close()
	if got, err := results.Read(dir); err != nil || len(got.Records) != len(run.Records) {
		t.Errorf("%d records of %d, %v", len(got.Records), len(run.Records), err)
	}
}

func TestAppendRefuses(t *testing.T) {
	run := small()
	j, err := results.Create(filepath.Join(t.TempDir(), "run"), run.Meta)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		change func(*results.Record)
		want   string
	}{
		{func(r *results.Record) { r.Kind = "warm" }, `kind "warm"`},
		{func(r *results.Record) { r.End = "" }, `end ""`},
		{func(r *results.Record) { r.Attempt = 0 }, "attempt 0"},
		{func(r *results.Record) { r.Kind, r.Round = results.KindTime, 0 }, "round 0"},
		{func(r *results.Record) { r.Cell.Hash = "sha256:other" }, "sha256:other"},
		{func(r *results.Record) { r.Stderr = strings.Repeat("x", 65<<20) }, "the limit is"},
	} {
		r := run.Records[0]
		test.change(&r)
		if err := j.Append(r); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
	if err := j.Append(run.Records[0]); err != nil {
		t.Errorf("a refused record stopped the journal: %v", err)
	}
	j.Close()
	if err := j.Append(run.Records[0]); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("after Close: %v", err)
	}
}

// NaN from a diverged worker must not end the run, nor reach the file.
func TestAppendDropsNaN(t *testing.T) {
	run := small()
	nan := math.NaN()
	run.Records = run.Records[:1]
	run.Records[0].Loss = &nan
	check := &results.Check{Status: "wrong", Got: nan, Want: 2, Error: math.Inf(1), Losses: []float64{2, nan, 1}, Reason: "loss"}
	run.Records[0].Check = check
	got, err := results.Read(write(t, run))
	if err != nil {
		t.Fatal(err)
	}
	r := got.Records[0]
	if r.Loss != nil || r.Check.Want != 2 || !slices.Equal(r.Check.Losses, []float64{2}) || r.Check.Reason != "loss; got is NaN, error is +Inf, loss 2 is NaN" {
		t.Errorf("got %+v, %+v", r.Loss, r.Check)
	}
	if len(check.Losses) != 3 {
		t.Error("the caller's check was changed")
	}
}

func TestCreateRefuses(t *testing.T) {
	meta := small().Meta
	t.Run("foreign", func(t *testing.T) {
		dir := t.TempDir()
		os.WriteFile(filepath.Join(dir, "thesis.tex"), nil, 0o666)
		if _, err := results.Create(dir, meta); err == nil || !strings.Contains(err.Error(), `holds "thesis.tex"`) {
			t.Errorf("got %v", err)
		}
		if left, _ := os.ReadDir(dir); len(left) != 1 {
			t.Errorf("left %v", left)
		}
	})
	t.Run("run", func(t *testing.T) {
		dir := write(t, small())
		before, _ := os.ReadFile(filepath.Join(dir, "run.json"))
		meta.Suite = "other"
		if _, err := results.Create(dir, meta); err == nil || err.Error() != dir+" holds a run already (suite synthetic, started 2026-11-20T08:00:00Z): add --resume to go on with it, or choose another folder" {
			t.Errorf("got %v", err)
		}
		if after, _ := os.ReadFile(filepath.Join(dir, "run.json")); !bytes.Equal(before, after) {
			t.Error("run.json was overwritten")
		}
	})
	t.Run("reported run", func(t *testing.T) {
		dir := write(t, small())
		for _, name := range []string{"report.html", "report.md", "report.html.partial", "lock", "notes.txt"} {
			os.WriteFile(filepath.Join(dir, name), nil, 0o666)
		}
		if _, err := results.Create(dir, meta); err == nil || !strings.Contains(err.Error(), "holds a run already (suite synthetic, ") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("damaged run", func(t *testing.T) {
		dir := t.TempDir()
		os.WriteFile(filepath.Join(dir, "run.json"), []byte("{"), 0o666)
		if _, err := results.Create(dir, meta); err == nil || !strings.Contains(err.Error(), "holds a run already, which cannot be read: ") || !strings.Contains(err.Error(), "run.json:1:2: ") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("trials alone", func(t *testing.T) {
		dir := t.TempDir()
		os.WriteFile(filepath.Join(dir, "trials.jsonl"), []byte("{}\n"), 0o666)
		if _, err := results.Create(dir, meta); err == nil || !strings.Contains(err.Error(), "holds the trials of a run (trials.jsonl) without its run.json") {
			t.Errorf("got %v", err)
		}
		if left, _ := os.ReadFile(filepath.Join(dir, "trials.jsonl")); string(left) != "{}\n" {
			t.Error("trials.jsonl was changed")
		}
	})
	t.Run("report alone", func(t *testing.T) {
		dir := t.TempDir()
		os.WriteFile(filepath.Join(dir, "report.html"), []byte("read me"), 0o666)
		if _, err := results.Create(dir, meta); err == nil || !strings.Contains(err.Error(), `holds "report.html" of some run, which a new run would replace`) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("half a report", func(t *testing.T) {
		dir := t.TempDir()
		os.WriteFile(filepath.Join(dir, "report.html.partial"), nil, 0o666)
		j, err := results.Create(dir, meta)
		if err != nil {
			t.Fatal(err)
		}
		j.Close()
	})
	t.Run("file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "file")
		os.WriteFile(path, nil, 0o666)
		if _, err := results.Create(path, meta); err == nil {
			t.Error("a file was taken for a folder")
		}
	})
	t.Run("name", func(t *testing.T) {
		bad := small().Meta
		bad.Cells[0].Backend = "name-8"
		dir := filepath.Join(t.TempDir(), "run")
		if _, err := results.Create(dir, bad); err == nil || !strings.Contains(err.Error(), "name-8") {
			t.Errorf("got %v", err)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Error("the folder was made")
		}
	})
}

// A process that held the run and was killed leaves nothing in the way.
func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "RESULTS_TEST_HOLD="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	if _, err := out.Read(make([]byte, 7)); err != nil {
		t.Fatal(err)
	}
	meta := resultstest.Run(resultstest.Config{Rounds: 1}).Meta
	for name, open := range map[string]func() error{
		"create": func() error { _, err := results.Create(dir, meta); return err },
		"resume": func() error { _, _, err := results.Resume(dir, meta); return err },
	} {
		err := open()
		want, _ := json.Marshal(cmd.Process.Pid)
		if err == nil || !strings.Contains(err.Error(), "is being written by process "+string(want)+" (started 20") {
			t.Errorf("%s: got %v, want process %s", name, err, want)
		}
	}
	if _, err := results.Read(dir); err != nil {
		t.Errorf("reading a run that is being written: %v", err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	j, _, err := results.Resume(dir, meta)
	if err != nil {
		t.Fatalf("after the kill: %v", err)
	}
	j.Close()
	if _, err := os.Stat(filepath.Join(dir, "lock")); err == nil {
		t.Error("the lock file is left")
	}
}

func TestNewDirName(t *testing.T) {
	at := time.Date(2026, 11, 20, 9, 30, 1, 5, time.FixedZone("CET", 3600))
	for suite, want := range map[string]string{
		"quick":         "quick-20261120T083001Z",
		"../a:b c\x00d": "a-b-c-d-20261120T083001Z",
		"":              "run-20261120T083001Z",
		"快速":            "快速-20261120T083001Z",
	} {
		if got := results.NewDirName(suite, at); got != want {
			t.Errorf("%q: got %q, want %q", suite, got, want)
		}
	}
}
