package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
)

// Two publishings into one folder would each write an index without the other's
// runs.
func TestPublishingIsAlone(t *testing.T) {
	site := t.TempDir()
	release, err := results.Lock(site)
	if err != nil {
		t.Fatal(err)
	}
	made, err := madeupRun(nil)
	if err != nil {
		t.Fatal(err)
	}
	run := filepath.Join(t.TempDir(), "run")
	if err := writeRun(run, made); err != nil {
		t.Fatal(err)
	}
	if o := dlbench(t, "publish", run, "--to", site); o.code != exitBadInput || !strings.Contains(o.stderr, "is being written by process") {
		t.Errorf("while another one writes: %+v", o)
	}
	release()
	if o := dlbench(t, "publish", run, "--to", site); o.code != 0 {
		t.Errorf("afterwards: %+v", o)
	}
	if left, _ := filepath.Glob(filepath.Join(site, "lock")); left != nil {
		t.Error("the lock is left")
	}
}
