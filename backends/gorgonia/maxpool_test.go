package gorgonia

import (
	"errors"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const divergeEnv = "GORGONIA_TEST_DIVERGE"

// TestDivergedMaxPool shows what a diverged run does: the library panics in a
// goroutine of its own, which no caller can recover, and the process ends with
// a stack trace on stderr. The harness runs every trial in a process of its
// own and reports such an end as crashed.
func TestDivergedMaxPool(t *testing.T) {
	if os.Getenv(divergeEnv) != "" {
		diverge(t)
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestDivergedMaxPool$")
	cmd.Env = append(os.Environ(), divergeEnv+"=1")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !strings.Contains(string(out), "index out of range [-1]") || !strings.Contains(string(out), "maxPoolDiffOp") {
		t.Errorf("got %v and %q: expected a panic in maxPoolDiffOp; if the library no longer panics, say so in doc.go", err, out)
	}
}

// diverge runs a step with weights that are not numbers.
func diverge(t *testing.T) {
	f := cases["maxpool"].build(t)
	w := f.initial["c1.weight"].F32
	for i := range w {
		w[i] = float32(math.NaN())
	}
	if err := f.Reset(); err != nil {
		t.Fatal(err)
	}
	t.Log(f.Run([]int{0}))
}
