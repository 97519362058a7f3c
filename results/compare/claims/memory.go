package claims

import (
	"math"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/compare/frameworks"
)

// variants pairs each cell that plain recognises with the plain cell that plain
// makes of it: same work, same entry, same run. The program's hash depends on
// settings, so it is left out.
func variants(s *frameworks.Subject, plain func(*results.Cell) bool) []frameworks.Pair {
	planned := map[results.Cell]results.Cell{}
	for _, g := range s.Groups {
		for _, c := range g.Cells {
			k := c
			k.Hash = ""
			planned[k] = c
		}
	}
	var pairs []frameworks.Pair
	for _, g := range s.Groups {
		for _, c := range g.Cells {
			k := c
			k.Hash = ""
			if !plain(&k) {
				continue
			}
			if b, ok := planned[k]; ok && s.Together(b, c) {
				pairs = append(pairs, frameworks.Pair{Base: b, Head: c})
			}
		}
	}
	return pairs
}

// resident adds a question about peaks, of which forked trials have none.
func (o *Outcome) resident(s *frameworks.Subject, q frameworks.Question) {
	o.Questions = append(o.Questions, q)
	if q.Tally().Absent == len(q.Lines) && len(q.Lines) > 0 && s.Meta.Shared {
		o.lack(Text{
			"timed trials that are forked after a shared import have no peak of resident memory, and that of a few memory trials has no verdict: " + Again(s.Meta).EN + " without --share-process",
			"共享导入后派生的计时试验没有常驻内存峰值，而少数几次内存试验的峰值不足以下结论：请去掉 --share-process 重跑 " + Again(s.Meta).ZH,
		})
	}
}

func memoryComparable(s *frameworks.Subject, o *Outcome) {
	tf, pt, ok := contenders(s, o)
	if !ok {
		return
	}
	groups := shared(s.Mode("train"), tf, pt)
	q := s.Ask(pt, tf, groups, peakResident)
	o.Verdict = universal(each(q, frameworks.Equal))
	o.resident(s, q)
	if o.Missing == nil {
		o.explain(s)
	}
	peak := Count{Text{
		"peak of the process tree (PSS), libraries included, geometric mean over the training workloads, best entry each; no verdict",
		"内存试验中进程树的峰值（PSS，含库本身），各训练负载取最优形式后的几何平均；不是结论",
	}, "B", nil}
	for _, d := range []frameworks.Side{tf, pt} {
		if v, ok := geometric(s, d, groups, metric("peak-memory")); ok {
			peak.Sides = append(peak.Sides, Counted{Name: d.Name, Value: v})
		}
	}
	if len(peak.Sides) == 2 {
		o.Counts = append(o.Counts, peak)
	}
}

// geometric is the mean of a side's best medians; false where a group has none.
func geometric(s *frameworks.Subject, d frameworks.Side, groups []frameworks.Group, m results.Metric) (float64, bool) {
	var sum float64
	for _, g := range groups {
		var cells []results.Cell
		for _, c := range g.Cells {
			if d.Has(c.Backend) {
				cells = append(cells, c)
			}
		}
		best, ok := s.Best(cells, m)
		if !ok {
			return 0, false
		}
		sum += math.Log(*best.Median)
	}
	return math.Exp(sum / float64(len(groups))), len(groups) > 0
}

// saves holds variants to what they should save, and what they should cost.
func (o *Outcome) saves(s *frameworks.Subject, base, head string, pairs []frameworks.Pair, onTime frameworks.Result) {
	family := len(pairs)
	if onTime != "" {
		family *= 2
	}
	memory := s.AskPairs(base, head, pairs, family, peakAbove)
	lines := each(memory, frameworks.Ahead)
	if onTime != "" {
		speed := s.AskPairs(base, head, pairs, family, stepTime)
		lines = append(lines, each(speed, onTime)...)
		o.Questions = append(o.Questions, speed)
	}
	o.Verdict = universal(lines)
	o.resident(s, memory)
	if o.Missing == nil {
		o.explain(s)
	}
}

// mixed are the precisions with master weights in f32.
var mixed = map[string]bool{"bf16-mixed": true, "f16-mixed": true}

func mixedSaves(s *frameworks.Subject, o *Outcome) {
	pairs := variants(s, func(c *results.Cell) bool {
		is := mixed[c.Precision]
		c.Precision = "f32"
		return is
	})
	if len(pairs) == 0 {
		o.lack(Text{
			"no cell in bf16-mixed or f16-mixed beside the same one in f32: dlbench run --suite modes",
			"没有同时以 f32 与 bf16-mixed 或 f16-mixed 测过的单元：dlbench run --suite modes",
		})
		return
	}
	o.saves(s, Full, Mixed, pairs, frameworks.Ahead)
}

func accumulationSaves(s *frameworks.Subject, o *Outcome) {
	pairs := variants(s, func(c *results.Cell) bool {
		is := c.Accumulate > 1
		c.Accumulate = 1
		return is
	})
	if len(pairs) == 0 {
		o.lack(Text{
			"no cell with accumulated gradients beside the plain one: dlbench run --suite modes",
			"没有在累积与不累积梯度下都测过的单元：dlbench run --suite modes",
		})
		return
	}
	o.saves(s, Plain, Accumulated, pairs, "")
}

func checkpointingTrades(s *frameworks.Subject, o *Outcome) {
	pairs := variants(s, func(c *results.Cell) bool {
		is := c.Checkpoint != 0
		c.Checkpoint = 0
		return is
	})
	if len(pairs) == 0 {
		o.lack(Text{
			"no cell with checkpoints beside the plain one: dlbench run --suite modes",
			"没有在使用与不使用检查点时都测过的单元：dlbench run --suite modes",
		})
		return
	}
	o.saves(s, Plain, Checkpointed, pairs, frameworks.Behind)
}

// status of a cell, whatever is asked of it.
func status(s *frameworks.Subject, c results.Cell) string { return s.Summary(c, stepTime).Status }

// ok reports whether a cell is proven.
func ok(s *frameworks.Subject, c results.Cell) bool { return status(s, c) == compare.StatusOK }
