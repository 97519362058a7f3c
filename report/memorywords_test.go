package report

import (
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

// Peaks that repeat say by how much they differ, others say why as well.
func TestSpreadOfPeaks(t *testing.T) {
	const mib = 1 << 20
	for _, test := range []struct {
		name            string
		versions        map[string]string
		kind            string
		peaks           []int64 // above import, MiB/100
		spread, because string  // because: empty where they are not apart
	}{
		{"one trial", nil, "eager", []int64{1000}, "", ""},
		{"steady", nil, "eager", []int64{1000, 1015, 1010}, "3 trials within 1.5" + nbsp + "%", ""},
		{"Go", map[string]string{"go": "go1.26"}, "define-by-run", []int64{1000, 1030}, "2 trials within 3" + nbsp + "%", "garbage collector"},
		{"Go beneath Python", map[string]string{"go": "x", "python": "3"}, "eager", []int64{1000, 1030}, "2 trials within 3" + nbsp + "%", "an allocator"},
		{"compiled", map[string]string{"jax": "1"}, "compiled", []int64{1030, 1000}, "2 trials within 3" + nbsp + "%", "a compiler"},
		{"nothing above import", nil, "eager", []int64{0, 1000}, "", ""},
	} {
		c := &cell{}
		for _, p := range test.peaks {
			base := int64(100 * mib)
			peak := base + p*mib/100
			c.trials = append(c.trials, &trial{Record: &results.Record{
				Kind: results.KindMemory, End: results.EndOK, Memory: &results.Memory{ImportPSS: &base, PeakPSS: &peak},
				Worker: results.Worker{Kind: test.kind, Versions: test.versions},
			}})
		}
		spread, apart := c.spread()
		said := ""
		for _, n := range memoryNotes([]*cell{c}) {
			said += n.Text.EN + "\n"
		}
		if spread.EN != test.spread || apart != (test.because != "") || strings.Contains(said, "2"+nbsp+"% apart") != apart || !strings.Contains(said, test.because) {
			t.Errorf("%s: %q, %q", test.name, spread.EN, said)
		}
	}
}

// A large rest says where the peak was reached and what it holds.
func TestWhatARestHolds(t *testing.T) {
	for _, test := range []struct {
		kind, version, phase, want string
	}{
		{"compiled", "jax", "first", "peak in “first step”: the graph and its compiler"},
		{"compiled", "jax", "measure", "peak in “measured steps”: compiled code"},
		{"eager", "pytorch", "measure", "peak in “measured steps”: workspaces of kernels"},
		{"define-by-run", "go", "build", "peak in “build”: temporaries, garbage"},
		{"static-graph", "go", "late", "peak in “measured steps”: values that the graph keeps"},
		{"eager", "pytorch", "", "workspaces of kernels"},
	} {
		r := &results.Record{
			Kind: results.KindMemory, End: results.EndOK, Worker: results.Worker{Kind: test.kind, Versions: map[string]string{test.version: "1"}},
			Phases: []results.Phase{{Name: "import", WallNS: 9}, {Name: "build", WallNS: 10}, {Name: "first", WallNS: 10}, {Name: "measure", WallNS: 10}},
			Memory: &results.Memory{},
		}
		if at, ok := map[string]int64{"build": 5, "first": 15, "measure": 25, "late": 31}[test.phase]; ok {
			r.Memory.Timeline = []results.Point{{NS: 1, RSS: 10}, {NS: at, RSS: 99}, {NS: 29, RSS: 20}}
		}
		c := &cell{trials: []*trial{{Record: r}}}
		if got := c.restHolds(); !strings.HasPrefix(got.EN, test.want) {
			t.Errorf("%+v: %q", test, got.EN)
		}
	}
}

// What an allocator keeps explains nothing where it was told to give blocks back, and
// the collector nothing of the steps of eager, which allocate nothing.
func TestMemoryWordsKnowWhoHoldsIt(t *testing.T) {
	for _, test := range []struct {
		backend, kind, allocator, phase string
		apart, rest                     string
	}{
		{"pytorch", "eager", "", "measure", "an allocator keeps other blocks", "temporaries, blocks that the allocator keeps"},
		{"pytorch", "eager", "tuned", "measure", "an allocator keeps other blocks", "temporaries, blocks that the allocator keeps"},
		{"pytorch", "eager", "returning", "measure", "the records do not tell", "temporaries, small blocks that the allocator keeps"},
		{"jax", "compiled", "returning", "measure", "a compiler with several threads", "workspaces of kernels, small blocks that the allocator keeps"},
		{"eager", "eager", "", "measure", "garbage collector", "temporaries and gaps in the memory of a step"},
		{"eager", "eager", "", "build", "garbage collector", "garbage that is not yet collected"},
	} {
		r := &results.Record{
			Kind: results.KindMemory, Worker: results.Worker{Kind: test.kind}, Memory: &results.Memory{Timeline: []results.Point{{NS: 1, RSS: 1}, {NS: 5, RSS: 9}, {NS: 9, RSS: 3}}},
			Phases: []results.Phase{{Name: test.phase, WallNS: 10}}, End: results.EndOK,
		}
		c := &cell{Cell: results.Cell{Backend: test.backend, Allocator: test.allocator}, Backend: identify(test.backend, ""), trials: []*trial{{Record: r}}}
		apart, rest := c.apart(), c.restHolds()
		if !strings.Contains(apart.EN, test.apart) || strings.Contains(apart.EN, "allocator") != strings.Contains(test.apart, "allocator") || !strings.Contains(rest.EN, test.rest) {
			t.Errorf("%+v: %q, %q", test, apart.EN, rest.EN)
		}
	}
}

// Activations that a step holds at its peak stand in the bars in place of all of them.
func TestKeptActivations(t *testing.T) {
	w := results.Work{ParamBytes: 1 << 20, ActivationBytes: 64 << 20, KeptBytes: 4 << 20}
	for _, c := range []results.Cell{{Mode: "train", Checkpoint: 8}, {Mode: "train", Accumulate: 16}} {
		parts := countedParts(c, w)
		if got := parts[len(parts)-1]; got.class != "mb4" || got.bytes != 4<<20 {
			t.Errorf("%+v: %+v", c, got)
		}
		if said := strings.Contains(modelBytes(c, w).EN, "the outputs of the segments and the largest segment"); said != (c.Checkpoint > 0) {
			t.Errorf("%+v: %q", c, modelBytes(c, w).EN)
		}
	}
}

func TestForecasts(t *testing.T) {
	run := resultstest.Modes()
	base, peak := int64(100<<20), int64(200<<20)
	expected := map[string]results.Forecast{}
	for i := range run.Records {
		if m := run.Records[i].Memory; m != nil {
			m.ImportPSS, m.PeakPSS = &base, &peak
		}
	}
	for i, c := range run.Meta.Cells[:8] { // five of eager, three of PyTorch
		expected[c.Name()] = results.Forecast{AboveImport: []int64{100, 114, 116, 75, 69, 131, 115, 86}[i] << 20, RestsOn: "estimated"}
	}
	expected["another cell"] = results.Forecast{AboveImport: 5}
	run.Meta.Forecasts = expected
	table := newView(run, compare.Analyze(run)).forecasts()
	errors := map[string]string{}
	for _, r := range table.Rows {
		errors[r.Error.EN] = r.Within.EN
	}
	p := nbsp + "%"
	for e, within := range map[string]string{"0" + p: "within 15" + p, "+14" + p: "within 15" + p, "+16" + p: "within 30" + p, "-25" + p: "within 30" + p, "-31" + p: "beyond 30" + p, "+31" + p: "beyond 30" + p, "+15" + p: "within 15" + p, "-14" + p: "within 15" + p} {
		if errors[e] != within {
			t.Errorf("an error of %s is %q, want %q", e, errors[e], within)
		}
	}
	for _, want := range []string{"dlbench eager: 2 of 5 cells within 15" + p + ", 4 within 30" + p + ".", "Other backends: 2 of 3 cells within 15" + p + ", 2 within 30" + p + "."} {
		if !strings.Contains(table.Lead.EN, want) {
			t.Errorf("the lead %q lacks %q", table.Lead.EN, want)
		}
	}
	if len(table.Rows) != 8 {
		t.Errorf("%d rows", len(table.Rows))
	}
	run.Meta.Forecasts = nil
	if again := newView(run, compare.Analyze(run)).forecasts(); len(again.Rows) != 0 {
		t.Error("forecasts of a run that has none")
	}
}

// What was seen to do stands apart from what was refuted, not claimed or not tested.
func TestCapabilities(t *testing.T) {
	run := resultstest.Modes()
	table := newView(run, compare.Analyze(run)).capabilities()
	var columns []string
	for _, c := range table.Columns {
		columns = append(columns, c.EN)
	}
	if got := strings.Join(columns, " "); got != "f64 f32 bf16-mixed f16-mixed accumulation checkpoints copying data loader" {
		t.Errorf("columns %q", got)
	}
	want := map[string]string{"eager": "✓ ✓ ✓ ✓ ✓ ✓ ✓ –", "jax": "– ✓ ✓ – ✓ refuted – –", "pytorch": ""}
	for _, r := range table.Rows {
		var words []string
		for _, c := range r.Cells {
			words = append(words, c.EN)
		}
		if got := strings.Join(words, " "); got != want[r.Backend.Name] {
			t.Errorf("%s: %q, want %q", r.Backend.Name, got, want[r.Backend.Name])
		}
	}
	page := renderHTML(t, run, compare.Analyze(run))
	for _, want := range []string{"not tested in these versions", "已证伪", "2026-11-20", "jax v1.2.3"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	golden, a := golden(t)
	if !strings.Contains(renderHTML(t, golden, a), "holds no compliance record") {
		t.Error("a run without a compliance record does not say so")
	}
}
