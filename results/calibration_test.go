package results

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func calibrated(backend string, started string) CalibrationRun {
	return CalibrationRun{
		Started: started, Command: []string{"dlbench", "calibrate"}, Version: "v0.2.0", Suite: "quick", Mask: []int{0},
		MinEffect: 0.05, Alpha: 0.05, Family: 1, Gates: Gates{Count: 200, Rounds: 20, Equivalent: 180, Inconclusive: 20},
		Cells: []CellNoise{{
			Cell:   Cell{Workload: "Mlp", Mode: "train", Precision: "f32", Device: "cpu", Data: "resident", Batch: 8, Accumulate: 1, Threads: 1, Backend: backend},
			Trials: 40, Rounds: 20, Blocks: 20, Steps: 1, StepTime: 1e-3, TrialSD: 0.02, TrialMAD: 0.018,
			Between: 0.015, BetweenLow: 0.01, BetweenHigh: 0.022, Share: 0.6, Within: 0.05, Autocorrelation: 0.3, PairSD: 0.025,
			BetweenRounds: &RoundNoise{Correlation: 0.2, P: 0.3},
			Faults:        &FaultNoise{Trials: 40, Correlation: 0.5, P: 0.01, Explained: 0.3}, Gates: Gates{Count: 200, Equivalent: 180, Inconclusive: 20},
			Detectable: []Detectable{{7, 0}, {10, 0.11}},
		}},
	}
}

func TestCalibrationFile(t *testing.T) {
	cache := t.TempDir()
	host := Host{OS: "linux", CPU: "A", Cores: 2, Mask: []int{0}, MemBytes: 24 << 30, Go: "go1.26", Env: map[string]string{"X": "1"}}
	if c, err := ReadCalibration(cache, host); c != nil || err != nil {
		t.Fatalf("of nothing: %v, %v", c, err)
	}
	first, second := calibrated("eager", "2026-11-20T08:00:00Z"), calibrated("gomlx", "2026-11-21T08:00:00Z")
	for _, r := range []CalibrationRun{first, second} {
		if _, err := AddCalibration(cache, host, r); err != nil {
			t.Fatal(err)
		}
	}
	// Another suite on the same machine: other CPUs granted, a rebooted kernel's memory.
	other := host
	other.Mask, other.Go, other.Env, other.MemBytes = []int{0, 1}, "go1.27", nil, host.MemBytes-8192
	c, err := ReadCalibration(cache, other)
	if err != nil {
		t.Fatal(err)
	}
	want := Calibration{Schema: Schema, Host: host.Machine(), Runs: []CalibrationRun{second, first}}
	if !reflect.DeepEqual(*c, want) {
		t.Errorf("got %+v\nwant %+v", *c, want)
	}
	if _, r, ok := c.Of(first.Cells[0].Cell, []int{0}); !ok || r.Started != first.Started {
		t.Errorf("the cell of the first run: %v of %s", ok, r.Started)
	}
	if _, _, ok := c.Of(first.Cells[0].Cell, []int{0, 1}); ok {
		t.Error("noise on one CPU stands for noise on two")
	}
	// A newer run of the same cell replaces it, and the run that has no other.
	again := calibrated("eager", "2026-11-22T08:00:00Z")
	if _, err := AddCalibration(cache, host, again); err != nil {
		t.Fatal(err)
	}
	c, _ = ReadCalibration(cache, host)
	if len(c.Runs) != 2 || c.Runs[0].Started != again.Started || c.Runs[1].Started != second.Started {
		t.Errorf("after a newer run: %+v", c.Runs)
	}
	// On other CPUs it is another measurement.
	two := calibrated("eager", "2026-11-23T08:00:00Z")
	two.Mask = []int{0, 1}
	if got := c.With(two); len(got.Runs) != 3 {
		t.Errorf("on other CPUs: %d runs", len(got.Runs))
	}
	// Another machine has a file of its own.
	other.CPU = "B"
	if c, err := ReadCalibration(cache, other); c != nil || err != nil {
		t.Errorf("of another CPU: %v, %v", c, err)
	}
	// The same but for its memory.
	other.CPU, other.MemBytes = "A", 12<<30
	if _, err := ReadCalibration(cache, other); err == nil || !strings.Contains(err.Error(), "of another machine: mem_bytes") {
		t.Errorf("of a machine with other memory: %v", err)
	}
	// A file of no use is said, and replaced by the next run.
	path := CalibrationPath(cache, host)
	if err := os.WriteFile(path, []byte("{\n \"schema\": 1,\n \"runs\": 3}"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadCalibration(cache, host); err == nil || !strings.Contains(err.Error(), filepath.Base(path)+": not a calibration: 3:") {
		t.Errorf("of a broken file: %v", err)
	}
	if _, err := AddCalibration(cache, host, first); err != nil {
		t.Fatal(err)
	}
	if c, err := ReadCalibration(cache, host); err != nil || len(c.Runs) != 1 {
		t.Errorf("after replacing a broken file: %v, %v", c, err)
	}
}

func TestParseCalibrationRefuses(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*CalibrationRun)
		want   string
	}{
		{"no cell", func(r *CalibrationRun) { r.Cells = nil }, "runs[0]: cells: none"},
		{"no date", func(r *CalibrationRun) { r.Started = "yesterday" }, `started "yesterday"`},
		{"alpha", func(r *CalibrationRun) { r.Alpha = 2 }, "alpha 2: expected 0 to 1"},
		{"disturbed", func(r *CalibrationRun) { r.Disturbed = 1 }, "disturbed_trials 1 of 0 trials"},
		{"no trial", func(r *CalibrationRun) { r.Cells[0].Trials = 0 }, "trials 0: expected at least 1"},
		{"negative", func(r *CalibrationRun) { r.Cells[0].Between = -1 }, "between_sd -1: expected"},
		{"interval", func(r *CalibrationRun) { r.Cells[0].BetweenLow = 1 }, "between_sd_low 1: expected 0 to 0.022"},
		{"share", func(r *CalibrationRun) { r.Cells[0].Share = 1.5 }, "between_share 1.5"},
		{"faults", func(r *CalibrationRun) { r.Cells[0].Faults.P = 7 }, "faults.p 7"},
		{"gates", func(r *CalibrationRun) { r.Cells[0].Gates.FalseAlarms = 201 }, "201 false alarms of 200"},
		{"withheld", func(r *CalibrationRun) { r.Gates.Withheld = 201 }, "201 withheld of 200"},
		{"block", func(r *CalibrationRun) { r.Gates.Block = -1 }, "block_rounds -1"},
		{"rounds", func(r *CalibrationRun) { r.Cells[0].BetweenRounds.Correlation = 2 }, "between_rounds.lag1_rank_correlation 2: expected -1 to 1"},
		{"rounds' p", func(r *CalibrationRun) { r.Cells[0].BetweenRounds.P = 2 }, "between_rounds.p 2"},
		{"detectable", func(r *CalibrationRun) { r.Cells[0].Detectable[0].Rounds = 0 }, "after 0 rounds"},
		{"cell", func(r *CalibrationRun) { r.Cells[0].Cell.Workload = "a b" }, `workload "a b"`},
		{"twice", func(r *CalibrationRun) { r.Cells = append(r.Cells, r.Cells[0]) }, "is listed twice"},
	} {
		r := calibrated("eager", "2026-11-20T08:00:00Z")
		tc.change(&r)
		if _, err := (Calibration{Runs: []CalibrationRun{r}}).Encode(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.want)
		}
	}
	for text, want := range map[string]string{
		``:                          "ends too early",
		`{"schema":1,"runs":[]}`:    "runs: none",
		`{"schema":2,"runs":[{}]}`:  "schema version 2; this dlbench reads version 1",
		`{"schema":1,"run":[]}`:     `unknown field "run"`,
		`{"schema":1,"runs":[]} {}`: "1:24: something follows",
	} {
		if _, err := ParseCalibration([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

// A file from before gates were drawn in blocks is read, and says nothing of what
// it does not know.
func TestParseCalibrationOfEarlier(t *testing.T) {
	c := Calibration{Runs: []CalibrationRun{calibrated("eager", "2026-11-20T08:00:00Z")}}
	c.Runs[0].Cells[0].BetweenRounds = nil
	text, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"between_rounds", "block_rounds", "withheld"} {
		if strings.Contains(string(text), name) {
			t.Errorf("%s is written where it is not known", name)
		}
	}
	again, err := ParseCalibration(text)
	if err != nil {
		t.Fatal(err)
	}
	if r := again.Runs[0]; r.Dependent(r.Cells[0]) || r.Gates.Judged() != 200 {
		t.Errorf("of an earlier file: %+v", r)
	}
}

// Many cells share the 5 %.
func TestDependent(t *testing.T) {
	r := calibrated("eager", "2026-11-20T08:00:00Z")
	n := r.Cells[0]
	n.BetweenRounds = &RoundNoise{Correlation: 0.7, P: 0.02}
	if !r.Dependent(n) {
		t.Error("p 0.02 of one cell is called chance")
	}
	if r.Family = 3; r.Dependent(n) {
		t.Error("p 0.02 of one of three cells is called more than chance")
	}
}

// What the parser takes it writes again, and reads the same.
func FuzzParseCalibration(f *testing.F) {
	good, err := Calibration{Runs: []CalibrationRun{calibrated("eager", "2026-11-20T08:00:00Z")}}.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"schema":1,"runs":[]}`))
	f.Add([]byte(`{"schema":1,"runs":[{"started":"2026-11-20T08:00:00Z","cells":[{"trials":1e999}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseCalibration(data)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("not one line: %q", err)
			}
			return
		}
		text, err := c.Encode()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := ParseCalibration(text)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if second, _ := again.Encode(); string(second) != string(text) {
			t.Errorf("changed by reading it again:\n%s\n%s", text, second)
		}
	})
}
