package report

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

// figureOf reads a number of a page.
func figureOf(t testing.TB, s string) float64 {
	t.Helper()
	s = strings.ReplaceAll(strings.TrimSuffix(strings.TrimSpace(s), "%"), "\u202f", "")
	scale := 1.0
	for unit, x := range map[string]float64{"k": 1e3, "M": 1e6, "G": 1e9} {
		if rest, ok := strings.CutSuffix(s, nbsp+unit); ok {
			s, scale = rest, x
		}
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatalf("%q is no number", s)
	}
	return x * scale
}

// element is a node of a page, as the tests of its drawings ask for it.
type element struct{ *html.Node }

func parsePage(t testing.TB, page string) element {
	t.Helper()
	n, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return element{n}
}

func (e element) attr(key string) string {
	for _, a := range e.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func (e element) has(class string) bool {
	return slices.Contains(strings.Fields(e.attr("class")), class)
}

// all are the elements below e that match, in their order.
func (e element) all(match func(element) bool) []element {
	var out []element
	for n := range e.Descendants() {
		if x := (element{n}); n.Type == html.ElementNode && match(x) {
			out = append(out, x)
		}
	}
	return out
}

func (e element) tags(tag string) []element {
	return e.all(func(x element) bool { return x.Data == tag })
}

func (e element) class(name string) []element {
	return e.all(func(x element) bool { return x.has(name) })
}

func (e element) id(t testing.TB, id string) element {
	t.Helper()
	found := e.all(func(x element) bool { return x.attr("id") == id })
	if len(found) != 1 {
		t.Fatalf("%d elements with the id %q", len(found), id)
	}
	return found[0]
}

// text is what e shows in English.
func (e element) text() string {
	var b strings.Builder
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		if (element{n}).attr("lang") == "zh-Hans" {
			return
		}
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
		for c := range n.ChildNodes() {
			walk(c)
		}
	}
	walk(e.Node)
	return strings.TrimSpace(b.String())
}

// scale reads an axis back from two of its labels: value per percent of the width.
// It fails unless the axis begins at zero and is linear.
func scale(t testing.TB, axis element) float64 {
	t.Helper()
	labels := axis.tags("text")
	if len(labels) < 2 {
		t.Fatalf("an axis of %d labels", len(labels))
	}
	if labels[0].text() != "0" || figureOf(t, labels[0].attr("x")) != 0 {
		t.Errorf("an axis begins with %q at %s", labels[0].text(), labels[0].attr("x"))
	}
	last := labels[len(labels)-1]
	per := figureOf(t, last.text()) / figureOf(t, last.attr("x"))
	for _, l := range labels[1:] {
		if got := figureOf(t, l.attr("x")) * per; math.Abs(got/figureOf(t, l.text())-1) > 0.01 {
			t.Errorf("the label %s stands at %v: the axis is not linear", l.text(), got)
		}
	}
	return per
}

// about fails where two values differ by more than a drawing can show: within of
// the axis, whose end is at per times 100.
func about(t testing.TB, what string, got, want, per float64) {
	t.Helper()
	if math.Abs(got-want) > 0.0006*100*per+1e-3*math.Abs(want) {
		t.Errorf("%s: drawn at %.6g, the records say %.6g", what, got, want)
	}
}

// drawn is a run without failures, its page and its view.
func drawn(t testing.TB) (results.Run, *view, element, string) {
	t.Helper()
	run := resultstest.Run(resultstest.Config{Seed: 6, Rounds: 9, Noise: 0.05, Memory: true, Check: true, Samples: 700})
	a := compare.Analyze(run)
	page := renderHTML(t, run, a)
	return run, newView(run, a), parsePage(t, page), page
}

// records are those of a kind of one cell.
func records(run results.Run, kind string, c results.Cell) []*results.Record {
	var rs []*results.Record
	for i := range run.Records {
		if r := &run.Records[i]; r.Kind == kind && r.Cell == c {
			rs = append(rs, r)
		}
	}
	return rs
}

// medianBy is the median of f over records, by sorting.
func medianBy(rs []*results.Record, f func(*results.Record) float64) float64 {
	var xs []float64
	for _, r := range rs {
		xs = append(xs, f(r))
	}
	slices.Sort(xs)
	return (xs[(len(xs)-1)/2] + xs[len(xs)/2]) / 2
}

// secondsPerStep adds up a record's blocks.
func secondsPerStep(r *results.Record) float64 {
	total := 0.0
	for _, ns := range r.BlockNS {
		total += float64(ns) / 1e9
	}
	return total / float64(len(r.BlockNS)*r.StepsPerBlock)
}

// rowsOf are the body rows of a table by the name of their backend.
func rowsOf(table element) map[string]element {
	rows := map[string]element{}
	for _, r := range table.tags("tr") {
		if th := r.tags("th"); len(th) == 1 && len(th[0].class("bn")) > 0 {
			rows[th[0].class("bn")[0].text()] = r
		}
	}
	return rows
}

// options are the data of the interactive charts.
type options struct {
	Words  map[string][2]string
	Charts map[string]struct {
		Titles [][2]string
		Option struct {
			XAxis, YAxis []struct {
				Type, Name string
				Min        any
				Scale      bool
			}
			Series []struct {
				Name, Type, Stack              string
				XAxisIndex, YAxisIndex, GridID int
				Data                           []struct {
					Name  string
					Value json.RawMessage
				}
				LineStyle, ItemStyle struct{ Color, BorderColor, Type string }
				ShowSymbol           bool
			}
		}
	}
}

// chartJSON is the data of a page's charts, unpacked.
func chartJSON(t testing.TB, page string) []byte {
	t.Helper()
	data, err := UnpackCharts([]byte(between(t, page, ChartsOpen, "</script>")))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func chartOptions(t testing.TB, page string) options {
	t.Helper()
	var o options
	if err := json.Unmarshal(chartJSON(t, page), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// xy reads a point of a series; a bar has only a value.
func xy(t testing.TB, raw json.RawMessage) (x, y float64) {
	t.Helper()
	var pair [2]float64
	if err := json.Unmarshal(raw, &pair); err != nil {
		if err := json.Unmarshal(raw, &y); err != nil {
			t.Fatalf("%s is no point", raw)
		}
		return 0, y
	}
	return pair[0], pair[1]
}
