package report

import (
	"math"
	"slices"

	"github.com/dlbench/dlbench/results"
)

// disturbanceSection shows what else happened on the host.
type disturbanceSection struct {
	section
	Signals []signalRow
	Total   int
	GPU     []gpuRow // of cells on a GPU
	Floor   fact     // what A/A runs showed; an empty label: nothing
	Noise   []noiseRow
}

type signalRow struct {
	Label   text
	Rule    text
	Known   int
	Median  text
	Worst   text
	Flagged []*trial
	More    int // flagged beyond those listed
}

// listed is how many flagged trials a row links to.
const listed = 24

// signal is one way to see that a trial was not alone. The limits are those
// from which compare warns.
type signal struct {
	label, rule text
	of          func(*results.Record) (float64, bool)
	limit       float64
	show        func(float64) text
}

// share of the trial's wall time, for counters that the whole trial carries.
func share(f func(*results.Disturbance) *int64) func(*results.Record) (float64, bool) {
	return func(r *results.Record) (float64, bool) {
		if r.Disturb == nil || r.WallNS <= 0 {
			return 0, false
		}
		p := f(r.Disturb)
		if p == nil {
			return 0, false
		}
		return float64(*p) / float64(r.WallNS), true
	}
}

func (v *view) disturbances() disturbanceSection {
	canary, hasCanary := medianOf(v.records(), canaryNS)
	signals := []signal{
		{text{"time stolen by the hypervisor", "被虚拟机监控器占去的时间"}, textf("above %s of the trial", "超过试验时间的 %s", percent(0.01)), share(func(d *results.Disturbance) *int64 { return d.StealNS }), 0.01, percent},
		{text{"tasks waiting for a CPU (PSI)", "等待 CPU 的任务（PSI）"}, text{"no flag: the worker's own threads count in it", "不作标记：其中含工作进程自身的线程"}, share(func(d *results.Disturbance) *int64 { return d.PSICPUNS }), math.Inf(1), percent},
		{text{"throttled by a CPU quota", "因 CPU 配额被限流"}, textf("above %s of the trial", "超过试验时间的 %s", percent(0.01)), share(func(d *results.Disturbance) *int64 { return d.ThrottledNS }), 0.01, percent},
		{text{"CPU used by other processes", "其他进程占用的 CPU"}, textf("above %s of one core and 30 ms", "超过一个核的 %s 且超过 30 ms", percent(0.10)), share(func(d *results.Disturbance) *int64 {
			if d.OthersCPUNS != nil && *d.OthersCPUNS <= 30e6 { // the counters behind it step by 10 ms each
				return new(int64(0))
			}
			return d.OthersCPUNS
		}), 0.10, percent},
	}
	if hasCanary && canary > 0 {
		signals = append(signals, signal{
			text{"a fixed probe computation (canary), against its median", "固定的探针计算，与其中位数之比"}, textf("above %s", "超过 %s", round3(1.25)+"×"),
			func(r *results.Record) (float64, bool) {
				x, ok := canaryNS(r)
				return x / canary, ok
			}, 1.25, func(x float64) text { return same(times(x)) },
		})
	}
	s := disturbanceSection{section: section{
		ID: "disturb", Nav: text{"Disturbances", "干扰"},
		Title: text{"Disturbances", "干扰"},
		Lead: text{
			"What else happened on the host. A disturbance is a flag, never a filter: no trial was dropped, and a flagged trial counts in every median.",
			"主机上还发生了什么。干扰只作标记，绝不筛选：没有丢弃任何试验，被标记的试验仍计入中位数。",
		},
	}, Total: len(v.trials)}
	s.GPU, s.Floor, s.Noise = v.gpuRows(), v.noiseFloor(), v.noise()
	for _, sg := range append(signals, v.gpuSignals()...) {
		s.Signals = append(s.Signals, v.signalRow(sg))
	}
	return s
}

func (v *view) records() []*results.Record {
	rs := make([]*results.Record, len(v.trials))
	for i, t := range v.trials {
		rs[i] = t.Record
	}
	return rs
}

func canaryNS(r *results.Record) (float64, bool) {
	if r.Disturb == nil || r.Disturb.CanaryNS <= 0 {
		return 0, false
	}
	return float64(r.Disturb.CanaryNS), true
}

func (v *view) signalRow(sg signal) signalRow {
	row := signalRow{Label: sg.label, Rule: sg.rule, Median: same(none), Worst: same(none)}
	var xs []float64
	for _, t := range v.trials {
		x, ok := sg.of(t.Record)
		if !ok {
			continue
		}
		xs = append(xs, x)
		if x > sg.limit {
			if len(row.Flagged) == listed {
				row.More++
			} else {
				row.Flagged = append(row.Flagged, t)
			}
		}
	}
	row.Known = len(xs)
	if m, ok := median(xs); ok {
		row.Median, row.Worst = sg.show(m), sg.show(slices.Max(xs))
	}
	return row
}

// Count is the number of flagged trials.
func (r signalRow) Count() int { return len(r.Flagged) + r.More }
