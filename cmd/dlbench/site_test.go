package main

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/catalog"
	"github.com/dlbench/dlbench/backends/python/environment"
	"github.com/dlbench/dlbench/workloads"
)

// rowsNamed are the rows of a site with that name.
func rowsNamed(s site, name string) []backends.Entry {
	return slices.DeleteFunc(slices.Clone(s.rows), func(e backends.Entry) bool { return e.Info.Name != name })
}

func ref(t *testing.T, text string) environment.Ref {
	t.Helper()
	r, err := environment.ParseRef(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Every entry of a framework exists in every version of it that is there.
func TestVersionsOfEntries(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(workloads.CacheEnv, dir)
	for _, name := range []string{"jax@0.9.0", "tensorflow-cuda@2.20.0", ".keras.making-1", "notes", "pytorch"} {
		if err := os.MkdirAll(filepath.Join(dir, "environments", name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s, err := here(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var more []string
	for _, e := range s.entries() {
		if strings.Contains(e.Info.Name, "@") {
			more = append(more, e.Info.Name+" in "+e.Environment)
			if e.Argv[len(e.Argv)-1] == e.Info.Name || !strings.HasPrefix(e.Argv[0], dir) || e.Need() == nil {
				t.Errorf("%s starts %v", e.Info.Name, e.Argv)
			}
		}
	}
	slices.Sort(more)
	want := "jax-eager@0.9.0 in jax@0.9.0|jax@0.9.0 in jax@0.9.0|tensorflow-function@2.20.0 in tensorflow@2.20.0|tensorflow-session@2.20.0 in tensorflow@2.20.0|tensorflow-xla@2.20.0 in tensorflow@2.20.0|tensorflow@2.20.0 in tensorflow@2.20.0"
	if got := strings.Join(more, "|"); got != want {
		t.Errorf("entries %s\nwant %s", got, want)
	}
	s = s.with("pytorch-jit@2.14.0", "pytorch@2.14.0", "eager@1", "nothing@1", "jax", "jax@0.9.0", "pytorch@a/b")
	for name, n := range map[string]int{"pytorch-jit@2.14.0": 1, "pytorch@2.14.0": 1, "pytorch-compile@2.14.0": 1, "jax@0.9.0": 1, "eager@1": 0, "pytorch@a/b": 0} {
		if got := len(rowsNamed(s, name)); got != n {
			t.Errorf("%d rows of %s, want %d", got, name, n)
		}
	}
}

// Cells on a GPU run in the environment for CUDA where it is there, or else
// where the host has a GPU; else in the plain one, whose worker says that there
// is no device. The user's own environment serves both.
func TestEnvironmentOnGPU(t *testing.T) {
	s := site{rows: catalog.Entries(), cache: "/cache", store: environment.Store{Dir: filepath.Join(t.TempDir(), "environments")}}
	where := func(name, device string) string {
		t.Helper()
		return s.environment(rowsNamed(s, name)[0], device).String()
	}
	absent := "tensorflow"
	if hasGPU() {
		absent = "tensorflow-cuda"
	}
	for _, tc := range []struct{ name, device, want string }{
		{"tensorflow-xla", workloads.DeviceCPU, "tensorflow"},
		{"tensorflow-xla", workloads.DeviceCUDA, absent},
		{"pytorch", workloads.DeviceCUDA, "pytorch"},
	} {
		if got := where(tc.name, tc.device); got != tc.want {
			t.Errorf("%s on %s: %s, want %s", tc.name, tc.device, got, tc.want)
		}
	}
	s.own = []environment.Own{{Ref: ref(t, "tensorflow"), Python: "/mine/bin/python"}}
	if got := s.onDevice("tensorflow", workloads.DeviceCUDA); got.Environment != "tensorflow" || got.Argv[0] != "/mine/bin/python" || got.Need() != nil {
		t.Errorf("with the user's own: %+v, %v", got, got.Need())
	}
	s.own = append(s.own, environment.Own{Ref: ref(t, "tensorflow-cuda"), Python: "/other/bin/python"})
	if got := s.onDevice("tensorflow", workloads.DeviceCUDA); got.Argv[0] != "/other/bin/python" {
		t.Errorf("with the user's own for CUDA: %+v", got)
	}
}

// A plan has an entry per device: each cell starts in its own environment.
func TestPlanOnTwoDevices(t *testing.T) {
	python := filepath.Join(t.TempDir(), "python") // says what is wanted to hear
	if err := os.WriteFile(python, []byte("#!/bin/sh\nprintf 'CPython\\n3.11.7\\n/opt/python\\n'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	f := suiteFlags{envs: []string{"tensorflow-cuda=" + python}, suite: suiteFile(t, "tensorflow, eager",
		"cells: [{workload: TinyMlp, mode: train, batch: 4, precision: f32, device: [cpu, cuda]}]")}
	plan, err := f.plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	in := map[string]string{}
	for _, c := range plan.Cells {
		in[c.Name.Backend+" on "+c.Settings.Device] = c.Entry.Environment
		if cuda := c.Entry.Environment == "tensorflow-cuda"; cuda != (c.Entry.Argv[0] == python) {
			t.Errorf("%s starts %v", c.Name.Name(), c.Entry.Argv)
		}
	}
	want := map[string]string{"tensorflow on cpu": "tensorflow", "tensorflow on cuda": "tensorflow-cuda", "eager on cpu": "", "eager on cuda": ""}
	if !maps.Equal(in, want) {
		t.Errorf("environments %v, want %v", in, want)
	}
	if n := len(plan.Entries()); n != 3 {
		t.Errorf("%d entries have to be ready, want 3", n)
	}
	if b := f.site.conditions(plan)["tensorflow"]; b.Environment != "tensorflow, tensorflow-cuda (the user's own)" {
		t.Errorf("recorded as %+v", b)
	}
}

// Every environment that the catalog names exists, and --cuda finds those for
// CUDA of each framework.
func TestEnvironmentsOfTheCatalog(t *testing.T) {
	for _, e := range catalog.Entries() {
		for _, name := range []string{e.Environment, e.EnvironmentCUDA} {
			if _, err := environment.Find(name); name != "" && err != nil {
				t.Errorf("%s: %v", e.Info.Name, err)
			}
		}
	}
	for text, want := range map[string]string{
		"tensorflow": "tensorflow-cuda", "jax": "jax-cuda", "jax-cuda": "jax-cuda", "pytorch": "pytorch", "onnxruntime": "",
		"keras": "tensorflow-cuda keras jax-cuda", "jax@0.9.0": "jax-cuda@0.9.0", "keras@3.14.0": "keras@3.14.0",
	} {
		var got []string
		for _, r := range forCUDA(ref(t, text)) {
			got = append(got, r.String())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("--cuda %s: %v, want %s", text, got, want)
		}
	}
	if got := strings.Join(plainEnvironments(), " "); got != "pytorch tensorflow jax onnxruntime openvino keras" {
		t.Errorf("--all: %s", got)
	}
}

// What the disk cannot hold is refused before anything is made, with what to do.
func TestSetupRefusesWhatTheDiskCannotHold(t *testing.T) {
	store := environment.Store{Dir: filepath.Join(t.TempDir(), "not", "there", "yet")}
	step := func(disk int64) environment.Step {
		return environment.Step{Ref: environment.Ref{Name: "jax", Version: "0.9.0"}, Spec: environment.Spec{Name: "jax", Download: 1e6, Disk: disk, Note: "a note"}}
	}
	var said strings.Builder
	if err := announce(t.Context(), &said, store, []environment.Step{step(1e3), step(1e3)}); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"jax@0.9.0  downloads up to 1 MB  takes 1 kB on disk, about as much", "together: downloads up to 2 MB, 2 kB on disk"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, said.String())
		}
	}
	if strings.Count(said.String(), "a note") != 1 {
		t.Errorf("the note is not there once:\n%s", said.String())
	}
	err := announce(t.Context(), io.Discard, store, []environment.Step{step(1 << 60)})
	if err == nil || !strings.Contains(err.Error(), "cannot hold it") || !strings.Contains(err.Error(), workloads.CacheEnv) || strings.Contains(err.Error(), "\n") {
		t.Errorf("an environment of 2^60 bytes: %v", err)
	}
}

// A run records the user's own environment as such, and goes on only in what it
// began in.
func TestOwnEnvironmentInARun(t *testing.T) {
	s := site{rows: catalog.Entries(), cache: "/cache", store: environment.Store{Dir: filepath.Join(t.TempDir(), "environments")}}
	if name, made := s.describe("pytorch"); name != "pytorch" || made.Bytes != 0 || made.Seconds != 0 {
		t.Errorf("%s, %+v", name, made)
	}
	pinned := s.identity("pytorch")
	s.own = []environment.Own{{Ref: ref(t, "pytorch"), Python: "/mine/bin/python"}}
	if name, _ := s.describe("pytorch"); name != "pytorch (the user's own)" {
		t.Error(name)
	}
	if s.identity("pytorch") == pinned || s.identity("") != "" {
		t.Errorf("identities %q, %q", pinned, s.identity("pytorch"))
	}
	// What onnxruntime names in its environment is the user's PyTorch then.
	e := s.onDevice("onnxruntime", workloads.DeviceCPU)
	if !slices.Contains(e.Env, "DLBENCH_EXPORT_PYTHON=/mine/bin/python") {
		t.Errorf("onnxruntime sees %v", e.Env)
	}
	if err := e.Need(); err == nil || !strings.Contains(err.Error(), "(run `dlbench setup onnxruntime`)") {
		t.Errorf("needs %v", err)
	}
}
