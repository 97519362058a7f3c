package python_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/dlbench/dlbench/backends/python/environment/environmenttest"
	"github.com/dlbench/dlbench/workloads"
)

// TestONNXChecks runs what the compliance suite cannot see of ONNX Runtime's
// worker, in its own language.
func TestONNXChecks(t *testing.T) {
	if testing.Short() {
		t.Skip("starts ONNX Runtime")
	}
	cache, err := workloads.DefaultCache()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), environmenttest.Interpreter(t, cache.Dir, "onnxruntime"), "-s", "-B", filepath.Join("testdata", "onnx_checks.py"))
	cmd.Env = append(os.Environ(), "DLBENCH_EXPORT_PYTHON="+environmenttest.Interpreter(t, cache.Dir, "pytorch"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
