package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare/history"
	"github.com/dlbench/dlbench/results/resultstest"
)

// goldenHistory is a history with one of everything: a change for the worse, one
// for the better, a run that failed, two hosts, too few runs, and hostile names.
func goldenHistory(t testing.TB) history.History {
	t.Helper()
	r := history.NewReader(history.Options{})
	for day := range 14 {
		run := resultstest.Run(resultstest.Config{
			Seed: uint64(day + 1), Rounds: 7, Noise: 0.01, Cells: resultstest.Cells()[:3],
			Step: func(c results.Cell) float64 {
				s := resultstest.Step(c)
				switch {
				case c.Backend == "gorgonia" && day >= 8:
					s *= 1.08
				case c.Backend == "eager" && day >= 5:
					s *= 0.9
				}
				return s
			},
			Faults: []resultstest.Fault{{Cell: func(c results.Cell) bool { return day == 3 && c.Backend == "gomlx" }, End: results.EndCrashed, Phase: "measure", Reason: "killed </script><b>by</b> SIGKILL"}},
		})
		run.Meta.Started = time.Date(2026, 11, 1+day, 8, 0, 0, 0, time.UTC).Format(time.RFC3339)
		run.Meta.Label = fmt.Sprintf("c%02d", day)
		switch day {
		case 6:
			run.Meta.Label = `<script>alert("6")</script> | *x*`
		case 7:
			run.Meta.Label = "=1+1"
		case 13:
			run.Meta.Host.CPU = "Another <CPU>"
		}
		r.Add(fmt.Sprintf("runs/%02d", day), run)
		if day == 2 {
			r.Add("runs/02 (copy)", run)
		}
	}
	r.Skip("runs/torn", fmt.Errorf("run.json:1:1: the JSON value ends too early"))
	return r.History()
}

var historyWriters = []struct {
	name  string
	write func(io.Writer, history.History) error
}{
	{"history.html", HistoryHTML},
	{"history.md", HistoryMarkdown},
	{"history.csv", HistoryCSV},
	{"history.json", HistoryJSON},
	{"history.txt", func(w io.Writer, h history.History) error { return HistoryText(w, h, TextOptions{}) }},
	{"history-color.txt", func(w io.Writer, h history.History) error {
		return HistoryText(w, h, TextOptions{Color: true, Width: 100})
	}},
}

func TestHistoryGolden(t *testing.T) {
	h := goldenHistory(t)
	for _, w := range historyWriters {
		t.Run(w.name, func(t *testing.T) {
			var b, again bytes.Buffer
			if err := w.write(&b, h); err != nil {
				t.Fatal(err)
			}
			if err := w.write(&again, goldenHistory(t)); err != nil || again.String() != b.String() {
				t.Errorf("twice is not the same: %v", err)
			}
			got := b.String()
			if w.name == "history.html" {
				got = withoutLibrary(t, got)
				got = strings.Replace(got, between(t, got, ChartsOpen, "</script>"), string(chartJSON(t, got)), 1)
			}
			compareGolden(t, w.name, got)
		})
	}
}

// compareGolden holds text to a file of testdata, or rewrites it.
func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if at := differ(got, string(want)); got != string(want) {
		t.Errorf("%s differs from the golden file at byte %d:\n got %q\nwant %q\n(-update rewrites it)", path, at, around(got, at), around(string(want), at))
	}
}

func historyHTML(t testing.TB, h history.History) string {
	t.Helper()
	var b bytes.Buffer
	if err := HistoryHTML(&b, h); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What the table says, the data for machines and the chart say too.
func TestHistoryForms(t *testing.T) {
	h := goldenHistory(t)
	page := historyHTML(t, h)
	for _, want := range []string{
		"2 changes in 2 of the 6 series of 14 runs.", "14 次运行的 6 个序列中 2 个有变化，共 2 处。", "变差", "变好", ">c08<", "runs/08", "host 2", "主机 2", "not counted: ", "不计入：",
		"略去 runs/02 (copy)：与 runs/02 是同一次运行", "略去 runs/torn：英文原文：run.json:1:1: the JSON value ends too early",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	var data historyData
	if err := json.Unmarshal([]byte(between(t, page, `id="records">`, "</script>")), &data); err != nil {
		t.Fatal(err)
	}
	words := map[string]int{}
	for _, s := range data.Series {
		for _, p := range s.Points {
			if p.Change != nil {
				words[s.Backend+" "+p.Label+" "+p.Change.Word]++
			}
		}
	}
	if len(words) != 2 || words["gorgonia c08 worse"] != 1 || words["eager c05 better"] != 1 {
		t.Errorf("changes in the records: %v", words)
	}
	var options struct {
		Charts map[string]struct {
			Titles [][2]string
			Option struct{ Series []struct{ Name string } }
		}
	}
	if err := json.Unmarshal(chartJSON(t, page), &options); err != nil {
		t.Fatal(err)
	}
	if c := options.Charts["ec-history"]; len(c.Titles) != 6 || len(c.Option.Series) != 6+2 {
		t.Errorf("%d panels, %d lines", len(c.Titles), len(c.Option.Series))
	}
	var b bytes.Buffer
	if err := HistoryCSV(&b, h); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err == nil && rows[8][10] != "'=1+1" {
		t.Errorf("a spreadsheet would compute %q", rows[8][10])
	}
	if err != nil || len(rows) != 1+3*14 {
		t.Errorf("%d lines of CSV, %v", len(rows), err)
	}
}

// Names from files cannot leave their place, and the page loads nothing.
func TestHistoryHostile(t *testing.T) {
	page := withoutLibrary(t, historyHTML(t, goldenHistory(t)))
	for _, bad := range []string{"<script>alert", "</script><b>", "<CPU>", "http://", "https://", " style=", "onclick", "url(", " src="} {
		if i := strings.Index(page, bad); i >= 0 {
			t.Errorf("%q in the page: %q", bad, around(page, i))
		}
	}
	if n := strings.Count(page, "</script>"); n != 4 {
		t.Errorf("%d scripts end, expected 4", n)
	}
	ids := map[string]bool{}
	for _, p := range strings.Split(page, ` id="`)[1:] {
		id, _, _ := strings.Cut(p, `"`)
		if ids[id] {
			t.Errorf("two elements have the id %q", id)
		}
		ids[id] = true
	}
	for _, p := range strings.Split(page, ` href="#`)[1:] {
		if id, _, _ := strings.Cut(p, `"`); !ids[id] {
			t.Errorf("a link leads to %q, which is not there", id)
		}
	}
	var b bytes.Buffer
	if err := HistoryMarkdown(&b, goldenHistory(t)); err != nil || strings.Contains(b.String(), "<script>") {
		t.Errorf("Markdown: %v", err)
	}
}

// Where no change could show, the answer is not that there was none.
func TestHistoryTooShort(t *testing.T) {
	r := history.NewReader(history.Options{})
	r.Add("only", resultstest.Run(resultstest.Config{Rounds: 7, Cells: resultstest.Cells()[:3]}))
	page := historyHTML(t, r.History())
	for _, want := range []string{"No change could show: each of 3 series of 1 run is too short.", "1 次运行的 3 个序列都太短，看不出变化。"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// A history of nothing says so in all forms.
func TestHistoryOfNothing(t *testing.T) {
	for _, w := range historyWriters {
		var b bytes.Buffer
		if err := w.write(&b, history.NewReader(history.Options{}).History()); err != nil {
			t.Errorf("%s: %v", w.name, err)
		}
		if got := b.String(); strings.HasPrefix(w.name, "history.html") && !strings.Contains(got, "No series: ") {
			t.Errorf("%s does not say that there is none", w.name)
		}
	}
}
