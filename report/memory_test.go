package report

import (
	"math"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

// memoryCell is a cell of one memory trial with that work and those levels.
func memoryCell(mode string, w results.Work, imported, peak int64) *cell {
	r := &results.Record{Kind: results.KindMemory, End: results.EndOK, Work: w, Memory: &results.Memory{ImportPSS: &imported, PeakPSS: &peak}}
	return &cell{Cell: results.Cell{Mode: mode}, trials: []*trial{{Record: r}}}
}

// The parts of a bar add up to the peak, and say when they do not explain it or
// would be more than it.
func TestMemoryParts(t *testing.T) {
	const mib = 1 << 20
	full := results.Work{ParamBytes: 10 * mib, GradientBytes: 10 * mib, OptimizerBytes: 20 * mib, ActivationBytes: 5 * mib, InputBytes: mib}
	for _, test := range []struct {
		name  string
		work  results.Work
		peak  int64
		parts string
		rest  string
	}{
		{"all classes", full, 150 * mib, "mb0 100, mb1 10, mb2 10, mb3 20, mb4 5, mb6 1, mb5 4", "4.00" + nbsp + "MiB"},
		{"an older record", results.Work{ParamBytes: 10 * mib, ActivationBytes: 5 * mib}, 150 * mib, "mb0 100, mb1 10, mb4 5, mb5 35", "35.0" + nbsp + "MiB"},
		{"exactly", full, 146 * mib, "mb0 100, mb1 10, mb2 10, mb3 20, mb4 5, mb6 1", none},
		{"less than the count", full, 130 * mib, "mb0 100, mb7 30", ""},
		{"nothing counted", results.Work{}, 130 * mib, "mb0 100, mb5 30", "30.0" + nbsp + "MiB"},
		{"below the import", full, 90 * mib, "mb0 100, mb7 0", ""},
	} {
		c := memoryCell("train", test.work, 100*mib, test.peak)
		parts, ok := c.memoryParts()
		if !ok {
			t.Fatalf("%s: no parts", test.name)
		}
		var got []string
		total := int64(0)
		for _, p := range parts {
			got = append(got, p.class+" "+round3(float64(p.bytes)/mib))
			total += p.bytes
		}
		if strings.Join(got, ", ") != test.parts {
			t.Errorf("%s: %s, want %s", test.name, strings.Join(got, ", "), test.parts)
		}
		if want := max(test.peak, 100*mib); total != want {
			t.Errorf("%s: the parts add up to %d, the peak is %d", test.name, total, want)
		}
		row := c.memoryRow(newAxis(200, round3, text{}))
		if row.Rest != test.rest {
			t.Errorf("%s: %q not explained, want %q", test.name, row.Rest, test.rest)
		}
		want := map[bool]string{true: "less than the count"}[strings.Contains(test.parts, "mb7")]
		if test.peak < 100*mib {
			want = "does not exceed the level after import"
		}
		if !strings.Contains(row.Share.EN, want) || want == "" && strings.Contains(row.Share.EN, "less") {
			t.Errorf("%s: the row says %q", test.name, row.Share.EN)
		}
	}
}

// What was not counted is said, because it stands in the rest.
func TestModelBytes(t *testing.T) {
	w := results.Work{ParamBytes: 1024, GradientBytes: 1024, OptimizerBytes: 2048, ActivationBytes: 512, InputBytes: 512}
	old := results.Work{ParamBytes: 1024, ActivationBytes: 512}
	half := results.Work{ParamBytes: 1024, ActivationBytes: 512, InputBytes: 512} // no gradients
	infer := results.Work{ParamBytes: 1024, ActivationBytes: 512, InputBytes: 512}
	for _, test := range []struct {
		mode string
		work results.Work
		said bool
	}{{"train", w, false}, {"train", old, true}, {"train", half, true}, {"infer", infer, false}, {"infer", old, true}} {
		got := modelBytes(results.Cell{Mode: test.mode}, test.work)
		if said := strings.Contains(got.EN, "nothing else was counted"); said != test.said {
			t.Errorf("%s %+v: %q", test.mode, test.work, got.EN)
		}
	}
	if !modelBytes(results.Cell{Mode: "train"}, results.Work{}).Empty() {
		t.Error("words about nothing")
	}
}

// Micro-batches are in memory one after the other, and what a step with
// checkpoints keeps of the activations is not known.
func TestCountedPartsOfSettings(t *testing.T) {
	const mib = 1 << 20
	w := results.Work{ParamBytes: 10 * mib, GradientBytes: 10 * mib, OptimizerBytes: 20 * mib, ActivationBytes: 8 * mib, InputBytes: 4 * mib}
	for _, test := range []struct {
		name                   string
		accumulate, checkpoint int
		parts                  string
		en, zh                 string // of the words, "" where nothing is said
	}{
		{"plain", 1, 0, "mb1 10, mb2 10, mb3 20, mb4 8, mb6 4", "", ""},
		{"not said", 0, 0, "mb1 10, mb2 10, mb3 20, mb4 8, mb6 4", "", ""},
		{"accumulated", 4, 0, "mb1 10, mb2 10, mb3 20, mb4 2, mb6 1", "of a batch, one of 4 micro-batches", "批次按 4 个微批中的一个计"},
		{"checkpoints", 1, 3, "mb1 10, mb2 10, mb3 20, mb6 4", "activations: not counted with checkpoints", "激活值：使用检查点时不作统计"},
		{"both", 4, 3, "mb1 10, mb2 10, mb3 20, mb6 1", "not counted with checkpoints", "使用检查点时不作统计"},
	} {
		c := results.Cell{Mode: "train", Accumulate: test.accumulate, Checkpoint: test.checkpoint}
		var got []string
		for _, p := range countedParts(c, w) {
			got = append(got, p.class+" "+round3(float64(p.bytes)/mib))
		}
		if strings.Join(got, ", ") != test.parts {
			t.Errorf("%s: %s, want %s", test.name, strings.Join(got, ", "), test.parts)
		}
		words := modelBytes(c, w)
		if test.en == "" && strings.Contains(words.EN, ";") || !strings.Contains(words.EN, test.en) || !strings.Contains(words.ZH, test.zh) {
			t.Errorf("%s: %q %q", test.name, words.EN, words.ZH)
		}
		cell := memoryCell("train", w, 100*mib, 200*mib)
		cell.Cell = c
		if parts, _ := cell.memoryParts(); len(parts) != len(got)+2 { // and the import and the rest
			t.Errorf("%s: the bar has %d parts", test.name, len(parts))
		}
	}
}

// A peak survives the thinning, and so does the order of time.
func TestThinnedKeepsPeaks(t *testing.T) {
	var line []results.Point
	for i := range int64(1000) {
		line = append(line, results.Point{NS: i, RSS: 100 + i%7})
	}
	line[640].RSS = 5000 // between the points that a stride would choose
	got := thinned(line, plottedPoints)
	if len(got) > plottedPoints {
		t.Errorf("%d points", len(got))
	}
	peak := int64(0)
	for i, p := range got {
		peak = max(peak, p.RSS)
		if i > 0 && p.NS <= got[i-1].NS {
			t.Errorf("point %d goes back in time", i)
		}
	}
	if peak != 5000 {
		t.Errorf("the peak is %d", peak)
	}
}

// The page draws so many timelines and says what it leaves out.
func TestTimelinesAreBounded(t *testing.T) {
	run := resultstest.Run(resultstest.Config{Seed: 3, Cells: manyCells(14, 10), Rounds: 1, Memory: true})
	v := newView(run, compare.Analyze(run))
	s := v.memory()
	drawn := 0
	for _, p := range s.Panels {
		drawn += len(p.Times.Plots)
	}
	if drawn != plottedTimelines {
		t.Errorf("%d timelines drawn", drawn)
	}
	if want := "120 of 140 cells"; !strings.Contains(s.Left.EN, want) {
		t.Errorf("the note %q lacks %q", s.Left.EN, want)
	}
}

// Hostile timelines stay on their plots.
func TestTimelineOfHostileRecords(t *testing.T) {
	for name, points := range map[string][]results.Point{
		"negative": {{NS: -5, RSS: 10}, {NS: -1, RSS: -10}, {NS: 3, RSS: 4}},
		"huge":     {{NS: 1, RSS: math.MaxInt64}, {NS: math.MaxInt64, RSS: math.MaxInt64}},
		"one":      {{NS: 0, RSS: 1}},
	} {
		c := memoryCell("train", results.Work{}, 1, 2)
		c.trials[0].Record.Memory.Timeline = points
		c.trials[0].Record.Phases = []results.Phase{{Name: "import", WallNS: 5}, {Name: "build", WallNS: math.MaxInt64}, {Name: "x<y", WallNS: -3}, {Name: "measure", WallNS: math.MaxInt64}}
		ts := (&group{cells: []*cell{c}}).timelines(9)
		if len(ts.Plots) != 1 {
			t.Fatalf("%s: %d plots", name, len(ts.Plots))
		}
		p := ts.Plots[0]
		for _, bad := range []string{"NaN", "Inf", "-"} {
			if strings.Contains(p.Line, bad) {
				t.Errorf("%s: %s in %s", name, bad, p.Line)
			}
		}
		if len(p.Phases) != 2 {
			t.Errorf("%s: %d phases", name, len(p.Phases))
		}
	}
}
