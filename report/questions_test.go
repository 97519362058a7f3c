package report

import (
	"strings"
	"testing"
)

// A user's worker may have any name: only sides that no worker can be called are
// worded.
func TestSidesAreNoWorkers(t *testing.T) {
	for name, words := range sideWords {
		if !strings.Contains(name, " ") {
			t.Errorf("a worker may be called %q", name)
		}
		if words.EN == "" || words.ZH == "" {
			t.Errorf("%q: %q, %q", name, words.EN, words.ZH)
		}
	}
	for _, name := range []string{"eager", "graph", "mixed", "plain", "accumulated", "checkpointed", "CPU", "f32"} {
		if got := sideWord(name); got != same(name) {
			t.Errorf("the worker %q is called %q", name, got)
		}
	}
}
