package report

import (
	"encoding/json"
	"io"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/compare/gate"
)

// gateSchema is the version of the JSON of a gate.
const gateSchema = 1

// gateJSONCheck is a check for programs: figures as they are, absent ones null.
type gateJSONCheck struct {
	ID           string          `json:"id"`
	Name         string          `json:"name"`
	Base         *results.Cell   `json:"base"`
	Head         *results.Cell   `json:"head"`
	Kind         gate.Kind       `json:"kind"`
	Metric       string          `json:"metric,omitempty"`
	Unit         string          `json:"unit,omitempty"`
	BaseValue    *float64        `json:"base_value"`
	HeadValue    *float64        `json:"head_value"`
	Ratio        *float64        `json:"ratio"`
	RatioLow     *float64        `json:"ratio_low"`
	RatioHigh    *float64        `json:"ratio_high"`
	Tolerance    float64         `json:"tolerance"`
	Rounds       int             `json:"rounds"`
	RoundsNeeded int             `json:"rounds_needed"`
	Detectable   float64         `json:"detectable"`
	Blind        bool            `json:"blind,omitempty"`
	Withheld     bool            `json:"withheld,omitempty"`
	Verdict      compare.Verdict `json:"verdict"`
	Outcome      gate.Outcome    `json:"outcome"`
	Fails        bool            `json:"fails"`
	Reason       string          `json:"reason,omitempty"`
	Detail       string          `json:"detail"`
	Warnings     []string        `json:"warnings,omitempty"`
}

type gateJSONSide struct {
	Dir     string `json:"dir"`
	Suite   string `json:"suite"`
	Started string `json:"started"`
	Version string `json:"version"`
	Select  string `json:"select,omitempty"`
}

// GateJSON writes a gate's answer for programs.
func GateJSON(w io.Writer, r gate.Result, o GateOptions) error {
	checks := []gateJSONCheck{}
	for _, l := range gateLines(r) {
		checks = append(checks, gateJSONCheck{
			ID: l.ID(), Name: l.Name, Base: l.Check.Base, Head: l.Check.Head, Kind: l.Kind, Metric: l.Check.Metric, Unit: l.Unit,
			BaseValue: l.BaseValue, HeadValue: l.HeadValue, Ratio: l.Ratio, RatioLow: l.Lo, RatioHigh: l.Hi, Tolerance: l.Tolerance,
			Rounds: l.Rounds, RoundsNeeded: l.RoundsNeeded, Detectable: l.Detectable, Blind: l.Blind, Withheld: l.Withheld,
			Verdict: l.Verdict, Outcome: l.Outcome, Fails: l.Fails, Reason: l.Reason, Detail: l.Detail, Warnings: l.Warnings,
		})
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(struct {
		Schema   int             `json:"schema"`
		Title    string          `json:"title"`
		Dlbench  string          `json:"dlbench"`
		Exit     int             `json:"exit"`
		Headline string          `json:"headline"`
		Base     gateJSONSide    `json:"base"`
		Head     gateJSONSide    `json:"head"`
		OneRun   bool            `json:"one_run"`
		Policy   string          `json:"policy,omitempty"`
		Alpha    float64         `json:"alpha"`
		Family   int             `json:"family"`
		Compared int             `json:"compared"`
		Checks   []gateJSONCheck `json:"checks"`
		Ignored  []string        `json:"ignored,omitempty"`
		Warnings []string        `json:"warnings,omitempty"`
	}{
		gateSchema, o.title(), o.Version, r.Code(), r.Headline(), gateJSONSide(r.Base), gateJSONSide(r.Head), r.OneRun,
		r.Policy.File, r.Alpha, r.Family, r.Compared, checks, r.Ignored, r.Warnings,
	})
}
