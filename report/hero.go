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
	return hero{
		Kick:     text{"Deep-learning frameworks, measured", "深度学习框架，实测"},
		Question: v.question(),
		Answer:   v.answer(),
		Facts:    []fact{v.howSure(), v.sample(), {text{"Host", "主机"}, hostLine(v.run.Meta.Host)}, v.dateAndVersions()},
	}
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
		return textf("No backend could be compared with %s in this run; the reasons stand in the tables.", "本次运行中没有后端可与 %s 比较；原因见各表。", v.baseline.Label)
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
		clauses = append(clauses, textf("%s %s", "%s %s", b.Label, t.clause()))
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
	return textf("Measured against %s on this host: %s%s.", "在这台主机上与 %s 相比：%s%s。", v.baseline.Label, s, v.memoryClause())
}

// compared is the number of comparisons that were possible.
func (t *tally) compared() int { return t.faster + t.slower + t.equal + t.undecided }

// clause is one backend's part of the answer: how many of its comparisons came
// out how.
func (t *tally) clause() text {
	total := t.compared() + t.without
	var parts []text
	say := func(n int, en, zh string, args ...any) {
		if n == 0 {
			return
		}
		of := textf("%d", "%d 项", n)
		if len(parts) == 0 {
			of = textf("%d of %d", "%[2]d 项中的 %[1]d 项", n, total)
		}
		parts = append(parts, textf(en, zh, append([]any{of}, args...)...))
	}
	if t.faster > 0 {
		say(t.faster, "is faster in %s, at %s its speed", "在 %s更快，速度是其%s", rangeOf(t.up))
	}
	if t.slower > 0 {
		say(t.slower, "is slower in %s, at %s its speed", "在 %s更慢，速度是其%s", rangeOf(t.down))
	}
	say(t.equal, "is equivalent in %s", "在 %s两者相当")
	say(t.undecided, "is undecided in %s", "在 %s尚无定论")
	say(t.without, "not comparable in %s", "%s无法比较")
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

// memoryClause says what the peaks above import were; it is a description, not
// a verdict.
func (v *view) memoryClause() text {
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
	return textf("; peak memory above import: %s", "；高于导入的内存峰值：%s", joined(parts, ", ", "，"))
}

func (v *view) howSure() fact {
	_, all := v.tallies()
	done := all.faster + all.slower + all.equal
	total := done + all.undecided
	value := text{"no comparison could be made", "没有可作的比较"}
	if total > 0 {
		value = textf("%d of %d comparisons decided at ±%s, %d undecided", "%[2]d 个比较中 %[1]d 个在 ±%[3]s 上有结论，%[4]d 个尚无定论", done, total, percent(v.minEffect()), all.undecided)
	}
	if all.without > 0 {
		value = textf("%s; %d without a valid pair", "%s；%d 个没有有效配对", value, all.without)
	}
	if alpha := v.analysis.Policy.Alpha; alpha > 0 {
		value = textf("%s; false alarms held to %s over all of them", "%s；总体误报控制在 %s", value, percent(alpha))
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
	value := textf("%d trials, each a fresh process", "%d 次试验，每次全新进程", len(v.trials))
	if hi > 0 {
		rounds := textf("%d", "%d", hi)
		if lo != hi {
			rounds = textf("%d to %d", "%d 至 %d", lo, hi)
		}
		value = textf("%s; %s valid rounds per cell", "%s；每个单元 %s 个有效轮次", value, rounds)
	}
	switch {
	case bad > 0:
		value = textf("%s; %d not ok, all listed", "%s；%d 次不正常，全部列出", value, bad)
	case len(v.trials) > 0:
		value = textf("%s; all ok", "%s；全部正常", value)
	}
	return fact{text{"Sample", "样本"}, value}
}

func (v *view) dateAndVersions() fact {
	parts := []text{same(utc(v.run.Meta.Started))}
	if ver := v.run.Meta.Version; ver != "" {
		parts = append(parts, same("dlbench "+line(ver)))
	}
	return fact{text{"Date and version", "日期与版本"}, joined(parts, " · ", " · ")}
}
