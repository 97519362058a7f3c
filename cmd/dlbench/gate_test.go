package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare/gate"
	"github.com/dlbench/dlbench/results/resultstest"
)

// stored writes a synthetic run into a folder, as if it had been measured.
func stored(t *testing.T, run results.Run) string {
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

// gateRun is a run of eager, gorgonia and gomlx in which one workload of
// gorgonia is slower by a share.
func gateRun(seed uint64, workload string, slower float64) results.Run {
	run := resultstest.Run(resultstest.Config{Seed: seed, Rounds: 20, Noise: 0.005, Baseline: "gomlx", Memory: true, Step: func(c results.Cell) float64 {
		s := resultstest.Step(c)
		if c.Backend == "gorgonia" && c.Workload == workload {
			s *= 1 + slower
		}
		return s
	}})
	run.Meta.Policy.MinEffect = 0.02
	return run
}

func written(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// The gate of the command line, over runs that were written to disk.
func TestGate(t *testing.T) {
	same, slow := stored(t, gateRun(1, "", 0)), stored(t, gateRun(2, "MnistCnn", 0.05))
	elsewhere := gateRun(3, "", 0)
	elsewhere.Meta.Host.CPU = "another CPU"
	other := stored(t, elsewhere)
	empty := gateRun(4, "", 0)
	empty.Records = nil
	nothing := stored(t, empty)
	policy := written(t, "gate.yaml", "min-effect: 0.02\nalpha: 0.01\n")
	typo := written(t, "typo.yaml", "min-efect: 0.02\n")
	required := written(t, "required.yaml", "required: [\"ResNet18/*\"]\n")
	for _, tc := range []struct {
		name   string
		args   []string
		code   int
		stdout string
		stderr string
	}{
		{"A/A of two runs", []string{same, same + "/../run/."}, 2, "", "are the same run"},
		{"one workload slower", []string{slow, "--head", "gorgonia", "--policy", policy}, 1, "regressed", "1 regressed"},
		{"two runs", []string{same, slow, "--policy", policy}, 1, "MnistCnn/mode=train/precision=f32/batch=8/backend=gorgonia", "1 regressed, 11 equivalent"},
		{"which head", []string{same}, 2, "", "besides gomlx: name one with --head: eager, gorgonia"},
		{"other hosts", []string{same, other}, 2, "", `cpu: "Synthetic CPU @ 2.00GHz", "another CPU"`},
		{"no run", []string{"nowhere"}, 2, "", "nowhere: no run here"},
		{"empty run", []string{nothing, "--head", "eager"}, 3, "", "nothing was compared"},
		{"a typing error", []string{same, "--head", "eager", "--policy", typo}, 2, "", `typo.yaml:1:1: unknown key "min-efect"; did you mean "min-effect"?`},
		{"required", []string{same, "--head", "gorgonia", "--policy", required}, 1, "missing", "1 missing"},
		{"no policy", []string{same, "--policy", "none.yaml"}, 2, "", "none.yaml"},
		{"format", []string{same, "--format", "xml"}, 2, "", `--format "xml": expected any of text`},
		{"no format", []string{same, "--format", ""}, 2, "", `--format "": expected any of text, md, json, github`},
		{"ending", []string{same, "-o", "gate.pdf"}, 2, "", `the ending ".pdf" says no format`},
		{"twice", []string{same, "-o", "gate.md", "-o", "./gate.md"}, 2, "", "to be written twice"},
		{"json is alone", []string{same, "--format", "json,text"}, 2, "", "JSON is printed alone"},
		{"selector", []string{same, "--head", "backnd=eager"}, 2, "", `--head "backnd=eager": unknown key "backnd"; did you mean "backend"?`},
		{"no such backend", []string{same, "--head", "torch"}, 2, "", "backend is one of eager, gorgonia, gomlx"},
		{"no folder", nil, 2, "", "0 folders: expected that of one run"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out := dlbench(t, append([]string{"gate"}, tc.args...)...)
			if out.code != tc.code || !strings.Contains(out.stdout, tc.stdout) || !strings.Contains(out.stderr, tc.stderr) {
				t.Errorf("exit %d, want %d\nstdout: %s\nstderr: %s", out.code, tc.code, out.stdout, out.stderr)
			}
			if tc.code == 2 && (strings.Count(out.stderr, "error: ") != 1 || out.stdout != "") {
				t.Errorf("not one clear line: %s%s", out.stdout, out.stderr)
			}
		})
	}
	if out := dlbench(t, "gate", same, other, "--across-hosts"); out.code != 0 || !strings.Contains(out.stdout, "another CPU") {
		t.Errorf("across hosts: exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
}

// One call writes all that a build needs.
func TestGateWritesFiles(t *testing.T) {
	slow, dir := stored(t, gateRun(2, "MnistCnn", 0.05)), t.TempDir()
	policy := written(t, "gate.yaml", "exact: [params]\nmemory: {peak-memory: 0.5}\n")
	path := func(name string) string { return filepath.Join(dir, name) }
	out := dlbench(t, "gate", slow, "--head", "gorgonia", "--policy", policy, "--format", "text,github", "--title", "a | b",
		"-o", path("g.md"), "-o", path("g.json"), "-o", path("g.html"), "-o", path("g.txt"), "--junit", path("g.xml"), "--sarif", path("g.sarif"))
	if out.code != gate.CodeFail || !strings.Contains(out.stdout, "::error title=regressed%3A MnistCnn/mode=train/precision=f32/batch=8::step-time +") {
		t.Fatalf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	for name, says := range map[string]string{
		"g.md": "**regressed**", "g.json": `"verdict": "regressed"`, "g.html": "regressed", "g.txt": "regressed",
		"g.xml": `<failure type="regressed"`, "g.sarif": `"ruleId": "regressed"`,
	} {
		text, err := os.ReadFile(path(name))
		if err != nil || !strings.Contains(string(text), says) {
			t.Errorf("%s: %v, want %q", name, err, says)
		}
	}
	var doc struct {
		Exit   int
		Checks []struct{ Kind string }
	}
	text, _ := os.ReadFile(path("g.json"))
	if err := json.Unmarshal(text, &doc); err != nil || doc.Exit != gate.CodeFail {
		t.Errorf("%v, %+v", err, doc)
	}
	kinds := map[string]int{}
	for _, c := range doc.Checks {
		kinds[c.Kind]++
	}
	if kinds["timed"] != 4 || kinds["exact"] != 4 || kinds["memory"] == 0 {
		t.Errorf("%v", kinds)
	}
}

// Two workers in one run, of which one is slower: the gate catches it; of two
// that are alike it says nothing. The trials are real processes on this machine,
// so a verdict that is withheld because it was busy is no failure of the gate.
func TestGateOfWorkers(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a suite of real processes")
	}
	measure := func(young string) string {
		dir := filepath.Join(t.TempDir(), "run")
		out := dlbench(t, "run", "--suite", suiteFile(t, "eager",
			"cells: [{workload: TinyMlp, mode: train, batch: 4, precision: f32, steps: {warmup-max: 2, blocks: 4, per-block: 1}}]", "rounds: {min: 16, max: 16, until: max}"),
			"--worker", "eager@old=dlbench worker fake:scripted=8ms", "--worker", "eager@young=dlbench worker "+young,
			"--backend", "eager@old,eager@young", "--baseline", "eager@old", "--out", dir)
		if out.code != 0 {
			t.Fatalf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
		}
		return dir
	}
	run := measure("fake:scripted=8400us")
	read, err := results.Read(run)
	if err != nil {
		t.Fatal(err)
	}
	if b := read.Meta.Backends["eager@young"]; b.Worker != "dlbench worker fake:scripted=8400us" || !strings.HasPrefix(b.Binary, "sha256:") {
		t.Errorf("the run does not say what its worker was: %+v", b)
	}
	slower := dlbench(t, "gate", run)
	switch {
	case slower.code == gate.CodeFail && strings.Contains(slower.stdout, "regressed: TinyMlp"):
	case strings.Contains(slower.stdout, "disturbed") || strings.Contains(slower.stdout, "inconclusive"):
		t.Log("this machine was too busy for a verdict:", slower.stdout)
	default:
		t.Errorf("5 %% slower: exit %d\n%s", slower.code, slower.stdout)
	}
	if out := dlbench(t, "gate", run, "--base", "eager@young", "--head", "eager@old"); out.code != gate.CodePass {
		t.Errorf("5 %% faster: exit %d\n%s", out.code, out.stdout)
	}
	if out := dlbench(t, "gate", measure("fake:scripted=8ms")); out.code != gate.CodePass {
		t.Errorf("the same on both sides: exit %d\n%s", out.code, out.stdout)
	}
}

// What cannot be a worker is said before anything runs.
func TestWorkerFlag(t *testing.T) {
	suite := suiteFile(t, "eager")
	for text, says := range map[string]string{
		"mine":                             "expected NAME=CMD",
		"eager=dlbench worker eager":       "there is a backend eager already; hint: name it eager@own",
		"Mine=dlbench worker eager":        "expected lower-case words joined by dashes",
		"mine=nowhere-at-all":              "cannot be started",
		"mine=sh -c 'echo hello'":          "does not answer as a worker",
		"mine='dlbench":                    "a quote ' is not closed",
		"eager@b=sh":                       "does not answer as a worker",
		"mine=dlbench worker nothing":      "not in the catalog",
		"eager@own=dlbench worker eager@x": "not in the catalog",
	} {
		out := dlbench(t, "plan", "--suite", suite, "--worker", text)
		if out.code != 2 || !strings.Contains(out.stderr, says) || strings.Count(strings.TrimSpace(out.stderr), "\n") > 0 {
			t.Errorf("--worker %s: exit %d, %q, want %q", text, out.code, out.stderr, says)
		}
	}
	out := dlbench(t, "plan", "--suite", suite, "--worker", "mine=dlbench worker eager", "--baseline", "mine")
	if out.code != 0 || !strings.Contains(out.stdout, "backend=mine") {
		t.Errorf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	out = dlbench(t, "plan", "--suite", suite, "--baseline", "gorgonia")
	if out.code != 2 || !strings.Contains(out.stderr, "not among the backends of this run: eager") {
		t.Errorf("exit %d, %s", out.code, out.stderr)
	}
}

// A run is not gone on with by another executable under the same name.
func TestResumeRefusesAnotherWorker(t *testing.T) {
	dlbenchPath, err := exec.LookPath("dlbench")
	if err != nil {
		t.Fatal(err)
	}
	worker := written(t, "worker", "#!/bin/sh\nexec "+dlbenchPath+" worker eager\n")
	if err := os.Chmod(worker, 0o755); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "run")
	args := []string{"run", "--suite", suiteFile(t, "eager"), "--worker", "mine=" + worker, "--out", dir}
	if out := dlbench(t, args...); out.code != 0 && out.code != exitTrialNotOK {
		t.Fatalf("exit %d\n%s", out.code, out.stderr)
	}
	if out := dlbench(t, append(args, "--resume")...); out.code == 2 {
		t.Errorf("the same worker is refused: %s", out.stderr)
	}
	if err := os.WriteFile(worker, []byte("#!/bin/sh\nexec "+dlbenchPath+" worker eager # other\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if out := dlbench(t, append(args, "--resume")...); out.code != 2 || !strings.Contains(out.stderr, "plan") {
		t.Errorf("another worker: exit %d, %s", out.code, out.stderr)
	}
}

func TestSplitWords(t *testing.T) {
	for text, want := range map[string][]string{
		"": nil, " a  b ": {"a", "b"}, `"a b" c`: {"a b", "c"}, `a'b c'd`: {"ab cd"}, `""`: {""},
	} {
		got, err := splitWords(text)
		if err != nil || strings.Join(got, "|") != strings.Join(want, "|") || len(got) != len(want) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}
