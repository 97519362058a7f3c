package report

import (
	"encoding/json"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/dlbench/dlbench/results"
)

// rawData is every trial: a table for people, JSON for machines.
type rawData struct {
	Summary text
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

// embedded is the JSON of the page: what a machine needs to recompute every
// number on it.
type embedded struct {
	Schema  int              `json:"schema"`
	Meta    results.Meta     `json:"meta"`
	Records []results.Record `json:"records"`
	Left    []string         `json:"left_out,omitempty"`
}

// embedLimit bounds the embedded records, so that the page still opens.
const embedLimit = 12 << 20

// embed writes meta and records for a <script type="application/json">. Where
// that would be too large, it leaves out block times, then stderr, and says so.
func (v *view) embed() (template.JS, text, error) {
	e := embedded{Schema: results.Schema, Meta: v.run.Meta, Records: v.run.Records}
	var left []text
	for _, drop := range []struct {
		what text
		of   func(*results.Record)
	}{
		{},
		{text{"block times", "各块时间"}, func(r *results.Record) { r.BlockNS = nil }},
		{text{"stderr beyond 1 KiB", "超过 1 KiB 的 stderr"}, func(r *results.Record) {
			if len(r.Stderr) > 1024 {
				r.Stderr = strings.ToValidUTF8(r.Stderr[len(r.Stderr)-1024:], "")
			}
		}},
		{text{"memory timelines", "内存时间线"}, func(r *results.Record) {
			if r.Memory != nil {
				m := *r.Memory
				m.Timeline = nil
				r.Memory = &m
			}
		}},
	} {
		if drop.of != nil {
			e.Records = slices.Clone(e.Records)
			for i := range e.Records {
				drop.of(&e.Records[i])
			}
			left = append(left, drop.what)
			e.Left = append(e.Left, drop.what.EN)
		}
		b, err := json.Marshal(e) // escapes <, > and &: it cannot leave its element
		if err != nil {
			return "", text{}, fmt.Errorf("report: records: %w", err)
		}
		if len(b) <= embedLimit {
			return template.JS(b), leftOut(left), nil
		}
	}
	e.Records, e.Left = nil, append(e.Left, "records")
	left = append(left, text{"records", "记录"})
	b, err := json.Marshal(e)
	if err != nil {
		return "", text{}, fmt.Errorf("report: records: %w", err)
	}
	return template.JS(b), leftOut(left), nil
}

func leftOut(what []text) text {
	if len(what) == 0 {
		return text{}
	}
	return textf("Too large for a page, so left to trials.jsonl: %s.", "因页面过大，以下内容只在 trials.jsonl 中：%s。", joined(what, ", ", "、"))
}
