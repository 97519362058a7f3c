package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/compare/selection"
	"github.com/dlbench/dlbench/results/resultstest"
)

// before and after are two runs of which one backend became slower, one cell is
// in each run only, and one was measured of another program.
func beforeAndAfter() []results.Run {
	cells := resultstest.Cells()
	before := resultstest.Run(resultstest.Config{Seed: 1, Cells: cells[:10], Rounds: 20, Noise: 0.005})
	later := slices.Clone(cells[1:11])
	later[3].Hash = "sha256:" + strings.Repeat("ff", 32)
	after := resultstest.Run(resultstest.Config{Seed: 2, Cells: later, Rounds: 20, Noise: 0.005,
		Step: func(c results.Cell) float64 {
			if c.Backend == "gorgonia" {
				return 1.2 * resultstest.Step(c)
			}
			return resultstest.Step(c)
		},
		Faults: []resultstest.Fault{
			{Cell: resultstest.Backend("gomlx", "MnistCnn"), Rounds: []int{3}, End: results.EndCrashed, Phase: "measure", Reason: "killed by SIGKILL in measure"},
			{Cell: resultstest.Backend("gomlx", "Mlp"), Rounds: []int{2, 7}, Disturbed: true},
		}})
	before.Dir, after.Dir = "runs/before", "runs/after"
	return []results.Run{before, after}
}

var compareWriters = map[string]func(io.Writer, Comparison) error{
	"txt": func(w io.Writer, t Comparison) error { return CompareText(w, t, TextOptions{}) },
	"md":  CompareMarkdown, "csv": CompareCSV, "json": CompareJSON,
}

func compared(t testing.TB, runs []results.Run, q ComparisonQuery) Comparison {
	t.Helper()
	c, err := Compare(runs, q)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func written(t testing.TB, c Comparison, format string) string {
	t.Helper()
	var b bytes.Buffer
	if err := compareWriters[format](&b, c); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestCompareGolden(t *testing.T) {
	for name, c := range map[string]Comparison{
		"compare-run":  compared(t, []results.Run{resultstest.Golden()}, ComparisonQuery{}),
		"compare-runs": compared(t, beforeAndAfter(), ComparisonQuery{}),
		"compare-settings": compared(t, []results.Run{resultstest.Golden()}, ComparisonQuery{Metric: "throughput", Query: selection.Query{
			Base: "backend=eager", Table: "mode", Row: "workload@alpha", Filter: "-workload:/Å/ -backend:/^[jotp]/"}}),
	} {
		for format := range compareWriters {
			t.Run(name+"."+format, func(t *testing.T) {
				got := written(t, c, format)
				path := filepath.Join("testdata", name+"."+format)
				if *update {
					if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if got != string(want) {
					at := differ(got, string(want))
					t.Errorf("differs from %s:\n got %q\nwant %q\n(-update rewrites it)", path, around(got, at), around(string(want), at))
				}
			})
		}
	}
}

// One run is judged as its report judges it.
func TestCompareJudgesAsTheReport(t *testing.T) {
	run := resultstest.Golden()
	lines := map[string]ComparisonLine{}
	for _, l := range compared(t, []results.Run{run}, ComparisonQuery{}).Lines {
		lines[l.Head.Cell] = l
	}
	n := 0
	for _, g := range compare.Analyze(run).Groups {
		for _, c := range g.Comparisons {
			l := lines[c.Head.Name()]
			if l.Verdict != c.Verdict || !reflect.DeepEqual(l.Ratio, c.Ratio) || !reflect.DeepEqual(l.RatioLo, c.Lo) || l.Evidence != c.Evidence || l.Needed != c.Needed || l.Rounds != c.Rounds {
				t.Errorf("%s: %+v, the report has %+v", c.Head.Name(), l, c)
			}
			n++
		}
	}
	if n != len(lines) || n < 10 {
		t.Errorf("%d comparisons, the report has %d", len(lines), n)
	}
}

// Of a verdict that was withheld no effect would have been seen.
func TestCompareWithheldSeesNothing(t *testing.T) {
	of := func() results.Run {
		return resultstest.Run(resultstest.Config{Seed: 1, Cells: resultstest.Cells()[1:3], Rounds: 20, Noise: 0.5})
	}
	line := func(r results.Run) ComparisonLine { return compared(t, []results.Run{r}, ComparisonQuery{}).Lines[0] }
	if l := line(of()); l.Verdict != compare.Inconclusive || l.Detectable == nil {
		t.Fatalf("%s, sees %v", l.Verdict, l.Detectable)
	}
	short, unproven := of(), of()
	for i := range short.Records {
		if u := short.Records[i].Usage; u != nil {
			u.WallNS /= 10000
		}
		unproven.Records[i].Check = &results.Check{Status: "unproven", Reason: "planted"}
	}
	for what, run := range map[string]results.Run{"too short": short, "not proven": unproven} {
		c := compared(t, []results.Run{run}, ComparisonQuery{})
		if l := c.Lines[0]; l.Verdict != compare.Inconclusive || l.Rounds != 20 || l.Detectable != nil || strings.Contains(written(t, c, "txt"), "sees") {
			t.Errorf("%s: %s in %d rounds, sees %v", what, l.Verdict, l.Rounds, l.Detectable)
		}
	}
}

// A list in Markdown has one dash per item, and the terminal has one too.
func TestCompareWarningsAreItems(t *testing.T) {
	c := compared(t, beforeAndAfter(), ComparisonQuery{})
	c.Warnings = []string{"the host was not quiet"}
	for _, format := range []string{"md", "txt"} {
		if text := written(t, c, format); !strings.Contains(text, "\n- the host was not quiet\n") {
			t.Errorf("%s:\n%s", format, text)
		}
	}
}

// A comparison with fewer rounds than a verdict takes says how to go on.
func TestCompareNamesUntilMax(t *testing.T) {
	run := resultstest.Run(resultstest.Config{Seed: 1, Cells: resultstest.Cells()[:2], Rounds: 3, Noise: 0.01})
	has := func(want string) bool {
		list := compared(t, []results.Run{run}, ComparisonQuery{}).Warnings
		return slices.ContainsFunc(list, func(w string) bool { return strings.Contains(w, want) })
	}
	if !has("no verdict is possible in 1 comparison: 3 rounds, and one takes ") || !has("dlbench run --until max … --resume goes on to the 20 that were planned") {
		t.Errorf("%q", compared(t, []results.Run{run}, ComparisonQuery{}).Warnings)
	}
}

// A percentile that the trials have too few steps for is refused, as by the gate.
func TestCompareRefusesPercentilesOfFewSteps(t *testing.T) {
	config := resultstest.Config{Seed: 1, Cells: resultstest.Cells()[:2], Rounds: 2, Samples: 20}
	_, err := Compare([]results.Run{resultstest.Run(config)}, ComparisonQuery{Metric: "latency-p99"})
	if err == nil || !strings.HasSuffix(err.Error(), `: metric "latency-p99" cannot be judged: it takes 662 steps per trial, these have 20; hint: measure more steps`) {
		t.Errorf("error %v", err)
	}
	config.Samples = 1000
	if _, err := Compare([]results.Run{resultstest.Run(config)}, ComparisonQuery{Metric: "latency-p99"}); err != nil {
		t.Error(err)
	}
}

// Every format has the same verdicts, in the same order.
func TestCompareFormatsAgree(t *testing.T) {
	c := compared(t, beforeAndAfter(), ComparisonQuery{})
	var want []string
	for _, l := range c.Lines {
		want = append(want, string(l.Verdict))
	}
	for _, v := range []compare.Verdict{compare.Regressed, compare.Missing, compare.Flaky} {
		if !slices.Contains(want, string(v)) {
			t.Fatalf("no line is %s: %q", v, want)
		}
	}
	got := map[string][]string{}
	words := []string{"regressed", "improved", "equivalent", "inconclusive", "missing", "flaky", "wrong"}
	for _, format := range []string{"txt", "md"} {
		for row := range strings.Lines(written(t, c, format)) {
			if !strings.Contains(row, "after") || strings.HasPrefix(row, "[") || strings.HasPrefix(row, "-") {
				continue // not of a table
			}
			fields := strings.Fields(row)
			if at := slices.IndexFunc(fields, func(f string) bool { return slices.Contains(words, f) && f != "missing" }); at >= 0 {
				got[format] = append(got[format], fields[at])
			} else if slices.Contains(fields, "missing") {
				got[format] = append(got[format], "missing")
			}
		}
	}
	rows, err := csv.NewReader(strings.NewReader(written(t, c, "csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.Index(rows[0], "verdict")
	for _, r := range rows[1:] {
		got["csv"] = append(got["csv"], r[at])
	}
	var back Comparison
	if err := json.Unmarshal([]byte(written(t, c, "json")), &back); err != nil {
		t.Fatal(err)
	}
	for _, l := range back.Lines {
		got["json"] = append(got["json"], string(l.Verdict))
	}
	for format := range compareWriters {
		if !slices.Equal(got[format], want) {
			t.Errorf("%s has %q, want %q", format, got[format], want)
		}
	}
}

// What is odd about records is said beside the value.
func TestCompareOddRuns(t *testing.T) {
	plain := func(change func(*results.Run)) results.Run {
		run := resultstest.Run(resultstest.Config{Seed: 5, Cells: resultstest.Cells()[:3], Rounds: 12, Noise: 0.005})
		change(&run)
		return run
	}
	eager := func(run *results.Run, do func(*results.Record)) {
		for i := range run.Records {
			if run.Records[i].Cell.Backend == "eager" {
				do(&run.Records[i])
			}
		}
	}
	for name, c := range map[string]struct {
		run     results.Run
		verdict compare.Verdict
		warning string
	}{
		"no trial at all": {plain(func(r *results.Run) { r.Records = nil }), compare.Missing, "no trial in a complete round"},
		"one trial":       {plain(func(r *results.Run) { r.Records = r.Records[:3] }), compare.Inconclusive, "1 valid trial; an interval takes 6"},
		"all failed": {plain(func(r *results.Run) {
			eager(r, func(x *results.Record) { x.End, x.Reason, x.Phase = results.EndTimeout, "no reply", "first" })
		}), compare.Missing, "eager: failed: timeout in first: no reply"},
		"zero time":     {plain(func(r *results.Run) { eager(r, func(x *results.Record) { clear(x.BlockNS) }) }), compare.Missing, "eager: no trial has a step-time"},
		"negative time": {plain(func(r *results.Run) { eager(r, func(x *results.Record) { x.BlockNS[3] = -1 }) }), compare.Missing, "eager: no trial has a step-time"},
		"some zero times": {plain(func(r *results.Run) {
			clear(r.Records[slices.IndexFunc(r.Records, func(x results.Record) bool { return x.Cell.Backend == "eager" })].BlockNS)
		}), "", "1 round left out: one side has no step-time"},
		"wild times":       {plain(func(r *results.Run) { eager(r, func(x *results.Record) { x.BlockNS[0] = math.MaxInt64 }) }), "", ""},
		"no blocks":        {plain(func(r *results.Run) { eager(r, func(x *results.Record) { x.BlockNS = nil }) }), compare.Missing, "eager: no trial has a step-time"},
		"a torn last line": {plain(func(r *results.Run) { r.Warnings = []string{"trials.jsonl:7: dropped a torn last line of 5 bytes"} }), "", "dropped a torn last line"},
	} {
		t.Run(name, func(t *testing.T) {
			got := compared(t, []results.Run{c.run}, ComparisonQuery{})
			at := slices.IndexFunc(got.Lines, func(l ComparisonLine) bool { return strings.HasSuffix(l.Head.Cell, "eager") })
			l := got.Lines[at]
			if c.verdict != "" && l.Verdict != c.verdict {
				t.Errorf("%s, want %s: %+v", l.Verdict, c.verdict, l)
			}
			for format := range compareWriters {
				text := written(t, got, format)
				if format != "csv" || !strings.Contains(c.warning, "torn") { // of the run, not of a line
					if !strings.Contains(strings.ReplaceAll(text, `\_`, "_"), c.warning) {
						t.Errorf("%s lacks %q:\n%s", format, c.warning, text)
					}
				}
				if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
					t.Errorf("%s shows a number that is none:\n%s", format, text)
				}
			}
		})
	}
}

func TestCompareRefuses(t *testing.T) {
	runs := beforeAndAfter()
	other := beforeAndAfter()
	other[1].Meta.Host.CPU = "Other CPU"
	units := beforeAndAfter()
	units[1].Meta.Policy.Metric = map[string]string{"train": "throughput", "infer": "step-time"}
	for _, c := range []struct {
		runs []results.Run
		q    ComparisonQuery
		want string
	}{
		{other, ComparisonQuery{}, `before and after were measured on different hosts: cpu: "Synthetic CPU @ 2.00GHz", "Other CPU"; hint: `},
		{units, ComparisonQuery{}, "is judged by step-time (sec/step) in before and by throughput (examples/sec) in after: these have different units; hint: name one with --metric"},
		{runs, ComparisonQuery{Metric: "speed"}, `--metric "speed": expected one of step-time`},
		{runs, ComparisonQuery{Metric: "peak-memory"}, "--metric: metric \"peak-memory\" cannot be judged"},
		{runs, ComparisonQuery{Query: selection.Query{Filter: "x"}}, "--filter"},
	} {
		_, err := Compare(c.runs, c.q)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
	for _, l := range compared(t, other, ComparisonQuery{AcrossHosts: true}).Lines {
		if !slices.ContainsFunc(l.Warnings, func(w string) bool { return strings.HasPrefix(w, "measured on different hosts: cpu: ") }) {
			t.Errorf("%s has no warning of its host: %q", l.Head.Cell, l.Warnings)
		}
	}
	if got := compared(t, units, ComparisonQuery{Metric: "throughput"}); got.Lines[0].Unit != "examples/sec" {
		t.Errorf("got %+v", got.Lines[0])
	}
}

// Nothing that a run holds is taken for markup, a formula or a terminal's code.
func TestCompareHostile(t *testing.T) {
	run, _ := hostile(payload)
	run.Meta.Baseline = run.Meta.Cells[1].Backend
	run.Meta.Label = "=" + payload
	c := compared(t, []results.Run{run}, ComparisonQuery{})
	if len(c.Lines) == 0 {
		t.Fatal("nothing to look at")
	}
	for _, format := range []string{"txt", "md", "csv"} {
		text := written(t, c, format)
		if strings.ContainsAny(text, "\x1b\x00\u202e\u2028") && format != "csv" {
			t.Errorf("%s passes control characters on", format)
		}
		if format == "md" && (strings.Contains(text, "<script") || strings.Contains(text, "<img")) {
			t.Errorf("Markdown passes markup on")
		}
	}
	rows, err := csv.NewReader(strings.NewReader(written(t, c, "csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range slices.Concat(rows...) {
		if f != "" && strings.ContainsRune("=+-@\t\r", rune(f[0])) && strings.ContainsAny(f, "|(") {
			t.Errorf("a formula: %.40q", f)
		}
	}
}

// Any two files are a table or an error in one line.
func FuzzCompare(f *testing.F) {
	run := resultstest.Run(resultstest.Config{Seed: 1, Cells: resultstest.Cells()[:2], Rounds: 2, Samples: 3})
	meta, err := json.Marshal(run.Meta)
	if err != nil {
		f.Fatal(err)
	}
	var trials []byte
	for _, r := range run.Records {
		line, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		trials = append(append(trials, line...), '\n')
	}
	f.Add(meta, trials)
	f.Add(meta, trials[:len(trials)/2])
	f.Add(meta, bytes.ReplaceAll(trials, []byte(`"block_ns":[`), []byte(`"block_ns":[-7,0,`)))
	f.Add(bytes.ReplaceAll(meta, []byte("step-time"), []byte("latency-p50")), trials)
	f.Add([]byte(`{"schema":1}`), []byte("{}\n"))
	f.Fuzz(func(t *testing.T, meta, trials []byte) {
		dir := t.TempDir()
		for name, data := range map[string][]byte{"run.json": meta, "trials.jsonl": trials} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		read, err := results.ReadNamed(dir, func(results.Meta) []results.Metric { return results.Metrics })
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") || !strings.HasPrefix(err.Error(), dir) {
				t.Errorf("not one line that names the file: %q", err)
			}
			return
		}
		for _, runs := range [][]results.Run{{read}, {run, read}, {read, run}} {
			c, err := Compare(runs, ComparisonQuery{AcrossHosts: true})
			if err != nil {
				if strings.ContainsAny(err.Error(), "\n\r") {
					t.Errorf("not one line: %q", err)
				}
				continue
			}
			for format := range compareWriters {
				written(t, c, format)
			}
		}
	})
}
