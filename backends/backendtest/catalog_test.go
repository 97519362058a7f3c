package backendtest_test

import (
	"strings"
	"testing"

	"github.com/dlbench/dlbench/backends/backendtest"
	"github.com/dlbench/dlbench/backends/catalog"
)

// Every entry of the catalog that this binary can serve passes the suite;
// TestEager is the stricter form for the engine that we wrote.
func TestCatalog(t *testing.T) {
	for _, e := range catalog.Entries() {
		if e.New == nil || e.Info.Name == "eager" {
			continue
		}
		t.Run(e.Info.Name, func(t *testing.T) {
			for _, env := range e.Env {
				name, value, _ := strings.Cut(env, "=")
				t.Setenv(name, value)
			}
			r := backendtest.Run(t.Context(), backendtest.Served(e.Info, e.New), options(t))
			if !r.OK() || len(r.Unproven) > 0 || len(r.Survivors()) > 0 {
				t.Errorf("want no failure, no claim unproven, no survivor:\n%s", text(r))
			}
		})
	}
}
