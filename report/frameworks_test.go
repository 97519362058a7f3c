package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/compare/claims"
	"github.com/dlbench/dlbench/results/compare/frameworks"
	"github.com/dlbench/dlbench/results/resultstest"
	"github.com/dlbench/dlbench/workloads"
)

// rivals is a run of several frameworks with several entries: all claims that a
// run of the articles' models can decide are decided one way or the other.
func rivals(backends ...string) results.Run {
	if backends == nil {
		backends = []string{"pytorch", "pytorch-compile", "pytorch-jit", "tensorflow", "tensorflow-function", "tensorflow-xla", "keras-torch", "jax", "jax-eager", "onnxruntime", "eager"}
	}
	var cells []results.Cell
	for _, c := range resultstest.Cells() {
		if c.Backend != "eager" || c.Workload == "TextLstmShort" {
			continue
		}
		for _, b := range backends {
			c.Backend = b
			cells = append(cells, c)
		}
	}
	speed := map[string]float64{"pytorch": 1, "pytorch-compile": 0.8, "pytorch-jit": 1, "tensorflow": 3, "tensorflow-function": 1.2, "tensorflow-xla": 1.7, "keras-torch": 1.3, "jax": 0.81, "jax-eager": 9, "onnxruntime": 0.5, "eager": 1.4}
	run := resultstest.Run(resultstest.Config{
		Seed: 3, Cells: cells, Rounds: 13, Noise: 0.01, Memory: true, Baseline: backends[0],
		Step: func(c results.Cell) float64 {
			f, ok := speed[c.Backend]
			if !ok {
				f = 2
			}
			if c.Workload == "MnistCnn" && c.Backend == "tensorflow-xla" {
				f = 0.5
			}
			return 20e-3 * f
		},
		Faults: []resultstest.Fault{
			{Cell: func(c results.Cell) bool { return c.Backend == "onnxruntime" && c.Mode == "train" }, End: results.EndUnsupported, Phase: "build", Reason: "it only infers"},
			{Cell: resultstest.Backend("keras-torch", "MnistCnn"), End: results.EndWrong, Phase: "check", Reason: "wrong: param/fc1.weight"},
		},
	})
	run.Meta.Policy.MaxRounds, run.Meta.Policy.Until = 13, "max"
	run.Meta.Suite = "articles-small"
	run.Meta.Backends = map[string]results.Backend{
		"pytorch": {Environment: "pytorch", DiskBytes: 5 << 30, SetupNS: 61e9, AdapterLines: 219}, "pytorch-compile": {Environment: "pytorch", DiskBytes: 5 << 30, SetupNS: 61e9, AdapterLines: 355},
		"onnxruntime": {Environment: "onnxruntime", DiskBytes: 144 << 20, SetupNS: 8e9, AdapterLines: 150, Env: map[string]string{"DLBENCH_EXPORT_PYTHON": "{interpreter:pytorch}"}},
		"tensorflow":  {Environment: "tensorflow", DiskBytes: 1 << 30, SetupNS: 39e9, AdapterLines: 412}, "tensorflow-function": {Environment: "tensorflow", DiskBytes: 1 << 30, SetupNS: 39e9, AdapterLines: 412},
	}
	return run
}

// sections of the page that speak of frameworks.
var standingSections = []string{"stars", "claims", "deployment"}

func TestGoldenStandings(t *testing.T) {
	run := rivals()
	page := renderHTML(t, run, compare.Analyze(run))
	for _, id := range standingSections {
		compareGolden(t, "standings-"+id+".html", between(t, page, `<section id="`+id+`"`, "</section>"))
	}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"standings.md":   func(b *bytes.Buffer) error { return Markdown(b, run, compare.Analyze(run)) },
		"standings.txt":  func(b *bytes.Buffer) error { return Text(b, run, compare.Analyze(run), TextOptions{Width: 100}) },
		"standings.json": func(b *bytes.Buffer) error { return JSON(b, run, compare.Analyze(run)) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		compareGolden(t, name, b.String())
	}
}

// The page, the JSON, the text and the Markdown say the same of each claim and
// give the same stars.
func TestFormsAgreeOnClaimsAndStars(t *testing.T) {
	run := rivals()
	a := compare.Analyze(run)
	page := renderHTML(t, run, a)
	var j, text, md bytes.Buffer
	for _, err := range []error{JSON(&j, run, a), Text(&text, run, a, TextOptions{}), Markdown(&md, run, a)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var d struct {
		Stars  []starData
		Claims []claimData
	}
	if err := json.Unmarshal(j.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	verdicts := map[string]int{}
	for _, c := range d.Claims {
		row := between(t, page, `<tr role="row" id="`+c.ID+`">`, "</tr>\n")
		verdicts[c.Verdict]++
		if !strings.Contains(row, `<span lang=en>`+c.Verdict+`</span>`) {
			t.Errorf("%s is %s in JSON, the page has %q", c.ID, c.Verdict, row)
		}
		for _, m := range slices.Concat(c.Measured, c.Missing) {
			if !strings.Contains(plain(html.UnescapeString(row)), m) {
				t.Errorf("%s: the page lacks %q", c.ID, m)
			}
		}
		if !strings.Contains(md.String(), "| "+c.ID+" | "+escape(c.Says)+" | "+c.Verdict+" |") {
			t.Errorf("%s: Markdown lacks it", c.ID)
		}
		if decided := strings.Contains(text.String(), c.ID+" "+c.Verdict+": "+c.Says); decided != (c.Verdict != "open") {
			t.Errorf("%s is %s, told in the text: %v", c.ID, c.Verdict, decided)
		}
	}
	if verdicts["confirmed"] < 3 || verdicts["contradicted"] < 4 || verdicts["open"] < 5 {
		t.Errorf("the fixture decides too little for this test: %v", verdicts)
	}
	cells := regexp.MustCompile(`<span class=vh><span lang=en>([\d.]+) of 5 stars</span>.*?<a class="num" href="#g\d+">([\d.]+)×</a>`)
	for _, r := range d.Stars[:3] {
		row := between(t, page, `<tr role="row" id="`+map[string]string{"training speed": "stars-train", "inference speed": "stars-infer", "memory efficiency": "stars-memory"}[r.Aspect]+`"`, "<tr ")
		shown := cells.FindAllStringSubmatch(row, -1)
		i := 0
		for _, f := range r.Frameworks {
			if f.Stars == 0 {
				continue
			}
			if i >= len(shown) || shown[i][1] != starCount(f.Stars) || shown[i][2]+"×" != times(*f.Cost) {
				t.Fatalf("%s, %s: JSON has %g stars and %v, the page %q", r.Aspect, f.Framework, f.Stars, *f.Cost, shown)
			}
			if !strings.Contains(text.String(), starCount(f.Stars)+"★ ("+times(*f.Cost)+")") {
				t.Errorf("%s, %s: the text lacks it", r.Aspect, f.Framework)
			}
			i++
		}
		if i != len(shown) || i < 3 {
			t.Errorf("%s: %d ratings in JSON, %d on the page", r.Aspect, i, len(shown))
		}
	}
}

// The costs that the plot shows are those of the table, on a log axis.
func TestCostPlotIsRight(t *testing.T) {
	run := rivals()
	v := newView(run, compare.Analyze(run))
	for _, r := range v.judged().rows[:3] {
		p := v.costPlot(r)
		at := func(x string) float64 {
			f, err := strconv.ParseFloat(strings.TrimSuffix(x, "%"), 64)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		one, two := at(p.Grid[0].X), at(p.Grid[1].X)
		i := 0
		for _, x := range r.Ratings {
			if !x.Rated() {
				continue
			}
			want := one + (two-one)*math.Log2(*x.Relative)
			if got := at(p.Marks[i].X); math.Abs(got-want) > 0.02 {
				t.Errorf("%s, %s costs %g: at %g %%, want %g %%", r.Aspect, x.Framework.Name, *x.Relative, got, want)
			}
			i++
		}
		if i != len(p.Marks) {
			t.Errorf("%s: %d marks for %d ratings", r.Aspect, len(p.Marks), i)
		}
		lines := map[int]bool{}
		for _, m := range p.Marks {
			if lines[m.Y] {
				t.Errorf("%s: two frameworks on one line", r.Aspect)
			}
			lines[m.Y] = true
		}
	}
}

// The quadrant's points are where their figures are, and no two labels meet.
func TestQuadrantIsRight(t *testing.T) {
	many := make([]string, 20)
	for i := range many {
		many[i] = fmt.Sprintf("worker.number.%c", 'a'+i)
	}
	for _, backends := range [][]string{nil, {"pytorch", "tensorflow"}, {"eager"}, many} {
		run := rivals(backends...)
		v := newView(run, compare.Analyze(run))
		q := v.quadrant()
		if q == nil {
			t.Fatal("no quadrant")
		}
		type box struct{ x0, x1, y0, y1 float64 }
		var boxes []box
		last := math.Inf(1)
		placed := slices.DeleteFunc(slices.Clone(v.judged().efforts), func(e frameworks.Effort) bool { return e.Answer == nil })
		order := slices.SortedFunc(slices.Values(sequence(len(placed))), func(a, b int) int {
			return int(math.Copysign(1, *placed[a].Answer-*placed[b].Answer))
		})
		for _, i := range order { // the longer it takes, the further left
			x, _ := strconv.ParseFloat(strings.TrimSuffix(q.Points[i].X, "%"), 64)
			if x > last {
				t.Errorf("%s stands right of a sooner one", q.Points[i].Backend.Label)
			}
			last = x
		}
		named := 0
		for i, p := range q.Points {
			if want := quadrantTop + int(math.Round((quadrantHeight-2*quadrantTop)*(1-float64(placed[i].Ran)/float64(placed[i].Planned)))); p.Y != want {
				t.Errorf("%s ran %d of %d: at %d, want %d", p.Backend.Label, placed[i].Ran, placed[i].Planned, p.Y, want)
			}
			if p.Label == "" {
				continue
			}
			named++
			x, _ := strconv.ParseFloat(strings.TrimSuffix(p.LabelX, "%"), 64)
			w := 6.6 * float64(len([]rune(p.Label)))
			b := box{x*quadrantWidth/100 + 9, x*quadrantWidth/100 + 9 + w, float64(p.LabelY - 11), float64(p.LabelY + 3)}
			if p.Anchor == "end" {
				b.x0, b.x1 = x*quadrantWidth/100-9-w, x*quadrantWidth/100-9
			}
			for _, o := range boxes {
				if b.x0+1 < o.x1 && o.x0+1 < b.x1 && b.y0 < o.y1 && o.y0 < b.y1 {
					t.Errorf("%d entries: the label %q meets another", len(placed), p.Label)
				}
			}
			boxes = append(boxes, b)
		}
		if named == 0 {
			t.Error("no point has a name")
		}
	}
}

func sequence(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// Stars work for any set of frameworks, and for one mode alone.
func TestAnySetOfFrameworks(t *testing.T) {
	for _, tt := range []struct {
		backends []string
		mode     string
		want     string
	}{
		{[]string{"pytorch"}, "", "Only one framework of this run finished it"},
		{[]string{"pytorch", "tensorflow"}, "train", "This run plans nothing of it."},
		{[]string{"mine", "yours"}, "infer", "of 5 stars"},
		{[]string{"tensorflow", "pytorch", "jax", "keras-jax", "onnxruntime", "gorgonia", "gomlx", "eager", "mine"}, "", "at the lowest cost"},
	} {
		run := rivals(tt.backends...)
		if tt.mode != "" {
			keep := func(c results.Cell) bool { return c.Mode == tt.mode }
			run.Meta.Cells = slices.DeleteFunc(run.Meta.Cells, func(c results.Cell) bool { return !keep(c) })
			run.Records = slices.DeleteFunc(run.Records, func(r results.Record) bool { return !keep(r.Cell) })
			for i := range run.Records { // fewer were planned
				run.Records[i].Planned = 0
			}
		}
		page := everything(t, "set", run, compare.Analyze(run))
		if stars := between(t, page, `<section id="stars"`, "</section>"); !strings.Contains(stars, tt.want) {
			t.Errorf("%v %s: the star table lacks %q", tt.backends, tt.mode, tt.want)
		}
	}
}

// The suites that the page names exist, and plan what it says.
func TestNamedSuitesExist(t *testing.T) {
	var b bytes.Buffer
	if err := HTML(&b, results.Run{}, compare.Analysis{}); err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile(`dlbench run --suite ([a-z-]+)`).FindAllStringSubmatch(b.String(), -1) {
		named[m[1]] = true
	}
	var all []string
	for _, s := range workloads.ShippedSuites() {
		all = append(all, s.Name)
	}
	slices.Sort(all)
	if !slices.Equal(claims.Shipped, all) {
		t.Errorf("commands may name the suites %q, shipped are %q", claims.Shipped, all)
	}
	if len(named) == 0 {
		t.Error("no suite is named")
	}
	for name := range maps.Keys(named) {
		if !slices.ContainsFunc(workloads.ShippedSuites(), func(s workloads.Suite) bool { return s.Name == name }) {
			t.Errorf("the page names the suite %s, which is not shipped", name)
		}
	}
}

// The names of a hostile run stay text in what frameworks and claims say.
func TestHostileFrameworks(t *testing.T) {
	const nasty = `<img/src=x>`
	run := rivals("pytorch", "tensorflow", nasty)
	run.Meta.Suite = `"><script>alert(1)</script>`
	page := everything(t, "frameworks", run, compare.Analyze(run))
	stars := between(t, page, `<section id="stars"`, "</section>")
	if strings.Contains(stars, nasty) || !strings.Contains(stars, html.EscapeString(nasty)) {
		t.Error("the name of a framework is not escaped, or does not show")
	}
}

// Every link of these sections leads to something on the page.
func TestStandingLinks(t *testing.T) {
	run := rivals()
	page := renderHTML(t, run, compare.Analyze(run))
	ids := map[string]int{}
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		ids[m[1]]++
	}
	for id, n := range ids {
		if n > 1 {
			t.Errorf("%d elements have the id %q", n, id)
		}
	}
	links := 0
	for _, id := range standingSections {
		for _, m := range regexp.MustCompile(` (?:href="#|aria-labelledby=")([^"]*)"`).FindAllStringSubmatch(between(t, page, `<section id="`+id+`"`, "</section>"), -1) {
			for to := range strings.FieldsSeq(m[1]) {
				links++
				if ids[to] == 0 {
					t.Errorf("%s: a link leads to %q, which is not there", id, to)
				}
			}
		}
	}
	if links < 100 {
		t.Errorf("%d links, expected every figure to have one", links)
	}
}

// Who was planned for fewer workloads has neither run the most of them nor failed to
// finish the others.
func TestNotPlannedIsNotUnfinished(t *testing.T) {
	run := rivals("pytorch", "tensorflow", "jax")
	gone := func(c results.Cell) bool { return c.Backend == "jax" && c.Workload == "MnistCnn" }
	run.Meta.Cells = slices.DeleteFunc(run.Meta.Cells, gone)
	run.Records = slices.DeleteFunc(run.Records, func(r results.Record) bool { return gone(r.Cell) })
	for i := range run.Records {
		run.Records[i].Planned = 0
	}
	v := newView(run, compare.Analyze(run))
	for _, row := range v.effortRows() {
		if row.Name.EN != "Workloads that run" {
			continue
		}
		for i, want := range []string{"3 of 3", "3 of 3", "2 of 2"} {
			if x := row.Values[i]; x.Value.EN != want || !x.Best.Empty() || x.Over.Empty() == (i == 2) {
				t.Errorf("%+v, want %s and no best", x, want)
			}
		}
	}
	if stars := between(t, everything(t, "some", run, compare.Analyze(run)), `<section id="stars"`, "</section>"); !strings.Contains(stars, "not planned for JAX") || strings.Contains(stars, "not finished by") || !strings.Contains(stars, "未安排 JAX") {
		t.Error("the star table says of a workload that JAX was not planned for what it does not know")
	}
}
