package claims

import (
	"fmt"

	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/compare/frameworks"
)

var linesOfCode = Text{"lines of adapter code", "适配代码行数"}

// notRecorded is what an older run lacks.
var notRecorded = Text{
	"lines of adapter code, which this run did not record: run it again with a newer dlbench",
	"适配代码行数：本次运行没有记录，请用较新的 dlbench 重跑",
}

// functionCostsNoCode compares counts, which are exact and need no evidence.
func functionCostsNoCode(s *frameworks.Subject, o *Outcome) {
	const base, head = "tensorflow", "tensorflow-function"
	pairs := forms(s, base, head)
	if len(pairs) == 0 {
		o.lack(absent(base, head))
		return
	}
	proven := 0
	for _, p := range pairs {
		if ok(s, p.Base) && ok(s, p.Head) {
			proven++
		}
	}
	o.Questions = []frameworks.Question{s.AskPairs(base, head, pairs, 0, stepTime)}
	o.Counts = []Count{{
		Text{"cells in which both are proven to have done the same work", "双方都证明计算相同的单元"}, "cells",
		[]Counted{{Name: head, Value: float64(proven), Of: float64(len(pairs))}},
	}}
	a, b := s.Meta.Backends[pairs[0].Base.Backend].AdapterLines, s.Meta.Backends[pairs[0].Head.Backend].AdapterLines
	switch {
	case a <= 0 || b <= 0:
		o.lack(notRecorded)
		return
	case proven < len(pairs):
		o.lack(Text{
			fmt.Sprintf("proof of the same work in %d of %d cells", len(pairs)-proven, len(pairs)),
			fmt.Sprintf("%[2]d 个单元中有 %[1]d 个未证明计算相同", len(pairs)-proven, len(pairs)),
		})
	case float64(b) <= 1.05*float64(a):
		o.Verdict = Confirmed
	default:
		o.Verdict = Contradicted
	}
	o.Counts = append(o.Counts, Count{linesOfCode, "lines", []Counted{{Name: base, Value: float64(a)}, {Name: head, Value: float64(b)}}})
}

// sameAnswers reads the judgements against the oracle.
func sameAnswers(s *frameworks.Subject, o *Outcome) {
	if _, ok := s.Framework(frameworks.ONNXRuntime); !ok {
		o.lack(absent("ONNX Runtime"))
		return
	}
	proven, wrong, ran := 0, 0, 0
	for _, g := range s.Groups {
		for _, c := range s.Entries(g, frameworks.ONNXRuntime) {
			switch status(s, c) {
			case compare.StatusUnsupported, compare.StatusMissing:
				continue
			case compare.StatusOK:
				proven++
			case compare.StatusWrong:
				wrong++
			}
			ran++
		}
	}
	o.Counts = []Count{{
		Text{"cells whose answers are proven within the budget", "结果经证明在允差之内的单元"}, "cells",
		[]Counted{{Name: "ONNX Runtime", Value: float64(proven), Of: float64(ran)}},
	}}
	switch {
	case wrong > 0:
		o.Verdict = Contradicted
	case ran == 0:
		o.lack(Text{"no cell of ONNX Runtime ran: the list of failures says why", "ONNX Runtime 没有一个单元运行成功：原因见失败列表"})
	case proven == ran:
		o.Verdict = Confirmed
	default:
		o.lack(Text{
			fmt.Sprintf("proof in %d of %d cells", ran-proven, ran),
			fmt.Sprintf("%[2]d 个单元中有 %[1]d 个缺少证明", ran-proven, ran),
		})
	}
}

// easierToWrite sets two proxies beside each other.
func easierToWrite(s *frameworks.Subject, o *Outcome) {
	tf, pt, both := contenders(s, o)
	if !both {
		return
	}
	q := s.Ask(tf, pt, shared(s.Groups, tf, pt), frameworks.FirstResult)
	o.Questions = []frameworks.Question{q}
	a, b := fewestLines(s, tf), fewestLines(s, pt)
	if a <= 0 || b <= 0 {
		o.lack(notRecorded)
	} else {
		o.Counts = []Count{{linesOfCode, "lines", []Counted{{Name: pt.Name, Value: float64(b)}, {Name: tf.Name, Value: float64(a)}}}}
	}
	t := q.Tally()
	switch {
	case s.Meta.Shared && t.Absent == len(q.Lines):
		o.lack(Text{
			"a time to the first result with a verdict: timed trials that are forked after a shared import import nothing; " + Again(s.Meta).EN + " without --share-process",
			"可下结论的首个结果时间：共享导入后派生的计时试验没有自己的导入；请去掉 --share-process 重跑 " + Again(s.Meta).ZH,
		})
	case a <= 0 || b <= 0:
	case b < a:
		if o.Verdict = universal(each(q, frameworks.Ahead)); o.Verdict == Contradicted {
			o.disagree()
		}
	default:
		if v := universal(each(q, frameworks.Behind, frameworks.Equal)); v == Confirmed {
			o.Verdict = Contradicted
		} else if v == Contradicted {
			o.disagree()
		}
	}
	if o.Missing == nil {
		o.explain(s)
	}
}

// disagree leaves a claim open whose two figures point to different frameworks.
func (o *Outcome) disagree() {
	o.Verdict = Open
	o.lack(Text{"figures that agree: lines of code and time to the first result do not point to the same framework on every workload", "一致的证据：代码行数与首个结果时间并非在每个负载上都指向同一框架"})
}

// fewestLines is the shortest adapter of a side's entries; 0: not recorded.
func fewestLines(s *frameworks.Subject, d frameworks.Side) int {
	n := 0
	for _, b := range s.Backends() {
		if l := s.Meta.Backends[b].AdapterLines; d.Has(b) && l > 0 && (n == 0 || l < n) {
			n = l
		}
	}
	return n
}
