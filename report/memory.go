package report

import (
	"slices"
	"strings"

	"github.com/dlbench/dlbench/results"
)

// memorySection shows peaks, and where the bytes went.
type memorySection struct {
	section
	Parts   []legendItem // of the bars, those that occur
	Phases  []legendItem // of the timelines
	Panels  []memoryPanel
	Left    text           // timelines that are not drawn
	Devices []deviceMemory // of cells on a GPU
	Ahead   forecastTable  // what was expected
}

type memoryPanel struct {
	Title, Detail text
	Model         text // what the analysis counts
	Axis          axis
	Rows          []memoryRow
	Notes         []doubt // why peaks differ between trials, what large rests hold
	Times         timelines
}

type memoryRow struct {
	Backend identity
	Raw     string
	Bars    []bar
	Read    text // the bars in words
	Above   string
	Rest    string // what the counted parts do not explain
	Share   text   // of the peak above import; or why there is no rest
	Import  string
	Peak    string
	RSS     string
	Timed   string // peak resident bytes while measuring, from timed trials
	Cold    bool   // the compiler's memory is in it
	Spread  text   // of the peaks of the cell's memory trials; empty: there is one
	Apart   bool   // by more than steadyPeaks
	Why     text
}

// part is one class of bytes of a step, counted from the shapes.
type part struct {
	class string
	word  text
	bytes int64
}

// countedParts are the classes of bytes that a step's work must hold, in the order of
// the bars. Older records count parameters and activations only. With accumulation
// the activations and inputs of one micro-batch are there at a time; which
// activations a step with checkpoints keeps stands in records that count it.
func countedParts(c results.Cell, w results.Work) []part {
	k := int64(max(1, c.Accumulate))
	w.ActivationBytes, w.InputBytes = w.ActivationBytes/k, w.InputBytes/k
	switch {
	case w.KeptBytes > 0:
		w.ActivationBytes = w.KeptBytes
	case c.Checkpoint > 0:
		w.ActivationBytes = 0
	}
	parts := []part{
		{"mb1", text{"parameters", "参数"}, w.ParamBytes},
		{"mb2", text{"gradients", "梯度"}, w.GradientBytes},
		{"mb3", text{"optimizer state", "优化器状态"}, w.OptimizerBytes},
		{"mb4", text{"activations", "激活值"}, w.ActivationBytes},
		{"mb6", text{"inputs", "输入"}, w.InputBytes},
	}
	return slices.DeleteFunc(parts, func(p part) bool { return p.bytes <= 0 })
}

// The parts of a bar that are measured: the level after import, what the counted
// parts leave of the peak, and a peak that is less than they are.
var (
	partImport = part{class: "mb0", word: text{"after import", "导入后"}}
	partRest   = part{class: "mb5", word: text{"not explained", "未能解释"}}
	partLess   = part{class: "mb7", word: text{"less than the count", "少于算出的值"}}
)

func (v *view) memory() memorySection {
	s := memorySection{section: section{
		ID: "memory", Nav: text{"Memory", "内存"},
		Title: text{"Memory", "内存"},
		Lead: textf(
			"Peak of the process tree in memory trials (%s per cell, the median of them), which are never speed samples. PSS counts a page that processes share in parts. The part above the level after import is what the workload cost; Go backends share one binary, so only that part compares them. The blue parts are counted from the shapes, not measured; the rest of the peak, which they do not explain, is temporaries, compiled code, caches and the allocator. No figure here has an interval, and none is a verdict.",
			"进程树的内存峰值，取自专门的内存试验（每个单元 %s 次，取中位数），这些试验从不作为速度样本。PSS 将进程间共享的页按份额计入。只有比导入后高出的部分才是负载的开销；各 Go 后端共用一个可执行文件，也只有这部分可比。蓝色各段按形状算出，并非实测；峰值中它们未能解释的部分是临时缓冲、编译出的代码、各种缓存与分配器。这里的数字都没有区间，也都不是结论。",
			v.memoryTrials()),
		Chart: chartPart{"ec-memory", text{"Interactive chart: resident memory over time, first memory trial of each cell", "交互图表：每个单元首次内存试验中常驻内存随时间的变化"}},
	}}
	if v.run.Meta.Shared {
		s.Lead = joined([]text{s.Lead, {
			"Trials that were forked after a shared import have no resident peak: of what the import had mapped, only what they touched themselves counts as resident.",
			"共享导入后派生的试验没有 RSS 峰值：导入时映射的内容，只有派生进程自己访问过的才计入常驻。",
		}}, " ", "")
	}
	left := plottedTimelines
	for _, g := range v.groups {
		p := v.memoryPanel(g)
		p.Times = g.timelines(left)
		left -= len(p.Times.Plots)
		s.Panels = append(s.Panels, p)
	}
	s.Parts, s.Phases = v.memoryLegends()
	watched := 0
	for _, c := range v.cells() {
		if r, _ := c.watched(); r != nil {
			watched++
		}
	}
	if drawn := plottedTimelines - left; drawn < watched {
		s.Left = textf("Timelines of %d of %d cells are drawn; the records hold all of them.", "共 %[2]d 个单元，此处画出 %[1]d 条时间线；其余见原始记录。", drawn, watched)
	}
	s.Devices, s.Ahead = v.deviceMemories(), v.forecasts()
	return s
}

// memoryLegends name what occurs: the parts of the bars, the phases of the
// timelines.
func (v *view) memoryLegends() (parts, phases []legendItem) {
	drawn, ran := map[string]bool{}, map[string]bool{}
	for _, c := range v.cells() {
		ps, _ := c.memoryParts()
		for _, p := range ps {
			drawn[p.class] = true
		}
		if r, _ := c.watched(); r != nil {
			for _, p := range since(r) {
				ran[p.Name] = true
			}
		}
	}
	all := slices.Concat([]part{partImport}, countedParts(results.Cell{}, results.Work{ParamBytes: 1, GradientBytes: 1, OptimizerBytes: 1, ActivationBytes: 1, InputBytes: 1}), []part{partRest, partLess})
	for _, p := range all {
		if drawn[p.class] {
			parts = append(parts, legendItem{p.class, p.word})
		}
	}
	for _, name := range results.Phases {
		if ran[name] {
			phases = append(phases, legendItem{phaseClass(name, identity{Hue: "oth"}), phaseWord(name)})
		}
	}
	return parts, phases
}

// memoryTrials is how many memory trials the cells that have some hold: 1, or
// 1 to 3.
func (v *view) memoryTrials() text {
	lo, hi := 0, 0
	for _, c := range v.cells() {
		if n := len(c.ended(results.KindMemory)); n > 0 {
			if lo == 0 || n < lo {
				lo = n
			}
			hi = max(hi, n)
		}
	}
	if lo == hi {
		return textf("%d", "%d", lo)
	}
	return textf("%d to %d", "%d 至 %d", lo, hi)
}

// level reads one figure of a cell's memory trials, the median over them.
func (c *cell) level(f func(*results.Memory) *int64) (float64, bool) {
	return medianOf(c.ended(results.KindMemory), func(r *results.Record) (float64, bool) {
		if r.Memory == nil {
			return 0, false
		}
		p := f(r.Memory)
		if p == nil {
			return 0, false
		}
		return float64(*p), true
	})
}

func importPSS(m *results.Memory) *int64 { return m.ImportPSS }
func peakPSS(m *results.Memory) *int64   { return m.PeakPSS }
func peakRSS(m *results.Memory) *int64   { return m.PeakRSS }

// measureHWM is the peak resident size while measuring. A forked trial has none,
// whatever older versions recorded; see results.Metrics.
func measureHWM(r *results.Record) (float64, bool) {
	if r.Shared {
		return 0, false
	}
	for _, p := range r.Phases {
		if p.Name == "measure" && p.HWM != nil {
			return float64(*p.HWM), true
		}
	}
	return 0, false
}

// above is the peak above the level after import.
func (c *cell) above() (float64, bool) {
	return c.level(func(m *results.Memory) *int64 {
		if m.PeakPSS == nil || m.ImportPSS == nil {
			return nil
		}
		d := max(0, *m.PeakPSS-*m.ImportPSS)
		return &d
	})
}

// compiledCold reports whether a memory trial that is used had to compile, so
// that its compiler is in the figures.
func (c *cell) compiledCold() bool {
	return slices.ContainsFunc(c.ended(results.KindMemory), func(r *results.Record) bool { return r.Worker.CompileCache == results.CompileCold })
}

// work is what one step of the cell counts analytically.
func (c *cell) work() results.Work {
	for _, t := range c.trials {
		if w := t.Record.Work; w != (results.Work{}) {
			return w
		}
	}
	return results.Work{}
}

func (v *view) memoryPanel(g *group) memoryPanel {
	p := memoryPanel{Title: g.Title, Detail: g.Detail}
	top := 0.0
	for _, c := range g.cells {
		if x, ok := c.level(peakPSS); ok {
			top = max(top, x)
		}
		if p.Model.Empty() {
			p.Model = modelBytes(c.Cell, c.work())
		}
	}
	const mib = 1 << 20
	p.Axis = newAxis(top/mib, round3, text{"PSS in MiB, from zero", "PSS，单位 MiB，从零起"})
	for _, c := range g.cells {
		p.Rows = append(p.Rows, c.memoryRow(p.Axis))
	}
	p.Notes = memoryNotes(g.cells)
	return p
}

// modelBytes are the counted parts in words.
func modelBytes(c results.Cell, w results.Work) text {
	var words []text
	for _, p := range countedParts(c, w) {
		words = append(words, textf("%s %s", "%s %s", p.word, bytesize(float64(p.bytes))))
	}
	if len(words) == 0 {
		return text{}
	}
	t := joined(words, ", ", "，")
	if c.Accumulate > 1 {
		t = textf("%s; of a batch, one of %d micro-batches", "%s；批次按 %d 个微批中的一个计", t, c.Accumulate)
	}
	switch {
	case c.Mode != "train" && w.KeptBytes > 0:
		t = textf("%s; activations: the most that are needed at the same time", "%s；激活值按同时需要的最大量计", t)
	case c.Checkpoint > 0 && w.KeptBytes > 0:
		t = textf("%s; activations: the outputs of the segments and the largest segment", "%s；激活值按各段的输出加最大的一段计", t)
	case c.Checkpoint > 0 && w.ActivationBytes > 0:
		t = textf("%s; activations: not counted with checkpoints", "%s；激活值：使用检查点时不作统计", t)
	}
	if w.InputBytes == 0 || c.Mode == "train" && w.GradientBytes == 0 {
		// What this run did not count is in the rest of its bars.
		t = textf("%s; nothing else was counted in this run", "%s；本次运行没有统计其余各类", t)
	}
	return t
}

// memoryParts are the parts of a cell's peak; ok is false where it has none.
func (c *cell) memoryParts() (parts []part, ok bool) {
	base, _ := c.level(importPSS)
	above, ok := c.above()
	if !ok {
		return nil, false
	}
	add := func(p part, bytes float64) {
		if p.bytes = int64(bytes); p.bytes > 0 {
			parts = append(parts, p)
		}
	}
	add(partImport, base)
	rest := above
	model := countedParts(c.Cell, c.work())
	for _, p := range model {
		rest -= float64(p.bytes)
	}
	if rest < 0 { // fused, shared or not all touched
		less := partLess
		less.bytes = int64(above)
		return append(parts, less), true
	}
	parts = append(parts, model...)
	add(partRest, rest)
	return parts, true
}

func (c *cell) memoryRow(a axis) memoryRow {
	row := memoryRow{Backend: c.Backend, Raw: c.ID, Above: none, Rest: none, Import: none, Peak: none, RSS: none, Timed: none}
	if x, ok := medianOf(c.timed(), measureHWM); ok {
		row.Timed = mebibytes(x)
	}
	if x, ok := c.level(peakRSS); ok {
		row.RSS = mebibytes(x)
	}
	if x, ok := c.level(importPSS); ok {
		row.Import = mebibytes(x)
	}
	if x, ok := c.level(peakPSS); ok {
		row.Peak = mebibytes(x)
	}
	parts, ok := c.memoryParts()
	if !ok {
		row.Why = c.memoryWhy("peak_pss", "import_pss")
		return row
	}
	above, _ := c.above()
	row.Above, row.Cold = mebibytes(above), c.compiledCold()
	row.Spread, row.Apart = c.spread()
	const mib = 1 << 20
	var sizes []float64
	var classes []string
	var words []text
	for _, p := range parts {
		sizes, classes = append(sizes, float64(p.bytes)/mib), append(classes, p.class)
		words = append(words, textf("%s %s", "%s %s", p.word, mebibytes(float64(p.bytes))))
		switch p.class {
		case partRest.class:
			row.Rest, row.Share = mebibytes(float64(p.bytes)), percent(float64(p.bytes)/above)
		case partLess.class:
			row.Rest, row.Share = "", text{"less than the count: fused, shared or not all touched", "少于算出的值：有融合、共享或未触及的部分"}
		}
	}
	if above <= 0 {
		row.Rest, row.Share = "", peakHidden
	}
	row.Bars, row.Read = a.stack(sizes, classes), joined(words, ", ", "，")
	return row
}

// memoryWhy says why a cell lacks some of the figures.
func (c *cell) memoryWhy(figures ...string) text {
	seen := false
	for _, t := range c.trials {
		r := t.Record
		if r.Kind != results.KindMemory {
			continue
		}
		seen = true
		if r.End != results.EndOK {
			return remark(r.Reason)
		}
		if r.Memory == nil {
			continue
		}
		var whys []string
		for k, why := range r.Memory.Absent {
			if slices.Contains(figures, k) {
				whys = append(whys, why)
			}
		}
		if len(whys) > 0 {
			slices.Sort(whys)
			return remark(strings.Join(slices.Compact(whys), "; "))
		}
	}
	if !seen && c.unsupported() {
		return c.why()
	}
	if !seen {
		return text{"no memory trial in this run", "本次运行没有内存试验"}
	}
	return text{"not recorded", "没有记录"}
}
