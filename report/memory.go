package report

import (
	"slices"
	"strings"

	"github.com/dlbench/dlbench/results"
)

// memorySection shows peaks, and where the bytes went.
type memorySection struct {
	section
	Panels  []memoryPanel
	Devices []deviceMemory // of cells on a GPU
}

type memoryPanel struct {
	Title, Detail text
	Model         text // what the analysis counts
	Axis          axis
	Rows          []memoryRow
}

type memoryRow struct {
	Backend identity
	Raw     string
	Bars    []bar
	Read    text // the bars in words
	Above   string
	Import  string
	Peak    string
	RSS     string
	Timed   string // peak resident bytes while measuring, from timed trials
	Cold    bool   // the compiler's memory is in it
	Why     text
}

// memoryParts are the classes of the bar's parts: framework, parameters,
// activations, not explained.
var memoryParts = []string{"mb0", "mb2", "mb4", "mb5"}

func (v *view) memory() memorySection {
	s := memorySection{section: section{
		ID: "memory", Nav: text{"Memory", "内存"},
		Title: text{"Memory", "内存"},
		Lead: textf(
			"Peak of the process tree in memory trials (%s per cell, the median of them), which are never speed samples. PSS counts a page that processes share in parts. The part above the level after import is what the workload cost; Go backends share one binary, so only that part compares them. Parameters and activations are counted from the shapes; the rest is gradients, optimizer state, temporaries and the allocator. No figure here has an interval, and none is a verdict.",
			"进程树的内存峰值，取自专门的内存试验（每个单元 %s 次，取中位数），这些试验从不作为速度样本。PSS 将进程间共享的页按份额计入。只有比导入后高出的部分才是负载的开销；各 Go 后端共用一个可执行文件，也只有这部分可比。参数与激活值按形状算出；其余为梯度、优化器状态、临时缓冲与分配器。这里的数字都没有区间，也都不是结论。",
			v.memoryTrials()),
		Chart: chartPart{"ec-memory", text{"Interactive chart: resident memory over time, first memory trial of each cell", "交互图表：每个单元首次内存试验中常驻内存随时间的变化"}},
	}}
	if v.run.Meta.Shared {
		s.Lead = joined([]text{s.Lead, {
			"Trials that were forked after a shared import have no resident peak: of what the import had mapped, only what they touched themselves counts as resident.",
			"共享导入后派生的试验没有 RSS 峰值：导入时映射的内容，只有派生进程自己访问过的才计入常驻。",
		}}, " ", "")
	}
	for _, g := range v.groups {
		s.Panels = append(s.Panels, v.memoryPanel(g))
	}
	s.Devices = v.deviceMemories()
	return s
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
		if w := c.work(); p.Model.Empty() && w.ParamBytes > 0 {
			p.Model = textf("parameters %s, activations %s per step", "参数 %s，每步激活值 %s", bytesize(float64(w.ParamBytes)), bytesize(float64(w.ActivationBytes)))
		}
	}
	const mib = 1 << 20
	p.Axis = newAxis(top/mib, round3, text{"PSS in MiB, from zero", "PSS，单位 MiB，从零起"})
	for _, c := range g.cells {
		p.Rows = append(p.Rows, c.memoryRow(p.Axis))
	}
	return p
}

func (c *cell) memoryRow(a axis) memoryRow {
	row := memoryRow{Backend: c.Backend, Raw: c.ID, Above: none, Import: none, Peak: none, RSS: none, Timed: none}
	if x, ok := medianOf(c.timed(), measureHWM); ok {
		row.Timed = mebibytes(x)
	}
	if x, ok := c.level(peakRSS); ok {
		row.RSS = mebibytes(x)
	}
	base, okBase := c.level(importPSS)
	if okBase {
		row.Import = mebibytes(base)
	}
	peak, okPeak := c.level(peakPSS)
	if okPeak {
		row.Peak = mebibytes(peak)
	}
	above, ok := c.above()
	if !ok {
		row.Why = c.memoryWhy("peak_pss", "import_pss")
		return row
	}
	row.Above, row.Cold = mebibytes(above), c.compiledCold()
	w := c.work()
	params, acts := float64(w.ParamBytes), float64(w.ActivationBytes)
	rest := above - params - acts
	if rest < 0 { // less than the count: fused, shared or not all touched
		params, acts, rest = 0, 0, above
	}
	const mib = 1 << 20
	row.Bars = a.stack([]float64{base / mib, params / mib, acts / mib, rest / mib}, memoryParts)
	row.Read = textf("import %s, parameters %s, activations %s, rest %s", "导入后 %s，参数 %s，激活值 %s，其余 %s",
		mebibytes(base), mebibytes(params), mebibytes(acts), mebibytes(rest))
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
	if !seen {
		return text{"no memory trial in this run", "本次运行没有内存试验"}
	}
	return text{"not recorded", "没有记录"}
}
