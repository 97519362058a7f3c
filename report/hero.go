package report

import "github.com/dlbench/dlbench/results"

// hero is the head of the page: the question, the answer in one sentence, and
// the facts that say how far to trust it.
type hero struct {
	Kick     text
	Question text
	Answer   text
	Facts    []fact
}

type fact struct{ Label, Value text }

func (v *view) hero() hero {
	h := hero{
		Kick:     text{"Deep-learning frameworks, measured", "深度学习框架实测"},
		Question: v.question(),
		Answer:   v.answer(),
		Facts:    []fact{v.howSure(), v.sample(), {text{"Host", "主机"}, v.hosts()}, v.dateAndVersions()},
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

func (v *view) howSure() fact {
	_, all := v.tallies()
	done := all.faster + all.slower + all.equal
	total := done + all.undecided
	value := text{"no comparison could be made", "没有可进行的比较"}
	if total > 0 {
		value = textf("%d of %s decided at ±%s, %d undecided", "%[2]s中 %[1]d 项有结论（阈值 ±%[3]s），%[4]d 项尚无定论", done, counts(total, "comparison", "项比较"), v.bound(), all.undecided)
	}
	if all.without > 0 {
		value = textf("%s; %d not comparable", "%s；另有 %d 项无法比较", value, all.without)
	}
	switch alpha := v.alpha(); {
	case alpha > 0 && len(v.run.Parts) > 0:
		value = textf("%s; chance of any false alarm at most %s in each run", "%s；每次运行出现任何误报的概率至多 %s", value, percent(alpha))
	case alpha > 0:
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
	if n := len(v.run.Parts); n > 0 {
		parts[0] = textf("%d runs, the first %s", "%d 次运行，最早 %s", n, utc(v.run.Meta.Started))
	}
	if ver := v.run.Meta.Version; ver != "" {
		parts = append(parts, same("dlbench "+line(ver)))
	}
	return fact{text{"Date and version", "日期与版本"}, joined(parts, " · ", " · ")}
}
