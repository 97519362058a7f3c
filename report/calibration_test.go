package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

// calibrated is a run on a host of which two A/A runs are known: the newest of
// two of its cells, an older one of another cell on other CPUs.
func calibrated() results.Run {
	run := resultstest.Run(resultstest.Config{Seed: 2, Rounds: 10, Noise: 0.02, Cells: resultstest.Cells()[:6]})
	noise := func(c results.Cell, floor float64) results.CellNoise {
		return results.CellNoise{
			Cell: c, Trials: 40, Rounds: 20, Blocks: 20, Steps: 1, StepTime: 6.1e-3, TrialSD: floor * 1.25, TrialMAD: floor * 1.1,
			Between: floor, BetweenLow: floor * 0.7, BetweenHigh: floor * 1.4, Share: 0.64, Within: 0.052, Autocorrelation: 0.31, PairSD: floor * 1.7,
			BetweenRounds: &results.RoundNoise{Correlation: -0.083, P: 0.8412},
			Faults:        &results.FaultNoise{Trials: 40, Correlation: 0.71, P: 0.001, Explained: 0.48},
			Gates:         results.Gates{Count: 200, Rounds: 20, FalseAlarms: 1, Equivalent: 150, Inconclusive: 49}, Detectable: []results.Detectable{{Rounds: 7}, {Rounds: 20, Effect: 0.0734}},
		}
	}
	cells := run.Meta.Cells
	newer := results.CalibrationRun{
		Started: "2026-11-19T07:00:00Z", Command: []string{"dlbench", "calibrate", "--suite", "<quick>"}, Version: "v0.2.0", Suite: "calibrate-quick", Mask: []int{0, 1},
		MinEffect: 0.05, Alpha: 0.05, Family: 2, Gates: results.Gates{Count: 200, Rounds: 20, FalseAlarms: 1, Inconclusive: 199},
		Cells: []results.CellNoise{noise(cells[0], 0.013), noise(cells[1], 0.032)},
	}
	newer.Cells[1].Faults = nil
	older := newer
	newer.Cells[1].Gates = results.Gates{Count: 200, Rounds: 20, Block: 10, Inconclusive: 200, Withheld: 200}
	older.Trials, older.Disturbed = 80, 41
	older.Started, older.Mask, older.Cells = "2026-11-18T07:00:00Z", []int{0}, []results.CellNoise{noise(cells[2], 0.09)}
	older.Cells[0].BetweenRounds = &results.RoundNoise{Correlation: 0.774, P: 0.0003}
	run.Meta.Calibration = &results.Calibration{Schema: results.Schema, Host: run.Meta.Host.Machine(), Runs: []results.CalibrationRun{newer, older}}
	return run
}

// Every form of a report quotes the noise floor, and each cell's where it is
// known on these CPUs.
func TestReportQuotesCalibration(t *testing.T) {
	run := calibrated()
	a := compare.Analyze(run)
	forms := map[string]string{}
	for _, w := range writers {
		var b bytes.Buffer
		if err := w.write(&b, run, a); err != nil {
			t.Fatal(err)
		}
		forms[w.name] = plain(b.String())
	}
	for name, wants := range map[string][]string{
		"report.txt": {
			"\nNoise floor of this host on 2026-11-19: 2.25 % between processes (median of 2 cells, 1.3 % to 3.2 %); 1 of 200 A/A gates raised a false alarm\n",
			"\n- Mlp train f32 batch=64 dlbench eager: 1.3 % (0.91 % to 1.82 %) on 2026-11-19\n", "dlbench eager", "\n- Mlp train f32 batch=64 Gorgonia: 3.2 % (2.24 % to 4.48 %) on 2026-11-19\n",
		},
		"report.md":   {"- Noise floor of this host on 2026-11-19: 2.25 % between processes", "## Noise floor of this host on 2026-11-19\n\n- Mlp train f32 batch=64 dlbench eager: 1.3 % (0.91 % to 1.82 %) on 2026-11-19\n"},
		"report.html": {"Noise floor of this host on 2026-11-19", "本机在 2026-11-19 的噪声下限", "1.3 % (0.91 % to 1.82 %)", "1.3%（0.91% 至 1.82%）", ">1/200<", ">none could be judged<", ">-0.083 (p 0.841)<", "7.34 %", "200 次 A/A 判定中误报 1 次"},
		"report.json": {`"calibration": {`, `"between_sd": 0.013`},
	} {
		for _, want := range wants {
			if !strings.Contains(forms[name], want) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
	}
	for name, form := range forms {
		if name != "report.json" && name != "report.html" && strings.Contains(form, "9 %") && strings.Contains(form, "2026-11-18") {
			t.Errorf("%s quotes the noise on other CPUs", name)
		}
	}
	if strings.Contains(forms["report.html"][:strings.Index(forms["report.html"], `id="records"`)], "2026-11-18") {
		t.Error("the page quotes the noise on other CPUs")
	}
	page := withoutLibrary(t, renderHTML(t, run, a))
	compareGolden(t, "noise.html", between(t, page, `<section id="disturb"`, "</section>"))
	// Without one nothing is said of it.
	run.Meta.Calibration = nil
	for _, w := range writers {
		var b bytes.Buffer
		if err := w.write(&b, run, a); err != nil || strings.Contains(b.String(), "oise floor") {
			t.Errorf("%s quotes what is not there, %v", w.name, err)
		}
	}
	run.Meta.Calibration = &results.Calibration{} // of a file that somebody wrote by hand
	for _, w := range writers {
		if err := w.write(new(bytes.Buffer), run, a); err != nil {
			t.Errorf("%s: %v", w.name, err)
		}
	}
}

func TestCalibrationText(t *testing.T) {
	for name, o := range map[string]TextOptions{"calibration.txt": {}, "calibration-80.txt": {Width: 80}} {
		var b bytes.Buffer
		if err := CalibrationText(&b, *calibrated().Meta.Calibration, o); err != nil {
			t.Fatal(err)
		}
		compareGolden(t, name, b.String())
	}
}

// Where there could be no verdict, no alarm is no good sign.
func TestFloorsOfGates(t *testing.T) {
	r := calibrated().Meta.Calibration.Runs[0]
	for name, tc := range map[string]struct {
		gates results.Gates
		p     float64 // of the first cell's rounds
		want  string
	}{
		"judged":       {results.Gates{Count: 200, FalseAlarms: 3}, 1, "; 3 of 200 A/A gates raised a false alarm"},
		"some":         {results.Gates{Count: 200, FalseAlarms: 3, Withheld: 80}, 1, "; 3 of 120 A/A gates that could be judged raised a false alarm"},
		"none":         {results.Gates{Count: 200, Withheld: 200}, 1, "; of 200 A/A gates none could be judged"},
		"many":         {results.Gates{Count: 200, FalseAlarms: 51}, 1, "; 51 of 200 A/A gates raised a false alarm, more than five times what alpha 0.05 allows"},
		"dependent":    {results.Gates{}, 0.001, "; in 1 of 2 cells trials depend on those before, so the rule's assumption does not hold"},
		"nothing said": {results.Gates{}, 1, "3.2 %)"},
	} {
		r.Gates = tc.gates
		r.Cells[0].BetweenRounds = &results.RoundNoise{Correlation: 0.7, P: tc.p}
		if got := plain(floors(r).EN); !strings.HasSuffix(got, tc.want) {
			t.Errorf("%s: got %q, want %q at its end", name, got, tc.want)
		}
		if zh := floors(r).ZH; strings.Contains(zh, "%!") {
			t.Errorf("%s: %s", name, zh)
		}
	}
}

// A table of comparisons quotes it too, once for all runs of a host.
func TestComparisonQuotesCalibration(t *testing.T) {
	run, again := calibrated(), calibrated()
	again.Dir = "later"
	table, err := Compare([]results.Run{run, again}, ComparisonQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"text":     func(b *bytes.Buffer) error { return CompareText(b, table, TextOptions{}) },
		"markdown": func(b *bytes.Buffer) error { return CompareMarkdown(b, table) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(b.String(), "Noise floor of this host on 2026-11-19: 2.25 % between processes"); n != 1 {
			t.Errorf("%s quotes the noise floor %d times", name, n)
		}
	}
}
