package harness

import (
	"reflect"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/workloads"
)

// The record of a run shows what all workers run under, and no variable of
// the user's shell, which they do not inherit.
func TestWorkerEnv(t *testing.T) {
	t.Setenv("GOGC", "off")
	one := Cell{Settings: workloads.Settings{Threads: 1}}
	two := Cell{Settings: workloads.Settings{Threads: 2}, Entry: backends.Entry{Env: []string{"X=1"}}}
	env := WorkerEnv([]Cell{one, one})
	if env["GOMAXPROCS"] != "1" || env["TZ"] != "UTC" {
		t.Errorf("environment %v", env)
	}
	if _, ok := env["GOGC"]; ok {
		t.Error("a variable of the user's shell is shown")
	}
	if env = WorkerEnv([]Cell{two}); env["X"] != "" {
		t.Error("a variable of the only backend is shown as one of all")
	}
	env = WorkerEnv([]Cell{one, two})
	if _, ok := env["GOMAXPROCS"]; ok {
		t.Error("a variable that differs between workers is shown")
	}
	if _, ok := env["X"]; ok {
		t.Error("a variable of one worker is shown")
	}
}

func TestBackendEnv(t *testing.T) {
	cell := func(backend string, threads int, env ...string) Cell {
		return Cell{
			Name: results.Cell{Backend: backend}, Settings: workloads.Settings{Threads: threads}, Entry: backends.Entry{Env: env},
		}
	}
	got := BackendEnv([]Cell{cell("a", 1, "X=1", "ALL=1"), cell("a", 2, "X=1", "ALL=1"), cell("b", 1, "ALL=1"), cell("b", 2, "ALL=1")})
	want := map[string]map[string]string{"a": {"X": "1", "ALL": "1"}, "b": {"ALL": "1"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
