package report

import (
	"cmp"
	"slices"

	"github.com/dlbench/dlbench/results/compare"
)

// described is up to how many compared backends the answer describes each; of
// more it names those at both ends.
const described = 4

// apartNamed is up to how many backends that could not be compared are named.
const apartNamed = 6

// named is how many backends an answer names at each end.
const named = 3

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
	if many := v.compared(per); len(many) > described {
		return textf("%s%s", "%s%s", v.answerOfMany(many), v.memoryExtremes())
	}
	var clauses, apart []text
	for _, b := range v.backends {
		t := per[b.Name]
		if t == nil || b.Name == v.baseline.Name {
			continue
		}
		if t.compared() == 0 {
			apart = append(apart, same(b.Label))
			continue
		}
		clauses = append(clauses, textf("%s is %s", "%s %s", b.Label, t.clause(v.baseline.Label)))
	}
	if n := len(apart); n > apartNamed {
		clauses = append(clauses, textf("%d others could not be compared", "另有 %d 个无法比较", n))
	} else if n > 0 {
		clauses = append(clauses, textf("%s could not be compared", "%s 无法比较", joined(apart, ", ", "、")))
	}
	s := joined(clauses, "; ", "；")
	t := textf("Against %s on this host: %s.", "在这台主机上与 %s 相比：%s。", v.baseline.Label, s)
	if all.undecided == all.compared() {
		t = textf("None of the comparisons with %s in this run is decided: %s.", "本次运行与 %s 的各项比较都尚无定论：%s。", v.baseline.Label, s)
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
			part = textf("%s, at an estimated %s the speed of %s", "%s（速度估计为 %[3]s 的%[2]s）", part, rangeOf(ratios), base)
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
		if len(xs) == 0 {
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

// standing is a backend that was compared, with its tally.
type standing struct {
	identity
	*tally
}

// compared are the backends of which a comparison was possible, in their order.
func (v *view) compared(per map[string]*tally) []standing {
	var all []standing
	for _, b := range v.backends {
		if t := per[b.Name]; t != nil && t.compared() > 0 {
			all = append(all, standing{b, t})
		}
	}
	return all
}

// answerOfMany names the backends that were faster than the baseline most often,
// and those that were slower most often, by the share of their comparisons.
func (v *view) answerOfMany(all []standing) text {
	list := func(count func(*tally) int, against func(*tally) int, ratios func(*tally) []float64) []text {
		share := func(n int, s standing) float64 { return float64(n) / float64(s.compared()) }
		sorted := slices.Clone(all)
		slices.SortStableFunc(sorted, func(a, b standing) int {
			return cmp.Or(cmp.Compare(share(count(b.tally), b), share(count(a.tally), a)), cmp.Compare(share(against(a.tally), a), share(against(b.tally), b)))
		})
		var parts []text
		for _, s := range sorted[:min(named, len(sorted))] {
			if n := count(s.tally); n > 0 {
				parts = append(parts, textf("%s in %d of %d comparisons (%s)", "%s（%[3]d 项比较中 %[2]d 项，速度为其%[4]s）", s.Label, n, s.compared(), rangeOf(ratios(s.tally))))
			}
		}
		return parts
	}
	up := list(func(t *tally) int { return t.faster }, func(t *tally) int { return t.slower }, func(t *tally) []float64 { return t.up })
	down := list(func(t *tally) int { return t.slower }, func(t *tally) int { return t.faster }, func(t *tally) []float64 { return t.down })
	s := textf("Of %d backends held against %s on this host,", "这台主机上与 %[2]s 比较的 %[1]d 个后端中，", len(all), v.baseline.Label)
	switch {
	case len(up) > 0 && len(down) > 0:
		return textf("%s these were faster most often, with the range of their speeds relative to it: %s; and these slower: %s.", "%s更快的次数占比最高的是 %s；更慢的占比最高的是 %s。", s, joined(up, ", ", "、"), joined(down, ", ", "、"))
	case len(up) > 0:
		return textf("%s these were faster most often, with the range of their speeds relative to it: %s; none was slower.", "%s更快的次数占比最高的是 %s；没有更慢的。", s, joined(up, ", ", "、"))
	case len(down) > 0:
		return textf("%s none was faster; these were slower most often, with the range of their speeds relative to it: %s.", "%s没有更快的；更慢的次数占比最高的是 %s。", s, joined(down, ", ", "、"))
	}
	return textf("%s none was decided to be faster or slower.", "%s没有一个被判定为更快或更慢。", s)
}

// memoryExtremes are the smallest and the largest of all peaks above import.
func (v *view) memoryExtremes() text {
	type peak struct {
		bytes float64
		of    text
	}
	var peaks []peak
	for _, c := range v.cells() {
		if x, ok := c.above(); ok {
			peaks = append(peaks, peak{x, textf("%s, %s", "%s，%s", c.Backend.Label, c.group.Title)})
		}
	}
	if len(peaks) < 2 {
		return text{}
	}
	byBytes := func(a, b peak) int { return cmp.Compare(a.bytes, b.bytes) }
	lo, hi := slices.MinFunc(peaks, byBytes), slices.MaxFunc(peaks, byBytes)
	return textf(" Peak memory above the level after import, described and not judged: from %s (%s) to %s (%s).", "内存峰值比导入后高出（仅作描述，不下结论）：从 %s（%s）到 %s（%s）。",
		mebibytes(lo.bytes), lo.of, mebibytes(hi.bytes), hi.of)
}
