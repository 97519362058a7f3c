package harness

import (
	"context"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/workloads"
)

// shareCells are cells of backends that fork (a, b), of one that does not (c),
// and of a on a GPU and with other threads and another allocator.
func shareCells() []Cell {
	cell := func(backend, workload string, set workloads.Settings) Cell {
		return Cell{
			Name:     results.Cell{Workload: workload, Backend: backend, Threads: set.Threads, Device: set.Device, Allocator: set.Allocator},
			Entry:    backends.Entry{Info: backends.Info{Name: backend}, Forks: backend != "c", Devices: []string{"cpu", "cuda"}},
			Settings: set,
		}
	}
	one := workloads.Settings{Threads: 1, Device: workloads.DeviceCPU}
	two, cuda, tuned := one, one, one
	two.Threads, cuda.Device, tuned.Allocator = 2, workloads.DeviceCUDA, workloads.AllocatorTuned
	var cells []Cell
	for _, w := range []string{"V", "W", "X"} {
		for _, b := range []string{"a", "b", "c"} {
			cells = append(cells, cell(b, w, one))
		}
	}
	for _, set := range []workloads.Settings{two, cuda, tuned} {
		cells = append(cells, cell("a", "V", set), cell("a", "W", set))
	}
	return cells
}

func TestSharedOrder(t *testing.T) {
	cells := shareCells()
	s := &schedule{Config: Config{Seed: 7}}
	seen := map[int]bool{}
	groups := map[launch]int{}
	orders := map[string]bool{}
	for round := 1; round <= 20; round++ {
		turns := s.order(true, round, 1, cells)
		clear(seen)
		clear(groups)
		for i, turn := range turns {
			c := cells[turn.cell]
			seen[turn.cell] = true
			if turn.shared != (c.Entry.Forks && c.Settings.Device != workloads.DeviceCUDA) {
				t.Errorf("%+v: shared %v", c.Name, turn.shared)
			}
			begins := i == 0 || !turns[i-1].more
			if begins && turn.shared {
				groups[launchOf(c)]++
			}
			if turn.more && (i+1 == len(turns) || launchOf(cells[turns[i+1].cell]) != launchOf(c) || !turn.shared) {
				t.Errorf("round %d: the process of %+v is to serve what follows", round, c.Name)
			}
		}
		if len(seen) != len(cells) || len(turns) != len(cells) {
			t.Fatalf("round %d measures %d of %d cells in %d turns", round, len(seen), len(cells), len(turns))
		}
		for key, n := range groups {
			if n != 1 {
				t.Errorf("round %d: %d processes for %+v, want 1", round, n, key)
			}
		}
		if len(groups) != 4 { // a, b, a with two threads, a with the other allocator
			t.Errorf("round %d: groups %v", round, groups)
		}
		orders[string(rune('a'+turns[0].cell))] = true
	}
	if len(orders) < 4 {
		t.Errorf("20 rounds begin with %d different cells", len(orders))
	}
	if again := s.order(true, 3, 1, cells); !reflect.DeepEqual(again, s.order(true, 3, 1, cells)) || reflect.DeepEqual(again, s.order(true, 3, 2, cells)) {
		t.Error("the same attempt must have the same order, another one another")
	}
	// Members of a group are started alike, so one process can serve them.
	for i, c := range cells {
		for _, o := range cells[:i] {
			if launchOf(c) == launchOf(o) && !slices.Equal(environment(c, nil), environment(o, nil)) {
				t.Errorf("%+v and %+v share a process and differ in their environment", c.Name, o.Name)
			}
		}
	}
}

// Which trials may be forked, through the whole schedule: never a memory trial.
func TestSharedTrials(t *testing.T) {
	for _, share := range []bool{false, true} {
		shared := map[string]int{}
		c := Config{Cells: shareCells(), Share: share, Rounds: Rounds{Min: 2, Max: 2}, Sink: func(results.Record) error { return nil }}
		err := run(t.Context(), c, func(_ context.Context, cell Cell, kind string, at place) results.Record {
			if at.shared {
				shared[kind]++
			}
			return results.Record{Kind: kind, Round: at.round, Attempt: at.attempt, Order: at.order, Cell: cell.Name, End: results.EndOK}
		})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]int{}
		if share {
			want = map[string]int{results.KindCheck: 10, results.KindTime: 20}
		}
		if !reflect.DeepEqual(shared, want) {
			t.Errorf("share %v: forked trials %v, want %v", share, shared, want)
		}
	}
}

// A resumed run redoes the interrupted round in groups of its own.
func TestSharedResume(t *testing.T) {
	c := Config{Cells: shareCells(), Share: true, Seed: 5, Rounds: Rounds{Min: 3, Max: 3}}
	var got []results.Record
	c.Sink = func(r results.Record) error { got = append(got, r); return nil }
	trial := func(_ context.Context, cell Cell, kind string, at place) results.Record {
		return results.Record{Kind: kind, Round: at.round, Attempt: at.attempt, Order: at.order, Cell: cell.Name, End: results.EndOK, Shared: at.shared}
	}
	if err := run(t.Context(), c, trial); err != nil {
		t.Fatal(err)
	}
	kept := slices.DeleteFunc(slices.Clone(got), func(r results.Record) bool {
		return r.Kind == results.KindTime && (r.Round > 2 || r.Round == 2 && r.Order > 5)
	})
	c.Done, got = kept, nil
	if err := run(t.Context(), c, trial); err != nil {
		t.Fatal(err)
	}
	for _, r := range got {
		if want := map[int]int{2: 2, 3: 1}[r.Round]; r.Kind != results.KindTime || r.Attempt != want {
			t.Errorf("after the resume: %s trial of round %d as attempt %d, want %d", r.Kind, r.Round, r.Attempt, want)
		}
	}
	if len(got) != 2*len(c.Cells) {
		t.Errorf("%d trials after the resume, want two rounds of %d", len(got), len(c.Cells))
	}
}

// Forked trials are expected to take what forked trials took, though the memory
// trials of the same cells took longer.
func TestTimeLeftOfASharedRun(t *testing.T) {
	cell := shareCells()[0] // forks
	record := func(kind string, shared bool, seconds int) results.Record {
		return results.Record{Kind: kind, Cell: cell.Name, Shared: shared, WallNS: int64(time.Duration(seconds) * time.Second), End: results.EndOK}
	}
	done := []results.Record{record(results.KindCheck, true, 1), record(results.KindMemory, false, 9), record(results.KindTime, true, 3)}
	for _, tt := range []struct {
		share bool
		done  int
		kind  string
		round int
		want  int // seconds
	}{
		{true, 1, results.KindMemory, 0, 1 + 3*1}, // nothing is known of fresh ones yet
		{true, 2, results.KindTime, 1, 3 * 1},
		{true, 3, results.KindTime, 2, 2 * 2},
		{false, 2, results.KindTime, 1, 3 * 9},
	} {
		s := &schedule{Config: Config{Cells: []Cell{cell}, Share: tt.share, Rounds: Rounds{Min: 3, Max: 3}}, done: done[:tt.done]}
		turns := s.order(tt.share && tt.kind != results.KindMemory, tt.round, 1, s.Cells)
		if got := s.left(tt.kind, tt.round, turns, s.Cells); got != time.Duration(tt.want)*time.Second {
			t.Errorf("%+v: %v left", tt, got)
		}
	}
}
