package results_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
)

func TestResume(t *testing.T) {
	run := small()
	half := run
	half.Records = run.Records[:5]
	dir := write(t, half)
	j, got, err := results.Resume(dir, run.Meta)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Records) != 5 {
		t.Errorf("%d records", len(got.Records))
	}
	for _, r := range run.Records[5:] {
		if err := j.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	j.Close()
	if got, err := results.Read(dir); err != nil || len(got.Records) != len(run.Records) {
		t.Errorf("%d records, %v", len(got.Records), err)
	}
	if _, _, err := results.Resume(t.TempDir(), run.Meta); err == nil || !strings.Contains(err.Error(), "no run to resume") {
		t.Errorf("an empty folder: %v", err)
	}
}

// A run that its own comparisons ended may go on to all of its rounds.
func TestResumeWithOtherEnd(t *testing.T) {
	run := small()
	run.Meta.Policy.Until = "decided"
	dir := write(t, run)
	run.Meta.Policy.Until = "max"
	j, _, err := results.Resume(dir, run.Meta)
	if err != nil {
		t.Fatal(err)
	}
	j.Close()
}

func TestResumeRefuses(t *testing.T) {
	run := small()
	dir := write(t, run)
	for field, change := range map[string]func(*results.Meta){
		`suite changed: "synthetic", "other"`:                 func(m *results.Meta) { m.Suite = "other" },
		`--share-process) changed: false, true`:               func(m *results.Meta) { m.Shared = true },
		`plan changed: "sha256:0a0a`:                          func(m *results.Meta) { m.Plan = "sha256:ff" },
		`binary changed: "sha256:0b0b`:                        func(m *results.Meta) { m.Binary = "sha256:ff" },
		`baseline changed: "gorgonia", "eager"`:               func(m *results.Meta) { m.Baseline = "eager" },
		`host changed: cpu: "Synthetic CPU`:                   func(m *results.Meta) { m.Host.CPU = "other" },
		`policy changed: {`:                                   func(m *results.Meta) { m.Policy.Alpha = 0.1 },
		`cells changed: 12, 11 (only in the run: Mlp`:         func(m *results.Meta) { m.Cells = m.Cells[1:] },
		`seed changed: 3, 9`:                                  func(m *results.Meta) { m.Seed = 9 },
		`limits.trial_ns changed: 60000000000, 1`:             func(m *results.Meta) { m.Limits.TrialNS = 1 },
		`limits.memory_bytes changed: 4294967296, 1073741824`: func(m *results.Meta) { m.Limits.MemoryBytes = 1 << 30 },
	} {
		meta := run.Meta
		change(&meta)
		_, _, err := results.Resume(dir, meta)
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), `\"`, `"`), strings.TrimSuffix(field, "{")) {
			t.Errorf("got %v\nwant %s", err, field)
		}
	}
	if got, err := results.Read(dir); err != nil || got.Meta.Resumes != nil {
		t.Errorf("a refused resumption was noted: %+v, %v", got.Meta.Resumes, err)
	}
}

// What may differ is the time, the command line and the time of the whole
// suite; run.json says so, each time.
func TestResumeIsNoted(t *testing.T) {
	run := small()
	dir := write(t, run)
	var want []results.Resumption
	for i, budget := range []int64{1e9, 0} {
		meta := run.Meta
		meta.Started, meta.Command, meta.Limits.SuiteNS = fmt.Sprintf("203%d-01-01T00:00:00Z", i), []string{"dlbench", "run", "--resume"}, budget
		want = append(want, results.Resumption{At: meta.Started, Command: meta.Command, SuiteNS: budget})
		j, got, err := results.Resume(dir, meta)
		if err != nil {
			t.Fatal(err)
		}
		j.Close()
		if !reflect.DeepEqual(got.Meta.Resumes, want) {
			t.Errorf("returned %+v, want %+v", got.Meta.Resumes, want)
		}
	}
	got, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Meta.Resumes, want) {
		t.Errorf("on disk %+v, want %+v", got.Meta.Resumes, want)
	}
	got.Meta.Resumes = nil
	if !reflect.DeepEqual(got.Meta, run.Meta) {
		t.Errorf("something else changed: %+v", got.Meta)
	}
}

func TestTornLastLine(t *testing.T) {
	run := small()
	for name, tail := range map[string]string{
		"half a line":      `{"schema":1,"kind":"ti`,
		"without newline":  `{}`,
		"zeros of a crash": "\x00\x00\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, run)
			path := filepath.Join(dir, "trials.jsonl")
			whole, _ := os.ReadFile(path)
			torn := append(bytes.Clone(whole), tail...)
			os.WriteFile(path, torn, 0o666)
			got, err := results.Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Records) != len(run.Records) || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "trials.jsonl:") {
				t.Errorf("%d records, warnings %q", len(got.Records), got.Warnings)
			}
			if now, _ := os.ReadFile(path); !bytes.Equal(now, torn) {
				t.Error("Read changed the file")
			}
			j, got, err := results.Resume(dir, run.Meta)
			if err != nil {
				t.Fatal(err)
			}
			defer j.Close()
			if len(got.Warnings) != 1 {
				t.Errorf("warnings %q", got.Warnings)
			}
			if now, _ := os.ReadFile(path); !bytes.Equal(now, whole) {
				t.Error("Resume did not cut the torn line off")
			}
			extra := run.Records[0]
			extra.Kind = results.KindMemory
			if err := j.Append(extra); err != nil {
				t.Fatal(err)
			}
			if got, err := results.Read(dir); err != nil || len(got.Records) != len(run.Records)+1 {
				t.Errorf("after another record: %d, %v", len(got.Records), err)
			}
		})
	}
}

func TestBadLines(t *testing.T) {
	run := small()
	good := func() [][]byte {
		b, err := os.ReadFile(filepath.Join(write(t, run), "trials.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		return bytes.SplitAfter(b, []byte("\n"))
	}()
	for name, test := range map[string]struct{ line, want string }{
		"garbled":      {"{\"schema\":1,\x00\x01}\n", "column 13"},
		"cut":          {string(good[2][:40]) + "\n", "not valid"},
		"empty":        {"\n", "ends too early"},
		"two values":   {strings.TrimSpace(string(good[2])) + "{}\n", "something follows"},
		"unknown key":  {`{"schema":1,"hue":3}` + "\n", `unknown field "hue"`},
		"other type":   {`{"schema":1,"round":"one"}` + "\n", "round: expected int, got a JSON string"},
		"newer":        {`{"schema":2,"hue":3}` + "\n", "schema version 2; this dlbench reads version 1"},
		"none":         {`{"kind":"time"}` + "\n", "no schema version"},
		"other end":    {strings.Replace(string(good[2]), `"end":"ok"`, `"end":"fine"`, 1), `end "fine"`},
		"unknown cell": {strings.Replace(string(good[2]), `"batch":64`, `"batch":65`, 1), "is not planned"},
		"array":        {"[]\n", "expected"},
		"nan":          {strings.Replace(string(good[2]), `"round":0`, `"round":NaN`, 1), `field "round" is NaN: expected a finite number`},
		"nan, small":   {strings.Replace(string(good[2]), `"round":0`, `"round":nan`, 1), `field "round" is nan: expected a finite number`},
		"infinity":     {strings.Replace(string(good[2]), `"wall_ns":`, `"wall_ns":-Infinity,"x":`, 1), `field "wall_ns" is -Infinity: expected a finite number`},
		"infinite":     {strings.Replace(string(good[2]), `"got":`, `"got":1e999,"x":`, 1), "got: expected float64, got a JSON number 1e999"},
		"broken value": {strings.Replace(string(good[2]), `"round":0`, `"round":@`, 1), `in or behind field "round"`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, run)
			path := filepath.Join(dir, "trials.jsonl")
			lines := append([][]byte{}, good...)
			lines[2] = []byte(test.line)
			bad := bytes.Join(lines, nil)
			os.WriteFile(path, bad, 0o666)
			_, err := results.Read(dir)
			if err == nil || !strings.Contains(err.Error(), "trials.jsonl:3: ") || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if _, _, err := results.Resume(dir, run.Meta); err == nil || !strings.Contains(err.Error(), "trials.jsonl:3: ") {
				t.Errorf("resume: %v", err)
			}
			if now, _ := os.ReadFile(path); !bytes.Equal(now, bad) {
				t.Error("the file was changed")
			}
			if _, err := os.Stat(filepath.Join(dir, "lock")); err == nil {
				t.Error("the lock is left")
			}
		})
	}
	t.Run("twice", func(t *testing.T) {
		dir := write(t, run)
		lines := append([][]byte{}, good...)
		n := len(run.Meta.Cells) // the check trials come first
		lines[n+2] = lines[n]
		os.WriteFile(filepath.Join(dir, "trials.jsonl"), bytes.Join(lines, nil), 0o666)
		if _, err := results.Read(dir); err == nil || !strings.Contains(err.Error(), "trials.jsonl:15: ") || !strings.Contains(err.Error(), "in line 13 already") {
			t.Errorf("got %v", err)
		}
	})
}

func TestBadMeta(t *testing.T) {
	run := small()
	for name, test := range map[string]struct{ old, new, want string }{
		"syntax":  {`"suite": "synthetic",`, `"suite": synthetic,`, "run.json:3:12: "},
		"unknown": {`"suite": "synthetic",`, `"suit": "synthetic",`, `unknown field "suit"`},
		"schema":  {`"schema": 1`, `"schema": 7`, "schema version 7"},
		"type":    {`"seed": 3`, `"seed": -3`, "seed: expected uint64"},
		"cell":    {`"backend": "eager"`, `"backend": "eager-9"`, "eager-9"},
		"twice":   {`"backend": "gorgonia"`, `"backend": "eager"`, "listed twice"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, run)
			path := filepath.Join(dir, "run.json")
			b, _ := os.ReadFile(path)
			bad := strings.Replace(string(b), test.old, test.new, 1)
			if bad == string(b) {
				t.Fatalf("%q is not there", test.old)
			}
			os.WriteFile(path, []byte(bad), 0o666)
			if _, err := results.Read(dir); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "run.json") {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if _, err := results.Read(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no run here") {
		t.Errorf("an empty folder: %v", err)
	}
}

// Committed results are often in folders that nobody may write.
func TestReadOnlyFolder(t *testing.T) {
	run := small()
	dir := write(t, run)
	os.Chmod(dir, 0o555)
	defer os.Chmod(dir, 0o777)
	if got, err := results.Read(dir); err != nil || len(got.Records) != len(run.Records) {
		t.Errorf("%d records, %v", len(got.Records), err)
	}
}

func TestReadBeforeFirstTrial(t *testing.T) {
	dir := write(t, small())
	os.Remove(filepath.Join(dir, "trials.jsonl"))
	if got, err := results.Read(dir); err != nil || len(got.Records) != 0 || len(got.Warnings) != 1 {
		t.Errorf("%v, %v", got.Warnings, err)
	}
}
