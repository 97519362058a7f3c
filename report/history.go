package report

import (
	"fmt"
	"slices"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare/history"
)

// historyView is a history arranged for people.
type historyView struct {
	history.History
	Series []historySeries
}

// historySeries is the table of one series.
type historySeries struct {
	ID      string
	Title   string // the cell without its backend, for a narrow column
	Backend identity
	Metric  text
	Where   text // host and sharing, where there are several; else empty
	Note    text // why no change could be found
	Rows    []historyRow
	of      history.Series
}

// historyRow is one run of a series.
type historyRow struct {
	No     int
	Run    string
	Day    string
	Label  string
	Median string
	Range  string
	Trials int
	Change *historyChange
	Reason text
}

// historyChange is a step before a run.
type historyChange struct {
	Badge badge
	Size  text
	P     string
}

func newHistoryView(h history.History) *historyView {
	v := &historyView{History: h}
	shared := slices.ContainsFunc(h.Series, func(s history.Series) bool { return s.Shared })
	for i, s := range h.Series {
		x := historySeries{
			ID: fmt.Sprintf("s%d", i+1), Title: settings(s.Cell), Backend: identify(s.Cell.Backend, ""), Metric: metricWord(s.Metric), Note: remark(s.Note), of: s,
		}
		var where []text
		if len(h.Hosts) > 1 {
			where = append(where, textf("host %d", "主机 %d", s.Host+1))
		}
		if s.Shared {
			where = append(where, text{"shared imports", "共享导入"})
		} else if shared {
			where = append(where, text{"fresh processes", "全新进程"})
		}
		x.Where = joined(where, ", ", "，")
		for k, p := range s.Points {
			x.Rows = append(x.Rows, v.row(s, k, p))
		}
		v.Series = append(v.Series, x)
	}
	return v
}

func (v *historyView) row(s history.Series, k int, p history.Point) historyRow {
	r := historyRow{No: k + 1, Run: line(p.Run), Day: utc(p.Started), Label: line(p.Label), Median: none, Trials: p.Trials}
	if p.Median != nil {
		r.Median = quantity(*p.Median, s.Metric.Unit)
	}
	if p.Lo != nil && p.Hi != nil {
		r.Range = quantity(*p.Lo, s.Metric.Unit) + "–" + quantity(*p.Hi, s.Metric.Unit)
	}
	if !p.Counts {
		r.Reason = textf("not counted: %s", "不计入：%s", remark(p.Reason))
	}
	if c, ok := s.Change(k); ok {
		r.Change = &historyChange{Badge: changeBadge(s, c), Size: changeSize(s, c), P: round3(c.P)}
	}
	return r
}

// changeBadge words a change: only a metric has a better side.
func changeBadge(s history.Series, c history.Change) badge {
	icon := "i-up"
	if c.After < c.Before {
		icon = "i-down"
	}
	switch {
	case s.Metric.Better == 0:
		return badge{icon, "b-open", text{"changed", "变化"}}
	case s.Worse(c):
		return badge{icon, "b-slower", text{"worse", "变差"}}
	}
	return badge{icon, "b-faster", text{"better", "变好"}}
}

// changeSize is the relative size of a change, or both levels where the one
// before was 0.
func changeSize(s history.Series, c history.Change) text {
	ratio, ok := c.Ratio()
	if !ok {
		return same(quantity(c.Before, s.Metric.Unit) + " → " + quantity(c.After, s.Metric.Unit))
	}
	sign := "+"
	if ratio < 0 {
		sign, ratio = "−", -ratio
	}
	p := percent(ratio)
	return text{sign + p.EN, sign + p.ZH}
}

// metricWord names a metric with its unit.
func metricWord(m results.Metric) text {
	return same(fmt.Sprintf("%s (%s)", m.Name, m.Unit))
}

// answer is what the history says in one sentence.
func (v *historyView) answer() text {
	changes, in, short := 0, 0, 0
	for _, s := range v.Series {
		if !s.Note.Empty() {
			short++
		}
		changes += len(s.of.Changes)
		if len(s.of.Changes) > 0 {
			in++
		}
	}
	if len(v.Series) == 0 {
		return text{"No series: no run has a cell that was asked for.", "没有序列：没有任何运行含有所查询的单元。"}
	}
	of := textf("%d series of %s", "%[2]s的 %[1]d 个序列", len(v.Series), counts(v.Runs, "run", "次运行"))
	if short == len(v.Series) {
		return textf("No change could show: each of %s is too short.", "%s都太短，看不出变化。", of)
	}
	if changes == 0 {
		return textf("No change in %s.", "%s均无变化。", of)
	}
	return textf("%s in %d of the %s.", "%[3]s中 %[2]d 个有变化，共 %[1]s。", counts(changes, "change", "处"), in, of)
}

// order says by what the runs are ordered.
func (v *historyView) order() text {
	if v.ByLabel {
		return text{"by label", "按标签"}
	}
	return text{"by date", "按日期"}
}

// method is how changes were found, in one sentence.
func (v *historyView) method() text {
	return textf("Changes by E-divisive (Matteson and James, 2014) on the medians, with permutation tests; in all series together, the probability of any where nothing changed is at most %s if runs differ by chance alone. Runs %s.",
		"变化点由 E-divisive（Matteson 与 James，2014）在中位数上求得，并经置换检验；若各次运行只有随机差异，则所有序列合计误报任何变化的概率至多 %s。运行%s排列。", percent(v.Alpha), v.order())
}
