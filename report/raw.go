package report

import (
	"fmt"
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

type rawTrial struct {
	ID    string
	Kind  text
	Round string
	Order string
	Step  string
	Wall  string
	HWM   string
	Loss  string
	Check badge
	End   badge
	Note  text
}

func (v *view) raw() rawData {
	d := rawData{Summary: textf("All %d trials", "全部 %d 次试验", len(v.trials))}
	d.Caption = text{"One row per trial, cell by cell; the id is the line in trials.jsonl", "每行一次试验，按单元排列；编号即 trials.jsonl 中的行号"}
	if len(v.run.Parts) > 0 {
		d.Caption = text{"One row per trial, cell by cell; the ids count the lines of trials.jsonl, on from run to run", "每行一次试验，按单元排列；编号为 trials.jsonl 中的行号，逐次运行连续计数"}
	}
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
		ID: t.ID, Kind: kindWord(r.Kind), Round: none, Order: none, Step: none, HWM: none, Loss: none,
		Wall: duration(float64(r.WallNS)), End: endBadge(r.End), Check: checkBadge(none),
	}
	if r.Round > 0 {
		row.Round, row.Order = fmt.Sprint(r.Round), fmt.Sprint(r.Order)
	}
	if r.Attempt > 1 {
		row.Round += fmt.Sprintf(" (%d)", r.Attempt)
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
		row.Check = checkBadge(r.Check.Status)
	}
	switch {
	case t.replaced:
		row.Note = text{"replaced by a later attempt", "已被后来的尝试取代"}
	case t.partial:
		row.Note = text{"round not complete", "该轮未完成"}
	}
	return row
}
