package report

import (
	"strconv"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/compare/claims"
	"github.com/dlbench/dlbench/results/compare/frameworks"
)

// starRow is one aspect of the table.
type starRow struct {
	ID        string // anchor
	Name      text
	Workloads []link
	Mean      text // how the row's cost is made
	Left      []text
	Cells     []starCell // one per framework; nil: nothing was measured
	Plot      *costPlot
	Badge     *badge
	Advantage []text
	Missing   text // why there are no stars
	Unrated   badge
	Command   text
	Article   text // the article's stars, of a row without cells
}

// Many reports whether the row's workloads are too many for its narrow column, so
// that they are shown on demand.
func (r starRow) Many() bool { return len(r.Workloads) > 4 }

// starCell is a framework in a row.
type starCell struct {
	Framework frameworkHead
	Stars     []starShape // five; nil: not rated
	Words     text
	To        string // anchor of the rows behind it
	Ratio     string
	Range     text
	Process   text // peak of the whole process, where the cost is of a part of it
	Note      text // whose rating it shares, or why it has none
	Article   string
}

// starShape is one star: its outline, and what of it is full.
type starShape struct{ X, Full string }

func (v *view) starRow(r frameworks.Row) starRow {
	row := starRow{ID: aspectID(r.Aspect), Name: aspectWord(r.Aspect)}
	if r.Lowest < 0 {
		row.Missing, row.Command = v.unrated(r)
		row.Unrated = verdictBadge(compare.Missing)
		if r.Needed > 0 {
			row.Unrated = verdictBadge(compare.Inconclusive)
		}
		row.Article = articleStars(r.Aspect)
		return row
	}
	row.Workloads = v.groupLinks(firstCells(r.Groups))
	row.Mean = textf("geometric mean of %s", "%s的几何平均", workloadsWord(len(r.Groups)))
	for _, l := range r.Left {
		row.Left = append(row.Left, v.leftWords(l))
	}
	for i, rating := range r.Ratings {
		c := v.starCell(rating, i == r.Lowest, r.Aspect == frameworks.Memory)
		if a := opinions[r.Aspect][rating.Framework.ID]; a > 0 {
			c.Article = starCount(float64(a))
		}
		if len(r.Groups) > 0 {
			c.To = v.groupLink(r.Groups[0].Cells[0]).To
		}
		row.Cells = append(row.Cells, c)
	}
	row.Plot = v.costPlot(r)
	row.Badge, row.Advantage = v.advantage(r)
	return row
}

// leftWords say why a workload is left out of a row.
func (v *view) leftWords(l frameworks.Left) text {
	var why []text
	if len(l.Unfinished) > 0 {
		why = append(why, textf("not finished by %s", "%s 未完成", names(l.Unfinished)))
	}
	if len(l.Unplanned) > 0 {
		why = append(why, textf("not planned for %s", "未安排 %s", names(l.Unplanned)))
	}
	if len(l.Nothing) > 0 {
		why = append(why, textf("the peak of %s does not exceed the level after import, and no ratio can be taken of that", "%s 的峰值未超出导入后的水平，无法求比值", names(l.Nothing)))
	}
	if len(l.Short) > 0 {
		why = append(why, textf("the trials of %s were too short to be confirmed", "%s 的试验过短，无法确认", names(l.Short)))
	}
	return textf("left out: %s, %s", "未计入：%s（%s）", v.title(l.Key.Workload), joined(why, "; ", "；"))
}

// firstCells are a cell of each group, to link by.
func firstCells(groups []frameworks.Group) []results.Cell {
	list := make([]results.Cell, len(groups))
	for i, g := range groups {
		list[i] = g.Cells[0]
	}
	return list
}

func names(fs []frameworks.Framework) text {
	list := make([]text, len(fs))
	for i, f := range fs {
		list[i] = sameName(f)
	}
	return joined(list, ", ", "、")
}

// starCount writes 4 or 4.5.
func starCount(stars float64) string { return round3(stars) }

func (v *view) starCell(r frameworks.Rating, lowest, memory bool) starCell {
	c := starCell{Framework: headOf(r.Framework)}
	if !r.Rated() {
		switch {
		case r.Nothing > 0:
			c.Note = textf("in %d of %d the peak does not exceed the level after import", "%[2]d 个中有 %[1]d 个的峰值未超出导入后的水平", r.Nothing, r.Of)
		case r.Planned == 0:
			c.Note = text{"not planned", "未安排"}
		case r.Finished == 0:
			c.Note = text{"none finished", "均未完成"}
		default:
			c.Note = textf("finished %d of %d", "%[2]d 个中完成 %[1]d 个", r.Finished, r.Of)
		}
		return c
	}
	for i := range 5 {
		shape := starShape{X: strconv.Itoa(15 * i)}
		if full := r.Stars - float64(i); full >= 1 {
			shape.Full = "star"
		} else if full >= 0.5 {
			shape.Full = "star-half"
		}
		c.Stars = append(c.Stars, shape)
	}
	c.Words = textf("%s of 5 stars", "%s 星（满分 5 星）", starCount(r.Stars))
	c.Ratio = times(*r.Relative)
	switch {
	case lowest:
		c.Range = text{"lowest", "最低"}
	case !memory:
		_, c.Range = showRatio(interval{r.Relative, finite(r.Lo), finite(r.Hi)})
	}
	if r.Process != nil {
		c.Process = textf("process %s", "进程 %s", bytesize(*r.Process))
	}
	if len(r.Shared) > 0 {
		c.Note = textf("own cost: %s; not separated from %s", "自身开销对应 %s 星；与 %s 未分出高下", starCount(r.Own), names(r.Shared))
	}
	return c
}

// unrated says why a row has no stars, and with which command it would.
func (v *view) unrated(r frameworks.Row) (why, command text) {
	both := same("dlbench run --suite articles-small")
	switch r.Aspect {
	case frameworks.Distributed:
		return text{
			"dlbench cannot measure this yet: a trial has one device of one machine, and no suite of its own trains on several (dlbench list suites).",
			"dlbench 目前还不能测量：每次试验只用一台机器的一个设备，自带的套件都不在多个设备上训练（见 dlbench list suites）。",
		}, text{}
	case frameworks.Mobile:
		return text{
			"dlbench cannot measure this yet: its workers run on this machine, and no entry of its catalog is for a phone (dlbench list backends).",
			"dlbench 目前还不能测量：工作进程只在本机运行，目录中没有针对手机的后端（见 dlbench list backends）。",
		}, text{}
	}
	if r.Needed > 0 {
		command, change := claims.More(v.judged().subject, r.Made, r.Needed)
		more := text{"More rounds:", "增加轮次："}
		if c := text(change); !c.Empty() {
			more = textf("More rounds, %s:", "增加轮次，%s：", c)
		}
		return textf("No stars: no verdict on any pair was possible with %d rounds, since one takes at least %d, and everyone would share the best rating. %s",
			"没有星级：一项结论至少需要 %[2]d 轮，而只有 %[1]d 轮，任何两个框架都分不出高下，所有框架都会得到最高星数。%[3]s", r.Made, r.Needed, more), text(command)
	}
	rated := 0
	for _, x := range r.Ratings {
		if x.Finished > 0 && 2*x.Finished >= x.Of {
			rated++
		}
	}
	planned := 0
	for _, x := range r.Ratings {
		planned = max(planned, x.Of)
	}
	switch {
	case planned == 0:
		return text{"This run plans nothing of it. A suite that does:", "本次运行没有相关计划。可测量它的套件："}, both
	case r.Aspect == frameworks.Memory && rated == 0:
		return text{"No memory trial of this run may be ranked; the reasons stand under memory. A suite with every framework:", "本次运行没有可参与排名的内存试验，原因见“内存”一节。包含全部框架的套件："}, both
	case rated == 0:
		return text{"No framework finished at least half of the workloads with proven results; the reasons stand in the tables below.", "没有哪个框架完成了至少一半负载并证明结果正确，原因见下文各表。"}, text{}
	case rated == 1:
		return text{"Only one framework of this run finished it, and a rating takes two to hold against each other. A suite with every framework:", "本次运行只有一个框架完成，而评级至少需要两个框架相互比较。包含全部框架的套件："}, both
	}
	return text{"No workload was finished by all frameworks of the row in trials long enough to be confirmed.", "没有一个负载是该行所有框架都以足够长、可确认的试验完成的。"}, text{}
}
