package report

import (
	"slices"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// hero is the head of the page: the question, the answer in one sentence, and
// the facts that say how far to trust it.
type hero struct {
	Kick     text
	Question text
	Answer   text
	Facts    []fact
}

type fact struct{ Label, Value text }

// answered is how many backends the answer speaks of; the tables have them all.
const answered = 6

func (v *view) hero() hero {
	h := hero{
		Kick:     text{"Deep-learning frameworks, measured", "深度学习框架实测"},
		Question: v.question(),
		Answer:   v.answer(),
		Facts:    []fact{v.howSure(), v.sample(), {text{"Host", "主机"}, hostLine(v.run.Meta.Host)}, v.dateAndVersions()},
	}
	if f := v.noiseFloor(); !f.Label.Empty() {
		h.Facts = append(h.Facts, f)
	}
	return h
}

func (v *view) question() text {
	if len(v.backends) < 2 {
		name := text{"Deep learning", "深度学习"}
		if len(v.backends) == 1 {
			name = same(v.backends[0].Label)
		}
		return textf("%s: how fast is it, and at what cost in memory?", "%s：有多快，又要多少内存？", name)
	}
	if len(v.backends) > 4 {
		return textf("%d backends: which is faster, and at what cost in memory?", "%d 个后端：谁更快，又要多少内存？", len(v.backends))
	}
	names := make([]text, len(v.backends))
	for i, b := range v.backends {
		names[i] = same(b.Label)
	}
	head := joined(names[:len(names)-1], ", ", "、")
	return textf("%s or %s: which is faster, and at what cost in memory?", "%s 还是 %s：谁更快，又要多少内存？", head, names[len(names)-1])
}

// tally counts a backend's comparisons by verdict, with the ratios of speed of
// the decided ones.
type tally struct {
	faster, slower, equal, undecided, without int
	up, down                                  []float64
}

func (v *view) tallies() (map[string]*tally, tally) {
	per, all := map[string]*tally{}, tally{}
	for _, c := range v.cells() {
		if c.baseline {
			continue
		}
		t := per[c.Cell.Backend]
		if t == nil {
			t = &tally{}
			per[c.Cell.Backend] = t
		}
		for _, x := range []*tally{t, &all} {
			x.add(c)
		}
	}
	return per, all
}

func (t *tally) add(x *cell) {
	c := x.comparison
	if c == nil || !x.ranked() {
		t.without++
		return
	}
	ratio := speedup(c).Mid
	switch {
	case c.Verdict == compare.Improved && ratio != nil:
		t.faster++
		t.up = append(t.up, *ratio)
	case c.Verdict == compare.Regressed && ratio != nil:
		t.slower++
		t.down = append(t.down, *ratio)
	case c.Verdict == compare.Equivalent:
		t.equal++
	case c.Verdict == compare.Inconclusive:
		t.undecided++
	default:
		t.without++
	}
}

// answer is made from verdicts alone: only a decided comparison is called
// faster, slower or equivalent.
func (v *view) answer() text {
	if len(v.trials) == 0 {
		return text{"Nothing was measured: this run holds no trial.", "没有测量：本次运行不含任何试验。"}
	}
	per, all := v.tallies()
	if all.compared() == 0 {
		return textf("No backend could be compared with %s in this run; the reasons stand in the tables.", "本次运行中没有任何后端可与 %s 比较；原因见下文各表。", v.baseline.Label)
	}
	var clauses, apart []text
	left := 0
	for _, b := range v.backends {
		t := per[b.Name]
		if t == nil || b.Name == v.baseline.Name {
			continue
		}
		if t.compared() == 0 {
			apart = append(apart, same(b.Label))
			continue
		}
		if len(clauses) == answered {
			left++
			continue
		}
		clauses = append(clauses, textf("%s is %s", "%s %s", b.Label, t.clause(v.baseline.Label)))
	}
	if n := len(apart); n > 0 && n <= answered {
		clauses = append(clauses, textf("%s could not be compared", "%s 无法比较", joined(apart, ", ", "、")))
	} else if n > 0 {
		clauses = append(clauses, textf("%d others could not be compared", "另有 %d 个无法比较", n))
	}
	s := joined(clauses, "; ", "；")
	if left > 0 {
		s = textf("%s; %d more below", "%s；另有 %d 个见下", s, left)
	}
	t := textf("Against %s on this host: %s.", "在这台主机上与 %s 相比：%s。", v.baseline.Label, s)
	if all.undecided == all.compared() {
		t = textf("No difference in speed from %s is decided on this host: %s.", "在这台主机上，与 %s 的速度差异都尚无定论：%s。", v.baseline.Label, s)
	}
	return textf("%s%s", "%s%s", t, v.memorySentence())
}

// compared is the number of comparisons that were possible.
func (t *tally) compared() int { return t.faster + t.slower + t.equal + t.undecided }

// clause is one backend's part of the answer: how many of its comparisons came
// out how, and the ratios of speed where that is decided.
func (t *tally) clause(base string) text {
	total := t.compared() + t.without
	var parts []text
	say := func(n int, word text, ratios []float64) {
		if n == 0 {
			return
		}
		part := textf("%s in %d", "%[2]d 项%[1]s", word, n)
		switch {
		case n == total && total == 1:
			part = textf("%s in its one comparison", "仅有的 1 项比较%s", word)
		case n == total:
			part = textf("%s in all %d comparisons", "全部 %[2]d 项比较均%[1]s", word, n)
		case len(parts) == 0:
			part = textf("%s in %d of %d comparisons", "%[3]d 项比较中 %[2]d 项%[1]s", word, n, total)
		}
		if len(ratios) > 0 {
			part = textf("%s, at a median of %s the speed of %s", "%s（速度是 %[3]s 的%[2]s，中位数）", part, rangeOf(ratios), base)
		}
		parts = append(parts, part)
	}
	say(t.faster, text{"faster", "更快"}, t.up)
	say(t.slower, text{"slower", "更慢"}, t.down)
	say(t.equal, text{"equivalent", "两者相当"}, nil)
	say(t.undecided, text{"undecided", "尚无定论"}, nil)
	say(t.without, text{"not comparable", "无法比较"}, nil)
	return joined(parts, ", ", "，")
}

// rangeOf shows the smallest and the largest ratio: 1.24× to 1.27×.
func rangeOf(xs []float64) text {
	lo, hi := times(slices.Min(xs)), times(slices.Max(xs))
	zlo, zhi := sig(slices.Min(xs)), sig(slices.Max(xs))
	if lo == hi {
		return text{lo, " " + zlo + " 倍"}
	}
	return text{lo + " to " + hi, " " + zlo + " 至 " + zhi + " 倍"}
}

// memorySentence says what the peaks above import were; it is a description,
// not a verdict.
func (v *view) memorySentence() text {
	var parts []text
	for _, b := range v.backends {
		var xs []float64
		for _, c := range v.cells() {
			if x, ok := c.above(); ok && c.Cell.Backend == b.Name {
				xs = append(xs, x)
			}
		}
		if len(xs) == 0 || len(parts) == answered {
			continue
		}
		lo, hi := mebibytes(slices.Min(xs)), mebibytes(slices.Max(xs))
		if lo != hi {
			lo = sig(slices.Min(xs)/(1<<20)) + "–" + hi
		}
		parts = append(parts, textf("%s %s", "%s %s", b.Label, lo))
	}
	if len(parts) == 0 {
		return text{}
	}
	return textf(" Peak memory above the level after import, described and not judged: %s.", "内存峰值比导入后高出（仅作描述，不下结论）：%s。", joined(parts, ", ", "，"))
}

func (v *view) howSure() fact {
	_, all := v.tallies()
	done := all.faster + all.slower + all.equal
	total := done + all.undecided
	value := text{"no comparison could be made", "没有可进行的比较"}
	if total > 0 {
		value = textf("%d of %s decided at ±%s, %d undecided", "%[2]s中 %[1]d 项有结论（阈值 ±%[3]s），%[4]d 项尚无定论", done, counts(total, "comparison", "项比较"), percent(v.minEffect()), all.undecided)
	}
	if all.without > 0 {
		value = textf("%s; %d not comparable", "%s；另有 %d 项无法比较", value, all.without)
	}
	if alpha := v.analysis.Policy.Alpha; alpha > 0 {
		value = textf("%s; chance of any false alarm at most %s", "%s；出现任何误报的概率至多 %s", value, percent(alpha))
	}
	return fact{text{"How sure", "可信度"}, value}
}

func (v *view) sample() fact {
	bad, lo, hi := 0, 0, 0
	for _, t := range v.trials {
		if t.Record.End != results.EndOK {
			bad++
		}
	}
	for _, c := range v.cells() {
		if n := len(c.timed()); n > 0 {
			if lo == 0 || n < lo {
				lo = n
			}
			hi = max(hi, n)
		}
	}
	process := text{"each a fresh process", "每次都是全新进程"}
	if shared := v.sharedTrials(); shared > 0 {
		process = textf("%d of them forked after a shared import", "其中 %d 次在共享导入之后派生", shared)
	}
	value := textf("%s, %s", "%s，%s", counts(len(v.trials), "trial", "次试验"), process)
	if timed := v.timedTrials(); timed > 0 && timed < len(v.trials) {
		value = textf("%s (%d of them timed), %s", "%s（其中 %d 次计时），%s", counts(len(v.trials), "trial", "次试验"), timed, process)
	}
	if hi > 0 {
		rounds := textf("%d", "%d", hi)
		if lo != hi {
			rounds = textf("%d to %d", "%d 至 %d", lo, hi)
		}
		value = textf("%s; %s valid rounds per measured cell", "%s；每个测得的单元有 %s 轮有效", value, rounds)
	}
	switch {
	case bad > 0:
		value = textf("%s; %d not ok, all listed", "%s；%d 次异常，全部列出", value, bad)
	case len(v.trials) > 0:
		value = textf("%s; all ok", "%s；全部正常", value)
	}
	return fact{text{"Sample", "样本"}, value}
}

// timedTrials is the number of trials that were to give speeds.
func (v *view) timedTrials() int {
	n := 0
	for _, t := range v.trials {
		if t.Record.Kind == results.KindTime {
			n++
		}
	}
	return n
}

func (v *view) dateAndVersions() fact {
	parts := []text{same(utc(v.run.Meta.Started))}
	if ver := v.run.Meta.Version; ver != "" {
		parts = append(parts, same("dlbench "+line(ver)))
	}
	return fact{text{"Date and version", "日期与版本"}, joined(parts, " · ", " · ")}
}
