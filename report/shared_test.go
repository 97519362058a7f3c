package report

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

// sharedRun is a run in which every trial but those of memory was forked.
func sharedRun(fresh results.Run) results.Run {
	run := fresh
	run.Meta.Shared = true
	run.Records = slices.Clone(run.Records)
	for i := range run.Records {
		r := &run.Records[i]
		if r.Kind != results.KindMemory {
			r.Shared = true
			r.Phases = slices.DeleteFunc(slices.Clone(r.Phases), func(p results.Phase) bool { return p.Name == "import" })
		}
	}
	return run
}

// Forked trials import nothing, and the chart of times still shows what a start
// costs: as the memory trials took it.
func TestSharedRun(t *testing.T) {
	fresh := resultstest.Run(resultstest.Config{Seed: 5, Memory: true, Check: true})
	run := sharedRun(fresh)
	v := newView(run, compare.Analyze(run))
	cells := 0
	for _, c := range v.cells() {
		parts, ok := c.phases()
		if !ok {
			continue
		}
		cells++
		var memory []*results.Record
		for i := range run.Records {
			if r := &run.Records[i]; r.Kind == results.KindMemory && r.Cell.Backend == c.Cell.Backend {
				memory = append(memory, r)
			}
		}
		if len(memory) != 4 {
			t.Fatalf("%s has %d memory trials, want one on each of four workloads", c.Backend.Name, len(memory))
		}
		want, _ := medianOf(memory, phaseNS("import"))
		if got := parts[0] * 1e9; math.Abs(got-want) > 1 || got == 0 {
			t.Errorf("%s: import %v, want that of the memory trials of the backend, %v", c.Cell.Name(), got, want)
		}
		if start, _, _ := c.startup(); start < parts[0] {
			t.Errorf("%s: start-up %v s leaves out the import", c.Cell.Name(), start)
		}
	}
	if cells < 3 {
		t.Fatalf("only %d cells were timed", cells)
	}
	notes := v.summary().Notes
	note := notes[len(notes)-1]
	for lang, text := range map[string]string{"en": note.EN, "zh": note.ZH} {
		if !strings.Contains(text, "--share-process") {
			t.Errorf("%s: the notes do not say that imports were shared: %q", lang, text)
		}
	}
	for _, lead := range []text{v.time().Lead, v.breakEven().Lead} {
		if !strings.Contains(lead.EN, "memory trials of the backend") || !strings.Contains(lead.ZH, "该后端全部内存试验") {
			t.Errorf("not said whose import it is: %q", lead.EN)
		}
	}
	for name, page := range map[string]func(*strings.Builder) error{
		"text":     func(b *strings.Builder) error { return Text(b, run, compare.Analyze(run), TextOptions{}) },
		"Markdown": func(b *strings.Builder) error { return Markdown(b, run, compare.Analyze(run)) },
		"HTML":     func(b *strings.Builder) error { return HTML(b, run, compare.Analyze(run)) },
	} {
		var b strings.Builder
		if err := page(&b); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), "forked after a shared import") {
			t.Errorf("%s does not say that trials were forked", name)
		}
	}
	plain := newView(fresh, compare.Analyze(fresh))
	if n := plain.summary().Notes; len(n) >= len(notes) || strings.Contains(plain.time().Lead.EN, "forked") {
		t.Error("a run of fresh processes speaks of forks")
	}
}

// Forked trials that recorded a resident peak, in an older run folder, show none.
func TestForkedTrialsShowNoResidentPeak(t *testing.T) {
	fresh := resultstest.Run(resultstest.Config{Seed: 5, Memory: true, Check: true})
	for shared, run := range map[bool]results.Run{false: fresh, true: sharedRun(fresh)} {
		v := newView(run, compare.Analyze(run))
		for _, c := range v.cells() {
			row := c.memoryRow(newAxis(1, round3, text{}))
			if shared != (row.Timed == none) {
				t.Errorf("shared %v, %s: peak of timed trials %q, of memory trials %q", shared, c.Cell.Name(), row.Timed, row.Peak)
			}
			for _, trial := range c.trials {
				if got := trial.row().HWM; (got == none) != trial.Record.Shared {
					t.Errorf("shared %v, %s: a %s trial's peak %q", shared, c.Cell.Name(), trial.Record.Kind, got)
				}
			}
		}
		if lead := v.memory().Lead; shared != strings.Contains(lead.EN, "forked") || shared != strings.Contains(lead.ZH, "派生") {
			t.Errorf("shared %v: the lead is %q", shared, lead.EN)
		}
	}
}
