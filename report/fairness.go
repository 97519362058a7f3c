package report

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/dlbench/dlbench/results"
)

// fairnessSection shows under which conditions the backends ran.
type fairnessSection struct {
	section
	Backends []identity
	Ledger   []ledgerRow // one row per condition, one column per backend
	Panels   []usagePanel
}

type ledgerRow struct {
	Label  text
	Values []text
	Differ bool
}

type usagePanel struct {
	Title, Detail text
	Rows          []usageRow
}

type usageRow struct {
	Backend identity
	Raw     string
	Threads string
	CPUWall string
	Over    bool // more CPU than the grant
	CPU     string
	Sys     string
	Faults  string
	Switch  string
	GC      string
	Why     text
}

func (v *view) fairness() fairnessSection {
	s := fairnessSection{
		section: section{
			ID: "fair", Nav: text{"Fairness", "公平性"},
			Title: text{"Fairness", "公平性"},
			Lead: text{
				"Under which conditions each backend ran. A bar beside a row marks what differs; the second table holds what the processes really used.",
				"各后端在什么条件下运行。行首竖线表示有差别；第二张表是各进程实际的用量。",
			},
		},
		Backends: v.backends,
	}
	workers := v.workers()
	row := func(label text, f func([]results.Worker) []string) {
		r := ledgerRow{Label: label}
		var known []string
		for _, b := range v.backends {
			values := f(workers[b.Name])
			slices.Sort(values)
			values = slices.Compact(values)
			if len(values) == 0 {
				values = []string{none}
			}
			value := line(strings.Join(values, ", "))
			r.Values = append(r.Values, answer(value))
			if value != none { // a backend that never spoke differs in nothing
				known = append(known, value)
			}
		}
		slices.Sort(known)
		r.Differ = len(slices.Compact(known)) > 1
		s.Ledger = append(s.Ledger, r)
	}
	each := func(f func(results.Worker) string) func([]results.Worker) []string {
		return func(ws []results.Worker) []string {
			var out []string
			for _, w := range ws {
				if x := f(w); x != "" {
					out = append(out, x)
				}
			}
			return out
		}
	}
	row(text{"kind", "类型"}, each(func(w results.Worker) string { return w.Kind }))
	row(text{"versions", "版本"}, each(func(w results.Worker) string { return pairs(w.Versions) }))
	row(text{"dialect", "方言"}, each(func(w results.Worker) string { return pairs(w.Dialect) }))
	row(text{"data types", "数据类型"}, each(func(w results.Worker) string { return pairs(w.DTypes) }))
	row(text{"effective threads, as reported", "有效线程数（自报）"}, each(func(w results.Worker) string {
		if w.Threads == 0 {
			return ""
		}
		return strconv.Itoa(w.Threads)
	}))
	row(text{"denormals flushed to zero", "非规格化数清零"}, each(func(w results.Worker) string {
		if w.FlushDenormals {
			return "yes"
		}
		return "no"
	}))
	row(text{"segments recomputed", "重算段数"}, each(func(w results.Worker) string { return strconv.Itoa(w.Segments) }))
	for _, g := range v.groups {
		p := usagePanel{Title: g.Title, Detail: g.Detail}
		for _, c := range g.cells {
			p.Rows = append(p.Rows, c.usage())
		}
		s.Panels = append(s.Panels, p)
	}
	return s
}

// answer words yes and no in both languages and leaves other values alone.
func answer(s string) text {
	switch s {
	case "yes":
		return text{s, "是"}
	case "no":
		return text{s, "否"}
	case "no, yes":
		return text{s, "否，是"}
	}
	return same(s)
}

// workers are what the workers of each backend said of themselves, in trials
// that got as far.
func (v *view) workers() map[string][]results.Worker {
	m := map[string][]results.Worker{}
	for _, t := range v.trials {
		if w := t.Record.Worker; w.Kind != "" {
			m[t.Record.Cell.Backend] = append(m[t.Record.Cell.Backend], w)
		}
	}
	return m
}

// pairs writes a map as "a 1, b 2", sorted.
func pairs(m map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k+" "+m[k])
	}
	return strings.Join(out, ", ")
}

// usage is what the cell's processes used in the measured segment: medians
// over trials.
func (c *cell) usage() usageRow {
	row := usageRow{Backend: c.Backend, Raw: c.ID, Threads: strconv.Itoa(c.Cell.Threads)}
	rs := c.timed()
	perStep := func(f func(*results.Usage) int64) (float64, bool) {
		return medianOf(rs, func(r *results.Record) (float64, bool) {
			n := steps(r)
			if r.Usage == nil || n == 0 {
				return 0, false
			}
			return float64(f(r.Usage)) / float64(n), true
		})
	}
	ratio, ok := medianOf(rs, func(r *results.Record) (float64, bool) {
		if r.Usage == nil || r.Usage.WallNS <= 0 {
			return 0, false
		}
		return float64(r.Usage.CPUNS) / float64(r.Usage.WallNS), true
	})
	if !ok {
		row.Why = c.why()
		if len(rs) > 0 {
			row.Why = text{"not recorded", "没有记录"}
		}
		return row
	}
	row.CPUWall = sig(ratio)
	row.Over = c.Cell.Threads > 0 && ratio > 1.05*float64(c.Cell.Threads)
	x, _ := perStep(func(u *results.Usage) int64 { return u.CPUNS })
	row.CPU = duration(x)
	x, _ = perStep(func(u *results.Usage) int64 { return u.SysNS })
	row.Sys = duration(x)
	x, _ = perStep(func(u *results.Usage) int64 { return u.MinorFaults })
	row.Faults = count(x)
	x, _ = perStep(func(u *results.Usage) int64 { return u.Voluntary + u.Involuntary })
	row.Switch = count(x)
	x, _ = perStep(func(u *results.Usage) int64 { return u.GCNS })
	row.GC = "0"
	if x > 0 {
		row.GC = duration(x)
	}
	return row
}
