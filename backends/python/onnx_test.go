package python_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/dlbench/dlbench/backends/python/environment/environmenttest"
	"github.com/dlbench/dlbench/workloads"
)

// TestONNXChecks runs what the compliance suite cannot see of the workers that read
// ONNX graphs, in their own language.
func TestONNXChecks(t *testing.T) {
	if testing.Short() {
		t.Skip("starts ONNX Runtime and OpenVINO")
	}
	cache, err := workloads.DefaultCache()
	if err != nil {
		t.Fatal(err)
	}
	for environment, script := range map[string]string{"onnxruntime": "onnx_checks.py", "openvino": "openvino_checks.py"} {
		t.Run(environment, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), environmenttest.Interpreter(t, cache.Dir, environment), "-s", "-B", filepath.Join("testdata", script))
			cmd.Env = append(os.Environ(), "DLBENCH_EXPORT_PYTHON="+environmenttest.Interpreter(t, cache.Dir, "pytorch"))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
