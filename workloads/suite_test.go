package workloads

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestShippedSuites(t *testing.T) {
	var names []string
	for _, s := range ShippedSuites() {
		names = append(names, s.Name)
		cells, err := s.Expand()
		if err != nil || len(cells) == 0 {
			t.Errorf("%s: %d cells: %v", s.Name, len(cells), err)
		}
		if s.Title["en"] == "" || s.Title["zh"] == "" || s.Notes["en"] == "" || s.Notes["zh"] == "" {
			t.Errorf("%s: title and notes in en and zh expected", s.Name)
		}
		if s.Rounds.Min < 7 && s.Rounds.Until == UntilDecided {
			t.Errorf("%s: %d rounds decide nothing", s.Name, s.Rounds.Min)
		}
		for _, c := range cells {
			// In inference the oracle needs each batch once, however many steps there are.
			if n := c.Spec.Steps.Check + c.Spec.Steps.Measured(); n > 200 && c.Settings.Mode == Train {
				t.Errorf("%s: %s: %d steps for the oracle to compute", s.Name, c.Spec.Workload, n)
			}
		}
	}
	if !slices.Contains(names, "quick") || !slices.Contains(names, "smoke") {
		t.Errorf("suites %v", names)
	}
	if _, ok := FindSuite("none"); ok {
		t.Error("an unknown suite was found")
	}
}

const suiteText = `suite: sample
backends: [a, b]
cells:
  - {workload: [TinyMlp, TinyLstm], mode: [train, infer], batch: [2, 4]}
  - {workload: TinyMlp, mode: train, batch: 8, threads: 2, steps: {blocks: 9}}
common: {threads: 1, accumulate: 1}
rounds: {min: 7, max: 9, until: decided}
limits: {trial: 1m30s, memory: 512MiB}
compare: {baseline: b, metric: {train: step-time, infer: p50}, min-effect: 0.1, alpha: 0.01}
`

func TestExpand(t *testing.T) {
	s, err := parseSuite("sample.yaml", []byte(suiteText))
	if err != nil {
		t.Fatal(err)
	}
	cells, err := s.Expand()
	if err != nil {
		t.Fatal(err)
	}
	if len(cells) != 2*2*2+1 {
		t.Fatalf("%d cells", len(cells))
	}
	first, last := cells[0], cells[8]
	want := DefaultSettings()
	want.Batch = 2
	if first.Settings != want || first.Spec.Workload != "TinyMlp" {
		t.Errorf("first %+v", first.Settings)
	}
	own, _ := Find("TinyMlp")
	if last.Settings.Threads != 2 || last.Settings.Batch != 8 || last.Spec.Steps.Blocks != 9 || last.Spec.Steps.PerBlock != own.Steps.PerBlock {
		t.Errorf("last %+v %+v", last.Settings, last.Spec.Steps)
	}
	if s.Limits != (Limits{Trial: 90 * time.Second, Memory: 512 << 20}) {
		t.Errorf("limits %+v", s.Limits)
	}
	if s.Compare.Baseline != "b" || s.Compare.Metric[Infer] != "p50" || s.Rounds != (Rounds{7, 9, UntilDecided, 0}) {
		t.Errorf("%+v %+v", s.Compare, s.Rounds)
	}
}

func TestExpandPrefersOwnWorkloads(t *testing.T) {
	s, err := parseSuite("sample.yaml", []byte(suiteText))
	if err != nil {
		t.Fatal(err)
	}
	mine, _ := Find("TinyMlp")
	mine.Data.Seed = 99
	cells, err := s.Expand(mine)
	if err != nil || cells[0].Spec.Data.Seed != 99 {
		t.Errorf("%v", err)
	}
}

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int64{"1B": 1, "3KiB": 3072, "512 MiB": 512 << 20, "4GiB": 4 << 30, "2TiB": 2 << 40} {
		if got, err := ParseBytes(text); got != want || err != nil {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "4", "4GB", "GiB", "-1GiB", "1e3B", "0B", "99999999TiB", "9223372036854775807GiB"} {
		if n, err := ParseBytes(text); err == nil {
			t.Errorf("%q: %d", text, n)
		}
	}
}

func TestAllocators(t *testing.T) {
	for _, test := range []struct {
		cell, common string
		want         []string
	}{
		{"", "", []string{""}},
		{"", ", allocator: default", []string{""}},
		{"", ", allocator: [default, tuned]", []string{"", AllocatorTuned}},
		{", allocator: tuned", ", allocator: [default, tuned]", []string{AllocatorTuned}},
		{", allocator: [tuned, default]", "", []string{AllocatorTuned, ""}},
	} {
		text := strings.Replace(suiteText, "batch: 8, threads: 2", "batch: 8"+test.cell, 1)
		text = strings.Replace(text, "accumulate: 1}", "accumulate: 1"+test.common+"}", 1)
		s, err := parseSuite("sample.yaml", []byte(text))
		if err != nil {
			t.Errorf("%+v: %v", test, err)
			continue
		}
		cells, err := s.Expand()
		if err != nil {
			t.Errorf("%+v: %v", test, err)
		}
		var got []string
		for _, c := range cells {
			if c.Settings.Batch == 8 {
				got = append(got, c.Settings.Allocator)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%+v: allocators %q", test, got)
		}
	}
}

// Lines for different backends may give the same point, each with steps of its own,
// and lines that share one may not.
func TestPointOfTwoLines(t *testing.T) {
	line := func(list string, perBlock int) string {
		return fmt.Sprintf("  - {workload: TinyMlp, mode: train, batch: 4, threads: 1, %ssteps: {blocks: 2, per-block: %d}}\n", list, perBlock)
	}
	for _, tt := range []struct {
		first, second string
		twice         bool
	}{
		{"backends: [a], ", "backends: [b], ", false},
		{"backends: [a], ", "backends: [a, b], ", true},
		{"backends: [a], ", "", true},
		{"", "backends: [b], ", true},
	} {
		text := "suite: sample\nbackends: [a, b]\ncells:\n" + line(tt.first, 1) + line(tt.second, 3) +
			"rounds: {min: 1, max: 1, until: max}\nlimits: {trial: 1m, memory: 512MiB}\ncompare: {baseline: a, metric: {train: step-time}, min-effect: 0.05, alpha: 0.05}\n"
		s, err := parseSuite("sample.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		cells, err := s.Expand()
		if twice := err != nil && strings.Contains(err.Error(), "appears twice, first at sample.yaml:4:5"); twice != tt.twice || !twice && err != nil {
			t.Errorf("%q and %q: %v, want twice %v", tt.first, tt.second, err, tt.twice)
		}
		if err == nil && (cells[0].Spec.Steps.PerBlock != 1 || cells[1].Spec.Steps.PerBlock != 3) {
			t.Errorf("steps %+v and %+v", cells[0].Spec.Steps, cells[1].Spec.Steps)
		}
	}
}

// A line may be for some of the suite's backends alone.
func TestBackendsOfALine(t *testing.T) {
	text := strings.Replace(suiteText, "batch: 8,", "batch: 8, backends: [b],", 1)
	s, err := parseSuite("sample.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	cells, err := s.Expand()
	if err != nil {
		t.Fatal(err)
	}
	if len(cells[0].Backends) != 0 || !slices.Equal(cells[8].Backends, []string{"b"}) {
		t.Errorf("first %v, last %v", cells[0].Backends, cells[8].Backends)
	}
	for list, want := range map[string]string{"[c]": "not among the backends", "[]": "empty", "[a, a]": "duplicate"} {
		_, err := parseSuite("sample.yaml", []byte(strings.Replace(text, "[b]", list, 1)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("backends: %s: %v, want it to say %q", list, err, want)
		}
	}
}
