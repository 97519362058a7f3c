package report

import (
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"slices"

	"github.com/go-echarts/go-echarts/v2/charts"
	"github.com/go-echarts/go-echarts/v2/opts"

	"github.com/dlbench/dlbench/results"
)

// Charts are for the pointer: the tables already show every figure. Options
// are built with go-echarts and drawn by the page's script, which replaces
// colours ("--pt": a variable of the style) and words ("@step": a key of
// chartWords) and places the grids for the width at hand. Nothing in the
// options is code.

// chartWords are the words of charts; the script looks them up by language.
var chartWords = map[string][2]string{
	"@round": {"round", "轮次"}, "@rate": {"examples per second", "每秒样本数"},
	"@share": {"% of timings (of a block: its mean step)", "计时的百分比（成块计时取块内平均）"}, "@ms": {"ms per step", "每步毫秒数"}, "@mib": {"MiB (RSS)", "MiB（RSS）"},
	"@s": {"seconds since the import", "导入后的秒数"}, "@seconds": {"seconds", "秒"},
	"@import": {"import", "导入"}, "@build": {"build", "构建"}, "@first": {"first step", "第一步"},
	"@step": {"step", "步"}, "@loss": {"loss", "损失"}, "@oracle": {"float64 oracle", "float64 参考答案"},
	"@check": {"check", "核对"}, "@warm-up": {"warm-up", "预热"}, "@measure": {"measured steps", "测量步"},
}

// chart is one canvas: small multiples, a grid per workload and settings.
type chart struct {
	Titles []text         `json:"titles"`
	Option map[string]any `json:"option"`
	Row    int            `json:"row"` // height of a grid in pixels
}

// MarshalJSON writes titles as pairs, English first.
func (t text) MarshalJSON() ([]byte, error) { return json.Marshal([2]string{t.EN, t.ZH}) }

// panelsPerChart bounds the canvas; the tables hold the others.
const panelsPerChart = 24

// charts are the data of all charts, keyed by the id of their element.
func (v *view) charts() (template.HTML, error) {
	groups := v.groups[:min(len(v.groups), panelsPerChart)]
	learned := v.learningGroups()
	return chartData(chartWords, map[string]chart{
		"ec-throughput": rateChart(groups), "ec-latency": latencyChart(groups),
		"ec-memory": memoryChart(groups), "ec-time": timeChart(groups),
		"ec-learning": learningChart(learned[:min(len(learned), panelsPerChart)]),
	})
}

// chartData is what the page's script draws from, packed; see ChartsOpen.
func chartData(words map[string][2]string, all map[string]chart) (template.HTML, error) {
	b, err := json.Marshal(struct {
		Words  map[string][2]string `json:"words"`
		Charts map[string]chart     `json:"charts"`
	}{words, all})
	if err != nil {
		return "", fmt.Errorf("report: charts: %w", err)
	}
	element, err := packed(b)
	if err != nil {
		return "", fmt.Errorf("report: charts: %w", err)
	}
	return template.HTML(element), nil
}

// multiples makes the axes and grids that all charts share; x and y name them.
func multiples(rc *charts.RectChart, groups []*group, x opts.XAxis, y opts.YAxis, trigger string) {
	xs, ys, grids := []opts.XAxis{}, []opts.YAxis{}, []opts.Grid{}
	for i := range groups {
		ax := x
		ax.GridIndex = i
		xs = append(xs, ax)
		ay := y
		ay.GridIndex = i
		ys = append(ys, ay)
		grids = append(grids, opts.Grid{ContainLabel: opts.Bool(true)})
	}
	if len(groups) > 0 {
		rc.XAxisList, rc.YAxisList = xs, ys
	}
	rc.GridList = grids
	rc.SetGlobalOptions(
		charts.WithAnimation(false),
		charts.WithTooltipOpts(opts.Tooltip{Show: opts.Bool(true), Trigger: trigger}),
		charts.WithLegendOpts(opts.Legend{Show: opts.Bool(true), Top: "0"}),
	)
}

// finish turns a chart into data. Tooltips are drawn on the canvas: as HTML they
// would need inline styles, and would run what a name holds.
func finish(option map[string]any, groups []*group, row int) chart {
	if tip, ok := option["tooltip"].(opts.Tooltip); ok {
		option["tooltip"] = map[string]any{"show": true, "trigger": tip.Trigger, "renderMode": "richText", "confine": true}
	}
	delete(option, "toolbox")
	delete(option, "title")
	delete(option, "color")
	c := chart{Titles: []text{}, Option: option, Row: row}
	for _, g := range groups {
		c.Titles = append(c.Titles, joined([]text{g.Title, modeWord(g.Key.Mode), textf("batch %d", "批量 %d", g.Key.Batch)}, " · ", " · "))
	}
	return c
}

// round4 keeps four significant digits, so that options stay small.
func round4(x float64) float64 {
	if x == 0 || math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	p := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(x))))
	if math.IsInf(p, 0) || p == 0 {
		return 0
	}
	if y := math.Round(x*p) / p; !math.IsInf(y, 0) {
		return y
	}
	return x // rounded up, the largest number would be infinite
}

// rateChart shows every timed trial: examples per second by round.
func rateChart(groups []*group) chart {
	c := charts.NewScatter()
	multiples(&c.RectChart, groups, opts.XAxis{Type: "value", Name: "@round", MinInterval: 1}, opts.YAxis{Type: "value", Name: "@rate", Min: 0}, "item")
	metric, _ := results.LookupMetric("throughput")
	for i, g := range groups {
		for _, cl := range g.cells {
			var data []opts.ScatterData
			for _, r := range cl.timed() {
				if x, ok := metric.Of(*r); ok {
					data = append(data, opts.ScatterData{Value: []float64{float64(r.Round), round4(x)}})
				}
			}
			style := opts.ItemStyle{Color: cl.Backend.Var()}
			if cl.Backend.Hollow { // echarts fills its own hollow circle with white, also in the dark
				style = opts.ItemStyle{Color: "--bg", BorderColor: cl.Backend.Var(), BorderWidth: 2}
			}
			c.AddSeries(cl.Backend.Label, data,
				charts.WithScatterChartOpts(opts.ScatterChart{XAxisIndex: i, YAxisIndex: i, Symbol: "circle", SymbolSize: 7}),
				charts.WithItemStyleOpts(style))
		}
	}
	c.Validate()
	return finish(c.JSON(), groups, 220)
}

// latencyChart shows which share of a cell's steps took at most how long, over
// all valid trials together.
func latencyChart(groups []*group) chart {
	c := charts.NewLine()
	multiples(&c.RectChart, groups, opts.XAxis{Type: "value", Name: "@ms", Scale: opts.Bool(true)}, opts.YAxis{Type: "value", Name: "@share"}, "item")
	for i, g := range groups {
		for _, cl := range g.cells {
			var all []int64
			for _, r := range cl.timed() {
				for _, b := range r.BlockNS {
					all = append(all, b/int64(max(1, r.StepsPerBlock)))
				}
			}
			slices.Sort(all)
			var data []opts.LineData
			const points = 100
			for k := 0; k <= points && len(all) > 0; k++ {
				at := k * (len(all) - 1) / points
				data = append(data, opts.LineData{Value: []float64{round4(float64(all[at]) / 1e6), float64(k)}})
			}
			c.AddSeries(cl.Backend.Label, data, lineStyle(i, cl.Backend)...)
		}
	}
	c.Validate()
	return finish(c.JSON(), groups, 220)
}

func lineStyle(axis int, b identity) []charts.SeriesOpts {
	kind := "solid"
	if b.Hollow {
		kind = "dashed"
	}
	return []charts.SeriesOpts{
		charts.WithLineChartOpts(opts.LineChart{XAxisIndex: axis, YAxisIndex: axis, ShowSymbol: opts.Bool(false)}),
		charts.WithLineStyleOpts(opts.LineStyle{Color: b.Var(), Width: 1.8, Type: kind}),
		charts.WithItemStyleOpts(opts.ItemStyle{Color: b.Var()}),
	}
}

// timelinePoints bounds what a chart carries of a memory timeline; the records
// hold it whole.
const timelinePoints = 400

// memoryChart overlays the timelines of the first memory trial of each cell, and
// names the phases where they begin.
func memoryChart(groups []*group) chart {
	c := charts.NewLine()
	multiples(&c.RectChart, groups, opts.XAxis{Type: "value", Name: "@s", Min: 0}, opts.YAxis{Type: "value", Name: "@mib", Min: 0}, "axis")
	for i, g := range groups {
		for _, cl := range g.cells {
			r, line := cl.watched()
			var data, marks []opts.LineData
			for _, p := range thinned(line, timelinePoints) {
				data = append(data, opts.LineData{Value: []float64{round4(float64(p.NS) / 1e9), round4(float64(p.RSS) / (1 << 20))}})
			}
			c.AddSeries(cl.Backend.Label, data, lineStyle(i, cl.Backend)...)
			if r == nil {
				continue
			}
			at := int64(0)
			for _, p := range since(r) {
				marks = append(marks, opts.LineData{Name: phaseKey(p.Name), Value: []float64{round4(float64(at) / 1e9), round4(float64(residentAt(line, at)) / (1 << 20))}})
				at += p.WallNS
			}
			c.AddSeries(cl.Backend.Label, marks, phaseMarks(i, cl.Backend)...)
		}
	}
	c.Validate()
	return finish(c.JSON(), groups, 220)
}

// phaseMarks is the look of the points where phases begin: no line joins them.
func phaseMarks(axis int, b identity) []charts.SeriesOpts {
	return []charts.SeriesOpts{
		charts.WithLineChartOpts(opts.LineChart{XAxisIndex: axis, YAxisIndex: axis, ShowSymbol: opts.Bool(true), Symbol: "diamond", SymbolSize: 8}),
		charts.WithLineStyleOpts(opts.LineStyle{Color: b.Var(), Opacity: opts.Float(0)}),
		charts.WithItemStyleOpts(opts.ItemStyle{Color: b.Var()}),
		charts.WithLabelOpts(opts.Label{Show: opts.Bool(true), Formatter: "{b}", Position: "top", Color: "--mut", FontSize: 10}),
		charts.WithLabelLayoutOpts(opts.LabelLayout{HideOverlap: opts.Bool(true)}),
	}
}

// phaseKey is a phase among the words of charts; other names are not shown.
func phaseKey(name string) string {
	if _, ok := chartWords["@"+name]; ok {
		return "@" + name
	}
	return ""
}

// residentAt is the last level of a timeline that was read by then.
func residentAt(line []results.Point, ns int64) int64 {
	level := line[0].RSS
	for _, p := range line {
		if p.NS > ns {
			break
		}
		level = p.RSS
	}
	return level
}

// learningChart lays the losses of all backends and the oracle's over one another.
func learningChart(groups []*group) chart {
	c := charts.NewLine()
	multiples(&c.RectChart, groups, opts.XAxis{Type: "value", Name: "@step", Min: 0}, opts.YAxis{Type: "value", Name: "@loss", Min: 0}, "axis")
	for i, g := range groups {
		var drawn []*cell
		for _, cl := range g.cells {
			_, l := cl.learned()
			if l == nil {
				continue
			}
			c.AddSeries(cl.Backend.Label, losses(l.Losses), lineStyle(i, cl.Backend)...)
			drawn = append(drawn, cl)
		}
		oracle := longestOracle(drawn)
		if top, beyond := lossTop(drawn, oracle); beyond > 0 {
			c.YAxisList[i].Max = top
		}
		c.AddSeries("@oracle", losses(oracle),
			charts.WithLineChartOpts(opts.LineChart{XAxisIndex: i, YAxisIndex: i, ShowSymbol: opts.Bool(false)}),
			charts.WithLineStyleOpts(opts.LineStyle{Color: "--ink", Width: 2, Type: "dotted"}),
			charts.WithItemStyleOpts(opts.ItemStyle{Color: "--ink"}))
	}
	c.Validate()
	return finish(c.JSON(), groups, 220)
}

// losses are the points of a curve by step, at most curvePoints and the last one;
// what is not finite is left out.
func losses(ys []float64) []opts.LineData {
	var data []opts.LineData
	stride := max(1, (len(ys)+curvePoints-1)/curvePoints)
	for i, y := range ys {
		if (i%stride == 0 || i == len(ys)-1) && !math.IsNaN(y) && !math.IsInf(y, 0) {
			data = append(data, opts.LineData{Value: []float64{float64(i + 1), round4(y)}})
		}
	}
	return data
}

// timeChart stacks the phases of each cell.
func timeChart(groups []*group) chart {
	c := charts.NewBar()
	multiples(&c.RectChart, groups, opts.XAxis{Type: "value", Name: "@seconds", Min: 0}, opts.YAxis{Type: "category", Inverse: opts.Bool(true)}, "item")
	names := append(waiting[:len(waiting):len(waiting)], "measure")
	for i, g := range groups {
		var labels []string
		for _, cl := range g.cells {
			labels = append(labels, cl.Backend.Label)
		}
		c.YAxisList[i].Data = labels
		for k, name := range names {
			var data []opts.BarData
			for _, cl := range g.cells {
				d := opts.BarData{Value: 0, ItemStyle: &opts.ItemStyle{Color: fmt.Sprintf("--p%d", k)}}
				if k == len(names)-1 {
					d.ItemStyle.Color = cl.Backend.Var()
				}
				if parts, ok := cl.phases(); ok {
					d.Value = round4(parts[k])
				}
				data = append(data, d)
			}
			color := fmt.Sprintf("--p%d", k)
			if k == len(names)-1 {
				color = "--ink"
			}
			c.AddSeries("@"+name, data,
				charts.WithBarChartOpts(opts.BarChart{XAxisIndex: i, YAxisIndex: i, Stack: fmt.Sprintf("g%d", i), BarWidth: "55%"}),
				charts.WithItemStyleOpts(opts.ItemStyle{Color: color}))
		}
	}
	// Validate would write the first axis's data over the panel's labels.
	c.Assets.Validate(c.AssetsHost)
	return finish(c.JSON(), groups, 200)
}
