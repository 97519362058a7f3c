package python_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/dlbench/dlbench/backends/python/environment/environmenttest"
	"github.com/dlbench/dlbench/workloads"
)

// TestFrameworkChecks runs what the compliance suite cannot see of the workers of
// TensorFlow, PyTorch and JAX, in their own language.
func TestFrameworkChecks(t *testing.T) {
	if testing.Short() {
		t.Skip("starts frameworks")
	}
	cache, err := workloads.DefaultCache()
	if err != nil {
		t.Fatal(err)
	}
	for _, framework := range []string{"tensorflow", "pytorch", "jax"} {
		t.Run(framework, func(t *testing.T) {
			t.Parallel() // each computes on one thread, and compiles for minutes
			cmd := exec.CommandContext(t.Context(), environmenttest.Interpreter(t, cache.Dir, framework), "-s", "-B", filepath.Join("testdata", framework+"_checks.py"))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
