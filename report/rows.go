package report

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// row is one cell in the flat tables: text, Markdown, CSV and JSON.
type row struct {
	Workload   string   `json:"workload"`
	Mode       string   `json:"mode"`
	Precision  string   `json:"precision"`
	Device     string   `json:"device"`
	Data       string   `json:"data"`
	Batch      int      `json:"batch"`
	Accumulate int      `json:"accumulate"`
	Threads    int      `json:"threads"`
	Checkpoint int      `json:"checkpoint"`
	Allocator  string   `json:"allocator,omitempty"` // absent: the default one
	Backend    string   `json:"backend"`
	Baseline   bool     `json:"baseline"`
	Status     string   `json:"status"`
	Rate       *float64 `json:"examples_per_second"`
	RateLo     *float64 `json:"examples_per_second_low"`
	RateHi     *float64 `json:"examples_per_second_high"`
	Ratio      *float64 `json:"speed_ratio"` // to the baseline; above 1 is faster
	RatioLo    *float64 `json:"speed_ratio_low"`
	RatioHi    *float64 `json:"speed_ratio_high"`
	CPURatio   *float64 `json:"cpu_speed_ratio,omitempty"` // the same ratio by CPU time; never judged
	Verdict    string   `json:"verdict"`
	Detectable *float64 `json:"detectable,omitempty"`    // smallest relative effect that could have been seen; undecided only
	Needed     int      `json:"rounds_needed,omitempty"` // by a verdict at least; undecided only
	Above      *float64 `json:"peak_above_import_bytes"`
	Trials     int      `json:"trials"`
	Failed     int      `json:"failed"`
	Reason     string   `json:"reason,omitempty"`
	Warnings   []string `json:"warnings,omitempty"`

	Slowdowns []compare.Slowdown `json:"slowdowns,omitempty"` // what explains slow trials; never judged

	cell  *cell
	badge badge
}

// rows are all cells, group by group, in the order of the plan.
func (v *view) rows() []row {
	var rows []row
	for _, c := range v.cells() {
		rows = append(rows, v.row(c))
	}
	return rows
}

func (v *view) row(c *cell) row {
	k := c.Cell
	r := row{
		Workload: k.Workload, Mode: k.Mode, Precision: k.Precision, Device: k.Device, Data: k.Data,
		Batch: k.Batch, Accumulate: k.Accumulate, Threads: k.Threads, Checkpoint: k.Checkpoint, Allocator: k.Allocator,
		Backend: k.Backend, Baseline: c.baseline, Status: compare.StatusMissing,
		cell: c, badge: v.cellBadge(c),
	}
	rate := c.throughput()
	r.Rate, r.RateLo, r.RateHi = finite(rate.Mid), finite(rate.Lo), finite(rate.Hi)
	if s := c.summary; s != nil {
		r.Status, r.Trials, r.Failed, r.Slowdowns = s.Status, s.Trials, s.Failed, s.Slowdowns
	}
	if x := c.comparison; x != nil {
		ratio := speedup(x)
		r.Ratio, r.RatioLo, r.RatioHi = finite(ratio.Mid), finite(ratio.Lo), finite(ratio.Hi)
		r.Verdict = string(x.Verdict)
		r.CPURatio = finite(cpuSpeedup(x).Mid)
		if x.Verdict == compare.Inconclusive && x.Detectable > 0 && c.ranked() && x.Reason == "" && !x.TooShort {
			r.Detectable = finite(&x.Detectable)
		}
		if x.Verdict == compare.Inconclusive {
			r.Needed = x.RoundsNeeded
		}
		r.Reason = x.Reason
	}
	r.Warnings = c.warnings()
	if above, ok := c.above(); ok {
		r.Above = finite(&above)
	}
	if !c.ranked() {
		r.Reason = c.why().EN
	}
	return r
}

// warnings are the doubts about a cell's figures. Those of a comparison that
// begin with a backend's name repeat what its own summary says.
func (c *cell) warnings() []string {
	var ws []string
	if c.summary != nil {
		ws = slices.Clone(c.summary.Warnings)
	}
	if x := c.comparison; x != nil {
		for _, w := range x.Warnings {
			if !strings.HasPrefix(w, x.Base.Backend+": ") && !strings.HasPrefix(w, x.Head.Backend+": ") {
				ws = append(ws, w)
			}
		}
	}
	return ws
}

// finite drops what JSON cannot hold.
func finite(p *float64) *float64 {
	if p == nil || math.IsNaN(*p) || math.IsInf(*p, 0) {
		return nil
	}
	return p
}

// columns of the text and Markdown tables.
func (v *view) columns() []string {
	return []string{"backend", "examples/s", "speed vs " + v.baseline.Label, "verdict", "above import", "trials"}
}

// words are a row of the text and Markdown tables.
func (r row) words() []string {
	c := r.cell
	rate, span := showCount(interval{r.Rate, r.RateLo, r.RateHi})
	ratio, ratioSpan := showRatio(interval{r.Ratio, r.RatioLo, r.RatioHi})
	if span != "" {
		rate += " (" + span + ")"
	}
	if !ratioSpan.Empty() {
		ratio += " (" + ratioSpan.EN + ")"
	}
	verdict := r.badge.Word.EN
	if n := c.note().EN; c.fewRounds() {
		verdict += " (too few rounds)" // how many stands below, once
	} else if n != "" {
		verdict += " (" + n + ")"
	}
	above := none
	if r.Above != nil {
		above = mebibytes(*r.Above)
		if c.compiledCold() {
			above += " (compiled cold)"
		}
	}
	trials := whole(int64(r.Trials))
	if r.Failed > 0 {
		trials = whole(int64(r.Trials)) + "/" + whole(int64(r.Trials+r.Failed)) + " ok"
	}
	words := []string{line(c.Backend.Label), rate, ratio, verdict, above, trials}
	for i, w := range words {
		if w == "" {
			w = none
		}
		words[i] = plain(w)
	}
	return words
}

// settings is a group's name for a narrow column.
func settings(c results.Cell) string {
	name := c.Group().Name()
	name = strings.NewReplacer("mode=", "", "precision=", "").Replace(name)
	return line(strings.ReplaceAll(name, "/", " "))
}

// plain replaces the spaces that only a page can use.
func plain(s string) string { return strings.NewReplacer(nbsp, " ", "\u202f", " ").Replace(s) }

// counted is how compare begins a warning about trials; the rest of it, less
// what stands in brackets, is the same for all cells.
var (
	counted   = regexp.MustCompile(`^(\d+) of (\d+) (?:trials )?`)
	bracketed = regexp.MustCompile(` \(([^()]*)\)`)
)

// doubts are the reasons and warnings below a table, one line each: why cells
// have no rank, then what is warned of and in which cells, then what concerns
// the run.
func (v *view) doubts(rows []row) []string {
	var out, kinds []string
	where := map[string][]string{}
	for _, r := range rows {
		name := settings(r.cell.Cell) + " " + r.cell.Backend.Label
		if r.Reason != "" && !r.cell.ranked() {
			out = append(out, plain(name+": "+r.badge.Word.EN+": "+line(r.Reason)))
		}
		warned := r.Warnings
		if r.cell.fewRounds() {
			warned = append([]string{"undecided: " + r.cell.note().EN}, warned...)
		}
		for _, w := range warned {
			kind := bracketed.ReplaceAllString(counted.ReplaceAllString(line(w), "trials "), "")
			if where[kind] == nil {
				kinds = append(kinds, kind)
			}
			if !slices.Contains(where[kind], name) {
				where[kind] = append(where[kind], name)
			}
		}
	}
	for _, kind := range kinds {
		cells := where[kind]
		switch n := len(cells); {
		case n == len(rows):
			out = append(out, plain(kind+": in all cells"))
		case n > namedCells:
			out = append(out, plain(fmt.Sprintf("%s: in %d of %d cells", kind, n, len(rows))))
		default:
			out = append(out, plain(kind+": "+strings.Join(cells, "; ")))
		}
	}
	slow := 0
	for _, r := range rows {
		for _, t := range v.slowdowns(r.cell) {
			if slow++; slow <= namedSlow {
				out = append(out, plain(settings(r.cell.Cell)+" "+r.cell.Backend.Label+": "+t.EN))
			}
		}
	}
	if slow > namedSlow {
		out = append(out, fmt.Sprintf("%d more remarks on slow trials stand in report.html", slow-namedSlow))
	}
	for _, w := range slices.Concat(v.run.Warnings, v.analysis.Warnings) {
		out = append(out, plain(line(w)))
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(out, func(s string) bool {
		dup := seen[s]
		seen[s] = true
		return dup
	})
}

const (
	namedCells = 3 // how many cells a warning names
	namedSlow  = 6 // how many remarks on slow trials stand in text and Markdown
)
