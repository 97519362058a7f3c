package report

import (
	"math"

	"github.com/dlbench/dlbench/results/compare"
)

// ratioSection is the matrix of speeds relative to the baseline: a row per
// backend, a column per workload and settings.
type ratioSection struct {
	section
	Baseline identity
	Columns  []ratioColumn
	Rows     []ratioRow
	Steps    []text // the ratios at which the tint changes, from the weakest
	Equal    *badge // legend of the cells that are equivalent; nil: there are none
}

type ratioColumn struct {
	Panel         string // anchor of the throughput table
	Title, Detail text
}

type ratioRow struct {
	Backend identity
	Base    bool
	Cells   []ratioCell // one per column
}

// ratioCell is one speed relative to the baseline's.
type ratioCell struct {
	Raw   string // anchor of the trials; empty: not planned
	Class string // tint, of a decided ratio only
	Icon  string
	Word  text // verdict or status
	Ratio string
	Range text
}

// tintStep is the factor in speed from one tint to the next.
const tintStep = 1.7

// tints is the number of tints on each side of equal speed.
const tints = 4

func (v *view) ratios() ratioSection {
	s := ratioSection{
		section: section{
			ID: "ratios", Nav: text{"Ratios", "速度比"},
			Title: textf("Speed relative to %s", "相对 %s 的速度", v.baseline.Label),
			Lead: textf(
				"Speed of the row divided by the speed of %[1]s on the workload of the column, the Hodges-Lehmann estimate over rounds; below it the range of ratios that the evidence leaves open. Blue: faster; sand: slower. Only a verdict gives a colour: what stands plain is undecided or not judged. Verdicts exist against %[1]s alone; two other rows are not compared with each other here.",
				"行所示后端的速度除以 %[1]s 在该列负载上的速度，取各轮的 Hodges-Lehmann 估计；下方是证据尚未排除的比值范围。蓝色为更快，沙色为更慢。只有下了结论的才着色，不着色的尚无定论或未作判断。结论只针对 %[1]s，其余各行之间在此不作比较。",
				v.baseline.Label),
		},
		Baseline: v.baseline,
	}
	for i := range tints - 1 {
		s.Steps = append(s.Steps, same(times(math.Pow(tintStep, float64(i+1)))))
	}
	at := map[*group]map[string]*cell{}
	for _, g := range v.groups {
		s.Columns = append(s.Columns, ratioColumn{Panel: g.ID, Title: g.Title, Detail: g.Detail})
		at[g] = map[string]*cell{}
		for _, c := range g.cells {
			at[g][c.Cell.Backend] = c
		}
	}
	for _, b := range v.backends {
		row := ratioRow{Backend: b, Base: b.Name == v.baseline.Name}
		for _, g := range v.groups {
			r := v.ratioCell(at[g][b.Name])
			if r.Class == "eq" && s.Equal == nil {
				equal := verdictBadge(compare.Equivalent)
				s.Equal = &equal
			}
			row.Cells = append(row.Cells, r)
		}
		s.Rows = append(s.Rows, row)
	}
	return s
}

func (v *view) ratioCell(c *cell) ratioCell {
	if c == nil {
		return ratioCell{Word: text{"not planned", "未安排"}}
	}
	b := v.cellBadge(c)
	r := ratioCell{Raw: c.ID, Icon: b.Icon, Word: b.Word}
	if c.baseline || c.comparison == nil {
		return r
	}
	i := speedup(c.comparison)
	r.Ratio, r.Range = showRatio(i)
	if r.Ratio != "" && c.ranked() {
		r.Class = tint(c.comparison.Verdict, *i.Mid)
	}
	return r
}

// tint is the class of a decided ratio; the others have none.
func tint(v compare.Verdict, ratio float64) string {
	n := 1
	if l := math.Abs(math.Log(ratio)) / math.Log(tintStep); l > 0 { // also false of NaN
		n = 1 + int(min(l, tints-1))
	}
	switch v {
	case compare.Equivalent:
		return "eq"
	case compare.Improved:
		return "n" + string(rune('0'+n))
	case compare.Regressed:
		return "s" + string(rune('0'+n))
	}
	return ""
}
