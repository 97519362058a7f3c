package report

import (
	"fmt"

	"github.com/dlbench/dlbench/results"
)

// rawData is every trial: a table for people, JSON for machines.
type rawData struct {
	Summary text
	Caption text
	Cells   []rawCell
	Note    text // what the embedded records leave out
}

type rawCell struct {
	ID      string
	Backend identity
	Name    string
	Trials  []rawTrial
}

// rawTrial is a row of up to thousands, so what most trials have is short.
type rawTrial struct {
	ID    string
	Round text // of timed trials; the kind of others, which are in no round
	Order string
	Step  string
	Wall  string
	HWM   string
	Loss  string
	Check text
	End   text
	Note  text
}

// fine stands for a trial that was proven, or ended ok: the caption says so.
var fine = same("✓")

func (v *view) raw() rawData {
	d := rawData{Summary: textf("All %d trials", "全部 %d 次试验", len(v.trials))}
	id := text{"the id is the line in trials.jsonl", "编号即 trials.jsonl 中的行号"}
	if len(v.run.Parts) > 0 {
		id = text{"the ids count the lines of trials.jsonl, on from run to run", "编号为 trials.jsonl 中的行号，逐次运行连续计数"}
	}
	d.Caption = textf("One row per trial, cell by cell; %s. A check mark: proven, or ended ok. Check and memory trials are in no round.",
		"每行一次试验，按单元排列；%s。✓ 表示已证明，或正常结束。核对与内存试验不属于任何一轮。", id)
	for _, c := range v.cells() {
		rc := rawCell{ID: c.ID, Backend: c.Backend, Name: line(c.Cell.Name())}
		for _, t := range c.trials {
			rc.Trials = append(rc.Trials, t.row())
		}
		d.Cells = append(d.Cells, rc)
	}
	return d
}

func (t *trial) row() rawTrial {
	r := t.Record
	row := rawTrial{
		ID: t.ID, Round: kindWord(r.Kind), Order: none, Step: none, HWM: none, Loss: none,
		Wall: duration(float64(r.WallNS)), Check: same(none), End: fine,
	}
	if r.End != results.EndOK {
		row.End = endBadge(r.End).Word
	}
	if r.Kind == results.KindTime {
		row.Round, row.Order = same(fmt.Sprint(r.Round)), fmt.Sprint(r.Order)
	}
	if r.Attempt > 1 {
		row.Round = textf("%s (%d)", "%s (%d)", row.Round, r.Attempt)
	}
	if ns, ok := stepNS(r); ok {
		row.Step = duration(ns)
	}
	hwm := int64(-1)
	for _, p := range r.Phases {
		if p.HWM != nil && !r.Shared { // see measureHWM
			hwm = max(hwm, *p.HWM)
		}
	}
	if hwm >= 0 {
		row.HWM = mebibytes(float64(hwm))
	}
	if r.Loss != nil {
		row.Loss = exact(*r.Loss)
	}
	if r.Check != nil {
		if row.Check = fine; r.Check.Status != "ok" {
			row.Check = checkBadge(r.Check.Status).Word
		}
	}
	switch {
	case t.replaced:
		row.Note = text{"replaced by a later attempt", "已被后来的尝试取代"}
	case t.partial:
		row.Note = text{"round not complete", "该轮未完成"}
	}
	return row
}
