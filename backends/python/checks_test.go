package python_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/dlbench/dlbench/backends/python/environment/environmenttest"
	"github.com/dlbench/dlbench/workloads"
)

// TestTensorFlowChecks runs what the compliance suite cannot see of the
// TensorFlow workers, in their own language.
func TestTensorFlowChecks(t *testing.T) {
	if testing.Short() {
		t.Skip("starts TensorFlow")
	}
	cache, err := workloads.DefaultCache()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), environmenttest.Interpreter(t, cache.Dir, "tensorflow"), "-s", "-B", filepath.Join("testdata", "tensorflow_checks.py"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
