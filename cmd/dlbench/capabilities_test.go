package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/backendtest"
	"github.com/dlbench/dlbench/backends/gorgonia"
	"github.com/dlbench/dlbench/results"
)

// What an entry can do is what the suite saw in these very versions.
func TestShownCapabilities(t *testing.T) {
	tested := gorgonia.Info()
	other, unknown := tested, tested
	other.Versions = map[string]string{"gorgonia": "v0.9.19", "tensor": tested.Versions["tensor"]}
	unknown.Name = "gorgonia@0.9.19"
	for _, tt := range []struct {
		info                 backends.Info
		precisions, features string
		proven               bool
	}{
		{tested, "f32 f64", "accumulate checkpoint host", true},
		{other, "not tested in this version", "", false},
		{unknown, "not tested", "", false},
	} {
		e := backends.Entry{Info: tt.info}
		precisions, features := (site{}).shownCapabilities(e)
		if precisions != tt.precisions || features != tt.features {
			t.Errorf("%s in %v: %q and %q, want %q and %q", tt.info.Name, tt.info.Versions, precisions, features, tt.precisions, tt.features)
		}
		if c := (site{}).provenOf(e); (c != nil) != tt.proven || c != nil && !slices.Contains(c.Precisions, "f32") {
			t.Errorf("%s in %v: a run would record %+v", tt.info.Name, tt.info.Versions, c)
		}
	}
}

// A whole run of the suite is written; one that was cut short is not, and neither
// is one that the user cut down.
func TestWriteCapabilities(t *testing.T) {
	dir := t.TempDir()
	r := backendtest.Report{Proven: map[string][]string{"dense": {"dense"}}}
	r.Worker.Ops = []string{"dense", "lstm"}
	if err := writeCapabilities(dir, "mine", r, map[string]string{"x": "1"}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "mine.json"))
	if err != nil {
		t.Fatal(err)
	}
	var c results.Capabilities
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Date) != len("2026-11-21") || c.Versions["x"] != "1" || !slices.Equal(c.Ops, []string{"dense"}) || !slices.Equal(c.Failed, []string{"lstm"}) {
		t.Errorf("written: %s", text)
	}
	r.Stopped = "interrupted"
	if err := writeCapabilities(dir, "other", r, nil); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("a run that was cut short: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "other.json")); err == nil {
		t.Error("a run that was cut short was written")
	}
	for _, args := range [][]string{{"eager", "--only", "program/dense/f32"}, {"--", "true"}} {
		var out, errs strings.Builder
		if code := run(t.Context(), append([]string{"backend", "check", "--capabilities", dir}, args...), os.Stdin, &out, &errs); code != exitBadInput || !strings.Contains(errs.String(), "--capabilities is for a NAME") {
			t.Errorf("%v: exit %d, %s", args, code, errs.String())
		}
	}
}
