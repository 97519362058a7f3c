package report

import (
	"slices"

	"github.com/dlbench/dlbench/results"
)

const (
	// steadyPeaks is how far the peaks of a cell's memory trials may lie apart, the
	// largest over the smallest less 1, before the page says why.
	steadyPeaks = 0.02
	// largeRest is the share of a peak above import from which on the page says what
	// the part that is not counted holds.
	largeRest = 0.25
)

// spread says how far the peaks of a cell's memory trials lie apart, and whether
// that is more than steadyPeaks; empty where there is one trial.
func (c *cell) spread() (spread text, apart bool) {
	peaks := c.peaks()
	if len(peaks) < 2 {
		return text{}, false
	}
	lo, hi := slices.Min(peaks), slices.Max(peaks)
	if !(lo > 0) {
		return text{}, false
	}
	return textf("%d trials within %s", "%d 次试验相差 %s", len(peaks), fraction(hi/lo-1)), hi/lo-1 > steadyPeaks
}

// apart says why the peaks of a cell's memory trials differ, as far as the records
// tell.
func (c *cell) apart() text {
	switch {
	case c.goLibrary():
		return text{"Go’s garbage collector runs with its defaults and begins at other moments in each trial", "Go 垃圾回收使用默认设置，各次试验中启动的时刻不同"}
	case c.compiles():
		return text{"the records do not tell; a compiler with several threads holds more or less at a time", "记录中看不出原因；多线程的编译器同时占用的内存时多时少"}
	}
	if c.Cell.Allocator == "returning" { // then none that matters is kept
		return text{"the records do not tell", "记录中看不出原因"}
	}
	return text{"the records do not tell; an allocator keeps other blocks in each trial", "记录中看不出原因；分配器每次留存的内存块不同"}
}

// compiles reports whether the cell's backend runs graphs or compiled code.
func (c *cell) compiles() bool { return c.kind() == "compiled" || c.kind() == "static-graph" }

// memoryNotes are what the rows of cells have no room for. Notes of the same words
// are one.
func memoryNotes(cells []*cell) []doubt {
	var notes []doubt
	add := func(c *cell, of text) {
		for i := range notes {
			if notes[i].Text == of {
				notes[i].Cells = append(notes[i].Cells, doubtCell{Backend: c.Backend})
				return
			}
		}
		notes = append(notes, doubt{Text: of, Cells: []doubtCell{{Backend: c.Backend}}})
	}
	for _, c := range cells {
		if _, apart := c.spread(); apart {
			add(c, textf("trials more than %s apart: %s", "各次试验相差超过 %s：%s", percent(steadyPeaks), c.apart()))
		}
	}
	for _, c := range cells {
		parts, _ := c.memoryParts()
		above, _ := c.above()
		for _, p := range parts {
			if p.class == partRest.class && float64(p.bytes) > largeRest*above {
				add(c, textf("more than %s not explained: %s", "超过 %s 未能解释：%s", percent(largeRest), c.restHolds()))
			}
		}
	}
	return notes
}

// kind is what the cell's workers said to be.
func (c *cell) kind() string {
	for _, t := range c.trials {
		if k := t.Record.Worker.Kind; k != "" {
			return k
		}
	}
	return ""
}

// goLibrary reports whether the cell's workers are Go programs: those of the catalog,
// and any that name Go among their versions and no Python.
func (c *cell) goLibrary() bool {
	if slices.Contains([]string{"eag", "gor", "gmx"}, c.Backend.Hue) {
		return true
	}
	for _, t := range c.trials {
		if w := t.Record.Worker; w.Versions["go"] != "" && w.Versions["python"] == "" {
			return true
		}
	}
	return false
}

// peakPhase is the phase in which the timeline of the cell's first memory trial is
// at its highest; empty where there is none.
func (c *cell) peakPhase() string {
	r, line := c.watched()
	if r == nil {
		return ""
	}
	top := line[0]
	for _, p := range line {
		if p.RSS > top.RSS {
			top = p
		}
	}
	end, last := int64(0), ""
	for _, p := range since(r) {
		if end += p.WallNS; top.NS < end {
			return p.Name
		}
		last = p.Name
	}
	return last // read at its end
}

// restHolds says what the part of a peak holds that is not counted: where the peak
// was reached, and what a backend of its kind keeps besides tensors of the model.
// Which of these takes how much is not measured.
func (c *cell) restHolds() text {
	blocks := text{"blocks that the allocator keeps", "分配器留存的内存块"}
	if c.Cell.Allocator == "returning" {
		blocks = text{"small blocks that the allocator keeps", "分配器留存的小块内存"}
	}
	phase := c.peakPhase()
	holds := textf("workspaces of kernels, temporaries, %s", "算子的工作区、临时缓冲、%s", blocks)
	switch compiled := c.compiles(); {
	case c.goLibrary() && compiled:
		holds = text{"values that the graph keeps for its nodes, temporaries, garbage that is not yet collected", "计算图为各节点保留的值、临时缓冲、尚未回收的垃圾"}
	case c.Backend.Hue == "eag" && slices.Contains([]string{"first", "warm-up", "measure"}, phase): // steps allocate nothing
		holds = text{"temporaries and gaps in the memory of a step, workspaces of kernels", "每步所用内存中的临时缓冲与空隙、算子的工作区"}
	case c.goLibrary():
		holds = text{"temporaries, garbage that is not yet collected, workspaces of kernels", "临时缓冲、尚未回收的垃圾、算子的工作区"}
	case compiled && slices.Contains([]string{"build", "first"}, phase):
		holds = text{"the graph and its compiler, compiled code, workspaces of kernels", "计算图与编译器、编译出的代码、算子的工作区"}
	case compiled:
		holds = textf("compiled code and what the compiler keeps, workspaces of kernels, %s", "编译出的代码与编译器的留存、算子的工作区、%s", blocks)
	}
	if phase != "" && slices.Contains(results.Phases, phase) {
		return textf("peak in “%s”: %s", "峰值出现在“%s”阶段：%s", phaseWord(phase), holds)
	}
	return holds
}
