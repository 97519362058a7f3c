package report

import (
	"math"

	"github.com/dlbench/dlbench/results"
)

// sharePanel says what the measured steps of one training workload consist of.
type sharePanel struct {
	Title, Detail text
	Axis          axis
	Loader        text // of the group: what is known of loading
	Rows          []shareRow
}

type shareRow struct {
	Backend identity
	Raw     string
	Bars    []bar
	User    text // shares of the granted CPU time
	System  text
	Waiting text
	GC      text // stop-the-world pauses, as a share of wall time
	Forward text // step time of inference over that of training
	Copying text // of the batch, where a cell with the data on the host shows it
	Why     text
}

// shareClasses are user, system and waiting; the first is in the framework's hue.
var shareClasses = []string{"", "ph1", "ph3"}

func (v *view) stepShares() []sharePanel {
	of := make([]map[results.Cell]*cell, len(v.parts())) // cells of one run only
	for i := range of {
		of[i] = map[results.Cell]*cell{}
	}
	for _, c := range v.cells() {
		k := c.Cell
		k.Hash = ""
		of[c.group.part][k] = c
	}
	var panels []sharePanel
	var said text // of loading, once
	for _, g := range v.groups {
		if g.Key.Mode != "train" {
			continue
		}
		p := sharePanel{Title: g.Title, Detail: g.Detail}
		loads, top, by := false, 1.0, of[g.part]
		for _, c := range g.cells {
			row := c.shares()
			if x, ok := c.forward(by); ok {
				row.Forward = percent(x)
			}
			if x, ok := c.copying(by); ok {
				row.Copying, loads = percent(x), true
			}
			if u, ok := c.cpus(); ok {
				top = max(top, u/float64(max(1, c.Cell.Threads)))
			}
			p.Rows = append(p.Rows, row)
		}
		p.Axis = newAxis(100*top, round3, text{"% of the CPU time granted, from zero", "占分配的 CPU 时间的百分比，从零起"})
		for i, c := range g.cells {
			p.Rows[i].draw(c, p.Axis)
		}
		switch {
		case loads:
		case g.Key.Data == "loader":
			p.Loader = text{"The framework’s own loader gathers the batch inside these steps.", "这些步包含由框架自带的加载器收集批次。"}
		case g.Key.Data == "host":
			p.Loader = text{"Copying the batch to the device is inside these steps; no cell with resident data shows the difference.", "这些步包含把批次复制到设备；没有数据常驻的单元可供对照。"}
		default:
			p.Loader = text{"Loading: not measured. The batches lie ready before the measured steps; cells with data: host or data: loader would show what copying or loading takes.", "数据加载：未测量。测量步开始前批次已就绪；加入 data: host 或 data: loader 的单元即可看出复制或加载的开销。"}
		}
		if p.Loader == said {
			p.Loader = text{}
		} else {
			said = p.Loader
		}
		panels = append(panels, p)
	}
	return panels
}

// used are the medians over timed trials of user and system time as shares of
// the granted CPU time, the wall time of the measured segment times the threads.
// With known false no system time was told and user is all CPU time.
func (c *cell) used() (user, system float64, known, ok bool) {
	granted := func(r *results.Record) float64 { return float64(r.Usage.WallNS) * float64(max(1, c.Cell.Threads)) }
	rs := c.timed()
	cpu, ok := medianOf(rs, func(r *results.Record) (float64, bool) {
		if r.Usage == nil || r.Usage.WallNS <= 0 {
			return 0, false
		}
		return float64(r.Usage.CPUNS) / granted(r), true
	})
	system, known = medianOf(rs, func(r *results.Record) (float64, bool) {
		if r.Usage == nil || r.Usage.WallNS <= 0 || r.Usage.SysNS == nil {
			return 0, false
		}
		return float64(*r.Usage.SysNS) / granted(r), true
	})
	return max(0, cpu-system), system, known, ok
}

func (c *cell) shares() shareRow {
	row := shareRow{Backend: c.Backend, Raw: c.ID, User: same(none), System: same(none), Waiting: same(none), GC: same(none), Forward: same(none)}
	user, system, known, ok := c.used()
	if !ok {
		row.Why = c.why()
		if len(c.timed()) > 0 {
			row.Why = text{"not recorded", "没有记录"}
		}
		return row
	}
	row.User, row.Waiting = fraction(user), fraction(max(0, 1-user-system))
	if known {
		row.System = fraction(system)
	}
	if gc, ok := medianOf(c.timed(), func(r *results.Record) (float64, bool) {
		if r.Usage == nil || r.Usage.WallNS <= 0 || r.Usage.GCNS == nil {
			return 0, false
		}
		return float64(*r.Usage.GCNS) / float64(r.Usage.WallNS), true
	}); ok {
		row.GC = fraction(gc)
	}
	return row
}

// fraction is percent for a share that may be next to nothing.
func fraction(x float64) text {
	if x > 0 && x < 0.001 {
		return text{"<" + nbsp + "0.1" + nbsp + "%", "<0.1%"}
	}
	return percent(x)
}

// draw stacks the shares of a row that has them.
func (row *shareRow) draw(c *cell, a axis) {
	user, system, _, ok := c.used()
	if !ok {
		return
	}
	classes := append([]string(nil), shareClasses...)
	classes[0] = "fill f-" + c.Backend.Hue
	row.Bars = a.stack([]float64{100 * user, 100 * system, 100 * max(0, 1-user-system)}, classes)
}

// forward is the share of a training step that the forward pass takes, roughly:
// the step time of inference over that of training, of the same workload and
// settings; false where one of them was not measured.
func (c *cell) forward(by map[results.Cell]*cell) (float64, bool) {
	k := c.Cell
	k.Hash, k.Mode, k.Accumulate, k.Checkpoint = "", "infer", 1, 0
	if c.Cell.Accumulate > 1 || c.Cell.Checkpoint != 0 {
		return 0, false
	}
	infer := by[k]
	if infer == nil {
		k.Accumulate = 0
		infer = by[k]
	}
	return stepRatio(infer, c)
}

// copying is the share of a step that copying its batch takes: of a cell with the
// data on the host, against the same cell with resident data.
func (c *cell) copying(by map[results.Cell]*cell) (float64, bool) {
	k := c.Cell
	k.Hash = ""
	if k.Data == "host" {
		k.Data = "resident"
		x, ok := stepRatio(by[k], c)
		return max(0, 1-x), ok
	}
	k.Data = "host"
	x, ok := stepRatio(by[k], c)
	return max(0, 1-1/x), ok && x > 0
}

// stepRatio is the step time of a over that of b, medians over timed trials.
func stepRatio(a, b *cell) (float64, bool) {
	if a == nil || b == nil {
		return 0, false
	}
	x, ok1 := medianOf(a.timed(), stepNS)
	y, ok2 := medianOf(b.timed(), stepNS)
	r := x / y
	return r, ok1 && ok2 && y > 0 && !math.IsInf(r, 0)
}
