package report

import (
	"strconv"
	"strings"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/compare/claims"
	"github.com/dlbench/dlbench/results/compare/frameworks"
)

// starSection is the articles' star table [T1], measured.
type starSection struct {
	section
	Frameworks []frameworkHead
	Wide       int // columns of a row that was not measured
	Rows       []starRow
	Rules      []text
	Panels     []costPanel
}

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

// opinions are the stars that the source article gave, by aspect.
var opinions = map[frameworks.Aspect]map[string]int{
	frameworks.Training:    {frameworks.TensorFlow: 4, frameworks.PyTorch: 4},
	frameworks.Inference:   {frameworks.TensorFlow: 5, frameworks.PyTorch: 4},
	frameworks.Memory:      {frameworks.TensorFlow: 4, frameworks.PyTorch: 4},
	frameworks.Distributed: {frameworks.TensorFlow: 5, frameworks.PyTorch: 4},
	frameworks.Mobile:      {frameworks.TensorFlow: 5, frameworks.PyTorch: 3},
}

// aspectWord names a row as the articles do.
func aspectWord(a frameworks.Aspect) text {
	zh := map[frameworks.Aspect]string{
		frameworks.Training: "训练速度", frameworks.Inference: "推理速度", frameworks.Memory: "内存效率",
		frameworks.Distributed: "分布式训练", frameworks.Mobile: "移动端部署",
	}
	return text{strings.ToUpper(string(a[:1])) + string(a[1:]), zh[a]}
}

// aspectID is the anchor of a row.
func aspectID(a frameworks.Aspect) string {
	return map[frameworks.Aspect]string{
		frameworks.Training: "stars-train", frameworks.Inference: "stars-infer", frameworks.Memory: "stars-memory",
		frameworks.Distributed: "stars-distributed", frameworks.Mobile: "stars-mobile",
	}[a]
}

func (v *view) stars() starSection {
	j := v.judged()
	s := starSection{section: section{
		ID: "stars", Nav: text{"The star table", "星级表"},
		Title: text{"The star table, measured", "星级表：实测结果"},
		Lead: text{
			"The articles gave stars by opinion. Here each star follows from measured cost by one printed rule, and a row that nobody measured stays empty. Small print says what the article had.",
			"文章凭印象给星；这里的每颗星都由实测开销按一条公开规则得出，没有测过的行就空着。小字为原文所给的星数。",
		},
	}, Rules: v.starRules()}
	for _, f := range j.subject.Frameworks {
		s.Frameworks = append(s.Frameworks, headOf(f))
	}
	s.Wide = len(s.Frameworks) + 1
	for _, r := range j.rows {
		s.Rows = append(s.Rows, v.starRow(r))
		if r.Lowest >= 0 || r.Needed > 0 {
			s.Panels = append(s.Panels, v.costPanel(r))
		}
	}
	return s
}

// starRules print the rule; the method section of the page need not.
func (v *view) starRules() []text {
	p := v.judged().subject.Policy
	return []text{
		{
			"Stars = 5 − log₂(cost ÷ lowest cost in the row), to the nearest half, at least 1: each doubling of the cost takes one star. Cost of speed: time per example; cost of memory: what the workload took, the peak of the process tree (PSS) in memory trials less its level after import, which is the size of a library; the whole process’s peak stands beside it in words and is not rated. Of speed, cost ÷ lowest is the geometric mean over the workloads of the ratios paired by round, as verdicts see them; of memory, that of the ratios of medians. Each framework stands with its entry of smallest median on each workload. The tables of entries below have ratios of medians throughout, which are other figures.",
			"星数 = 5 − log₂(开销 ÷ 该行最低开销)，取最接近的半星，至少 1 星：开销每翻一倍少一颗星。速度的开销是每个样本的时间；内存的开销是负载本身所占：内存试验中进程树的峰值（PSS）减去导入后的水平，后者只是库本身的大小；整个进程的峰值以文字附在旁边，不参与评级。速度的“开销 ÷ 最低开销”是按轮配对之比在各负载上的几何平均，与下结论所用的比值相同；内存则是中位数之比的几何平均。每个框架在每个负载上由中位数最小的形式代表。下方各形式的表中一律为中位数之比，与此不是同一个数字。",
		},
		textf(
			"Two frameworks whose mean is not shown to differ by more than %[1]s share the higher rating. Each pair of frameworks in a row is a question of its own: all pairs of their entries on all workloads of the row share a chance of %[2]s of any wrong verdict, so choosing the best entry afterwards adds no wrong verdicts.",
			"若不能证明两个框架的平均开销相差超过 %[1]s，两者都取较高的星数。每行中每两个框架构成一个独立的问题：两者的所有形式在该行所有负载上的全部配对，共用 %[2]s 的误判概率，因此事后挑选最优形式不会增加误判。",
			percent(p.MinEffect), percent(p.Alpha)),
		{
			"A workload that a framework could not finish, or not provably right, leaves the row for all, and the row says so; a framework that finished less than half of them is not rated.",
			"若某个框架未能完成某个负载，或未能证明结果正确，该负载对所有框架都不计入，并在行内注明；完成不到一半的框架不予评级。",
		},
	}
}

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

// articleStars are the article's, in words.
func articleStars(a frameworks.Aspect) text {
	o := opinions[a]
	return textf("article: TensorFlow %d, PyTorch %d", "原文：TensorFlow %d 星，PyTorch %d 星", o[frameworks.TensorFlow], o[frameworks.PyTorch])
}

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
	return text{"No workload was finished by all frameworks of the row.", "没有一个负载是该行所有框架都完成的。"}, text{}
}

// advantage says who is ahead, from verdicts alone: first the articles' question,
// then the framework with the lowest cost against all others.
func (v *view) advantage(r frameworks.Row) (*badge, []text) {
	if r.Aspect == frameworks.Memory {
		b := badge{"i-q", "b-open", text{"no verdict", "不下结论"}}
		return &b, []text{textf(
			"%s has the lowest peak above import. Peaks are read in a few memory trials per cell and not in every round, so the stars follow the rule but nothing is judged.",
			"%s 高出导入后的峰值最低。内存峰值只取自每个单元的少数几次内存试验，而不是每轮都测，因此星数只按规则得出，不作判断。", sameName(r.Ratings[r.Lowest].Framework))}
	}
	var list []text
	var b *badge
	if q, ok := r.Question(frameworks.TensorFlow, frameworks.PyTorch); ok {
		t := q.Tally()
		list = append(list, tallyWords(q, workloadsWord))
		switch len(q.Lines) {
		case t.Equal:
			equal := verdictBadge(compare.Equivalent)
			b = &equal
		case t.Undecided + t.Absent:
			open := verdictBadge(compare.Inconclusive)
			b = &open
		}
	}
	var others []text
	for _, q := range leading(r) {
		t := q.Tally()
		others = append(others, textf("%s: %s", "%s：%s", sideWord(q.Base), shortTally(t)))
	}
	if len(others) > 0 {
		list = append(list, textf("%s, at the lowest cost, on %s, against %s", "开销最低的是 %s，在 %s上与其他框架相比：%s",
			sameName(r.Ratings[r.Lowest].Framework), workloadsWord(len(r.Groups)), joined(others, "; ", "；")))
	}
	return b, list
}

// leading are the questions of the framework with the lowest cost against all
// others, but for the articles' own.
func leading(r frameworks.Row) []frameworks.Question {
	if r.Lowest < 0 {
		return nil
	}
	contender := func(id string) bool { return id == frameworks.TensorFlow || id == frameworks.PyTorch }
	lowest := r.Ratings[r.Lowest].Framework
	var list []frameworks.Question
	for _, x := range r.Ratings {
		if contender(x.Framework.ID) && contender(lowest.ID) {
			continue
		}
		if q, ok := r.Question(lowest.ID, x.Framework.ID); ok {
			list = append(list, q)
		}
	}
	return list
}

// shortTally counts without ratios.
func shortTally(t frameworks.Tally) text {
	var parts []text
	say := func(n int, en, zh string) {
		if n > 0 {
			parts = append(parts, textf("%d "+en, "%d "+zh, n))
		}
	}
	say(t.Ahead, "faster", "个更快")
	say(t.Behind, "slower", "个更慢")
	say(t.Equal, "equivalent", "个两者相当")
	say(t.Undecided, "undecided", "个尚无定论")
	say(t.Absent, "not comparable", "个无法比较")
	return joined(parts, ", ", "、")
}

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
