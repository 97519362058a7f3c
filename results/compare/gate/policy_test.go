package gate

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results/resultstest"
	"github.com/dlbench/dlbench/strictyaml"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// whole says everything that a policy can.
const whole = `metric: {train: step-time, infer: [step-time, latency-p99]}
min-effect: {step-time: 0.02, latency-p99: 0.1}
alpha: 0.01
undecided: fail
exact: {params: 0, setup-bytes: 0.05}
memory: {peak-memory: 0.1}
required: ["MnistCnn/*"]
cells:
  - {match: "TextLstm*", min-effect: 0.1, undecided: pass}
  - {match: "*/mode=infer/*", metric: throughput}
  - {match: "Tiny*", ignore: true}
`

func TestParsePolicy(t *testing.T) {
	p, err := ParsePolicy("gate.yaml", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	throughput := []string{"throughput"}
	want := Policy{
		File: "gate.yaml", Metrics: Metrics{"train": {"step-time"}, "infer": {"step-time", "latency-p99"}},
		MinEffect: Effects{Of: map[string]float64{"step-time": 0.02, "latency-p99": 0.1}}, Alpha: 0.01, Undecided: UndecidedFail,
		Exact:  []Tolerance{{"params", 0}, {"setup-bytes", 0.05}},
		Memory: []Tolerance{{"peak-memory", 0.1}}, Required: []Pattern{"MnistCnn/*"},
		Cells: []Override{
			{Match: "TextLstm*", MinEffect: Effects{All: 0.1}, Undecided: UndecidedPass},
			{Match: "*/mode=infer/*", Metrics: Metrics{"train": throughput, "infer": throughput}},
			{Match: "Tiny*", Ignore: new(true)},
		},
	}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("got  %+v\nwant %+v", p, want)
	}
	if got := strings.Join(p.Judged(), " "); got != "latency-p99 step-time throughput" {
		t.Errorf("%q", got)
	}
	p, err = ParsePolicy("gate.yaml", []byte("exact: [params, model-flops]\nmetric: throughput\n"))
	if err != nil || len(p.Exact) != 2 || p.Exact[1] != (Tolerance{"model-flops", 0}) || p.Metrics["infer"][0] != "throughput" {
		t.Errorf("%+v, %v", p, err)
	}
}

// Every mistake is one line with its place, and a hint.
func TestBadPolicies(t *testing.T) {
	files, err := filepath.Glob("testdata/bad-policies/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatal(err, len(files))
	}
	var got bytes.Buffer
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		_, err = ParsePolicy(filepath.Base(f), text)
		var file *strictyaml.FileError
		if !errors.As(err, &file) || strings.ContainsAny(err.Error(), "\r\n") {
			t.Errorf("%s: %v, want one line with a place", f, err)
			continue
		}
		fmt.Fprintln(&got, err)
	}
	const golden = "testdata/bad-policies.golden"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("messages differ from %s (-update rewrites it):\n%s", golden, got.String())
	}
	if _, err := LoadPolicy(filepath.Join(t.TempDir(), "no.yaml")); err == nil {
		t.Error("a file that is not there")
	}
}

// FuzzPolicy: any text is a policy or one line that says why not.
func FuzzPolicy(f *testing.F) {
	files, _ := filepath.Glob("testdata/bad-policies/*.yaml")
	for _, name := range files {
		if text, err := os.ReadFile(name); err == nil {
			f.Add(text)
		}
	}
	f.Add([]byte(whole))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParsePolicy("x.yaml", text)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("more than one line: %q", err.Error())
			}
			return
		}
		run := oneRun(fuzzConfig)
		r, err := Judge(Input{Base: run, Policy: p})
		if err != nil {
			if strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("more than one line: %q", err.Error())
			}
			return
		}
		seen := map[string]bool{}
		for _, c := range r.Checks {
			if c.Verdict == "" || c.Outcome == "" {
				t.Errorf("a check without an answer: %+v", c)
			}
			if c.Kind != Presence && seen[c.ID()] {
				t.Errorf("two checks named %q", c.ID())
			}
			seen[c.ID()] = true
		}
	})
}

// fuzzConfig is a run that is quick to judge.
var fuzzConfig = func() resultstest.Config {
	c := config(nil)
	c.Cells, c.Rounds, c.Samples = cells("A"), 2, 2
	return c
}()
