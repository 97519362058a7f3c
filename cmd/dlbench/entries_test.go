package main

import (
	"strings"
	"testing"

	"github.com/dlbench/dlbench/workloads"
)

// No place may be left in what is started: a worker would be looked for at "{env:…".
func TestEveryPlaceIsKnown(t *testing.T) {
	t.Setenv(workloads.CacheEnv, "/cache")
	for _, e := range entries() {
		for _, s := range append(e.Argv, e.Env...) {
			if strings.ContainsAny(s, "{}") {
				t.Errorf("%s: %s has a place that nothing fills", e.Info.Name, s)
			}
		}
	}
}

func TestShortenedNamesNoPath(t *testing.T) {
	paths := map[string]string{"cache": "/c", "env:a": "/c/environments/a", "self": "", "path": "/usr/bin:/bin"}
	for in, want := range map[string]string{
		"/c/environments/a/bin/python":   "{env:a}/bin/python",
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
