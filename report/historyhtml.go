package report

import (
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/go-echarts/go-echarts/v2/charts"
	"github.com/go-echarts/go-echarts/v2/opts"

	"github.com/dlbench/dlbench/results/compare/history"
)

// historyPage is what the template of a history shows.
type historyPage struct {
	pageParts
	Answer   text
	Facts    []fact
	Found    []historyFound
	Sections []section
	Series   []historySeries
	Warnings []text
	Method   text
}

// historyWords are the words of the chart; see chartWords.
var historyWords = map[string][2]string{"@run": {"number of the run", "运行序号"}, "@level": {"level", "水平"}, "@ms": chartWords["@ms"]}

// historyFound is one change in the list at the top.
type historyFound struct {
	Series historySeries
	Row    historyRow
}

// HistoryHTML writes a history as one self-contained page: it loads nothing, and
// its tables need no script. The same history gives the same bytes.
func HistoryHTML(w io.Writer, h history.History) error {
	v := newHistoryView(h)
	p := historyPage{Answer: v.answer(), Series: v.Series, Method: v.method()}
	for i, s := range []section{
		{ID: "changes", Nav: text{"Changes", "变化"}, Title: text{"Changes", "变化"}},
		{ID: "series", Nav: text{"Series", "序列"}, Title: text{"Series, run by run", "逐次运行的序列"},
			Chart: chartPart{"ec-history", text{"Interactive chart: medians run by run, and the levels between changes", "交互图表：逐次运行的中位数，以及变化点之间的水平"}}},
		{ID: "method", Nav: text{"Method and data", "方法与数据"}, Title: text{"Method and data", "方法与数据"}},
	} {
		s.No = i + 1
		p.Sections = append(p.Sections, s)
	}
	for _, s := range v.Series {
		for _, r := range s.Rows {
			if r.Change != nil {
				p.Found = append(p.Found, historyFound{s, r})
			}
		}
	}
	for i, x := range v.Hosts {
		label := text{"Host", "主机"}
		if len(v.Hosts) > 1 {
			label = textf("Host %d", "主机 %d", i+1)
		}
		p.Facts = append(p.Facts, fact{label, hostLine(x.Host)})
	}
	p.Facts = append(p.Facts, fact{text{"Order", "次序"}, v.order()})
	for _, warning := range v.Warnings {
		p.Warnings = append(p.Warnings, remark(warning))
	}
	records, err := json.Marshal(jsonHistory(h))
	if err != nil {
		return fmt.Errorf("report: history: %w", err)
	}
	title := text{"dlbench history", "dlbench 历史"}
	options, err := chartData(historyWords, map[string]chart{"ec-history": v.chart()})
	if err != nil {
		return err
	}
	if p.pageParts, err = newPageParts(title, options); err != nil {
		return err
	}
	p.Records = template.JS(records)
	return writePage(w, "history.html", p)
}

// chart draws the medians of each series by number of the run, in its table, and
// the levels between changes.
func (v *historyView) chart() chart {
	c := charts.NewLine()
	shown := v.Series[:min(len(v.Series), panelsPerChart)]
	groups := make([]*group, len(shown)) // one panel each
	multiples(&c.RectChart, groups, opts.XAxis{Type: "value", Name: "@run", MinInterval: 1, Min: 1}, opts.YAxis{Type: "value", Scale: opts.Bool(true)}, "item")
	var titles []text
	for i, s := range shown {
		scale, unit := chartUnit(s)
		c.YAxisList[i].Name = unit
		var points, levels []opts.LineData
		for k, p := range s.of.Points {
			if p.Counts {
				points = append(points, opts.LineData{Value: []float64{float64(k + 1), round4(*p.Median * scale)}})
			}
		}
		for _, l := range s.levels() {
			levels = append(levels, opts.LineData{Value: []float64{float64(l.from + 1), round4(l.value * scale)}}, opts.LineData{Value: []float64{float64(l.to + 1), round4(l.value * scale)}})
		}
		style := lineStyle(i, s.Backend)
		c.AddSeries(s.Backend.Label, points, append(style, charts.WithLineChartOpts(opts.LineChart{XAxisIndex: i, YAxisIndex: i, ShowSymbol: opts.Bool(true), Symbol: "circle", SymbolSize: 6}))...)
		if len(s.of.Changes) > 0 {
			c.AddSeries("@level", levels,
				charts.WithLineChartOpts(opts.LineChart{XAxisIndex: i, YAxisIndex: i, ShowSymbol: opts.Bool(false)}),
				charts.WithLineStyleOpts(opts.LineStyle{Color: "--mut", Width: 1.4, Type: "dashed"}),
				charts.WithItemStyleOpts(opts.ItemStyle{Color: "--mut"}))
		}
		title := s.Title + " · " + s.Backend.Label
		t := same(title)
		if !s.Where.Empty() {
			t = textf("%s · %s", "%s · %s", title, s.Where)
		}
		titles = append(titles, t)
	}
	c.Assets.Validate(c.AssetsHost)
	out := finish(c.JSON(), nil, 200)
	out.Titles = titles
	if titles == nil {
		out.Titles = []text{}
	}
	return out
}

// level is a stretch without a change.
type level struct {
	from, to int // first and last point
	value    float64
}

func (s historySeries) levels() []level {
	var all []level
	for i, c := range s.of.Changes {
		if i == 0 {
			all = append(all, level{0, c.At - 1, c.Before})
		} else {
			all[i].to = c.At - 1
		}
		all = append(all, level{c.At, len(s.of.Points) - 1, c.After})
	}
	return all
}

// chartUnit is the factor and the name of the unit in which a chart shows a
// metric.
func chartUnit(s historySeries) (scale float64, name string) {
	switch unit, _, _ := strings.Cut(s.of.Metric.Unit, "/"); {
	case s.of.Metric.Unit == "sec/step":
		return 1e3, "@ms"
	case unit == "sec" || strings.HasSuffix(unit, "-sec"):
		return 1e3, "ms"
	case unit == "B":
		return 1.0 / (1 << 20), "MiB"
	}
	return 1, s.of.Metric.Unit
}
