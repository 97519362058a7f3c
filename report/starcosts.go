package report

import (
	"strconv"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare/frameworks"
)

// costPanel are the medians behind a row: every entry on every workload.
type costPanel struct {
	ID      string
	Title   text
	Unit    text
	Columns []link
	Rows    []costRow
	// Questions are those that the row's words are made from, line by line.
	Questions []questionTable
}

type costRow struct {
	Backend  identity
	Cells    []costCell
	Relative string
	Best     text // how often it stands for its framework
}

type costCell struct {
	Raw   string
	Value string
	Best  bool
}

func (v *view) costPanel(r frameworks.Row) costPanel {
	p := costPanel{ID: aspectID(r.Aspect) + "-entries", Title: aspectWord(r.Aspect), Unit: text{"median time per example", "每个样本时间的中位数"}}
	m, _ := results.LookupMetric("step-time")
	if r.Aspect == frameworks.Memory {
		m, _ = results.LookupMetric("peak-memory-above-import")
		p.Unit = text{"peak of the process tree (PSS) above its level after import, median of the memory trials", "进程树峰值（PSS）高出导入后水平的部分，内存试验的中位数"}
	}
	p.Columns = v.groupLinks(firstCells(r.Groups))
	for _, rating := range r.Ratings {
		for _, e := range rating.Entries {
			row := costRow{Backend: v.entry(e.Backend), Relative: none}
			if e.Relative != nil {
				row.Relative = times(*e.Relative)
			}
			for _, g := range r.Groups {
				row.Cells = append(row.Cells, v.costCell(g, e.Backend, rating.Framework.ID, m))
			}
			if rating.Rated() {
				row.Best = textf("%d of %d", "%[2]d 个中 %[1]d 个", e.Best, len(r.Groups))
			}
			p.Rows = append(p.Rows, row)
		}
	}
	if q, ok := r.Question(frameworks.TensorFlow, frameworks.PyTorch); ok {
		p.Questions = append(p.Questions, v.questionTable(aspectID(r.Aspect)+"-q0", q))
	}
	for i, q := range leading(r) {
		p.Questions = append(p.Questions, v.questionTable(aspectID(r.Aspect)+"-q"+strconv.Itoa(i+1), q))
	}
	for i := range p.Questions { // training and inference ask the same
		p.Questions[i].Of = "s-" + p.ID
	}
	return p
}

func (v *view) costCell(g frameworks.Group, backend, framework string, m results.Metric) costCell {
	j := v.judged()
	c, ok := g.Planned[backend]
	if !ok {
		return costCell{Value: none}
	}
	cell := costCell{Value: none}
	if x := j.cells[c]; x != nil {
		cell.Raw = x.ID
	}
	s := j.subject.Summary(c, m)
	if !frameworks.Ranked(s) {
		return cell
	}
	if m.Memory {
		cell.Value = bytesize(*s.Median)
	} else {
		cell.Value = duration(*s.Median * 1e9 / float64(max(1, c.Batch)))
	}
	best, ok := j.subject.Best(j.subject.Entries(g, framework), m)
	cell.Best = ok && best.Cell == c
	return cell
}
