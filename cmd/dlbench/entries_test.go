package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/workloads"
)

// No place may be left in what is started: a worker would be looked for at "{interpreter}".
func TestEveryPlaceIsKnown(t *testing.T) {
	t.Setenv(workloads.CacheEnv, "/cache")
	s, err := here(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range s.entries() {
		for _, s := range append(e.Argv, e.Env...) {
			if strings.ContainsAny(s, "{}") {
				t.Errorf("%s: %s has a place that nothing fills", e.Info.Name, s)
			}
		}
	}
}

func TestShortenedNamesNoPath(t *testing.T) {
	paths := map[string]string{"cache": "/c", "interpreter:a": "/c/environments/a/bin/python", "self": "", "path": "/usr/bin:/bin"}
	for in, want := range map[string]string{
		"/c/environments/a/bin/python":   "{interpreter:a}",
		"X={nothing}":                    "X={nothing}",
		"INDUCTOR=/c/inductor":           "INDUCTOR={cache}/inductor",
		"PATH=/usr/bin:/bin":             "PATH={path}",
		"/elsewhere/bin/python -s /c/w/": "/elsewhere/bin/python -s {cache}/w/",
	} {
		if got := shortened(in, paths); got != want {
			t.Errorf("%s became %s, want %s", in, got, want)
		}
	}
}

// PyTorch's compiler does not quote the folder of what it compiles.
func TestCompilerNeedsACacheWithoutWhiteSpace(t *testing.T) {
	for dir, spaced := range map[string]bool{"plain": false, "with space": true, "with\ttab": true} {
		t.Setenv(workloads.CacheEnv, filepath.Join(t.TempDir(), dir))
		s, err := here(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range s.entries() {
			if e.Need == nil {
				continue
			}
			err := e.Need()
			says := err != nil && strings.Contains(err.Error(), workloads.CacheEnv) && strings.Contains(err.Error(), "white space")
			if want := spaced && e.Info.Name == "pytorch-compile"; says != want || err != nil && strings.ContainsAny(err.Error(), "\n\t") {
				t.Errorf("cache %q: %s needs %v", dir, e.Info.Name, err)
			}
		}
	}
}
