package backendtest_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dlbench/dlbench/backends/backendtest"
	"github.com/dlbench/dlbench/backends/eager"
	"github.com/dlbench/dlbench/workloads"
)

// A worker that hangs costs two timeouts, not one for each case.
func TestHangingWorker(t *testing.T) {
	opts := options(t)
	opts.Timeout = 50 * time.Millisecond
	r := backendtest.Run(t.Context(), scripted(func(request map[string]any) string {
		if request["t"] == "hello" {
			return modest
		}
		select {} // no reply, ever
	}), opts)
	if r.OK() || r.Count(backendtest.Fail) != 2 || !strings.Contains(r.Stopped, "2 sessions without an answer within 50ms") || !strings.Contains(text(r), r.Stopped) {
		t.Errorf("want two failures and the reason to stop:\n%s", text(r))
	}
}

// What a worker says on standard error when it dies, and how it ended, belong to the case.
func TestDyingWorker(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("this machine has no sh: the worker is a script")
	}
	script := `read request; echo '` + modest + `'; read request || exit 1; seq 1 20 >&2; echo 'Segmentation fault' >&2; exit 9`
	opts := options(t)
	opts.Only = func(name string) bool { return name == "program/dense/f32" }
	r := backendtest.Run(t.Context(), backendtest.Command([]string{shell, "-c", script}, nil), opts)
	if len(r.Results) != 1 {
		t.Fatalf("want one case:\n%s", text(r))
	}
	c := r.Results[0]
	if !strings.HasSuffix(c.Reason, `before the reply "built"; it ended with exit status 9`) {
		t.Errorf("reason %q", c.Reason)
	}
	if want := []string{"12", "13", "14", "15", "16", "17", "18", "19", "20", "Segmentation fault"}; !slices.Equal(c.Stderr, want) {
		t.Errorf("standard error %q, want %q", c.Stderr, want)
	}
}

// Cases that are picked by name rest on programs that nobody asked for.
func TestOnly(t *testing.T) {
	known := eager.Info()
	known.Precisions = []workloads.Precision{workloads.F32}
	for _, want := range []string{"protocol/order", "state/reset", "mutant/dropout-unscaled", "program/maxpool2d-ties/f32", "protocol/hello"} {
		opts := options(t)
		opts.Only = func(name string) bool { return name == want }
		r := backendtest.Run(t.Context(), backendtest.Served(known, eager.New), opts)
		if len(r.Results) != 1 || r.Results[0].Name != want || r.Results[0].Status != backendtest.Pass || r.Stopped != "" {
			t.Errorf("%s: %+v", want, r.Results)
		}
	}
}
