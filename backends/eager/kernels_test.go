package eager

import (
	"os"
	"testing"

	"github.com/dlbench/dlbench/backends/eager/kernel"
)

// As in package kernel: Go keeps the results of tests by the variables that they
// read while they run.
func TestForcedIsOfTheEnvironment(t *testing.T) {
	if got, want := kernel.Kernels()["forced"], os.Getenv(kernel.KernelsEnv); got != want {
		t.Errorf("forced is %q, the environment has %q", got, want)
	}
}
