package report

import (
	"fmt"
	"html/template"
	"strings"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/compare/claims"
)

// text is one sentence or word in English and Chinese. Where both are equal
// (names, numbers) it is written once.
type text struct{ EN, ZH string }

// same is a text that both languages share.
func same(s string) text { return text{s, s} }

// textf formats both languages with the same arguments; a text among them is
// taken in the language that is formatted.
func textf(en, zh string, args ...any) text {
	e, z := make([]any, len(args)), make([]any, len(args))
	for i, a := range args {
		if t, ok := a.(text); ok {
			e[i], z[i] = t.EN, t.ZH
		} else {
			e[i], z[i] = a, a
		}
	}
	return text{fmt.Sprintf(en, e...), fmt.Sprintf(zh, z...)}
}

// joined puts texts in a row, with a separator per language.
func joined(ts []text, en, zh string) text {
	e, z := make([]string, len(ts)), make([]string, len(ts))
	for i, t := range ts {
		e[i], z[i] = t.EN, t.ZH
	}
	return text{strings.Join(e, en), strings.Join(z, zh)}
}

// HTML writes both languages, escaped; the page's style shows one.
func (t text) HTML() template.HTML {
	en := template.HTMLEscapeString(t.EN)
	if t.EN == t.ZH {
		return template.HTML(en)
	}
	return template.HTML(`<span lang=en>` + en + `</span><span lang=zh-Hans>` + template.HTMLEscapeString(t.ZH) + `</span>`)
}

// Brief is HTML in fewer bytes, for tables that repeat their words in each of
// thousands of rows.
func (t text) Brief() template.HTML {
	en := template.HTMLEscapeString(t.EN)
	if t.EN == t.ZH {
		return template.HTML(en)
	}
	return template.HTML(`<i lang=en>` + en + `</i><i lang=zh-Hans>` + template.HTMLEscapeString(t.ZH) + `</i>`)
}

// Empty reports whether there is nothing to show.
func (t text) Empty() bool { return t.EN == "" && t.ZH == "" }

// badge is a word with an icon; colour only repeats it.
type badge struct {
	Icon, Class string
	Word        text
}

// verdictBadge words a verdict about the head of a comparison. "两者相当"
// belongs to equivalent alone.
func verdictBadge(v compare.Verdict) badge {
	switch v {
	case compare.Improved:
		return badge{"i-up", "b-faster", text{"faster", "更快"}}
	case compare.Regressed:
		return badge{"i-down", "b-slower", text{"slower", "更慢"}}
	case compare.Equivalent:
		return badge{"i-eq", "b-equal", text{"equivalent", "两者相当"}}
	case compare.Missing:
		return badge{"i-q", "b-open", text{"not measured", "未测量"}}
	case compare.Flaky:
		return badge{"i-no", "b-open", text{"flaky, not ranked", "不稳定，不排名"}}
	case compare.Wrong:
		return badge{"i-no", "b-wrong", text{"wrong result", "结果错误"}}
	}
	return badge{"i-q", "b-open", text{"undecided", "尚无定论"}}
}

// VerdictBadge is how a page shows a verdict: the class and the word of its badge.
type VerdictBadge struct{ Class, EN, ZH string }

// VerdictBadges are those of all verdicts about comparisons and claims.
func VerdictBadges() []VerdictBadge {
	var list []VerdictBadge
	add := func(b badge) { list = append(list, VerdictBadge{b.Class, b.Word.EN, b.Word.ZH}) }
	for _, v := range []compare.Verdict{compare.Improved, compare.Regressed, compare.Equivalent, compare.Inconclusive, compare.Missing, compare.Flaky, compare.Wrong} {
		add(verdictBadge(v))
	}
	for _, v := range []claims.Verdict{claims.Confirmed, claims.Contradicted, claims.Open} {
		add(claimBadge(v))
	}
	return list
}

// statusBadge words the status of a cell that has no verdict of its own.
func statusBadge(status string) badge {
	switch status {
	case compare.StatusOK:
		return badge{"i-ok", "b-ok", text{"measured", "已测量"}}
	case compare.StatusUnproven:
		return badge{"i-q", "b-open", text{"unproven, not ranked", "未证明，不排名"}}
	case compare.StatusFlaky:
		return verdictBadge(compare.Flaky)
	case compare.StatusWrong:
		return verdictBadge(compare.Wrong)
	case compare.StatusUnsupported:
		return badge{"i-q", "b-open", text{"unsupported", "不支持"}}
	case compare.StatusFailed:
		return badge{"i-no", "b-wrong", text{"failed", "失败"}}
	}
	return verdictBadge(compare.Missing)
}

// endBadge words the end of a trial.
func endBadge(end string) badge {
	switch end {
	case results.EndOK:
		return badge{"i-ok", "b-ok", text{"ok", "正常"}}
	case results.EndUnsupported:
		return badge{"i-q", "b-open", text{"unsupported", "不支持"}}
	case results.EndWrong:
		return badge{"i-no", "b-wrong", text{"wrong", "结果错误"}}
	case results.EndProtocol:
		return badge{"i-no", "b-wrong", text{"protocol", "违反协议"}}
	case results.EndTimeout:
		return badge{"i-no", "b-wrong", text{"timeout", "超时"}}
	case results.EndOOM:
		return badge{"i-no", "b-wrong", text{"out of memory", "内存不足"}}
	case results.EndCrashed:
		return badge{"i-no", "b-wrong", text{"crashed", "崩溃"}}
	case results.EndInterrupted:
		return badge{"i-q", "b-open", text{"interrupted", "被中断"}}
	}
	return badge{"i-q", "b-open", foreign(end)}
}

// checkBadge words a judgement against the oracle.
func checkBadge(status string) badge {
	switch status {
	case "ok":
		return badge{"i-ok", "b-ok", text{"proven", "已证明"}}
	case "wrong":
		return badge{"i-no", "b-wrong", text{"wrong", "结果错误"}}
	case "unproven":
		return badge{"i-q", "b-open", text{"unproven", "未证明"}}
	}
	return badge{"i-q", "b-open", foreign(status)}
}

// foreign is a word that this version does not know, cut to the size of one.
func foreign(s string) text { return same(clean(line(s), 24)) }

// phaseWord names a phase of a trial.
func phaseWord(p string) text {
	switch p {
	case "import":
		return text{"import", "导入"}
	case "build":
		return text{"build", "构建"}
	case "first":
		return text{"first step", "第一步"}
	case "check":
		return text{"check", "核对"}
	case "learn":
		return text{"learning curve", "学习曲线"}
	case "warm-up":
		return text{"warm-up", "预热"}
	case "measure":
		return text{"measured steps", "测量步"}
	}
	return foreign(p)
}

// kindWord names a kind of trial.
func kindWord(k string) text {
	switch k {
	case results.KindTime:
		return text{"time", "计时"}
	case results.KindCheck:
		return text{"check", "核对"}
	case results.KindMemory:
		return text{"memory", "内存"}
	}
	return foreign(k)
}

// known words the kinds of backends that the protocol knows.
func known(kinds []string) text {
	words := make([]text, len(kinds))
	for i, k := range kinds {
		switch k {
		case "eager":
			words[i] = text{"eager", "动态图（eager）"}
		case "define-by-run":
			words[i] = text{k, "动态图"}
		case "static-graph":
			words[i] = text{"static graph", "静态图"}
		case "compiled":
			words[i] = text{"compiled", "编译"}
		default:
			words[i] = foreign(k)
		}
	}
	return joined(words, ", ", "，")
}

// virtual words what the harness says of the host's virtualization.
func virtual(s string) text {
	s = line(s)
	if container, ok := strings.CutSuffix(s, " in a virtual machine"); ok {
		return text{s, "虚拟机中的 " + container + " 容器"}
	}
	if s == "virtual machine" {
		return text{s, "虚拟机"}
	}
	return same(s)
}

// counts is a number with its noun: 1 comparison, 2 comparisons.
func counts(n int, noun, zh string) text {
	if n != 1 {
		noun += "s"
	}
	return textf("%d "+noun, "%d "+zh, n)
}

// modeWord names a mode.
func modeWord(m string) text {
	switch m {
	case "train":
		return text{"training", "训练"}
	case "infer":
		return text{"inference", "推理"}
	}
	return foreign(m)
}
