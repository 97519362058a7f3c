package main

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestCaseFilter(t *testing.T) {
	for _, tc := range []struct {
		pattern, name string
		want          bool
	}{
		{"relu", "program/relu-stack/f64", true},
		{"state/", "state/reset", true},
		{"state/", "mutant/rate", false},
		{"program/*", "program/relu/f64", true},
		{"program/*/f64", "program/relu/f64", true},
		{"program/*/f64", "program/relu/f32", false},
		{"*", "clock/honest", true},
		{"conv*", "program/conv2d/f32", false},
	} {
		only, err := caseFilter(tc.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := only(tc.name); got != tc.want {
			t.Errorf("%q takes %q: %v, want %v", tc.pattern, tc.name, got, tc.want)
		}
	}
	if _, err := caseFilter("[a"); err == nil || !strings.Contains(err.Error(), "--only") {
		t.Errorf("a pattern without its bracket: %v", err)
	}
}

// What the command says, and with which status it ends.
func TestBackendCheckCommand(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("this machine has no python3: the worker of testdata is written in Python")
	}
	worker := []string{"--", python, "-S", "../../backends/testdata/linear_worker.py"}
	dying := []string{"--", python, "-c", "import sys; sys.exit('no such framework')"}
	for _, tc := range []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"which worker", nil, exitBadInput, []string{"which worker? Expected a NAME of the catalog", "or -- CMD…"}},
		{"passes", append([]string{"--only", "protocol/order"}, worker...), exitOK, []string{"linear (eager): 1 passed, 0 failed, 0 skipped"}},
		{"forks", append([]string{"--only", "fork/*"}, worker...), exitOK, []string{"linear (eager): 3 passed, 0 failed, 0 skipped"}},
		{"is not asked to fork", append([]string{"--fresh", "--only", "fork/*"}, worker...), exitBadInput, []string{`no case for this worker is called like --only "fork/*"`}},
		{"no such case", append([]string{"--only", "protocoll"}, worker...), exitBadInput, []string{`no case for this worker is called like --only "protocoll"`}},
		{"dies", dying, exitTrialNotOK, []string{"fail  protocol/hello: worker closed its end", "it ended with exit status 1", "stderr | no such framework", "error: 1 case failed"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("DLBENCH_CACHE", t.TempDir())
			var out bytes.Buffer
			code := run(t.Context(), append([]string{"backend", "check"}, tc.args...), os.Stdin, &out, &out)
			if code != tc.code {
				t.Errorf("exit %d, want %d", code, tc.code)
			}
			for _, want := range tc.says {
				if !strings.Contains(out.String(), want) {
					t.Errorf("does not say %q:\n%s", want, out.String())
				}
			}
			if n := strings.Count(out.String(), "protocol/hello:"); n > 1 {
				t.Errorf("the failure is printed %d times", n)
			}
		})
	}
}

// A catalog entry is held to the suite as a trial would start it, and to its
// claim to fork.
func TestBackendCheckEntry(t *testing.T) {
	out := dlbench(t, "backend", "check", "fake-ok", "--only", "fork/*")
	if out.code != exitOK || !strings.Contains(out.stdout, "3 passed, 0 failed, 0 skipped") {
		t.Errorf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	t.Setenv("GOGC", "off")
	w, err := workerCommand(t.Context(), []string{"eager"}, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(w.env, "GOMAXPROCS=1") || !slices.Contains(w.env, "TZ=UTC") || slices.ContainsFunc(w.env, func(v string) bool { return strings.HasPrefix(v, "GOGC=") }) {
		t.Errorf("environment %q, want that of a trial and nothing of the user's", w.env)
	}
}
