package harness

import (
	"testing"

	"github.com/dlbench/dlbench/results"
)

// A suite may ask for more memory trials than one; a cell that failed one has
// no more, and a resumed run makes up what is missing.
func TestMemoryTrialsAreRepeated(t *testing.T) {
	script := func(cell, kind string, _ place) string {
		if cell == "fails" && kind == results.KindMemory {
			return results.EndOOM
		}
		return results.EndOK
	}
	c := Config{Rounds: Rounds{Min: 1, Max: 1, Memory: 3}}
	got, err := simulate(t, c, []string{"a", "fails"}, script)
	if err != nil {
		t.Fatal(err)
	}
	if n := count(got, "a", results.KindMemory); n != 3 {
		t.Errorf("%d memory trials, expected 3", n)
	}
	if n := count(got, "fails", results.KindMemory); n != 1 {
		t.Errorf("%d memory trials of a cell whose first failed, expected 1", n)
	}
	attempts := map[int]bool{}
	for _, r := range got {
		if r.Kind == results.KindMemory && r.Cell.Backend == "a" {
			attempts[r.Attempt] = true
		}
	}
	if len(attempts) != 3 {
		t.Errorf("attempts %v: expected three different ones", attempts)
	}
	for i, r := range got { // cut off after the first memory trials
		if r.Kind == results.KindMemory && r.Attempt == 2 {
			c.Done = got[:i]
			break
		}
	}
	rest, err := simulate(t, c, []string{"a", "fails"}, script)
	if err != nil {
		t.Fatal(err)
	}
	if n := count(rest, "a", results.KindMemory); n != 2 {
		t.Errorf("a resumed run made %d memory trials, expected 2", n)
	}
}
