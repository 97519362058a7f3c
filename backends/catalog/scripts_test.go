package catalog

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/dlbench/dlbench/workloads"
)

// The suites beside the scripts can be run, and the one on threads leaves no
// backend out.
func TestSuitesOfScripts(t *testing.T) {
	paths, err := filepath.Glob("../../scripts/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%v, %v", paths, err)
	}
	for _, path := range paths {
		suite, err := workloads.LoadSuiteFile(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := suite.Expand(); err != nil {
			t.Error(err)
		}
		for _, b := range suite.Backends {
			if _, err := Find(Entries(), b); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
		if suite.Name != "thread-fairness" {
			continue
		}
		for _, e := range Entries() {
			if !slices.Contains(suite.Backends, e.Info.Name) {
				t.Errorf("%s leaves out %s", path, e.Info.Name)
			}
		}
	}
}
