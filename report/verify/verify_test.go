package verify

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/dlbench/dlbench/report"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

func render(t testing.TB, run results.Run) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.HTML(&b, run, compare.Analyze(run)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAPageAgreesWithItsRecords(t *testing.T) {
	run := resultstest.Golden()
	r, err := Page([]byte(render(t, run)))
	if err != nil || !r.Agrees() || len(r.Differences) > 0 || r.OtherForm() {
		t.Fatalf("%+v, %v", r, err)
	}
	if r.Records != len(run.Records) || r.Cells < 500 || r.Verdicts < 10 || r.Charts < 4 || r.Runs != 1 {
		t.Errorf("compared: %+v", r)
	}
}

// The chart and tables of settings, forecasts and capabilities are held to the
// records like all others.
func TestModesAreVerified(t *testing.T) {
	page := render(t, resultstest.Modes())
	if r, err := Page([]byte(page)); err != nil || !r.Agrees() {
		t.Fatalf("%v, %v", r.Differences, err)
	}
	for _, test := range []struct{ mark, old, new, section string }{
		{`<section id="modes"`, `class="ring" cx="`, `class="ring" cx="9`, "modes"},
		{`<table class="use modetable">`, "61.4", "11.4", "modes"},
		{`<h3 id="forecasts">`, "within 15", "within 16", "memory"},
		{`<h3 id="capabilities">`, "refuted", "✓", "same-work"},
	} {
		i := strings.Index(page, test.mark)
		if i < 0 {
			t.Fatalf("the page lacks %q", test.mark)
		}
		r, err := Page([]byte(page[:i] + edited(t, page[i:], test.old, test.new)))
		if err != nil || len(r.Differences) != 1 || r.Differences[0].Section != test.section {
			t.Errorf("%q for %q: %v, %v", test.new, test.old, r.Differences, err)
		}
	}
}

// edited is the page with the one place that is named replaced.
func edited(t testing.TB, page, old, new string) string {
	t.Helper()
	if !strings.Contains(page, old) {
		t.Fatalf("the page lacks %q, so the test shows nothing", old)
	}
	return strings.Replace(page, old, new, 1)
}

// repacked is a page with the data of its charts changed, packed at that level.
func repacked(t testing.TB, page string, level int, change func(string) string) string {
	t.Helper()
	before, rest, _ := strings.Cut(page, report.ChartsOpen)
	packed, after, _ := strings.Cut(rest, "</script>")
	data, err := report.UnpackCharts([]byte(packed))
	if err != nil {
		t.Fatal(err)
	}
	return before + report.ChartsOpen + packedAt(level, change(string(data))) + "</script>" + after
}

func packedAt(level int, data string) string {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, level)
	io.WriteString(z, data)
	z.Close()
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// editedCharts is a page with the one place of its charts' data that is named replaced.
func editedCharts(t testing.TB, page, old, new string) string {
	t.Helper()
	return repacked(t, page, gzip.DefaultCompression, func(data string) string { return edited(t, data, old, new) })
}

func TestTamperingIsSeen(t *testing.T) {
	run := resultstest.Golden()
	page := render(t, run)
	after := func(mark, old, new string) string {
		i := strings.Index(page, mark)
		if i < 0 {
			t.Fatalf("the page lacks %q", mark)
		}
		return page[:i] + edited(t, page[i:], old, new)
	}
	records := func(edit func(*results.Run)) string {
		other := resultstest.Golden()
		edit(&other)
		packed := render(t, other)
		return swapRecords(page, packed)
	}
	for _, test := range []struct {
		name, page string
		want       []string // in one difference
	}{
		{"a number of a table", after(`<section id="throughput"`, "13.3\u00a0k", "15.3\u00a0k"), []string{`section "throughput"`, `table "`, `row "`, "15.3 k", "13.3 k"}},
		{"a ratio", after(`<section id="throughput"`, "1.15–1.33", "1.35–1.53"), []string{`section "throughput"`, "1.35–1.53", "1.15–1.33"}},
		{"a badge's word", after(`<section id="throughput"`, `undecided</span>`, `faster</span>`), []string{`section "throughput"`, "faster", "undecided"}},
		{"a badge's colour", after(`<section id="throughput"`, `badge b-open`, `badge b-faster`), []string{"attribute class of span", "b-faster"}},
		{"the Chinese of a badge", after(`<section id="throughput"`, `尚无定论</span>`, `更快</span>`), []string{"更快", "尚无定论"}},
		{"the answer", edited(t, page, "dlbench eager is faster in 4 of 5", "dlbench eager is faster in 5 of 5"), []string{"5 of 5"}},
		{"a mark in a figure", after(`<section id="throughput"`, ` cx="`, ` cx="9`), []string{"attribute cx of circle"}},
		{"a value of a chart", editedCharts(t, page, `"value":[1,`, `"value":[1,9`), []string{"data of the charts.charts.", ".data["}},
		{"a series of a chart", editedCharts(t, page, `"series":[`, `"series":[{"name":"other"},`), []string{"data of the charts", "series"}},
		{"charts that are no JSON", editedCharts(t, page, `{`, `{,`), []string{"no packed JSON"}},
		{"charts with white space", editedCharts(t, page, `{`, `{ `), []string{"data of the charts", "other bytes"}},
		{"charts that are not packed", edited(t, page, report.ChartsOpen, report.ChartsOpen+"{"), []string{"no packed JSON"}},
		{"charts twice", edited(t, page, "</body>", report.ChartsOpen+"</script></body>"), []string{"<script>"}},
		{"an extra row", after(`<section id="throughput"`, `<tbody>`, `<tbody><tr><th scope="row">Magic</th><td>99</td></tr>`), []string{"row", "Magic", `the records say "nothing"`}},
		{"a hidden row", after(`<section id="throughput"`, `<tbody>`, `<tbody><tr hidden><th scope="row">Magic</th><td>99</td></tr>`), []string{"row", "Magic"}},
		{"a row made hidden", after(`<section id="throughput"`, `<tbody><tr`, `<tbody><tr hidden`), []string{"attribute hidden of tr", `the page says ""`, `the records say "nothing"`}},
		{"a missing row", removeRow(t, page), []string{"row", `the page says "nothing"`}},
		{"text between sections", edited(t, page, `<section id="method"`, `<p>Best of all.</p><section id="method"`), []string{"Best of all."}},
		{"a script", edited(t, page, "'use strict';", "'use strict';alert(1);"), []string{"script", "other code"}},
		{"another script", edited(t, page, "</body>", "<script>alert(1)</script></body>"), []string{"<script>"}},
		{"the style", edited(t, page, "<style>", "<style>.b-slower{display:none}"), []string{"style", "other code"}},
		{"the policy", edited(t, page, "default-src", "x-src"), []string{"attribute content of meta"}},
		{"a comment", edited(t, page, "</body>", "<!-- x --></body>"), []string{"the page says"}},
		{"white space in a tag", edited(t, page, "<body>", "<body >"), []string{"byte "}},
		{"the records elsewhere", moveRecords(page, "<title>"), []string{"the page says"}},
		{"the records in an attribute", moveRecords(page, ` cx="`), []string{"the page says"}},
		{"the records in the style", moveRecords(page, "<style>"), []string{"the page says"}},
		{"a record's time", records(func(r *results.Run) {
			for i := range r.Records {
				for j := range r.Records[i].BlockNS {
					r.Records[i].BlockNS[j] *= int64(1 + len(r.Records[i].Cell.Backend)%2)
				}
			}
		}), []string{`section "throughput"`}},
		{"a record left out", records(func(r *results.Run) { r.Records = r.Records[:len(r.Records)-1] }), []string{"the records say"}},
		{"the host", records(func(r *results.Run) { r.Meta.Host.CPU = "Other CPU" }), []string{"Other CPU"}},
		{"the policy of verdicts", records(func(r *results.Run) { r.Meta.Policy.MinEffect = 0.3 }), []string{"30"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := Page([]byte(test.page))
			if err != nil {
				t.Fatal(err)
			}
			if r.Agrees() {
				t.Fatal("the page is said to agree")
			}
			if !slices.ContainsFunc(r.Differences, func(d Difference) bool {
				return !slices.ContainsFunc(test.want, func(w string) bool { return !strings.Contains(d.String(), w) })
			}) {
				t.Errorf("no difference has all of %q: %v", test.want, r.Differences[:min(5, len(r.Differences))])
			}
		})
	}
}

// swapRecords is a page with the records of another.
func swapRecords(page, from string) string {
	before, rest, _ := strings.Cut(page, report.RecordsOpen)
	_, after, _ := strings.Cut(rest, "</script>")
	_, other, _ := strings.Cut(from, report.RecordsOpen)
	other, _, _ = strings.Cut(other, "</script>")
	return before + report.RecordsOpen + other + "</script>" + after
}

// moveRecords is a page with its records right behind a mark.
func moveRecords(page, mark string) string {
	before, rest, _ := strings.Cut(page, report.RecordsOpen)
	packed, after, _ := strings.Cut(rest, "</script>")
	return strings.Replace(before+after, mark, mark+report.RecordsOpen+packed+"</script>", 1)
}

// removeRow takes the first row out of the raw trials.
func removeRow(t testing.TB, page string) string {
	t.Helper()
	i := strings.Index(page, `<tr id="t1"`)
	if i < 0 {
		t.Fatal("no row of the first trial")
	}
	n := strings.Index(page[i:], "</tr>")
	return page[:i] + page[i+n+len("</tr>"):]
}

// Records and charts that another Go compressed otherwise are the same ones.
func TestCompressionDoesNotMatter(t *testing.T) {
	page := render(t, resultstest.Golden())
	_, packed, _ := strings.Cut(page, report.RecordsOpen)
	packed, _, _ = strings.Cut(packed, "</script>")
	raw, err := base64.StdEncoding.DecodeString(packed)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	stored, _ := gzip.NewWriterLevel(&b, gzip.NoCompression)
	if _, err := io.Copy(stored, z); err != nil {
		t.Fatal(err)
	}
	stored.Close()
	page = strings.Replace(page, packed, base64.StdEncoding.EncodeToString(b.Bytes()), 1)
	page = repacked(t, page, gzip.NoCompression, func(data string) string { return data })
	r, err := Page([]byte(page))
	if err != nil || !r.Agrees() {
		t.Errorf("%v, %v", r.Differences, err)
	}
}

// A page of another version is never said to agree. The badges that both versions
// show are compared, and only those are counted.
func TestOtherForm(t *testing.T) {
	page := strings.Replace(render(t, resultstest.Golden()), "page form "+report.Form(), "page form 0123456789ab", 1)
	page = strings.Replace(page, "'use strict';", "'use strict';var older;", 1)
	whole, err := Page([]byte(page))
	if err != nil || !whole.OtherForm() || whole.Form != "0123456789ab" || whole.Agrees() || len(whole.Differences) > 0 || whole.Cells+whole.Charts > 0 || whole.Verdicts < 10 || whole.AllVerdicts < whole.Verdicts {
		t.Fatalf("%+v, %v", whole, err)
	}
	i := strings.Index(page, `<section id="throughput"`)
	after := func(old, new string) string { return page[:i] + edited(t, page[i:], old, new) }
	for _, test := range []struct {
		name, page string
		differs    string // empty: no difference
		fewer      bool   // were compared
	}{
		{"a number", after("13.3\u00a0k", "15.3\u00a0k"), "", false},
		{"a chart", editedCharts(t, page, `"value":[1,`, `"value":[1,9`), "", false},
		{"a script", edited(t, page, "</body>", "<script>alert(1)</script></body>"), "", false},
		{"a verdict in English", after(`undecided</span>`, `faster</span>`), "faster", false},
		{"a verdict in Chinese", after(`尚无定论</span>`, `更快</span>`), "更快", false},
		{"a verdict that no record gives", after(`undecided</span>`, `flaky, not ranked</span>`), "flaky", false},
		{"the colour of a verdict", after(`badge b-open`, `badge b-faster`), "b-faster", false},
		{"a word of another version", after(`undecided</span>`, `cannot tell</span>`), "", true},
		{"forged under another caption", strings.ReplaceAll(page, `<caption id="`, `<caption>.</caption><caption id="`), "", true},
		{"forged under other heads", strings.ReplaceAll(page, `<th scope=col>`, `<th scope=col>.`), "", true},
		{"a row with a verdict", after(`<tbody>`, `<tbody><tr><th>Magic</th><td><span class="badge">faster</span></td></tr>`), "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := Page([]byte(test.page))
			if err != nil || r.Agrees() {
				t.Fatalf("agrees %v, %v", r.Agrees(), err)
			}
			if (test.differs == "") != (len(r.Differences) == 0) || test.differs != "" && !strings.Contains(r.Differences[0].String(), test.differs) {
				t.Errorf("differences %v, want %q", r.Differences, test.differs)
			}
			if r.AllVerdicts < whole.AllVerdicts || (r.Verdicts < whole.Verdicts) != test.fewer {
				t.Errorf("%d of %d verdicts compared, of the whole page %d of %d", r.Verdicts, r.AllVerdicts, whole.Verdicts, whole.AllVerdicts)
			}
		})
	}
}

func TestWhatCannotBeVerified(t *testing.T) {
	page := render(t, resultstest.Golden())
	for _, test := range []struct{ name, page, want string }{
		{"nothing", "", "not a report of dlbench"},
		{"torn", page[:len(page)/2], "no"},
		{"no records", strings.Replace(page, report.RecordsOpen, "<script>", 1), "no records"},
	} {
		if _, err := Page([]byte(test.page)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
}

// Names with markup, numbers at their ends and records with little in them make
// pages that agree with themselves.
func TestHostileRunsAgree(t *testing.T) {
	const payload = "</script></style><script>alert(1)</script><td>\"'&lt;&#10;\u202e\u0000\ufffd\u2028 a\r\nb\tc"
	for _, test := range []struct {
		name string
		edit func(*results.Run)
	}{
		{"markup", func(run *results.Run) {
			run.Meta.Suite, run.Meta.Host.CPU, run.Meta.Notes = payload, payload, map[string]string{"en": payload, "zh": payload}
			run.Meta.Command = []string{payload}
			for name, w := range run.Meta.Workloads {
				w.Title = map[string]string{"en": payload, "zh": payload}
				run.Meta.Workloads[name] = w
			}
			for i := range run.Records {
				run.Records[i].Reason, run.Records[i].Stderr, run.Records[i].Worker.Kind = payload, payload, payload
			}
		}},
		{"long", func(run *results.Run) {
			long := strings.Repeat("长<b>", 1<<18)
			run.Meta.Suite = long
			run.Records[0].Reason, run.Records[0].Stderr = long, long
		}},
		{"all failed", func(run *results.Run) {
			for i := range run.Records {
				r := &run.Records[i]
				*r = results.Record{Schema: 1, Kind: r.Kind, Round: r.Round, Attempt: 1, Cell: r.Cell, End: results.EndCrashed}
			}
		}},
		{"no phases", func(run *results.Run) {
			for i := range run.Records {
				run.Records[i].Phases, run.Records[i].Usage, run.Records[i].Check, run.Records[i].Memory = nil, nil, nil, nil
			}
		}},
		{"no trial", func(run *results.Run) { run.Records = nil }},
		{"zeros", func(run *results.Run) {
			for i := range run.Records {
				run.Records[i].BlockNS, run.Records[i].WallNS, run.Records[i].Work = make([]int64, 20), 0, results.Work{}
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			run := resultstest.Golden()
			test.edit(&run)
			r, err := Page([]byte(render(t, run)))
			if err != nil || !r.Agrees() || len(r.Differences) > 0 {
				t.Errorf("%v, %v", r.Differences, err)
			}
		})
	}
}

// A hostile page is compared, whatever is in it, and only with itself does it agree.
// What the walk does not see, such as other white space, Page tells by its bytes:
// TestBytesBeyondTheWalk.
func FuzzDocuments(f *testing.F) {
	good := `<section id="s"><table><caption>x</caption><thead><tr><th>a<th>b<tbody><tr><th>r<td><span class="badge">faster</span></table></section><script id="chart-data">` + packedAt(gzip.DefaultCompression, `{"charts":{"c":{"a":[1,2]}}}`) + `</script>`
	f.Add(good, good)
	f.Add(good, strings.Replace(good, "faster", "slower", 1))
	f.Add(good, "<table><caption>x</caption><thead><tr><th>a<tbody><tr><td>b<td><table><tr>")
	f.Add("<p>"+strings.Repeat("<b><i>", 400), strings.Repeat("<tr><td>", 400)+"<script id=chart-data>"+packedAt(0, `{"charts":`+strings.Repeat("[", 400)))
	f.Fuzz(func(t *testing.T, page, again string) {
		says, means, err := parse([]byte(page), []byte(again))
		if err != nil {
			return
		}
		w := walker{sums: map[*html.Node]uint64{}}
		w.nodes(says, means, place{})
		if page == again && len(w.found) > 0 {
			t.Errorf("a page differs from itself: %v", w.found)
		}
		var r Result
		r.compareBadges(says, means)
		if r.Verdicts > r.AllVerdicts || page == again && len(r.Differences) > 0 {
			t.Errorf("a page and itself: %+v", r)
		}
		for _, d := range append(w.found, r.Differences...) {
			if strings.ContainsAny(d.String(), "\n\r") {
				t.Errorf("more than a line: %q", d)
			}
		}
	})
}

// A page that differs in nothing that shows is still another page.
func TestBytesBeyondTheWalk(t *testing.T) {
	page := render(t, resultstest.Golden())
	other := edited(t, page, "<main", "<main\v")
	for name, changed := range map[string]string{"an attribute of nothing": other, "white space": edited(t, page, "</main>", "</main>\v")} {
		r, err := Page([]byte(changed))
		if err != nil || len(r.Differences) == 0 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}
