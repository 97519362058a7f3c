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
				"Under which conditions each backend ran: a bar beside a row marks what differs. The tables below it hold what the processes used while they measured, as medians over the timed trials.",
				"各后端在什么条件下运行：行首的竖线表示存在差别。其后各表是进程在测量阶段的实际用量，取各次计时试验的中位数。",
			},
		},
		Backends: v.backends, Ledger: v.ledger(),
	}
	for _, g := range v.groups {
		p := usagePanel{Title: g.Title, Detail: g.Detail}
		for _, c := range g.cells {
			p.Rows = append(p.Rows, c.usage())
		}
		s.Panels = append(s.Panels, p)
	}
	return s
}

// plainly shows values that read alike in both languages.
func plainly(values []string) text { return same(line(strings.Join(values, ", "))) }

// answers words yes and no.
func answers(values []string) text {
	t := plainly(values)
	return text{t.EN, strings.NewReplacer("not said", "未说明", "yes", "是", "no", "否", ", ", "，").Replace(t.ZH)}
}

// parts names the parts of a model whose data types a worker reports.
func parts(values []string) text {
	t := plainly(values)
	return text{t.EN, strings.NewReplacer("activations ", "激活值 ", "params ", "参数 ", ", ", "，").Replace(t.ZH)}
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
	// What a worker could not tell is shown as unknown, not as 0.
	perStep := func(show func(float64) string, f func(*results.Usage) *int64) string {
		x, ok := medianOf(rs, func(r *results.Record) (float64, bool) {
			n := steps(r)
			if r.Usage == nil || n == 0 || f(r.Usage) == nil {
				return 0, false
			}
			return float64(*f(r.Usage)) / float64(n), true
		})
		if !ok {
			return "–"
		}
		return show(x)
	}
	ratio, ok := c.cpus()
	if !ok {
		row.Why = c.why()
		if len(rs) > 0 {
			row.Why = text{"not recorded", "没有记录"}
		}
		return row
	}
	row.CPUWall = sig(ratio)
	row.Over = c.overGrant(ratio)
	row.CPU = perStep(duration, func(u *results.Usage) *int64 { return &u.CPUNS })
	row.Sys = perStep(duration, func(u *results.Usage) *int64 { return u.SysNS })
	row.Faults = perStep(count, func(u *results.Usage) *int64 { return u.MinorFaults })
	row.Switch = perStep(count, func(u *results.Usage) *int64 { return u.Switches() })
	row.GC = perStep(func(x float64) string {
		if x == 0 {
			return "0"
		}
		return duration(x)
	}, func(u *results.Usage) *int64 { return u.GCNS })
	return row
}

// cpus is how many CPUs the cell's processes kept busy while they measured: the
// median over trials.
func (c *cell) cpus() (float64, bool) {
	return medianOf(c.timed(), func(r *results.Record) (float64, bool) {
		if r.Usage == nil || r.Usage.WallNS <= 0 {
			return 0, false
		}
		return float64(r.Usage.CPUNS) / float64(r.Usage.WallNS), true
	})
}

// overGrant reports whether that many CPUs are more than the cell was granted,
// by more than 5 %.
func (c *cell) overGrant(cpus float64) bool {
	return c.Cell.Threads > 0 && cpus > 1.05*float64(c.Cell.Threads)
}
