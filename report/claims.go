package report

import (
	"slices"
	"strconv"
	"strings"

	"github.com/dlbench/dlbench/results/compare/claims"
	"github.com/dlbench/dlbench/results/compare/frameworks"
)

// claimSection is the articles' claims, held against the run.
type claimSection struct {
	section
	Reading text // how claims are read
	Unasked bool // nothing in the run speaks to any of them: the table stays closed
	Claims  []claimRow
}

type claimRow struct {
	ID        string // its anchor, too
	Says      text
	Rule      text
	Badge     badge
	Measured  []text
	Missing   []text
	Rows      []link // workloads behind it
	Questions []questionTable
}

// claimBadge words a verdict about a claim.
func claimBadge(v claims.Verdict) badge {
	switch v {
	case claims.Confirmed:
		return badge{"i-ok", "b-ok", text{"confirmed", "属实"}}
	case claims.Contradicted:
		return badge{"i-no", "b-wrong", text{"contradicted", "不符"}}
	}
	return badge{"i-q", "b-open", text{"open", "待定"}}
}

func (v *view) claims() claimSection {
	outcomes := v.judged().claims
	p := v.judged().subject.Policy
	s := claimSection{
		section: section{
			ID: "claims", Nav: text{"The claims", "论断"},
			Title: text{"Twenty claims, checked", "二十个论断，逐一核对"},
			Lead:  v.claimsLead(),
		},
		Reading: textf(
			"A claim is read as a statement about every workload of its kind: one counterexample contradicts it, and it is confirmed only where it holds on all of them. Only verdicts count. Each claim is a question of its own, with a chance of at most %s of any wrong verdict in it; of %d claims together that is more. Differences below %s are none.",
			"每个论断都理解为对同类全部负载的陈述：一个反例即为不符，全部成立才算属实。只认结论，不认中位数。每个论断单独构成一个问题，其中出现任何误判的概率至多 %s；%d 个论断合在一起则更高。小于 %s 的差异不算差异。",
			percent(p.Alpha), len(outcomes), percent(p.MinEffect)),
	}
	for _, o := range outcomes {
		s.Claims = append(s.Claims, v.claimRow(o))
	}
	s.Unasked = !slices.ContainsFunc(outcomes, func(o claims.Outcome) bool {
		return o.Verdict != claims.Open || len(o.Questions) > 0 || len(o.Counts) > 0
	})
	return s
}

// claimsLead counts the verdicts.
func (v *view) claimsLead() text {
	n := map[claims.Verdict]int{}
	for _, o := range v.judged().claims {
		n[o.Verdict]++
	}
	if all := len(v.judged().claims); n[claims.Open] == all {
		return textf("The articles compare TensorFlow with PyTorch and make %d claims. This run answers none of them.", "文章比较 TensorFlow 与 PyTorch，共有 %d 个论断。本次运行未能回答其中任何一个。", all)
	}
	return textf("Of %d claims of the articles %d are confirmed, %d contradicted and %d open, for this host and these settings.",
		"文章中的 %d 个论断：%d 个属实，%d 个不符，%d 个待定；只对这台主机和这些设置成立。",
		len(v.judged().claims), n[claims.Confirmed], n[claims.Contradicted], n[claims.Open])
}

func (v *view) claimRow(o claims.Outcome) claimRow {
	r := claimRow{ID: o.ID, Says: text(o.Says), Rule: text(o.Rule), Badge: claimBadge(o.Verdict), Measured: v.measured(o), Rows: v.linked(o.Questions)}
	for _, m := range o.Missing {
		r.Missing = append(r.Missing, foreignNames(m))
	}
	for i, q := range o.Questions {
		if len(q.Lines) > 0 {
			r.Questions = append(r.Questions, v.questionTable(o.ID+"-q"+strconv.Itoa(i), q))
		}
	}
	return r
}

// foreignNames makes safe to look at what may hold names from the run.
func foreignNames(t claims.Text) text { return text{line(t.EN), line(t.ZH)} }

// measured are the questions and counts of a claim in words.
func (v *view) measured(o claims.Outcome) []text {
	var list []text
	for _, q := range o.Questions {
		if t := q.Tally(); len(q.Lines) == 0 || t.Absent == len(q.Lines) {
			continue
		}
		unit := workloadsWord
		if distinct := len(v.linked([]frameworks.Question{q})); distinct < len(q.Lines) {
			unit = comparisonsWord
		}
		words := tallyWords(q, unit)
		if len(o.Questions) > 1 || !wordsOf(q.Metric.Name).speed {
			words = textf("%s: %s", "%s：%s", askedOf(q.Metric.Name), words)
		}
		list = append(list, words)
	}
	for _, c := range o.Counts {
		list = append(list, countWords(c))
	}
	return list
}

func countWords(c claims.Count) text {
	var sides []text
	for _, s := range c.Sides {
		value := whole(int64(s.Value))
		if c.Unit == "B" {
			value = bytesize(s.Value)
		}
		t := same(value)
		if s.Of > 0 {
			t = textf("%s of %s", "%[2]s 个中 %[1]s 个", value, whole(int64(s.Of)))
		}
		if len(c.Sides) > 1 {
			t = textf("%s %s", "%s %s", line(s.Name), t)
		}
		sides = append(sides, t)
	}
	what := text(c.What)
	what.EN = strings.ToUpper(what.EN[:1]) + what.EN[1:]
	return textf("%s: %s", "%s：%s", what, joined(sides, ", ", "，"))
}
