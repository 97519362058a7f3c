// Package claims holds the twenty claims of the source articles against a run.
// Each claim is a row of one table, with the rule by which it is confirmed or
// contradicted. A claim is read as a statement about every workload of its kind:
// one counterexample contradicts it, and it is confirmed only where it holds on
// all of them. Speed and memory count by verdicts alone, never by medians.
package claims

import (
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare/frameworks"
)

// Text is a sentence in English and Chinese.
type Text struct{ EN, ZH string }

// Verdict is what a run says about a claim.
type Verdict string

// The verdicts. Open is also the claim of which nothing was measured.
const (
	Confirmed    Verdict = "confirmed"
	Contradicted Verdict = "contradicted"
	Open         Verdict = "open"
)

// Claim is a statement of the articles.
type Claim struct {
	ID   string // C1 to C20
	Says Text
	Rule Text // when it is confirmed, when contradicted
}

// Count is a fact that is counted or measured without a verdict, for some sides.
type Count struct {
	What  Text
	Unit  string // "lines", "cells", "B", "s"
	Sides []Counted
}

// Counted is one side's value of a count.
type Counted struct {
	Name  string
	Value float64
	Of    float64 // of how many; 0: it is no part of anything
}

// Outcome is a claim held against a run.
type Outcome struct {
	Claim
	Verdict   Verdict
	Questions []frameworks.Question // measured, with verdicts
	Counts    []Count
	Missing   []Text // what an open claim needs; of another one, what was left out
}

// Evaluate holds all claims against a run, in their order.
func Evaluate(s *frameworks.Subject) []Outcome {
	list := make([]Outcome, len(table))
	for i, c := range table {
		list[i] = Outcome{Claim: c.Claim, Verdict: Open}
		c.evaluate(s, &list[i])
	}
	return list
}

// universal is the verdict on a statement about every line of the questions: one
// line that fails contradicts it, and it is confirmed where all hold. A workload
// that no entry of a side supports is not spoken of; any other that has no
// comparison leaves the claim open.
func universal(lines []judged) Verdict {
	spoken, open := 0, false
	for _, l := range lines {
		r := l.line.Result()
		switch {
		case l.line.Unsupported:
			continue
		case r == frameworks.Undecided || r == frameworks.Absent:
			open = true
		case !l.holds(r):
			return Contradicted
		}
		spoken++
	}
	if spoken == 0 || open {
		return Open
	}
	return Confirmed
}

// judged is a line with what the claim says of it.
type judged struct {
	line  frameworks.Line
	holds func(frameworks.Result) bool
}

// each is a statement about every line of a question.
func each(q frameworks.Question, holds ...frameworks.Result) []judged {
	var list []judged
	for _, l := range q.Lines {
		list = append(list, judged{l, func(r frameworks.Result) bool {
			for _, h := range holds {
				if r == h {
					return true
				}
			}
			return false
		}})
	}
	return list
}

func metric(name string) results.Metric {
	m, _ := results.LookupMetric(name)
	return m
}

var (
	stepTime = metric("step-time")
	// The peak of a worker's resident bytes is read in every timed trial, so unlike
	// the peaks of memory trials it has verdicts.
	peakResident = metric("peak-resident")
	// What settings change lies above the level after import, which is the size of the
	// libraries: hundreds of MiB of them would hide it.
	peakAbove = metric("peak-resident-above-import")
)

// The sides of questions that are neither a framework nor a backend. All have a
// space in their names, which no worker's name has.
const (
	Eager        = "eager execution"
	Graph        = "graph or compiled entries"
	Full         = "f32 precision"
	Mixed        = "mixed precision"
	Plain        = "plain training"
	Accumulated  = "accumulated gradients"
	Checkpointed = "gradient checkpointing"
	OnCPU        = "the CPU"
	OnGPU        = "the GPU"
	BestOfTwo    = "TensorFlow or PyTorch"
)
