package report

import (
	"math"

	"github.com/dlbench/dlbench/results/compare/frameworks"
)

// forecastTable holds what a run expected of each cell's memory against what it
// measured.
type forecastTable struct {
	Lead text
	Rows []forecastRow
}

type forecastRow struct {
	Title, Detail text // of its group, on the first row of one
	Backend       identity
	Raw           string
	Forecast      string
	Measured      string
	Error         text // of the forecast, relative to what was measured
	Within        text
	Rests         text // what the forecast rested on
	Why           text // there is no error
}

// forecastBounds are the errors of which the page says how many cells stay within.
var forecastBounds = []float64{0.15, 0.30}

// forecasts are empty where the run holds none.
func (v *view) forecasts() forecastTable {
	var t forecastTable
	var own, others errorCount // dlbench's own engine, and all else
	for _, g := range v.groups {
		first := true
		for _, c := range g.cells {
			expected, ok := v.parts()[g.part].Meta.Forecasts[c.Cell.Name()]
			if !ok {
				continue
			}
			row := forecastRow{Backend: c.Backend, Raw: c.ID, Forecast: mebibytes(float64(expected.AboveImport)), Measured: none, Error: same(none), Within: same(none), Rests: restsWord(expected.RestsOn)}
			if first {
				row.Title, row.Detail, first = g.Title, g.Detail, false
			}
			above, measured := c.above()
			switch {
			case !measured:
				row.Why = c.memoryWhy("peak_pss", "import_pss")
			case above <= 0:
				row.Measured, row.Why = mebibytes(0), peakHidden
			default:
				e := float64(expected.AboveImport)/above - 1
				row.Measured, row.Error, row.Within = mebibytes(above), signedPercent(e), boundWord(math.Abs(e))
				count := &others
				if frameworks.Of(c.Cell.Backend).ID == frameworks.Of("eager").ID {
					count = &own
				}
				count.add(math.Abs(e))
			}
			t.Rows = append(t.Rows, row)
		}
	}
	if len(t.Rows) == 0 {
		return t
	}
	t.Lead = text{
		"What dlbench plan expected of the peak above the level after import when the run began, against the median over memory trials. Error: forecast ÷ measured − 1.",
		"运行开始时 dlbench plan 预测的“高出导入后的内存峰值”，与内存试验的中位数相比。误差 = 预测值 ÷ 实测值 − 1。",
	}
	for _, x := range []struct {
		of    text
		count errorCount
	}{{same("dlbench eager"), own}, {text{"Other backends", "其他后端"}, others}} {
		if x.count.cells > 0 {
			t.Lead = joined([]text{t.Lead, x.count.words(x.of)}, " ", "")
		}
	}
	return t
}

// errorCount counts errors by the bounds that they stay within.
type errorCount struct {
	cells  int
	within [2]int
}

func (n *errorCount) add(e float64) {
	n.cells++
	for i, bound := range forecastBounds {
		if e <= bound {
			n.within[i]++
		}
	}
}

func (n errorCount) words(of text) text {
	return textf("%[1]s: %[2]d of %[4]d cells within %[5]s, %[3]d within %[6]s.", "%[1]s：%[4]d 个单元中 %[2]d 个误差在 %[5]s 以内，%[3]d 个在 %[6]s 以内。",
		of, n.within[0], n.within[1], n.cells, percent(forecastBounds[0]), percent(forecastBounds[1]))
}

// restsWord says what a forecast rested on.
func restsWord(on string) text {
	switch on {
	case "measured here":
		return text{on, "此前在本机实测"}
	case "reference":
		return text{"shipped reference", "自带的参考数据"}
	case "estimated":
		return text{"estimated from other cells", "由其他单元估计"}
	}
	return foreign(on)
}

// signedPercent is percent with a plus.
func signedPercent(x float64) text {
	t := percent(x)
	if x > 0 {
		return text{"+" + t.EN, "+" + t.ZH}
	}
	return t
}

// boundWord says which bound an error stays within.
func boundWord(e float64) text {
	for _, bound := range forecastBounds {
		if e <= bound {
			return textf("within %s", "%s 以内", percent(bound))
		}
	}
	return textf("beyond %s", "超过 %s", percent(forecastBounds[len(forecastBounds)-1]))
}
