package report

import (
	"slices"
	"strings"

	"github.com/dlbench/dlbench/results/compare/claims"
	"github.com/dlbench/dlbench/results/compare/frameworks"
)

// starData is a row of the star table in JSON.
type starData struct {
	Aspect     string           `json:"aspect"`
	Workloads  []string         `json:"workloads"` // names of groups
	LeftOut    []string         `json:"left_out,omitempty"`
	Frameworks []starRatingData `json:"frameworks,omitempty"` // none: not measured
	Questions  []questionData   `json:"questions,omitempty"`  // pairs of rated frameworks
	Missing    string           `json:"missing,omitempty"`
	Command    string           `json:"command,omitempty"`
	Article    map[string]int   `json:"article,omitempty"` // the source article's stars: an opinion
}

type starRatingData struct {
	Framework    string   `json:"framework"`
	Stars        float64  `json:"stars,omitempty"` // absent: not rated
	OwnStars     float64  `json:"own_stars,omitempty"`
	Cost         *float64 `json:"cost_to_lowest,omitempty"`
	CostLo       *float64 `json:"cost_to_lowest_low,omitempty"`
	CostHi       *float64 `json:"cost_to_lowest_high,omitempty"`
	ProcessPeak  *float64 `json:"process_peak_bytes,omitempty"` // of a row about memory, whose cost is above import
	NotSeparated []string `json:"not_separated_from,omitempty"`
	Finished     int      `json:"finished"`
	Of           int      `json:"of"`
}

type questionData struct {
	Head   string             `json:"head"`
	Base   string             `json:"base"`
	Metric string             `json:"metric"`
	Family int                `json:"family"`
	Lines  []questionLineData `json:"lines"`
}

// questionLineData: the ratio is head ÷ base of the metric, which is a time or
// bytes, so below 1 the head is better.
type questionLineData struct {
	Group   string   `json:"group"`
	Head    string   `json:"head,omitempty"`
	Base    string   `json:"base,omitempty"`
	Ratio   *float64 `json:"ratio,omitempty"`
	RatioLo *float64 `json:"ratio_low,omitempty"`
	RatioHi *float64 `json:"ratio_high,omitempty"`
	Rounds  int      `json:"rounds,omitempty"`
	Result  string   `json:"result"`
}

// claimData is a claim in JSON.
type claimData struct {
	ID        string         `json:"id"`
	Says      string         `json:"says"`
	Rule      string         `json:"rule"`
	Verdict   string         `json:"verdict"`
	Measured  []string       `json:"measured,omitempty"`
	Missing   []string       `json:"missing,omitempty"`
	Questions []questionData `json:"questions,omitempty"`
}

func (v *view) starData() []starData {
	var all []starData
	for _, r := range v.judged().rows {
		d := starData{Aspect: string(r.Aspect), Workloads: []string{}, Article: map[string]int{}}
		for _, f := range []frameworks.Framework{frameworks.Of("tensorflow"), frameworks.Of("pytorch")} {
			d.Article[f.Name] = opinions[r.Aspect][f.ID]
		}
		if r.Lowest < 0 {
			missing, command := v.unrated(r)
			d.Missing, d.Command = missing.EN, command.EN
			all = append(all, d)
			continue
		}
		for _, g := range r.Groups {
			d.Workloads = append(d.Workloads, g.Key.Name())
		}
		for _, l := range r.Left {
			d.LeftOut = append(d.LeftOut, l.Key.Name())
		}
		for _, x := range r.Ratings {
			y := starRatingData{
				Framework: x.Framework.Name, Stars: x.Stars, OwnStars: x.Own, Cost: finite(x.Relative), CostLo: finite(x.Lo), CostHi: finite(x.Hi), ProcessPeak: finite(x.Process),
				Finished: x.Finished, Of: x.Of,
			}
			for _, f := range x.Shared {
				y.NotSeparated = append(y.NotSeparated, f.Name)
			}
			d.Frameworks = append(d.Frameworks, y)
		}
		for _, q := range r.Questions {
			d.Questions = append(d.Questions, dataOf(q))
		}
		all = append(all, d)
	}
	return all
}

func dataOf(q frameworks.Question) questionData {
	d := questionData{Head: q.Head, Base: q.Base, Metric: q.Metric.Name, Family: q.Family, Lines: []questionLineData{}}
	for _, l := range q.Lines {
		x := questionLineData{Group: l.Group.Name(), Result: string(l.Result())}
		if l.Head != nil {
			x.Head = l.Head.Cell.Backend
		}
		if l.Base != nil {
			x.Base = l.Base.Cell.Backend
		}
		if c := l.Comparison; c != nil {
			x.Ratio, x.RatioLo, x.RatioHi, x.Rounds = finite(c.Ratio), finite(c.Lo), finite(c.Hi), c.Rounds
		}
		d.Lines = append(d.Lines, x)
	}
	return d
}

func (v *view) claimData() []claimData {
	var all []claimData
	for _, o := range v.judged().claims {
		d := claimData{ID: o.ID, Says: o.Says.EN, Rule: o.Rule.EN, Verdict: string(o.Verdict)}
		for _, t := range v.measured(o) {
			d.Measured = append(d.Measured, plain(t.EN))
		}
		for _, m := range o.Missing {
			d.Missing = append(d.Missing, plain(foreignNames(m).EN))
		}
		for _, q := range o.Questions {
			d.Questions = append(d.Questions, dataOf(q))
		}
		all = append(all, d)
	}
	return all
}

// starTable is the star table for text and Markdown: a row per framework, a
// column per aspect that was measured.
func (v *view) starTable() (head []string, rows [][]string, notes []string) {
	j := v.judged()
	head = []string{"stars (cost ÷ lowest)"}
	var shown []frameworks.Row
	for _, r := range j.rows {
		name := string(r.Aspect)
		if r.Lowest < 0 {
			missing, command := v.unrated(r)
			word := ": not measured. "
			if r.Needed > 0 {
				word = ": "
			}
			notes = append(notes, plain(strings.TrimSpace(name+word+missing.EN+" "+command.EN)))
			continue
		}
		head, shown = append(head, name), append(shown, r)
		for _, l := range r.Left {
			notes = append(notes, plain(name+": "+v.leftWords(l).EN))
		}
		_, words := v.advantage(r)
		for _, w := range words {
			notes = append(notes, plain(name+": "+w.EN))
		}
	}
	if len(shown) == 0 {
		return nil, nil, notes
	}
	for i, f := range j.subject.Frameworks {
		row := []string{headOf(f).Label}
		for _, r := range shown {
			word := none
			if x := r.Ratings[i]; x.Rated() {
				word = starCount(x.Stars) + "★ (" + times(*x.Relative) + ")"
			}
			row = append(row, word)
		}
		rows = append(rows, row)
	}
	return head, rows, notes
}

// claimLines are the decided claims for a terminal, one line each, and which are
// open.
func (v *view) claimLines() []string {
	var lines, open []string
	for _, o := range v.judged().claims {
		if o.Verdict == claims.Open {
			open = append(open, o.ID)
			continue
		}
		s := o.ID + " " + string(o.Verdict) + ": " + o.Says.EN
		for _, m := range v.measured(o) {
			s += "; " + m.EN
		}
		lines = append(lines, plain(s))
	}
	if len(open) == len(v.judged().claims) {
		return []string{"all of the articles' claims are open in this run; report.html says what each lacks"}
	}
	return slices.Concat(lines, []string{"open: " + strings.Join(open, ", ") + "; report.html says what each lacks"})
}
