package report

import (
	"math"
	"slices"
	"strings"

	"github.com/dlbench/dlbench/results"
)

// proofSection shows that all backends did the same work.
type proofSection struct {
	section
	Verdict text
	Badge   badge
	Panels  []proofPanel
	Seen    capabilityTable
}

type proofPanel struct {
	Title, Detail text
	Rows          []proofRow
}

type proofRow struct {
	Backend identity
	Raw     string
	What    text // check steps, or the last measured step
	Badge   badge
	Worst   string
	Item    text // the worst item in words, where it is a loss
	Got     string
	Want    string
	Error   string
	Ceiling string
	Floor   string
	Of      text // trials
	Dot     string
	Reason  text
	Mark    string
}

func (v *view) proof() proofSection {
	s := proofSection{section: section{
		ID: "same-work", Nav: text{"Same work", "相同计算"},
		Title: text{"Proof of the same work", "计算相同的证明"},
		Lead: text{
			"Speed counts only for the same work. Each row is the item with the largest error for its ceiling, over all trials of a cell, against a float64 oracle; of a tensor, its norm or a random projection. The relative error must stay below the ceiling, and not below the floor: an error too small for a precision means that the precision was never applied. The strip is logarithmic: the vertical line is the ceiling.",
			"只有完成的计算相同，速度才可比。每行是一个单元所有试验中误差相对上限最大的一项，与 float64 参考答案相比；张量取其范数或随机投影。相对误差须低于上限，也不得低于下限：误差小到与该精度不符，说明并未真正使用该精度。横条为对数刻度，竖线是上限。",
		},
	}}
	ok, ran, unsupported, idle := 0, 0, 0, 0
	for _, g := range v.groups {
		p := proofPanel{Title: g.Title, Detail: g.Detail}
		for _, c := range g.cells {
			rows := c.proofRows()
			switch {
			case len(rows) == 0 && len(c.trials) == 0:
				idle++
			case len(rows) == 0 && c.unsupported():
				unsupported++
			default:
				ran++
			}
			proven := len(rows) > 0
			for _, r := range rows {
				proven = proven && r.Badge == checkBadge("ok")
			}
			if proven {
				ok++
			}
			if len(rows) == 0 {
				why := c.why()
				if len(c.timed()) > 0 {
					why = text{"no check recorded", "没有核对记录"}
				}
				b := checkBadge(c.unchecked())
				if c.unsupported() {
					b = endBadge(results.EndUnsupported)
				}
				rows = []proofRow{{Backend: c.Backend, Raw: c.ID, What: text{"check steps", "核对步"}, Badge: b, Reason: why, Mark: c.Backend.Mark()}}
			}
			p.Rows = append(p.Rows, rows...)
		}
		s.Panels = append(s.Panels, p)
	}
	s.Verdict = textf("%d of the %d cells that ran proven within their error budgets", "已运行的 %[2]d 个单元中有 %[1]d 个在误差预算内得到证明", ok, ran)
	if unsupported > 0 {
		s.Verdict = textf("%s; %d unsupported", "%s；另有 %d 个不支持", s.Verdict, unsupported)
	}
	if idle > 0 {
		s.Verdict = textf("%s; %d not run", "%s；另有 %d 个未运行", s.Verdict, idle)
	}
	s.Verdict = textf("%s.", "%s。", s.Verdict)
	s.Badge = checkBadge("ok")
	if ok < ran || ran == 0 {
		s.Badge = badge{"i-q", "b-open", text{"not all proven", "并非全部证明"}}
	}
	s.Seen = v.capabilities()
	return s
}

// unsupported reports whether all trials of a cell ended because the backend
// cannot run it.
func (c *cell) unsupported() bool {
	return len(c.trials) > 0 && !slices.ContainsFunc(c.trials, func(t *trial) bool { return t.Record.End != results.EndUnsupported })
}

// unchecked is the status of a cell that holds no check: wrong if a trial ended
// so, else unproven.
func (c *cell) unchecked() string {
	for _, t := range c.trials {
		if t.Record.End == results.EndWrong {
			return "wrong"
		}
	}
	return "unproven"
}

// proofRows are the worst check of the check steps and of the last measured
// step, over all the cell's trials.
func (c *cell) proofRows() []proofRow {
	var rows []proofRow
	for _, k := range []struct {
		what text
		of   func(*results.Record) *results.Check
	}{
		{text{"check steps", "核对步"}, func(r *results.Record) *results.Check { return r.Check }},
		{text{"last measured step", "最后一个测量步"}, func(r *results.Record) *results.Check { return r.FinalCheck }},
	} {
		var worst *results.Check
		n := 0
		for _, t := range c.trials {
			if ch := k.of(t.Record); ch != nil {
				n++
				if worst == nil || badness(ch) > badness(worst) {
					worst = ch
				}
			}
		}
		if worst == nil {
			continue
		}
		row := proofRow{
			Backend: c.Backend, Raw: c.ID, What: k.what, Badge: checkBadge(worst.Status), Mark: c.Backend.Mark(),
			Worst: line(worst.Worst), Item: lossItem(worst.Worst), Reason: remark(worst.Reason), Of: counts(n, "trial", "次试验"),
			Got: none, Want: none, Error: none, Ceiling: none, Floor: none,
		}
		if worst.Ceiling > 0 {
			row.Got, row.Want = exact(worst.Got), exact(worst.Want)
			row.Error, row.Ceiling, row.Floor = scientific(worst.Error), scientific(worst.Ceiling), none
			if worst.Floor > 0 { // 0: too small an error is not held against it
				row.Floor = scientific(worst.Floor)
			}
			row.Dot = pct(logShare(worst.Error / worst.Ceiling))
		}
		rows = append(rows, row)
	}
	return rows
}

// lossItem words the name of a loss, "loss 3"; other items are tensors and keep
// their names.
func lossItem(name string) text {
	step, ok := strings.CutPrefix(line(name), "loss ")
	if name == "" {
		return text{"loss", "损失"}
	}
	if !ok {
		return text{}
	}
	return textf("loss of step %s", "第 %s 步的损失", step)
}

// ceilingAt is where the ceiling stands on the strip: five decades below it,
// one and a quarter above.
const ceilingAt = 0.8

func logShare(ratio float64) float64 {
	if ratio <= 0 {
		return 0
	}
	return ceilingAt + math.Log10(ratio)*ceilingAt/5
}

// badness orders checks: wrong, then unproven, then by the share of the budget
// that was used.
func badness(c *results.Check) float64 {
	b := 0.0
	switch c.Status {
	case "ok":
	case "unproven":
		b = 1e9
	default:
		b = 2e9
	}
	if c.Ceiling > 0 {
		b += min(c.Error/c.Ceiling, 1e8)
	}
	return b
}

// exact shows a value with seven digits, enough to see where it leaves the
// oracle's.
func exact(v float64) string { return trimFloat(v, 7) }
