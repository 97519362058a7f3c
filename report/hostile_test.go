package report

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

// pages, when set, is where tests leave their pages for scripts/report-browser.
var pages = flag.String("pages", "", "write the pages of the tests into this folder")

// payload would break out of every context that a page has.
const payload = "</script></style></title></textarea>--><script>alert(1)</script><img src=x onerror=alert(2)>" +
	"\"'><svg onload=alert(3)>`${alert(4)}`{{.}}javascript:alert(5) &lt;\u202eevil\u0000\x1b[31m\xff\u2028=cmd|'/c calc'!A1 | a | b"

// poison sets every string that v holds, keys of maps too, except where keep
// says that the program itself writes it.
func poison(v reflect.Value, value string, keep func(field string) bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			poison(v.Elem(), value, keep)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if !keep(v.Type().Field(i).Name) {
				poison(v.Field(i), value, keep)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			poison(v.Index(i), value, keep)
		}
	case reflect.Map:
		if v.IsNil() || v.Type().Elem().Kind() != reflect.String {
			return
		}
		for _, k := range v.MapKeys() {
			v.SetMapIndex(k, reflect.ValueOf(value))
		}
		v.SetMapIndex(reflect.ValueOf(value), reflect.ValueOf(value))
	case reflect.String:
		v.SetString(value)
	}
}

// hostile is the golden run with every foreign string replaced.
func hostile(value string) (results.Run, compare.Analysis) {
	run := resultstest.Golden()
	a := compare.Analyze(run)
	keep := func(field string) bool {
		switch field {
		case "Kind", "End", "Phases", "Cells", "Records", "Key", "Cell", "Base", "Head":
			return true
		}
		return false
	}
	rename := func(c *results.Cell) {
		c.Backend += value
		c.Workload += value
		c.Precision, c.Data, c.Device = value, value, value
	}
	poison(reflect.ValueOf(&run.Meta).Elem(), value, keep)
	w := map[string]results.Workload{}
	for name, x := range run.Meta.Workloads {
		x.Title = map[string]string{"en": value, "zh": value}
		poison(reflect.ValueOf(&x).Elem(), value, keep)
		w[name+value] = x
	}
	run.Meta.Workloads = w
	for i := range run.Meta.Cells {
		rename(&run.Meta.Cells[i])
	}
	for i := range run.Records {
		r := &run.Records[i]
		poison(reflect.ValueOf(r).Elem(), value, keep)
		rename(&r.Cell)
		if i%5 == 0 {
			r.End, r.Kind = value, value
		}
		for j := range r.Phases {
			r.Phases[j].Name = value
		}
	}
	run.Warnings = []string{value}
	poison(reflect.ValueOf(&a).Elem(), value, func(f string) bool { return keep(f) || f == "Metric" || f == "Verdict" || f == "Status" })
	for i := range a.Groups {
		g := &a.Groups[i]
		rename(&g.Key)
		for j := range g.Summaries {
			rename(&g.Summaries[j].Cell)
			g.Summaries[j].Warnings = append(g.Summaries[j].Warnings, value)
		}
		for j := range g.Comparisons {
			rename(&g.Comparisons[j].Base)
			rename(&g.Comparisons[j].Head)
			g.Comparisons[j].Warnings = append(g.Comparisons[j].Warnings, value)
		}
	}
	return run, a
}

// safe fails where the page holds an element that the templates do not write.
func safe(t *testing.T, page string) {
	t.Helper()
	own := withoutLibrary(t, page)
	for _, c := range []struct {
		what string
		n    int
	}{{"<script", 4}, {"</script", 4}, {"<style", 1}, {"</style", 1}, {"<title", 1}, {"</title", 1}, {"<textarea", 0}, {"</textarea", 0}, {"<img", 0}, {"<svg onload", 0}, {"<!--", 0}, {"<iframe", 0}, {"href=\"javascript", 0}} {
		if n := strings.Count(strings.ToLower(own), c.what); n != c.n {
			t.Errorf("%d times %q, expected %d", n, c.what, c.n)
		}
	}
	for _, tag := range []string{"table", "tbody", "tr", "td", "section", "div", "p", "span", "svg", "details", "ul", "ol", "dl", "a"} {
		body, _, _ := strings.Cut(own, ChartsOpen)
		if tag == "td" { // the rows of all trials leave out what HTML does not need
			before, rest, _ := strings.Cut(body, `<details id="raw">`)
			_, after, _ := strings.Cut(rest, "</details>")
			body = before + after
		}
		open, shut := strings.Count(body, "<"+tag+" ")+strings.Count(body, "<"+tag+">"), strings.Count(body, "</"+tag+">")
		if open != shut {
			t.Errorf("%d <%s> and %d </%s>", open, tag, shut, tag)
		}
	}
	if !utf8.ValidString(own) {
		t.Error("the page is not valid UTF-8")
	}
	shown, _, _ := strings.Cut(own, ChartsOpen)
	for _, r := range []string{"\x00", "\x1b", "\u202e", "\u2028"} {
		if strings.Contains(shown, r) {
			t.Errorf("%q in the page", r)
		}
	}
}

// everything renders a run in all forms and looks at the page.
func everything(t *testing.T, name string, run results.Run, a compare.Analysis) string {
	t.Helper()
	page := ""
	for _, w := range writers {
		var b bytes.Buffer
		if err := w.write(&b, run, a); err != nil {
			t.Fatalf("%s: %v", w.name, err)
		}
		for _, bad := range []string{"NaN", "Inf"} {
			if strings.Contains(strings.ReplaceAll(withoutLetters(b.String()), "Infer", ""), bad) {
				t.Errorf("%s: %s in it", w.name, bad)
			}
		}
		if w.name == "report.html" {
			page = b.String()
		} else if s := b.String(); w.name != "report-color.txt" && strings.ContainsAny(s, "\x00\x1b") && w.name != "report.csv" {
			t.Errorf("%s holds control characters", w.name)
		}
	}
	safe(t, page)
	if *pages != "" {
		if err := os.WriteFile(filepath.Join(*pages, name+".html"), []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return page
}

// withoutLetters leaves out the parts of a page in which any word may turn up.
func withoutLetters(s string) string {
	if lib, err := echarts(); err == nil {
		s = strings.Replace(s, string(lib.packed), "", 1)
	}
	for _, open := range []string{RecordsOpen, ChartsOpen} {
		before, rest, _ := strings.Cut(s, open)
		_, after, _ := strings.Cut(rest, recordsEnd)
		s = before + after
	}
	return s
}

func TestHostile(t *testing.T) {
	t.Run("golden", func(t *testing.T) {
		run, a := golden(t)
		everything(t, "golden", run, a)
	})
	t.Run("markup", func(t *testing.T) {
		run, a := hostile(payload)
		page := everything(t, "markup", run, a)
		if !strings.Contains(page, "&lt;img src=x onerror=alert(2)&gt;") {
			t.Error("the payload does not show, so this test shows nothing")
		}
	})
	t.Run("keys of charts", func(t *testing.T) {
		for _, name := range []string{"__proto__", "@round", "--bg", "constructor", "#zh"} {
			run, a := hostile(name)
			everything(t, "keys", run, a)
		}
	})
	t.Run("modes", func(t *testing.T) {
		for _, value := range []string{payload, "", strings.Repeat("长", 5000)} {
			run := resultstest.Modes()
			name := func(c *results.Cell) {
				if c.Precision != "f32" || value == "" {
					c.Precision = value
				}
			}
			for i := range run.Meta.Cells {
				name(&run.Meta.Cells[i])
				run.Meta.Forecasts[run.Meta.Cells[i].Name()] = results.Forecast{AboveImport: []int64{math.MinInt64, 0, math.MaxInt64}[i%3], RestsOn: value}
			}
			for i := range run.Records {
				name(&run.Records[i].Cell)
				run.Records[i].Worker.Kind, run.Records[i].Work.KeptBytes = value, []int64{math.MinInt64, math.MaxInt64}[i%2]
			}
			run.Meta.Backends["eager"] = results.Backend{Proven: &results.Capabilities{
				Date: value, Versions: map[string]string{value: value}, Precisions: []string{value}, Features: []string{value}, Failed: []string{value + "2"},
			}}
			everything(t, "modes", run, compare.Analyze(run))
		}
	})
	t.Run("long", func(t *testing.T) {
		run, a := hostile(strings.Repeat("长<b>x ", 1<<12))
		run.Records, a.Groups = run.Records[:8], a.Groups[:2]
		page := everything(t, "long", run, a)
		body, _, _ := strings.Cut(page, ChartsOpen)
		if len(body) > 4<<20 {
			t.Errorf("the tables have %d bytes", len(body))
		}
	})
	t.Run("a million characters", func(t *testing.T) {
		if testing.Short() {
			t.Skip("takes seconds")
		}
		run, a := hostile(strings.Repeat("长<b>x ", 1_000_000/6))
		run.Records, run.Meta.Cells, a.Groups = run.Records[:6], run.Meta.Cells[:6], a.Groups[:1]
		page := renderHTML(t, run, a)
		safe(t, page)
		if body, _, _ := strings.Cut(page, ChartsOpen); len(body) > 4<<20 {
			t.Errorf("the tables have %d bytes", len(body))
		}
		if e, err := ReadEmbedded(strings.NewReader(page)); err == nil && len(e.Left) == 0 {
			t.Error("all records are said to be in the page")
		}
	})
}

// What a run can lack, it lacks.
func TestSparse(t *testing.T) {
	cell := resultstest.Cells()[0]
	all := func(end string) func(*results.Record) {
		return func(r *results.Record) {
			*r = results.Record{Kind: r.Kind, Round: r.Round, Attempt: 1, Cell: r.Cell, End: end}
		}
	}
	for _, test := range []struct {
		name string
		edit func(*results.Record)
		want string
	}{
		{"bare ok", all(results.EndOK), "needs 11 steps, has 0"},
		{"all failed", all(results.EndCrashed), "crashed"},
		{"all interrupted", all(results.EndInterrupted), "interrupted"},
		{"no end", all(""), "Trials that were not ok"},
		{"unknown kind", func(r *results.Record) { r.Kind = "dream" }, "dream"},
		{"nil memory", func(r *results.Record) { r.Memory = nil }, "not recorded"},
		{"nil figures", func(r *results.Record) {
			r.Usage, r.Steady, r.Check, r.FinalCheck, r.Disturb, r.Loss, r.Phases = nil, nil, nil, nil, nil, nil, nil
			if r.Memory != nil {
				r.Memory = &results.Memory{}
			}
		}, "no check recorded"},
		{"zeros", func(r *results.Record) {
			r.BlockNS = make([]int64, len(r.BlockNS))
			r.WallNS, r.StepsPerBlock, r.Work = 0, 0, results.Work{}
			r.Usage, r.Disturb, r.Check = &results.Usage{}, &results.Disturbance{}, &results.Check{}
		}, "examples per second"},
		{"blocks", func(r *results.Record) { r.StepsPerBlock = 8 }, "timed in blocks of 8"},
		{"huge", func(r *results.Record) {
			for i := range r.BlockNS {
				r.BlockNS[i] = math.MaxInt64 / 64
			}
			r.WallNS, r.Work.ParamBytes, r.Cell.Batch = math.MaxInt64, math.MaxInt64, math.MaxInt32
		}, "examples per second"},
		{"negative", func(r *results.Record) {
			for i := range r.Phases {
				r.Phases[i].WallNS = -r.Phases[i].WallNS
			}
			r.Work = results.Work{Examples: -1, ModelFLOPs: -5, ParamBytes: -7, ActivationBytes: -8, GradientBytes: -9, OptimizerBytes: -1, InputBytes: -2}
			if r.Usage != nil {
				minus := int64(-5)
				r.Usage.WallNS, r.Usage.CPUNS, r.Usage.SysNS, r.Usage.GCNS = 7, -9, &minus, &minus
			}
			if r.Memory != nil {
				for i := range r.Memory.Timeline {
					r.Memory.Timeline[i].NS, r.Memory.Timeline[i].RSS = -r.Memory.Timeline[i].NS, -r.Memory.Timeline[i].RSS
				}
			}
			if r.Check != nil && r.Check.Curve != nil {
				l := r.Check.Curve
				l.Examples, l.Epoch, l.Correct, l.Losses = -1, -4, []int{-7}, []float64{-1, -2}
			}
		}, "upwards: loss"},
		{"curves that explode", func(r *results.Record) {
			if r.Check != nil && r.Check.Curve != nil {
				l := r.Check.Curve
				l.Losses, l.Oracle, l.Correct, l.Epoch, l.Examples = []float64{math.MaxFloat64, -math.MaxFloat64, 0, 5e-324}, []float64{0, 5e-324, 0, 0}, []int{math.MaxInt, math.MaxInt}, 1, 1
			}
		}, "upwards: loss"},
		{"curves of nothing", func(r *results.Record) {
			if r.Check != nil {
				r.Check.Curve = &results.Curve{}
			}
		}, "no check trial of this run holds a learning curve"},
		{"bytes beyond counting", func(r *results.Record) {
			big := int64(math.MaxInt64)
			r.Work = results.Work{Examples: 1, ModelFLOPs: big, ParamBytes: big, ActivationBytes: big, GradientBytes: big, OptimizerBytes: big, InputBytes: big}
		}, "less than the count"},
	} {
		t.Run(test.name, func(t *testing.T) {
			run := resultstest.Run(resultstest.Config{Seed: 2, Rounds: 7, Memory: true, Check: true})
			for i := range run.Records {
				test.edit(&run.Records[i])
			}
			page := everything(t, strings.ReplaceAll(test.name, " ", "-"), run, compare.Analyze(run))
			if !strings.Contains(page, test.want) {
				t.Errorf("the page lacks %q", test.want)
			}
		})
	}
	t.Run("nothing", func(t *testing.T) {
		page := everything(t, "nothing", results.Run{}, compare.Analysis{})
		for _, want := range []string{"Nothing was measured", "没有测量", "there was no trial"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page lacks %q", want)
			}
		}
	})
	t.Run("peaks of no machine", func(t *testing.T) {
		run := resultstest.Run(resultstest.Config{Seed: 2, Rounds: 7})
		a := compare.Analyze(run)
		for _, p := range []results.Peak{
			{Threads: 1, Precision: "f32"}, {Threads: 1, Precision: "f32", FLOPPerSecond: -1, BytesPerSecond: -1},
			{Threads: 1, Precision: "f32", FLOPPerSecond: 5e-324, BytesPerSecond: math.MaxFloat64},
			{Threads: 1, Precision: "f32", FLOPPerSecond: math.MaxFloat64, BytesPerSecond: 5e-324}, {Threads: 1, Precision: "f32", FLOPPerSecond: 1e10},
		} {
			run.Meta.Peaks = []results.Peak{p, p}
			everything(t, "peaks", run, a)
		}
	})
	t.Run("planned only", func(t *testing.T) {
		run := results.Run{Meta: results.Meta{Cells: []results.Cell{cell}, Baseline: cell.Backend}}
		everything(t, "planned", run, compare.Analyze(run))
	})
	t.Run("unplanned cells", func(t *testing.T) {
		run := resultstest.Run(resultstest.Config{Seed: 2, Rounds: 7})
		a := compare.Analyze(run)
		run.Meta.Cells, run.Meta.Workloads = nil, nil
		page := everything(t, "unplanned", run, a)
		if !strings.Contains(page, "TextLstmShort") {
			t.Error("the records' cells do not show")
		}
	})
	t.Run("one side unbounded", func(t *testing.T) {
		run := resultstest.Run(resultstest.Config{Seed: 2, Rounds: 7})
		a := compare.Analyze(run)
		ratio, lo, inf := 0.5, 0.4, math.Inf(1)
		for i := range a.Groups {
			for j := range a.Groups[i].Comparisons {
				c := &a.Groups[i].Comparisons[j]
				c.Ratio, c.Lo, c.Hi, c.Detectable = &ratio, &lo, nil, inf
			}
		}
		page := everything(t, "unbounded", run, a)
		if want := "≤" + nbsp + "2.50"; !strings.Contains(page, want) {
			t.Errorf("the page lacks %q: at least 0.4 of the time is at most 2.5 of the speed", want)
		}
	})
}

func TestFormat(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{sig(1.554), "1.55"}, {sig(9.999), "10.0"}, {sig(99.95), "100"}, {sig(0.09999), "0.100"}, {sig(0.0012), "0.00120"}, {sig(12345), "12300"}, {sig(0), "0"}, {sig(-2.5), "-2.50"}, {sig(math.NaN()), none}, {sig(math.Inf(-1)), none}, {sig(3e-9), "3.00e-09"},
		{count(4718), "4720"}, {count(9996), "10.0" + nbsp + "k"}, {count(121_400), "121" + nbsp + "k"}, {count(999_499), "999" + nbsp + "k"}, {count(999_600), "1.00" + nbsp + "M"}, {count(5.05e8), "505" + nbsp + "M"},
		{span(72_200, 75_400), "72.2" + nbsp + "k–75.4" + nbsp + "k"}, {span(995, 12_000), "995–12.0" + nbsp + "k"},
		{roundCount(10_000), "10" + nbsp + "k"}, {roundCount(500), "500"}, {roundCount(0), "0"}, {round3(0.0200), "0.02"}, {round3(100), "100"},
		{duration(512), "512" + nbsp + "ns"}, {duration(4.1e6), "4.10" + nbsp + "ms"}, {durations(4.1e6, 4.3e6), "4.10–4.30" + nbsp + "ms"}, {durations(9e5, 1.1e6), "900" + nbsp + "µs–1.10" + nbsp + "ms"},
		{bytesize(900), "900" + nbsp + "B"}, {bytesize(437_288), "427" + nbsp + "KiB"}, {bytesize(24 << 30), "24.0" + nbsp + "GiB"},
		{whole(-1234567), "-1\u202f234\u202f567"}, {whole(999), "999"},
		{percent(0.05).EN, "5" + nbsp + "%"}, {percent(0.05).ZH, "5%"},
		{clean("a\x00b\u202ec\xff", 9), "a\uFFFDbc\uFFFD"}, {clean("abcdef", 3), "abc…"}, {line(" a\n\tb "), "a b"},
		{ranges([]int{6, 0, 1, 2, 3}), "0–3, 6"}, {ranges(nil), none},
		{pct(2), "100.00%"}, {pct(math.NaN()), "0.00%"}, {fmt.Sprint(roundStep(0.37)), "0.5"}, {fmt.Sprint(roundStep(180)), "200"},
		{utc("2026-11-20T08:00:00+05:30"), "2026-11-20 02:30 UTC"}, {utc("yesterday"), "yesterday"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}
