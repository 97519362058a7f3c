package report

import (
	"math"
	"slices"
	"strings"

	"github.com/dlbench/dlbench/results/compare/frameworks"
)

// deploymentSection is what can be counted of strengths and weaknesses [T2], and
// the quadrant of deployment [F3].
type deploymentSection struct {
	section
	Frameworks []frameworkHead
	Wide       int
	Rows       []effortRow
	Quadrant   *quadrant
	Entries    []entryRow
}

// effortRow is one aspect, a value per framework.
type effortRow struct {
	Name   text
	How    text
	Values []effortValue // nil: not measured
	Why    text
}

type effortValue struct {
	Framework frameworkHead
	Value     text
	Entry     text // whose value it is
	Over      text // of how few cells it is
	Best      text
}

// entryRow is one entry with all of its values.
type entryRow struct {
	Backend                                             identity
	Disk, Setup, Import, First, Answer, Lines, Ran, Mem text
}

func (v *view) deployment() deploymentSection {
	j := v.judged()
	s := deploymentSection{section: section{
		ID: "deployment", Nav: text{"Deployment", "部署"},
		Title: text{"Deployment, and what else can be counted", "部署，以及其他能数出来的"},
		Lead: text{
			"The articles’ strengths and weaknesses as far as numbers go, and their quadrant with measured axes. These are descriptions: none of them is a verdict.",
			"文章中的优缺点，只列能用数字表示的部分；象限图换成实测坐标。这些都是描述，不是结论。",
		},
	}}
	for _, f := range j.subject.Frameworks {
		s.Frameworks = append(s.Frameworks, headOf(f))
	}
	s.Wide = len(s.Frameworks)
	s.Rows = v.effortRows()
	s.Quadrant = v.quadrant()
	for _, e := range j.efforts {
		s.Entries = append(s.Entries, entryRow{
			Backend: v.entry(e.Backend), Disk: diskWord(e), Setup: setupWord(e), Import: secondsWord(e.Import), First: secondsWord(e.First),
			Answer: secondsWord(e.Answer), Lines: linesWord(e), Ran: ranWord(e), Mem: bytesWord(e.Above),
		})
	}
	return s
}

// aspect is a row of T2: how a value is read and written, and whether less of it
// is better.
type aspect struct {
	name, how text
	of        func(frameworks.Effort) (float64, bool)
	show      func(frameworks.Effort) text
	more      bool // more is better
	installed bool // a library inside of dlbench has none of its own
	// over are the groups that the value is of; nil: it is of none.
	over  func(frameworks.Effort) []int
	alone bool // it leaves out the other environments that an entry needs
	best  text // nil: none of the values is marked
	why   text // where nobody has it
}

func seconds(p *float64) (float64, bool) {
	if p == nil {
		return 0, false
	}
	return *p, true
}

var aspects = []aspect{
	{
		installed: true, alone: true, name: text{"Install size", "安装体积"}, how: text{"the environment on disk", "环境占用的磁盘空间"},
		of: func(e frameworks.Effort) (float64, bool) { return float64(e.DiskBytes), e.DiskBytes > 0 }, show: diskWord,
		best: text{"smallest", "最小"}, why: text{"not recorded in this run: run it again with environments made by dlbench setup", "本次运行没有记录：请用 dlbench setup 建好的环境重跑"},
	},
	{ // None of them is marked: nothing tells how much was downloaded.
		installed: true, alone: true, name: text{"Install time", "安装用时"}, how: text{"as dlbench setup took; what was in the installer’s cache was not downloaded", "dlbench setup 的实际用时；安装器缓存中已有的不再下载"},
		of: func(e frameworks.Effort) (float64, bool) { return float64(e.SetupNS), e.SetupNS > 0 }, show: setupWord,
		why: text{"not recorded in this run: dlbench setup NAME measures it when it makes the environment", "本次运行没有记录：dlbench setup NAME 在建立环境时测量"},
	},
	{
		name: text{"Import", "导入"}, how: text{"median over the cells", "各单元的中位数"},
		over: func(e frameworks.Effort) []int { return e.Over.Import },
		of:   func(e frameworks.Effort) (float64, bool) { return seconds(e.Import) }, show: func(e frameworks.Effort) text { return secondsWord(e.Import) },
		best: text{"shortest", "最短"}, why: text{"no trial got that far", "没有试验运行到这一步"},
	},
	{
		alone: true, name: text{"First result", "首个结果"}, how: text{"import, build and first step; median over the cells that each could run", "导入、构建与第一步；各自能运行的单元的中位数"},
		over: func(e frameworks.Effort) []int { return e.Over.First },
		of:   func(e frameworks.Effort) (float64, bool) { return seconds(e.First) }, show: func(e frameworks.Effort) text { return secondsWord(e.First) },
		best: text{"soonest", "最快"}, why: text{"no trial got that far", "没有试验运行到这一步"},
	},
	{
		name: text{"Ease of use", "易用性"}, how: text{"lines of adapter code for the same workloads", "相同负载的适配代码行数"},
		over: func(e frameworks.Effort) []int { return e.Over.Ran },
		of:   func(e frameworks.Effort) (float64, bool) { return float64(e.Lines), e.Lines > 0 }, show: linesWord,
		best: text{"fewest", "最少"}, why: text{"not recorded in this run: run it again with a newer dlbench", "本次运行没有记录：请用较新的 dlbench 重跑"},
	},
	{
		name: text{"Workloads that run", "能运行的负载"}, how: text{"proven right, of the workloads and modes that the run planned for it", "证明结果正确的，占本次运行为其安排的负载与模式"},
		over: func(e frameworks.Effort) []int { return e.Over.Planned },
		of:   func(e frameworks.Effort) (float64, bool) { return float64(e.Ran), e.Planned > 0 }, show: ranWord, more: true,
		best: text{"most", "最多"}, why: text{"nothing was planned", "没有计划任何单元"},
	},
	{
		name: text{"Memory of the work", "负载所占内存"}, how: text{"peak above the level after import, median over the cells that each could run", "比导入后高出的峰值，各自能运行的单元的中位数"},
		over: func(e frameworks.Effort) []int { return e.Over.Above },
		of:   func(e frameworks.Effort) (float64, bool) { return seconds(e.Above) }, show: func(e frameworks.Effort) text { return bytesWord(e.Above) },
		best: text{"smallest", "最小"}, why: text{"no memory trial in this run", "本次运行没有内存试验"},
	},
}

// effortRows are the rows of T2: each framework with its best entry.
func (v *view) effortRows() []effortRow {
	j := v.judged()
	var rows []effortRow
	for _, a := range aspects {
		row := effortRow{Name: a.name, How: a.how}
		if x := v.exported(); a.alone && !a.installed && !x.Empty() {
			row.How = textf("%s; %s", "%s；%s", a.how, x)
		}
		values := make([]*frameworks.Effort, len(j.subject.Frameworks))
		var all []float64
		every := a.every(j.efforts)
		for i, f := range j.subject.Frameworks {
			for k := range j.efforts {
				if e := &j.efforts[k]; e.Framework.ID == f.ID && a.better(e, values[i]) {
					values[i] = e
				}
			}
			if values[i] != nil && a.compares(*values[i], every) {
				all = append(all, must(a.of(*values[i])))
			}
		}
		if !slices.ContainsFunc(values, func(e *frameworks.Effort) bool { return e != nil }) && !(a.installed && slices.ContainsFunc(j.subject.Frameworks, v.builtIn)) {
			row.Why = a.why
			rows = append(rows, row)
			continue
		}
		top, marked := 0.0, len(all) > 1 && slices.Min(all) != slices.Max(all)
		if marked && a.more {
			top = slices.Max(all)
		} else if marked {
			top = slices.Min(all)
		}
		for i, f := range j.subject.Frameworks {
			cell := effortValue{Framework: headOf(f), Value: same(none)}
			if e := values[i]; e != nil {
				cell.Value = a.show(*e)
				if v.differ(f, a) {
					cell.Entry = same(v.entry(e.Backend).Label)
				}
				if n := len(a.cells(*e)); n < every {
					cell.Over = textf("of %s only", "仅取其中 %s", counts(n, "cell", "个单元"))
				}
				if marked && must(a.of(*e)) == top && a.compares(*e, every) {
					cell.Best = a.best
				}
			} else if v.builtIn(f) && a.installed {
				cell.Value = builtIn
			}
			row.Values = append(row.Values, cell)
		}
		rows = append(rows, row)
	}
	return append(rows,
		effortRow{Name: text{"Community", "社区支持"}, Why: text{"not a property of a run: no trial could tell", "不是运行所能测出的：没有哪次试验能说明"}},
		effortRow{Name: text{"Learning curve", "学习曲线"}, Why: text{"takes people, not trials: lines of code and time to the first result are as near as numbers get", "要靠人而非试验来衡量：代码行数与首个结果时间已是最接近的数字"}},
	)
}

// cells are the groups that a figure is made from, of which only the same compare.
func (a aspect) cells(e frameworks.Effort) []int {
	if a.over == nil {
		return nil
	}
	return a.over(e)
}

// every is how many groups anyone has a figure of.
func (a aspect) every(all []frameworks.Effort) int {
	seen := map[int]bool{}
	for _, e := range all {
		if _, ok := a.of(e); ok {
			for _, i := range a.cells(e) {
				seen[i] = true
			}
		}
	}
	return len(seen)
}

// compares reports whether an entry's figure may be called the best of a row: it
// is of all groups that anyone's is of, and leaves out no environment that it needs.
func (a aspect) compares(e frameworks.Effort, every int) bool {
	return !a.best.Empty() && len(a.cells(e)) == every && !(a.alone && len(e.Needs) > 0)
}

// better reports whether an entry rather than another stands for its framework:
// the one with figures of more groups, and of as many the better figure. nil: no
// entry yet.
func (a aspect) better(e, than *frameworks.Effort) bool {
	x, ok := a.of(*e)
	if !ok || than == nil {
		return ok
	}
	if n, m := len(a.cells(*e)), len(a.cells(*than)); n != m {
		return n > m
	}
	y := must(a.of(*than))
	return a.more && x > y || !a.more && x < y
}

func must(x float64, _ bool) float64 { return x }

// differ reports whether the entries of a framework differ in an aspect.
func (v *view) differ(f frameworks.Framework, a aspect) bool {
	var first *float64
	for _, e := range v.judged().efforts {
		x, ok := a.of(e)
		if e.Framework.ID != f.ID || !ok {
			continue
		}
		if first == nil {
			first = &x
		} else if x != *first {
			return true
		}
	}
	return false
}

func (v *view) builtIn(f frameworks.Framework) bool {
	return slices.ContainsFunc(v.judged().efforts, func(e frameworks.Effort) bool { return e.Framework.ID == f.ID && e.BuiltIn })
}

var builtIn = text{"part of dlbench", "内置于 dlbench"}

// withNeeds adds to an entry's own figure what the other environments that it
// needs take, by name alone where that is not known.
func withNeeds(own string, e frameworks.Effort, of func(frameworks.Need) string) text {
	for _, n := range e.Needs {
		own += " + " + strings.TrimSpace(clean(line(n.Name), 40)+" "+of(n))
	}
	return same(own)
}

// exported says what is left out of the figures of entries whose graphs others
// export.
func (v *view) exported() text {
	var by []text
	for _, e := range v.judged().efforts {
		for _, n := range e.Needs {
			w := textf("%s: its export from %s is not included", "%s：不含从 %s 导出的时间", v.entry(e.Backend).Label, clean(line(n.Name), 40))
			if !slices.Contains(by, w) {
				by = append(by, w)
			}
		}
	}
	return joined(by, "; ", "；")
}

func diskWord(e frameworks.Effort) text {
	switch {
	case e.DiskBytes > 0:
		return withNeeds(bytesize(float64(e.DiskBytes)), e, func(n frameworks.Need) string {
			if n.DiskBytes <= 0 {
				return ""
			}
			return bytesize(float64(n.DiskBytes))
		})
	case e.BuiltIn:
		return builtIn
	}
	return same(none)
}

func setupWord(e frameworks.Effort) text {
	switch {
	case e.SetupNS > 0:
		return withNeeds(duration(float64(e.SetupNS)), e, func(n frameworks.Need) string {
			if n.SetupNS <= 0 {
				return ""
			}
			return duration(float64(n.SetupNS))
		})
	case e.BuiltIn:
		return builtIn
	}
	return same(none)
}

func secondsWord(p *float64) text {
	if p == nil {
		return same(none)
	}
	return same(duration(*p * 1e9))
}

func bytesWord(p *float64) text {
	if p == nil {
		return same(none)
	}
	return same(bytesize(*p))
}

func linesWord(e frameworks.Effort) text {
	if e.Lines <= 0 {
		return same(none)
	}
	return counts(e.Lines, "line", "行")
}

func ranWord(e frameworks.Effort) text {
	return textf("%d of %d", "%[2]d 个中 %[1]d 个", e.Ran, e.Planned)
}

// supported is how much of the run's work an entry can do.
func supported(e frameworks.Effort) float64 { return float64(e.Ran) / math.Max(1, float64(e.Planned)) }
