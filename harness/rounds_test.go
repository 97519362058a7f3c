package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/dlbench/dlbench/results"
)

// script decides how the scripted trial of a cell ends.
type script func(cell string, kind string, at place) string

func alwaysOK(string, string, place) string { return results.EndOK }

// simulate runs a schedule over named cells with scripted trials and returns
// the records that reached the sink.
func simulate(t *testing.T, c Config, names []string, ends script) ([]results.Record, error) {
	t.Helper()
	for _, n := range names {
		c.Cells = append(c.Cells, Cell{Name: results.Cell{Workload: "W", Backend: n}})
	}
	var got []results.Record
	if c.Sink == nil {
		c.Sink = func(r results.Record) error { got = append(got, r); return nil }
	}
	err := run(t.Context(), c, func(_ context.Context, cell Cell, kind string, at place) results.Record {
		return results.Record{
			Kind: kind, Round: at.round, Attempt: at.attempt, Order: at.order, Cell: cell.Name,
			WallNS: int64(time.Second), End: ends(cell.Name.Backend, kind, at),
		}
	})
	return got, err
}

// count tallies the timed records of a backend with an end.
func count(records []results.Record, backend, kind string) int {
	n := 0
	for _, r := range records {
		if r.Cell.Backend == backend && r.Kind == kind {
			n++
		}
	}
	return n
}

func TestEveryRoundMeasuresEveryCellOnce(t *testing.T) {
	got, err := simulate(t, Config{Seed: 7, Rounds: Rounds{Min: 3, Max: 3}}, []string{"a", "b", "c"}, alwaysOK)
	if err != nil {
		t.Fatal(err)
	}
	orders := map[string]bool{}
	for round := 1; round <= 3; round++ {
		var order []string
		for _, r := range got {
			if r.Kind == results.KindTime && r.Round == round {
				order = append(order, r.Cell.Backend)
			}
		}
		orders[fmt.Sprint(order)] = true
		slices.Sort(order)
		if !slices.Equal(order, []string{"a", "b", "c"}) {
			t.Errorf("round %d measured %v", round, order)
		}
	}
	if len(orders) < 2 {
		t.Errorf("three rounds in the same order: %v; a drift of the host would fall on the same cell each time", orders)
	}
	again, _ := simulate(t, Config{Seed: 7, Rounds: Rounds{Min: 3, Max: 3}}, []string{"a", "b", "c"}, alwaysOK)
	if !slices.EqualFunc(got, again, func(a, b results.Record) bool { return a.Cell == b.Cell && a.Round == b.Round }) {
		t.Error("the same seed gave another order")
	}
}

func TestFailedCheckIsNotMeasured(t *testing.T) {
	got, err := simulate(t, Config{Rounds: Rounds{Min: 2, Max: 2}}, []string{"good", "wrong"}, func(cell, kind string, _ place) string {
		if cell == "wrong" && kind == results.KindCheck {
			return results.EndWrong
		}
		return results.EndOK
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := count(got, "wrong", results.KindTime) + count(got, "wrong", results.KindMemory); n != 0 {
		t.Errorf("a cell that did other work was measured %d times", n)
	}
	if n := count(got, "good", results.KindTime); n != 2 {
		t.Errorf("the other cell was measured %d times, want 2", n)
	}
}

// What compiled has its compiler's memory in its figures: it is measured once
// more, and not for ever.
func TestColdMemoryTrialIsRepeated(t *testing.T) {
	cell := func(backend string) results.Cell { return results.Cell{Workload: "W", Backend: backend} }
	c := Config{Rounds: Rounds{Min: 1, Max: 1}, Cells: []Cell{{Name: cell("once")}, {Name: cell("always")}, {Name: cell("never")}, {Name: cell("fails")}}}
	var got []results.Record
	c.Sink = func(r results.Record) error { got = append(got, r); return nil }
	trial := func(_ context.Context, cell Cell, kind string, at place) results.Record {
		r := results.Record{Kind: kind, Round: at.round, Attempt: at.attempt, Order: at.order, Cell: cell.Name, WallNS: 1, End: results.EndOK}
		if name := cell.Name.Backend; kind != results.KindMemory || name == "always" || name == "fails" || name == "once" && at.attempt == 1 {
			r.Worker.CompileCache = "cold"
		}
		if kind == results.KindMemory && cell.Name.Backend == "fails" {
			r.End = results.EndOOM
		}
		return r
	}
	if err := run(t.Context(), c, trial); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"once": 2, "always": 2, "never": 1, "fails": 1}
	for name, n := range want {
		if count(got, name, results.KindMemory) != n || count(got, name, results.KindTime) != 1 || count(got, name, results.KindCheck) != 1 {
			t.Errorf("%s: %d memory trials, want %d, beside %d timed", name, count(got, name, results.KindMemory), n, count(got, name, results.KindTime))
		}
	}
	// A run that ended before the second goes on with it, one that is complete has none.
	for _, r := range got {
		if r.Kind == results.KindMemory && r.Attempt == 2 && r.Order == 0 {
			t.Errorf("%+v", r)
		}
	}
	all := got
	c.Done = slices.DeleteFunc(slices.Clone(all), func(r results.Record) bool {
		return r.Kind == results.KindTime || r.Kind == results.KindMemory && r.Attempt == 2
	})
	got = nil
	if err := run(t.Context(), c, trial); err != nil || count(got, "once", results.KindMemory) != 1 || count(got, "never", results.KindMemory) != 0 {
		t.Errorf("resumed before the second: %d and %d, %v", count(got, "once", results.KindMemory), count(got, "never", results.KindMemory), err)
	}
	c.Done, got = all, nil
	if err := run(t.Context(), c, trial); err != nil || len(got) != 0 {
		t.Errorf("a complete run went on with %d trials, %v", len(got), err)
	}
}

func TestHopelessCellStops(t *testing.T) {
	for _, tc := range []struct {
		name string
		ends script
		want int
	}{
		{"always fails", func(_, kind string, _ place) string {
			if kind == results.KindTime {
				return results.EndTimeout
			}
			return results.EndOK
		}, giveUpAfter},
		{"fails twice after one success", func(_, kind string, at place) string {
			if kind == results.KindTime && at.round > 1 {
				return results.EndCrashed
			}
			return results.EndOK
		}, 6},
	} {
		got, err := simulate(t, Config{Rounds: Rounds{Min: 6, Max: 6}}, []string{"a"}, tc.ends)
		if err != nil {
			t.Fatal(err)
		}
		if n := count(got, "a", results.KindTime); n != tc.want {
			t.Errorf("%s: %d timed trials, want %d", tc.name, n, tc.want)
		}
	}
}

func TestDecidedCellStopsAfterTheMinimum(t *testing.T) {
	c := Config{Rounds: Rounds{Min: 3, Max: 6}}
	c.Next = func(done []results.Record) []results.Cell {
		return []results.Cell{{Workload: "W", Backend: "open"}}
	}
	got, err := simulate(t, c, []string{"decided", "open"}, alwaysOK)
	if err != nil {
		t.Fatal(err)
	}
	if d, o := count(got, "decided", results.KindTime), count(got, "open", results.KindTime); d != 3 || o != 6 {
		t.Errorf("decided %d, open %d timed trials; want 3 and 6", d, o)
	}
}

func TestSuiteLimitNeverCutsTheMinimum(t *testing.T) {
	c := Config{Rounds: Rounds{Min: 3, Max: 50}, Limits: results.Limits{SuiteNS: 1}}
	got, err := simulate(t, c, []string{"a"}, alwaysOK)
	if err != nil {
		t.Fatal(err)
	}
	if n := count(got, "a", results.KindTime); n != 3 {
		t.Errorf("%d rounds under a limit that is always exceeded, want the minimum of 3", n)
	}
}

func TestResumeRedoesTheInterruptedRound(t *testing.T) {
	cells := []string{"a", "b", "c"}
	c := Config{Seed: 3, Rounds: Rounds{Min: 4, Max: 4}}
	whole, err := simulate(t, c, cells, alwaysOK)
	if err != nil {
		t.Fatal(err)
	}
	// Killed in round 2: two of its three cells are there.
	var kept []results.Record
	for _, r := range whole {
		if r.Kind != results.KindTime || r.Round < 2 || (r.Round == 2 && r.Order < 3) {
			kept = append(kept, r)
		}
	}
	c.Done = kept
	rest, err := simulate(t, c, cells, alwaysOK)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rest {
		if r.Kind != results.KindTime {
			t.Errorf("a %s trial was run again", r.Kind)
		}
		if want := map[bool]int{true: 2, false: 1}[r.Round == 2]; r.Attempt != want {
			t.Errorf("round %d ran as attempt %d, want %d", r.Round, r.Attempt, want)
		}
	}
	if len(rest) != 9 {
		t.Errorf("%d trials after the resume, want 9 (rounds 2, 3 and 4)", len(rest))
	}
}

func TestInterruptedTrialIsRunAgain(t *testing.T) {
	done := []results.Record{{Kind: results.KindCheck, Attempt: 1, Cell: results.Cell{Workload: "W", Backend: "a"}, End: results.EndInterrupted}}
	got, err := simulate(t, Config{Rounds: Rounds{Min: 1, Max: 1}, Done: done}, []string{"a"}, alwaysOK)
	if err != nil {
		t.Fatal(err)
	}
	if n := count(got, "a", results.KindCheck); n != 1 || got[0].Attempt != 2 {
		t.Errorf("check trials after the resume: %d, first attempt %d; want 1 as attempt 2", n, got[0].Attempt)
	}
}

func TestSinkErrorEndsTheRun(t *testing.T) {
	full := errors.New("no space left on device")
	calls := 0
	_, err := simulate(t, Config{Rounds: Rounds{Min: 2, Max: 2}, Sink: func(results.Record) error { calls++; return full }}, []string{"a", "b"}, alwaysOK)
	if !errors.Is(err, full) || calls != 1 {
		t.Errorf("Run = %v after %d records, want the sink's error after 1", err, calls)
	}
}

func TestInterruptEndsTheRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := Config{Rounds: Rounds{Min: 5, Max: 5}, Cells: []Cell{{Name: results.Cell{Backend: "a"}}}, Sink: func(results.Record) error { return nil }}
	trials := 0
	err := run(ctx, c, func(context.Context, Cell, string, place) results.Record {
		if trials++; trials == 3 {
			cancel()
		}
		return results.Record{End: results.EndOK, Kind: results.KindCheck, Cell: results.Cell{Backend: "a"}}
	})
	if !errors.Is(err, ErrInterrupted) || trials != 3 {
		t.Errorf("Run = %v after %d trials, want ErrInterrupted after 3", err, trials)
	}
}

func TestNothingStartsAfterAnInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := Config{Rounds: Rounds{Min: 1, Max: 1}, Cells: []Cell{{Name: results.Cell{Backend: "a"}}}}
	err := run(ctx, c, func(context.Context, Cell, string, place) results.Record {
		t.Fatal("a trial was started")
		return results.Record{}
	})
	if !errors.Is(err, ErrInterrupted) {
		t.Errorf("Run = %v, want ErrInterrupted", err)
	}
}

// What the rounds of the first process took tells a resumed one that the next
// round would pass the limit.
func TestResumeKeepsToTheSuiteLimit(t *testing.T) {
	whole, err := simulate(t, Config{Rounds: Rounds{Min: 3, Max: 3}}, []string{"a", "b"}, alwaysOK)
	if err != nil {
		t.Fatal(err)
	}
	// Ten trials of a second each are done; a round takes two.
	c := Config{Rounds: Rounds{Min: 3, Max: 9}, Limits: results.Limits{SuiteNS: int64(11 * time.Second)}, Done: whole}
	rest, err := simulate(t, c, []string{"a", "b"}, alwaysOK)
	if err != nil {
		t.Fatal(err)
	}
	if len(rest) != 0 {
		t.Errorf("%d trials in a round that passes the limit", len(rest))
	}
}
