package report

import (
	"regexp"
	"slices"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/compare/claims"
	"github.com/dlbench/dlbench/results/compare/frameworks"
)

// asked words what a metric is asked about.
type asked struct {
	ahead, behind text
	// ratio words a ratio, or a range of them; the ratio of a question about speed is
	// turned round, so that more is better.
	ratio func(text) text
	speed bool
}

func wordsOf(metric string) asked {
	switch metric {
	case "peak-resident", "peak-resident-above-import":
		return asked{ahead: text{"less memory", "占用更少"}, behind: text{"more memory", "占用更多"}, ratio: func(r text) text {
			return textf("%s the peak", "峰值为其%s", r)
		}}
	case frameworks.FirstResult.Name:
		return asked{ahead: text{"sooner", "更早"}, behind: text{"later", "更晚"}, ratio: func(r text) text {
			return textf("%s as long", "用时为其%s", r)
		}}
	}
	return asked{ahead: text{"faster", "更快"}, behind: text{"slower", "更慢"}, speed: true, ratio: func(r text) text {
		return textf("at %s the speed", "速度为其%s", r)
	}}
}

// tallyWords says how a question came out on its workloads: who, against whom, on
// how many of them what.
func tallyWords(q frameworks.Question, unit func(int) text) text {
	t, w := q.Tally(), wordsOf(q.Metric.Name)
	total := len(q.Lines)
	var parts []text
	say := func(n int, word text, ratios []float64) {
		if n == 0 {
			return
		}
		part := textf("%s on %d", "%[2]d 个%[1]s", word, n)
		if len(ratios) > 0 {
			part = textf("%s (%s)", "%s（%s）", part, w.ratio(rangeOf(ratios)))
		}
		parts = append(parts, part)
	}
	var up, down []float64
	for _, l := range q.Lines {
		if l.Comparison == nil || l.Comparison.Ratio == nil {
			continue
		}
		r := *l.Comparison.Ratio
		if w.speed && r > 0 {
			r = 1 / r
		}
		switch l.Result() {
		case frameworks.Ahead:
			up = append(up, r)
		case frameworks.Behind:
			down = append(down, r)
		}
	}
	say(t.Ahead, w.ahead, up)
	say(t.Behind, w.behind, down)
	say(t.Equal, text{"equivalent", "两者相当"}, nil)
	say(t.Undecided, text{"undecided", "尚无定论"}, nil)
	say(t.Absent, text{"not comparable", "无法比较"}, nil)
	return unspaced(textf("%s against %s: of %s, %s", "%[1]s 与 %[2]s 相比，%[3]s中：%[4]s",
		sideWord(q.Head), sideWord(q.Base), unit(total), joined(parts, ", ", "，")))
}

// sideWords are the sides that are no backend and no framework. All have a space in
// them, so that no worker's name is one of them (results.Cell.Validate).
var sideWords = map[string]text{
	claims.Eager:        {"eager execution", "动态图"},
	claims.Graph:        {"graph or compiled entries", "静态图或编译形式"},
	claims.Mixed:        {"mixed precision", "混合精度"},
	claims.Full:         same("f32"),
	claims.Plain:        {"plain training", "普通训练"},
	claims.Accumulated:  {"accumulated gradients", "梯度累积"},
	claims.Checkpointed: {"gradient checkpointing", "梯度检查点"},
	claims.OnCPU:        {"the CPU", "CPU"},
	claims.OnGPU:        {"the GPU", "GPU"},
	claims.BestOfTwo:    {"the better of TensorFlow and PyTorch", "另两者（TensorFlow、PyTorch）中较优者"},
}

// sideWord names a side of a question.
func sideWord(name string) text {
	if t, ok := sideWords[name]; ok {
		return t
	}
	return same(clean(line(name), 40))
}

func workloadsWord(n int) text   { return counts(n, "workload", "个负载") }
func comparisonsWord(n int) text { return counts(n, "comparison", "项比较") }

// questionTable is a question, line by line.
type questionTable struct {
	ID     string // of its caption
	Of     string // id of what else names it; empty: nothing
	Metric text
	Ratio  text // what the ratio is of
	Family text
	Lines  []questionLine
}

type questionLine struct {
	Workload   link
	Detail     text
	Head, Base identity
	HeadRaw    string // anchor of the trials; empty: none is ranked
	BaseRaw    string
	Ratio      string
	Range      text
	Badge      badge
}

func (v *view) questionTable(id string, q frameworks.Question) questionTable {
	w := wordsOf(q.Metric.Name)
	t := questionTable{
		ID:     id,
		Metric: askedOf(q.Metric.Name),
		Ratio:  textf("%s ÷ %s", "%s ÷ %s", sideWord(q.Head), sideWord(q.Base)),
		Family: textf("%s share %s", "%s共用误报率 %s", comparisonsWord(q.Family), percent(v.judged().subject.Policy.Alpha)),
	}
	for _, l := range q.Lines {
		row := questionLine{Workload: v.groupLink(l.Planned), Detail: v.detail(l.Group), Badge: resultBadge(l, w)}
		row.Head, row.HeadRaw = v.chosen(l.Head)
		row.Base, row.BaseRaw = v.chosen(l.Base)
		mid, lo, hi := l.Speed()
		if c := l.Comparison; c != nil && !w.speed {
			mid, lo, hi = c.Ratio, c.Lo, c.Hi
		}
		row.Ratio, row.Range = showRatio(interval{mid, lo, hi})
		t.Lines = append(t.Lines, row)
	}
	return t
}

// chosen is the entry that stands for a side.
func (v *view) chosen(s *compare.Summary) (identity, string) {
	if s == nil {
		return identity{}, ""
	}
	raw := ""
	if c := v.judged().cells[s.Cell]; c != nil {
		raw = c.ID
	}
	return v.entry(s.Cell.Backend), raw
}

// resultBadge words a line about its head.
func resultBadge(l frameworks.Line, w asked) badge {
	switch r := l.Result(); r {
	case frameworks.Ahead:
		return badge{"i-up", "b-faster", w.ahead}
	case frameworks.Behind:
		return badge{"i-down", "b-slower", w.behind}
	case frameworks.Equal:
		return verdictBadge(compare.Equivalent)
	case frameworks.Undecided:
		return verdictBadge(compare.Inconclusive)
	}
	if l.Unsupported {
		return statusBadge(compare.StatusUnsupported)
	}
	return badge{"i-q", "b-open", text{"not comparable", "无法比较"}}
}

// askedOf names what a question compares.
func askedOf(name string) text {
	switch name {
	case "peak-resident":
		return text{"peak of resident memory", "常驻内存峰值"}
	case "peak-resident-above-import":
		return text{"peak of resident memory above import", "高出导入后的常驻内存峰值"}
	case frameworks.FirstResult.Name:
		return text{"time to the first result", "得到首个结果的时间"}
	case "step-time":
		return text{"speed", "速度"}
	}
	return same(line(name))
}

// linked are the distinct workloads of questions.
func (v *view) linked(qs []frameworks.Question) []link {
	var cells []results.Cell
	for _, q := range qs {
		for _, l := range q.Lines {
			cells = append(cells, l.Planned)
		}
	}
	return v.groupLinks(cells)
}

// groupLinks lead to the groups of cells, each once. Where titles are the same the
// mode stands beside them, and the settings where that is the same, too.
func (v *view) groupLinks(cells []results.Cell) []link {
	var list []link
	var groups []*group
	for _, c := range cells {
		if x := v.judged().cells[c]; x != nil && !slices.Contains(groups, x.group) {
			groups = append(groups, x.group)
			list = append(list, link{x.group.ID, x.group.Title})
		}
	}
	for _, more := range []func(*group) text{func(g *group) text { return modeWord(g.Key.Mode) }, func(g *group) text { return g.Detail }} {
		times := map[text]int{}
		for _, l := range list {
			times[l.Text]++
		}
		for i, l := range list {
			if times[l.Text] > 1 {
				list[i].Text = textf("%s (%s)", "%s（%s）", groups[i].Title, more(groups[i]))
			}
		}
	}
	return list
}

// unspaced drops the spaces that a format left between Chinese characters: names
// from other scripts stand apart from them, words do not.
func unspaced(t text) text {
	// Twice, since a match takes the character that the next one begins with.
	for range 2 {
		t.ZH = betweenHan.ReplaceAllString(t.ZH, "$1$2")
	}
	return t
}

var betweenHan = regexp.MustCompile(`(\p{Han}) +(\p{Han})`)
