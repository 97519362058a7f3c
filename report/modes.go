package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// modesSection sets time against memory for the settings that a workload ran with:
// precision, accumulation over micro-batches, checkpoints, placement of data, allocator.
type modesSection struct {
	section
	Panels []modesPanel
}

// modesPanel is one workload with all else but these settings the same.
type modesPanel struct {
	ID            string
	Title, Detail text
	Plot          *modesPlot // nil: no cell has both figures
	Keys          []modesKey
	Rows          []modesRow
	cells         []modesCell
}

// modesKey names a setting of the chart.
type modesKey struct {
	Letter string
	Name   text
}

// modesCell is a cell of a panel with what the chart draws of it.
type modesCell struct {
	*cell
	letter     string
	time       interval // seconds per step; no Mid: not ranked
	bytes      float64  // peak above import, or of the GPU
	lo, hi     float64  // the smallest and the largest of its memory trials
	remembered bool     // bytes is known
	plain      *cell    // the same backend and allocator in a plain setting; nil: none
	front      bool     // no other cell of the panel takes both less time and less memory
	ownFront   bool     // no other cell of its backend does
}

type modesRow struct {
	Backend   identity
	Raw       string
	Letter    string
	Setting   text
	Step      string
	StepIv    string
	Ratio     string // of speeds, to the plain cell
	RatioIv   text
	Decided   bool
	Badge     *badge
	Plain     bool // it is the plain cell
	Peak      string
	PeakIv    string
	PeakRatio string
	Front     text
	OnFront   bool
	Why       text // what the row lacks a figure for
}

// setting is what this section varies.
type setting struct {
	precision              string
	accumulate, checkpoint int
	data                   string // placement
	allocator              string // empty: the process's own as it is
}

func settingOf(c results.Cell) setting {
	return setting{c.Precision, max(1, c.Accumulate), c.Checkpoint, cmp.Or(c.Data, "resident"), c.Allocator}
}

// plain reports whether others with the same allocator are held against it.
func (s setting) plain() bool { return s == setting{"f32", 1, 0, "resident", s.allocator} }

// word names a setting.
func (s setting) word() text {
	parts := []text{same(line(s.precision))}
	if s.accumulate > 1 {
		parts = append(parts, textf("accumulated over %d", "累积 %d 次", s.accumulate))
	}
	if s.checkpoint != 0 {
		parts = append(parts, textf("checkpointed in %d", "检查点 %d 段", s.checkpoint))
	}
	if s.data != "resident" {
		parts = append(parts, dataWord(s.data))
	}
	if s.allocator != "" {
		parts = append(parts, allocatorWord(s.allocator))
	}
	return joined(parts, ", ", "，")
}

// launched is what the plain cell has to have in common with those that are held
// against it.
type launched struct{ backend, allocator string }

// modesPanels are the workloads of which some backend ran, with one allocator, in more
// than one setting, in the order of the plan. Cells of two runs are in two panels.
func (v *view) modesPanels() []modesPanel {
	type place struct {
		part int
		key  results.Cell
	}
	var order []place
	of := map[place][]*cell{}
	for _, c := range v.cells() {
		key := c.Cell
		key.Hash, key.Backend, key.Precision, key.Data, key.Accumulate, key.Checkpoint, key.Allocator = "", "", "", "", 0, 0, ""
		at := place{c.group.part, key}
		if of[at] == nil {
			order = append(order, at)
		}
		of[at] = append(of[at], c)
	}
	var panels []modesPanel
	for _, at := range order {
		seen, several := map[launched]setting{}, false
		for _, c := range of[at] {
			l := launched{c.Cell.Backend, c.Cell.Allocator}
			first, ok := seen[l]
			if !ok {
				seen[l] = settingOf(c.Cell)
			}
			several = several || ok && first != settingOf(c.Cell)
		}
		if several {
			p := modesPanel{ID: fmt.Sprintf("modes%d", len(panels)+1), Title: v.title(at.key.Workload), Detail: v.detail(at.key)}
			p.fill(of[at])
			panels = append(panels, p)
		}
	}
	return panels
}

// fill takes the cells of a panel, backend by backend, and letters their settings in
// the order in which they come.
func (p *modesPanel) fill(cells []*cell) {
	backends, letters := map[string]int{}, map[setting]string{}
	plain := map[launched]*cell{}
	for _, c := range cells {
		if _, ok := backends[c.Cell.Backend]; !ok {
			backends[c.Cell.Backend] = len(backends)
		}
		s := settingOf(c.Cell)
		if letters[s] == "" {
			letters[s] = letterName(len(letters))
			p.Keys = append(p.Keys, modesKey{letters[s], s.word()})
		}
		if l := (launched{c.Cell.Backend, c.Cell.Allocator}); s.plain() && plain[l] == nil {
			plain[l] = c
		}
	}
	for _, c := range cells {
		m := modesCell{cell: c, letter: letters[settingOf(c.Cell)], plain: plain[launched{c.Cell.Backend, c.Cell.Allocator}]}
		if c.ranked() {
			m.time = c.perStep()
		}
		if peaks := c.drawnPeaks(); len(peaks) > 0 {
			m.bytes, m.remembered = median(peaks)
			m.lo, m.hi = slices.Min(peaks), slices.Max(peaks)
		}
		p.cells = append(p.cells, m)
	}
	slices.SortStableFunc(p.cells, func(a, b modesCell) int { return backends[a.Cell.Backend] - backends[b.Cell.Backend] })
	p.pareto()
	p.Plot = newModesPlot(p.cells)
}

// perStep is a cell's time per step in seconds, with the interval of its median.
func (c *cell) perStep() interval {
	if i := c.throughput(); i.Mid != nil {
		return i.inverse(c.examples())
	}
	ns, ok := medianOf(c.timed(), stepNS)
	if !ok {
		return interval{}
	}
	return interval{Mid: new(ns / 1e9)}
}

// peaks are the peaks of a cell's memory trials above the level after import, in
// bytes, in the order of the trials.
func (c *cell) peaks() []float64 {
	return values(c.ended(results.KindMemory), func(r results.Record) (float64, bool) {
		m := r.Memory
		if m == nil || m.PeakPSS == nil || m.ImportPSS == nil {
			return 0, false
		}
		return float64(max(0, *m.PeakPSS-*m.ImportPSS)), true
	})
}

// drawnPeaks are those that a panel draws: of the GPU where the cell ran on one.
func (c *cell) drawnPeaks() []float64 {
	if !onGPU(c.Cell) {
		return c.peaks()
	}
	return values(c.ended(results.KindMemory), func(r results.Record) (float64, bool) {
		if r.Memory == nil || r.Memory.Device == nil {
			return 0, false
		}
		return float64(*r.Memory.Device), true
	})
}

// placed reports whether the chart has a place for the cell.
func (m modesCell) placed() bool { return m.time.Mid != nil && m.remembered && m.bytes > 0 }

// pareto marks the cells that no other one beats in both time and memory, by the
// medians: among all, and among those of their backend.
func (p *modesPanel) pareto() {
	for i := range p.cells {
		m := &p.cells[i]
		if m.front = m.placed(); !m.front {
			continue
		}
		m.ownFront = true
		for _, o := range p.cells {
			if !o.placed() || *o.time.Mid > *m.time.Mid || o.bytes > m.bytes || *o.time.Mid == *m.time.Mid && o.bytes == m.bytes {
				continue
			}
			m.front = false
			m.ownFront = m.ownFront && o.Cell.Backend != m.Cell.Backend
		}
	}
}

func (v *view) modes() modesSection {
	s := modesSection{Panels: v.modesPanels()}
	if len(s.Panels) == 0 {
		return s
	}
	s.section = section{
		ID: "modes", Nav: text{"Modes", "设置对比"},
		Title: text{"Time against memory, setting by setting", "各种设置下的时间与内存"},
		Lead: textf(
			"What precision, accumulation over micro-batches, checkpoints, the placement of data and the memory allocator cost and save. Across: time per step, the median over timed trials with its 95 %% interval; upwards: the peak of memory, the median over memory trials from the smallest of them to the largest. Lower left is better. A ring marks the Pareto front: no other point of its chart takes both less time and less memory. The front is drawn by the medians and is no verdict. Verdicts stand in the tables: each setting against f32 with resident data, without accumulation and checkpoints, on the same backend with the same allocator; all of these comparisons share a chance of %[1]s of a false alarm. Of memory there are none.",
			"精度、梯度累积、梯度检查点、数据放置与内存分配器各有什么代价与收益。横轴：每步时间，取计时试验的中位数及其 95%% 区间；纵轴：内存峰值，取内存试验的中位数及其最小至最大值。越靠左下越好。圆环标出帕累托前沿：同一图中没有别的点同时更省时间又更省内存。前沿按中位数画出，不是结论。结论见各表：每种设置与同一后端、同一内存分配器下数据常驻、不累积、不用检查点的 f32 相比，所有比较共用误报率 %[1]s。内存没有结论。",
			percent(compare.Complete(v.analysis.Policy).Alpha)),
	}
	verdicts := v.modesVerdicts(s.Panels)
	for i := range s.Panels {
		p := &s.Panels[i]
		for _, m := range p.cells {
			p.Rows = append(p.Rows, m.row(verdicts[m.cell]))
		}
	}
	return s
}

// modesVerdicts holds each cell of the panels against the plain one of its backend,
// all of them in one family.
func (v *view) modesVerdicts(panels []modesPanel) map[*cell]*compare.Comparison {
	var contrasts []compare.Contrast
	var heads []*cell
	for _, p := range panels {
		for _, m := range p.cells {
			if m.plain == nil || m.plain == m.cell {
				continue
			}
			metric, _ := compare.Primary(v.analysis.Policy, m.Cell.Mode)
			contrasts = append(contrasts, compare.Contrast{
				Base: compare.Sample{Run: m.plain.group.part, Cell: m.plain.Cell}, Head: compare.Sample{Run: m.group.part, Cell: m.Cell},
				Metric: metric, MinEffect: v.minEffect(m.group),
			})
			heads = append(heads, m.cell)
		}
	}
	list := compare.Sort(v.parts()).JudgeWithin(len(contrasts), contrasts, v.analysis.Policy)
	by := make(map[*cell]*compare.Comparison, len(list))
	for i := range list {
		by[heads[i]] = &list[i]
	}
	return by
}

func (m modesCell) row(x *compare.Comparison) modesRow {
	row := modesRow{
		Backend: m.Backend, Raw: m.ID, Letter: m.letter, Setting: settingOf(m.Cell).word(), Step: none, Peak: none,
		Plain: m.plain == m.cell, Front: same(none),
	}
	if m.time.Mid == nil {
		row.Why = m.why()
	} else {
		row.Step = duration(*m.time.Mid * 1e9)
		if m.time.Lo != nil && m.time.Hi != nil {
			row.StepIv = durations(*m.time.Lo*1e9, *m.time.Hi*1e9)
		}
	}
	if x != nil && !row.Plain {
		b := verdictBadge(x.Verdict)
		row.Ratio, row.RatioIv = showRatio(speedup(x))
		row.Badge, row.Decided = &b, decided(x.Verdict)
	}
	if s := m.summary; s != nil && s.Status != compare.StatusOK {
		b := statusBadge(s.Status)
		row.Badge = &b
	}
	switch {
	case !m.remembered && m.time.Mid != nil:
		figures := []string{"peak_pss", "import_pss"}
		if onGPU(m.Cell) {
			figures = []string{"device"}
		}
		row.Why = m.memoryWhy(figures...)
	case !m.remembered:
	case m.bytes <= 0:
		row.Peak = mebibytes(0)
		if row.Why.Empty() {
			row.Why = peakHidden
		}
	default:
		row.Peak = mebibytes(m.bytes)
		if m.lo < m.hi {
			row.PeakIv = sizes(m.lo, m.hi)
		}
	}
	if m.plain != nil && !row.Plain && m.remembered && m.bytes > 0 {
		if of, ok := median(m.plain.drawnPeaks()); ok && of > 0 {
			row.PeakRatio = times(m.bytes / of)
		}
	}
	if m.placed() {
		row.OnFront = m.front
		switch {
		case m.front:
			row.Front = text{"yes", "是"}
		case m.ownFront:
			row.Front = text{"among its backend’s own", "仅在本后端内"}
		default:
			row.Front = text{"no", "否"}
		}
	}
	return row
}

// peakHidden is why a peak above import has no ratio.
var peakHidden = text{"the peak does not exceed the level after import", "峰值未超出导入后的水平"}

// sizes formats a range of bytes in MiB, the unit once.
func sizes(lo, hi float64) string { return sig(lo/(1<<20)) + "–" + mebibytes(hi) }
