package python_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/dlbench/dlbench/backends/python/environment/environmenttest"
	"github.com/dlbench/dlbench/workloads"
)

// TestKerasChecks runs what the compliance suite cannot see of the Keras workers,
// in their own language.
func TestKerasChecks(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Keras")
	}
	cache, err := workloads.DefaultCache()
	if err != nil {
		t.Fatal(err)
	}
	python := environmenttest.Interpreter(t, cache.Dir, "keras")
	for _, backend := range []string{"tensorflow", "torch", "jax"} {
		t.Run(backend, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), python, "-s", "-B", filepath.Join("testdata", "keras_checks.py"))
			cmd.Env = append(os.Environ(), "KERAS_BACKEND="+backend, "KERAS_HOME="+t.TempDir())
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
