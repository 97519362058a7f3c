package backendtest_test

import (
	"slices"
	"testing"

	"github.com/dlbench/dlbench/backends/backendtest"
	"github.com/dlbench/dlbench/backends/eager"
	"github.com/dlbench/dlbench/workloads"
)

// A worker that claims no optimizer infers only, and proves all its claims so.
func TestInferenceOnly(t *testing.T) {
	info := eager.Info()
	info.Features = nil
	info.Precisions = []workloads.Precision{workloads.F32}
	training := []string{workloads.OptSGD, workloads.OptAdam, workloads.OpDropout}
	info.Ops = slices.DeleteFunc(slices.Clone(info.Ops), func(op string) bool { return slices.Contains(training, op) })
	r := backendtest.Run(t.Context(), backendtest.Served(info, eager.New), options(t))
	if !r.OK() || len(r.Unproven) > 0 || len(r.Survivors()) > 0 {
		t.Errorf("want no failure, no claim unproven, no survivor:\n%s", text(r))
	}
	for _, op := range info.Ops {
		if len(r.Proven[op]) == 0 {
			t.Errorf("%s is proven by nothing", op)
		}
	}
	names := map[string]bool{}
	for _, c := range r.Results {
		if names[c.Name] {
			t.Errorf("case %s comes twice", c.Name)
		}
		names[c.Name] = true
	}
}
