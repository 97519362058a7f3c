package report

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// CSV writes one line per cell with full precision; an absent figure is empty.
func CSV(w io.Writer, run results.Run, a compare.Analysis) error {
	out := csv.NewWriter(w)
	out.Write([]string{
		"workload", "mode", "precision", "device", "data", "batch", "accumulate", "threads", "checkpoint", "allocator", "backend", "baseline",
		"status", "examples_per_second", "examples_per_second_low", "examples_per_second_high",
		"speed_ratio", "speed_ratio_low", "speed_ratio_high", "verdict", "detectable", "peak_above_import_bytes", "trials", "failed", "reason",
	})
	num := func(p *float64) string {
		if p == nil {
			return ""
		}
		return strconv.FormatFloat(*p, 'g', -1, 64)
	}
	for _, r := range newView(run, a).rows() {
		out.Write([]string{
			formula(r.Workload), r.Mode, r.Precision, r.Device, formula(r.Data), strconv.Itoa(r.Batch), strconv.Itoa(r.Accumulate), strconv.Itoa(r.Threads), strconv.Itoa(r.Checkpoint), formula(cmp.Or(r.Allocator, "default")), formula(r.Backend), strconv.FormatBool(r.Baseline),
			r.Status, num(r.Rate), num(r.RateLo), num(r.RateHi), num(r.Ratio), num(r.RatioLo), num(r.RatioHi), r.Verdict, num(r.Detectable), num(r.Above),
			strconv.Itoa(r.Trials), strconv.Itoa(r.Failed), formula(r.Reason),
		})
	}
	out.Flush()
	return out.Error()
}

// formula keeps a spreadsheet from running a cell that begins like one.
func formula(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// JSON writes the rows of CSV with the run's policy and warnings.
func JSON(w io.Writer, run results.Run, a compare.Analysis) error {
	v := newView(run, a)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(struct {
		Suite    string         `json:"suite"`
		Started  string         `json:"started"`
		Baseline string         `json:"baseline"`
		Policy   results.Policy `json:"policy"`
		Family   int            `json:"family"`
		Host     results.Host   `json:"host"`
		Cells    []row          `json:"cells"`
		Stars    []starData     `json:"stars"`
		Claims   []claimData    `json:"claims"`
		Warnings []string       `json:"warnings,omitempty"`

		Calibration *results.Calibration `json:"calibration,omitempty"`
		Runs        []runData            `json:"runs,omitempty"` // where there are several
	}{
		run.Meta.Suite, run.Meta.Started, a.Baseline, a.Policy, a.Family, run.Meta.Host,
		append([]row{}, v.rows()...), v.starData(), v.claimData(), v.warnings(), run.Meta.Calibration, v.runData(),
	})
}

// runData is what JSON says of one of several runs.
type runData struct {
	Suite   string         `json:"suite"`
	Started string         `json:"started"`
	Command []string       `json:"command"`
	Policy  results.Policy `json:"policy"`
	Host    results.Host   `json:"host"`
	Records int            `json:"records"`
}

func (v *view) runData() []runData {
	var all []runData
	for _, p := range v.run.Parts {
		all = append(all, runData{p.Meta.Suite, p.Meta.Started, p.Meta.Command, p.Meta.Policy, p.Meta.Host, len(p.Records)})
	}
	return all
}
