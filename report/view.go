package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// view is a run arranged for reading: groups of cells in the order of the
// plan, each cell with its trials and what compare says of it. All sections
// are made from it.
type view struct {
	run      results.Run
	analysis compare.Analysis
	groups   []*group
	backends []identity // in order of appearance
	baseline identity
	trials   []*trial // every record, in the order of the file
	rated    rated
}

// group is all backends on one workload and settings.
type group struct {
	ID     string // anchor: g1, g2, ...
	Key    results.Cell
	Title  text
	Detail text // name, mode and settings
	metric string
	cells  []*cell
	part   int // of view.parts
}

// cell is one backend in a group.
type cell struct {
	ID         string // anchor of its raw trials: c1, c2, ...
	Cell       results.Cell
	Backend    identity
	group      *group
	trials     []*trial
	summary    *compare.Summary
	comparison *compare.Comparison // nil: the baseline, or not compared
	baseline   bool
	layers     []results.Layer // of its workload; none in older runs
	imports    []float64       // seconds, of all trials of its backend that were not forked
}

// trial is one record with its anchor.
type trial struct {
	ID       string // t1, t2, ...: line of trials.jsonl
	Record   *results.Record
	cell     *cell
	replaced bool // by a later attempt of the same round
	partial  bool // its round was never completed, so it does not count
}

// newView arranges a run. Cells that were planned come first, in the order of
// the plan; cells that only records or the analysis know follow.
func newView(run results.Run, a compare.Analysis) *view {
	v := &view{run: run, analysis: a}
	kinds := map[string]string{}
	for i := range run.Records {
		if r := &run.Records[i]; r.Worker.Kind != "" && kinds[r.Cell.Backend] == "" {
			kinds[r.Cell.Backend] = r.Worker.Kind
		}
	}
	type place struct { // cells of two runs are never in one group: their rounds are others
		part int
		key  results.Cell
	}
	groups, cells, partOf := map[place]*group{}, map[results.Cell]*cell{}, map[results.Cell]int{}
	for i, part := range v.parts() {
		for _, c := range part.Meta.Cells {
			partOf[c] = i
		}
		for j := range part.Records {
			partOf[part.Records[j].Cell] = i
		}
	}
	seen := map[string]bool{}
	n := 0
	add := func(c results.Cell) *cell {
		if x := cells[c]; x != nil {
			return x
		}
		key := c
		key.Backend = ""
		at := place{partOf[c], key}
		g := groups[at]
		if g == nil {
			g = &group{ID: fmt.Sprintf("g%d", len(v.groups)+1), Key: key, Title: v.title(key.Workload), Detail: v.detail(key), part: at.part}
			groups[at] = g
			v.groups = append(v.groups, g)
		}
		n++
		x := &cell{
			ID: fmt.Sprintf("c%d", n), Cell: c, group: g,
			Backend:  identify(c.Backend, kinds[c.Backend]),
			baseline: c.Backend == v.baselineName(),
			layers:   v.parts()[g.part].Meta.Workloads[c.Workload].Layers,
		}
		g.cells = append(g.cells, x)
		cells[c] = x
		if !seen[c.Backend] {
			seen[c.Backend] = true
			v.backends = append(v.backends, x.Backend)
		}
		return x
	}
	for _, c := range run.Meta.Cells {
		add(c)
	}
	for i := range a.Groups {
		ag := &a.Groups[i]
		for j := range ag.Summaries {
			c := add(ag.Summaries[j].Cell)
			c.summary, c.group.metric = &ag.Summaries[j], ag.Metric
		}
		for j := range ag.Comparisons {
			c := add(ag.Comparisons[j].Head)
			c.comparison, c.group.metric = &ag.Comparisons[j], ag.Metric
		}
	}
	for _, part := range v.parts() {
		newest := map[int]int{}
		for i := range part.Records {
			if r := &part.Records[i]; r.Kind == results.KindTime {
				newest[r.Round] = max(newest[r.Round], r.Attempt)
			}
		}
		_, incomplete := results.Counted(part.Records)
		for i := range part.Records {
			r := &part.Records[i]
			c := add(r.Cell)
			t := &trial{ID: fmt.Sprintf("t%d", len(v.trials)+1), Record: r, cell: c}
			v.trials = append(v.trials, t)
			c.trials = append(c.trials, t)
			if r.Kind == results.KindTime {
				t.replaced = r.Attempt != newest[r.Round]
				t.partial = !t.replaced && slices.Contains(incomplete, r.Round)
			}
		}
	}
	v.poolImports()
	v.baseline = identify(v.baselineName(), kinds[v.baselineName()])
	return v
}

// parts are the runs that the report shows: one, or those that were merged.
func (v *view) parts() []results.Run {
	if len(v.run.Parts) > 0 {
		return v.run.Parts
	}
	return []results.Run{v.run}
}

func (v *view) baselineName() string { return cmp.Or(v.analysis.Baseline, v.run.Meta.Baseline) }

// cells are all cells, group by group.
func (v *view) cells() []*cell {
	var all []*cell
	for _, g := range v.groups {
		all = append(all, g.cells...)
	}
	return all
}

// title is a workload's title, or its name where it has none.
func (v *view) title(workload string) text {
	w := v.run.Meta.Workloads[workload]
	en := line(w.Title["en"])
	if en == "" {
		en = line(workload)
	}
	return text{en, cmp.Or(line(w.Title["zh"]), en)}
}

// detail is a group's name and settings in words; what is plain is left out, and
// the name too where it stands in for the title.
func (v *view) detail(c results.Cell) text {
	var parts []text
	if name := line(c.Workload); v.title(c.Workload).EN != name {
		parts = append(parts, same(name))
	}
	parts = append(parts, modeWord(c.Mode), textf("batch %d", "批量 %d", c.Batch))
	if p := line(c.Precision); p != "" {
		parts = append(parts, same(p))
	}
	if c.Device != "" && c.Device != "cpu" {
		parts = append(parts, same(line(c.Device)))
	}
	if c.Data != "" && c.Data != "resident" {
		parts = append(parts, dataWord(c.Data))
	}
	if c.Accumulate > 1 {
		parts = append(parts, textf("accumulated over %d", "累积 %d 次", c.Accumulate))
	}
	if c.Checkpoint != 0 {
		parts = append(parts, textf("checkpointed in %d", "检查点 %d 段", c.Checkpoint))
	}
	parts = append(parts, counts(c.Threads, "thread", "线程"))
	if c.Allocator != "" {
		parts = append(parts, allocatorWord(c.Allocator))
	}
	return joined(parts, " · ", " · ")
}

// allocatorWord names an allocator other than the process's own as it is.
func allocatorWord(name string) text {
	switch name {
	case "tuned":
		return text{"tuned allocator", "调优的内存分配器"}
	case "returning":
		return text{"allocator that returns freed blocks", "释放即归还的内存分配器"}
	}
	return textf("allocator %s", "内存分配器 %s", line(name))
}

// dataWord names a placement of the data.
func dataWord(data string) text {
	switch data {
	case "host":
		return text{"data copied in each step", "每步复制数据"}
	case "loader":
		return text{"data by the framework’s loader", "由框架自带的加载器供数"}
	}
	return textf("data %s", "数据 %s", line(data))
}

// timed are the cell's valid samples: timed trials that ended ok, of the
// newest attempt of each complete round.
func (c *cell) timed() []*results.Record {
	var rs []*results.Record
	for _, t := range c.trials {
		if r := t.Record; r.Kind == results.KindTime && r.End == results.EndOK && !t.replaced && !t.partial {
			rs = append(rs, r)
		}
	}
	return rs
}

// ended are the cell's trials of any kind that ended ok, less memory trials that
// compiled where another did not.
func (c *cell) ended(kinds ...string) []*results.Record {
	var rs []*results.Record
	for _, t := range c.trials {
		if r := t.Record; r.End == results.EndOK && slices.Contains(kinds, r.Kind) {
			rs = append(rs, r)
		}
	}
	return results.Warm(rs)
}

// why says in one line why the cell has no figure.
func (c *cell) why() text {
	if c.summary != nil && c.summary.Reason != "" {
		return remark(c.summary.Reason)
	}
	for _, t := range c.trials {
		if t.Record.End != results.EndOK && t.Record.Reason != "" {
			return remark(t.Record.Reason)
		}
	}
	return text{"no trial that counts", "没有有效试验"}
}

// median of a copy of xs; false when there is none.
func median(xs []float64) (float64, bool) {
	if len(xs) == 0 {
		return 0, false
	}
	s := slices.Clone(xs)
	slices.Sort(s)
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2, true
	}
	return s[len(s)/2], true
}

// medianOf is the median over records of what f reads; records without it are
// left out.
func medianOf(rs []*results.Record, f func(*results.Record) (float64, bool)) (float64, bool) {
	return median(values(rs, func(r results.Record) (float64, bool) { return f(&r) }))
}

// values are what f reads from the records that have it.
func values(rs []*results.Record, f func(results.Record) (float64, bool)) []float64 {
	var xs []float64
	for _, r := range rs {
		if x, ok := f(*r); ok {
			xs = append(xs, x)
		}
	}
	return xs
}

// phaseNS is the wall time of a phase; false when the trial did not get there.
func phaseNS(name string) func(*results.Record) (float64, bool) {
	return func(r *results.Record) (float64, bool) {
		for _, p := range r.Phases {
			if p.Name == name {
				return float64(p.WallNS), true
			}
		}
		return 0, false
	}
}

// steps is the number of measured steps.
func steps(r *results.Record) int64 { return int64(len(r.BlockNS)) * int64(max(1, r.StepsPerBlock)) }

// stepNS is a trial's time per step: total over steps, because a median hides
// garbage collection.
func stepNS(r *results.Record) (float64, bool) {
	var sum float64
	for _, b := range r.BlockNS {
		sum += float64(b)
	}
	n := steps(r)
	return sum / float64(max(n, 1)), n > 0
}

// utc shows a moment of a record to the minute, in UTC.
func utc(s string) string {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return line(s)
	}
	return t.UTC().Format("2006-01-02 15:04") + " UTC"
}

// hostLine is the machine in one line.
func hostLine(h results.Host) text {
	parts := []text{counts(h.Cores, "core", "核")}
	if h.Cores == 0 {
		parts[0] = text{"unknown number of cores", "核数未知"}
	}
	if h.CPU != "" {
		parts = append(parts, same(line(h.CPU)))
	}
	if h.MemBytes > 0 {
		parts = append(parts, same(bytesize(float64(h.MemBytes))))
	}
	switch name := line(h.Virtual); {
	case strings.Contains(name, " "): // a sentence, such as "docker in a virtual machine"
		parts = append(parts, virtual(name))
	case name != "":
		parts = append(parts, textf("%s guest", "%s 虚拟机", strings.ToUpper(name)))
	}
	switch len(h.GPUs) {
	case 0: // only a run with cells on a GPU asks for them
		parts = append(parts, text{"no GPU used", "未使用 GPU"})
	default:
		parts = append(parts, same(line(strings.Join(h.GPUs, ", "))))
	}
	return joined(parts, ", ", "，")
}
