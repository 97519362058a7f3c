package report

import (
	"math"
	"slices"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// timeSection shows where the time of a trial went.
type timeSection struct {
	section
	Phases []legendItem
	Panels []timePanel
	Even   breakEvenTable
}

type legendItem struct {
	Class string
	Word  text
}

type timePanel struct {
	Title, Detail text
	Axis          axis
	Rows          []timeRow
}

type timeRow struct {
	Backend identity
	Raw     string
	Bars    []bar
	Phases  []string // one figure per phase shown
	Total   string
	Working text
	Warm    text
	Ahead   text
	Why     text
}

// waiting are the phases before the measured steps, as the bars show them. The
// check steps are dlbench's own and left out.
var waiting = []string{"import", "build", "first", "warm-up"}

func (v *view) time() timeSection {
	s := timeSection{section: section{
		ID: "time", Nav: text{"Where time goes", "时间去向"},
		Title: text{"Where the time goes", "时间花在哪里"},
		Lead: textf(
			"The fastest step does not win a short job. The last part of a bar, in the colour of the framework, is the measured steps; all before it is waiting. Each part is the median over timed trials and the total is their sum; the steps that prove the work are left out. Last column: start-up included, from which step on a backend is ahead of %s, said only where the verdict is faster or slower.",
			"单步最快的，未必最先完成短任务。条形的最后一段（框架的颜色）是测量步，之前都是等待。各段取各次计时试验的中位数，合计为各段之和；用于核对的步不计入。末列：计入启动时间，从第几步起领先于 %s；仅在结论为更快或更慢时给出。", v.baseline.Label),
		Chart: chartPart{"ec-time", text{"Interactive chart: the same parts", "交互图表：同样的各段"}},
	}}
	if v.sharedTrials() > 0 {
		s.Lead = textf("%s %s", "%s%s", s.Lead, importsPooled)
	}
	for i, p := range waiting {
		s.Phases = append(s.Phases, legendItem{"ph" + string(rune('0'+i)), phaseWord(p)})
	}
	s.Phases = append(s.Phases, legendItem{"fill f-oth", text{"measured steps, in the colour of the framework; the figures below a bar are in this order", "测量步（框架的颜色）；条形下方的数字按此顺序排列"}})
	for _, g := range v.groups {
		s.Panels = append(s.Panels, v.timePanel(g))
	}
	s.Even = v.breakEven()
	return s
}

// phases are the medians in seconds of the waiting phases and the measured steps.
func (c *cell) phases() (parts []float64, ok bool) {
	if len(c.timed()) == 0 {
		return nil, false
	}
	for _, name := range append(waiting[:len(waiting):len(waiting)], "measure") {
		parts = append(parts, c.phase(name))
	}
	return parts, true
}

// importsPooled says whose import stands in the place of that of forked trials.
var importsPooled = text{
	"A forked trial imports nothing: in its place stands the median import of all memory trials of the backend, which are processes of their own.",
	"派生的试验没有导入阶段：以该后端全部内存试验（独立进程）导入时间的中位数代替。",
}

// poolImports gives each cell the imports of all trials of its backend that were
// not forked: what an import takes does not depend on the cell.
func (v *view) poolImports() {
	type entry struct {
		part    int
		backend string
	}
	pools := map[entry][]float64{}
	for _, c := range v.cells() {
		at := entry{c.group.part, c.Cell.Backend}
		for _, t := range c.trials {
			if ns, ok := phaseNS("import")(t.Record); ok && t.Record.End == results.EndOK && !t.Record.Shared {
				pools[at] = append(pools[at], ns/1e9)
			}
		}
	}
	for _, c := range v.cells() {
		c.imports = pools[entry{c.group.part, c.Cell.Backend}]
	}
}

// phase is the median in seconds of a phase of timed trials. Those that were
// forked have no import: then it is that of the backend's other trials.
func (c *cell) phase(name string) float64 {
	ns, ok := medianOf(c.timed(), phaseNS(name))
	if !ok && name == "import" {
		s, _ := median(c.imports)
		return s
	}
	return ns / 1e9
}

// importSpread is by how many seconds the import of a cell of forked trials is
// uncertain: half the range of those that it is the median of, all of an import
// that was read once. 0 where every timed trial imports, so that its own rounds
// measure the start.
func (c *cell) importSpread() float64 {
	if _, ok := medianOf(c.timed(), phaseNS("import")); ok || len(c.imports) == 0 {
		return 0
	}
	if len(c.imports) == 1 {
		return c.imports[0]
	}
	return (slices.Max(c.imports) - slices.Min(c.imports)) / 2
}

func sum(xs []float64) float64 {
	t := 0.0
	for _, x := range xs {
		t += x
	}
	return t
}

func (v *view) timePanel(g *group) timePanel {
	p := timePanel{Title: g.Title, Detail: g.Detail}
	top := 0.0
	var base *cell
	for _, c := range g.cells {
		if parts, ok := c.phases(); ok {
			top = max(top, sum(parts))
		}
		if c.baseline {
			base = c
		}
	}
	p.Axis = newAxis(top, round3, text{"seconds, check steps left out", "秒，不含核对步"})
	for _, c := range g.cells {
		row := timeRow{Backend: c.Backend, Raw: c.ID}
		parts, ok := c.phases()
		if !ok {
			row.Why = c.why()
			p.Rows = append(p.Rows, row)
			continue
		}
		row.Bars = p.Axis.stack(parts, []string{"ph0", "ph1", "ph2", "ph3", "fill f-" + c.Backend.Hue})
		for _, x := range parts {
			row.Phases = append(row.Phases, duration(x*1e9))
		}
		total := sum(parts)
		row.Total = duration(total * 1e9)
		if total > 0 {
			row.Working = percent(parts[len(parts)-1] / total)
		}
		row.Warm = c.warmup()
		row.Ahead = ahead(c, base)
		p.Rows = append(p.Rows, row)
	}
	return p
}

// warmup says how warm-up ended.
func (c *cell) warmup() text {
	rs := c.timed()
	capped, known := 0, 0
	for _, r := range rs {
		if r.Steady != nil {
			known++
			if !r.Steady.Reached {
				capped++
			}
		}
	}
	n, ok := medianOf(rs, func(r *results.Record) (float64, bool) {
		if r.Steady == nil {
			return 0, false
		}
		return float64(r.Steady.Steps), true
	})
	switch {
	case !ok:
		return text{}
	case capped > 0:
		return textf("%s steps; not steady in %d of %d", "%[1]s 步；%[3]d 次中 %[2]d 次未达稳态", round3(n), capped, known)
	}
	return textf("steady after %s steps", "%s 步后稳态", round3(n))
}

// startup is the time before steady steps, and one step, in seconds.
func (c *cell) startup() (start, step float64, ok bool) {
	for _, name := range []string{"import", "build", "first"} {
		start += c.phase(name)
	}
	ns, ok := medianOf(c.timed(), stepNS)
	return start, ns / 1e9, ok
}

// ahead says from or until how many steps a cell finishes before the baseline,
// start-up included. Where that is not decided it says so.
func ahead(c, base *cell) text {
	if c.baseline {
		return text{"baseline", "基准"}
	}
	if c.summary != nil && c.summary.Status != compare.StatusOK {
		return statusBadge(c.summary.Status).Word
	}
	if c.comparison != nil && (c.comparison.Verdict == compare.Inconclusive || c.comparison.Verdict == compare.Equivalent) {
		return verdictBadge(c.comparison.Verdict).Word
	}
	if base == nil || c.comparison == nil || (c.comparison.Verdict != compare.Improved && c.comparison.Verdict != compare.Regressed) {
		return text{}
	}
	s0, k0, ok0 := base.startup()
	s1, k1, ok1 := c.startup()
	if !ok0 || !ok1 || k0 == k1 {
		return text{}
	}
	n := (s1 - s0) / (k0 - k1) // both lines meet here
	switch faster := k1 < k0; {
	case math.Abs(s1-s0) < base.importSpread()+c.importSpread() && faster:
		return text{"faster steps; the starts do not differ measurably", "每步更快；启动时间没有可测出的差别"}
	case math.Abs(s1-s0) < base.importSpread()+c.importSpread():
		return text{"slower steps; the starts do not differ measurably", "每步更慢；启动时间没有可测出的差别"}
	case n <= 1 && faster:
		return text{"ahead from the first step", "从第一步起领先"}
	case n <= 1:
		return text{"never ahead", "始终落后"}
	case faster:
		return textf("ahead from step %s on", "自第 %s 步起领先", whole(int64(min(math.Ceil(n), 1e12))))
	default:
		return textf("ahead until step %s", "第 %s 步之前领先", whole(int64(min(math.Floor(n), 1e12))))
	}
}
