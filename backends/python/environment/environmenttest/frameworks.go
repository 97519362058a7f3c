package environmenttest

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/dlbench/dlbench/backends/python/environment"
)

// RequireVariable is set where the frameworks must be there: then a test that
// lacks one fails instead of being skipped.
const RequireVariable = "DLBENCH_REQUIRE_FRAMEWORKS"

var zeroTime time.Time

// Lacks skips the test for a reason, or fails it where frameworks are required.
func Lacks(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv(RequireVariable) != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// Interpreter is the Python of a framework's environment in the cache. Where the
// environment is not ready the test is skipped, or fails if frameworks are required.
func Interpreter(t testing.TB, cache, name string) string {
	t.Helper()
	store := environment.In(cache)
	if state := store.Look(environment.Ref{Name: name}); state.Condition != environment.Ready {
		Lacks(t, "%s is %s; run `dlbench setup %s`", name, state.Condition, name)
	}
	return store.Interpreter(environment.Ref{Name: name})
}

// Tool is the path of a program on PATH, such as uv. Without it the test is
// skipped, or fails if frameworks are required.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Lacks(t, "%s is not on PATH", name)
	}
	return path
}
