package report

import (
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/compare/frameworks"
)

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
