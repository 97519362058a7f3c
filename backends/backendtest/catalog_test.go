package backendtest_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/backends"
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
			recorded(t, e.Info, r)
		})
	}
}

// recorded holds what the catalog says an entry was seen to do to what it was seen
// to do now.
func recorded(t *testing.T, info backends.Info, r backendtest.Report) {
	t.Helper()
	said, _ := catalog.Capabilities(info.Name)
	seen := r.Capabilities(said.Date, info.Versions)
	if !reflect.DeepEqual(said, seen) {
		t.Errorf("capabilities/%s.json says\n%+v, seen is\n%+v\nscripts/capabilities %[1]s writes it anew", info.Name, said, seen)
	}
}
