package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	pretty "github.com/jedib0t/go-pretty/v6/text"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare/history"
)

var historyColumns = []string{"no.", "run", "date", "label", "median", "interval", "trials", "change"}

// words are a row of the text and Markdown tables.
func (r historyRow) words() []string {
	change := ""
	if c := r.Change; c != nil {
		change = fmt.Sprintf("%s %s (p %s)", c.Size.EN, c.Badge.Word.EN, c.P)
	}
	if !r.Reason.Empty() {
		change = r.Reason.EN
	}
	words := []string{strconv.Itoa(r.No), r.Run, r.Day, r.Label, r.Median, r.Range, strconv.Itoa(r.Trials), change}
	for i, w := range words {
		words[i] = plain(w)
	}
	return words
}

// heading is what a series is of.
func (s historySeries) heading() string {
	h := s.Title + " · " + s.Backend.Label + " · " + s.Metric.EN
	if !s.Where.Empty() {
		h += " · " + s.Where.EN
	}
	return plain(h)
}

// HistoryText writes a history as tables, one per series.
func HistoryText(w io.Writer, h history.History, o TextOptions) error {
	narrow()
	v := newHistoryView(h)
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n", pretty.WrapSoft(plain(v.answer().EN), wrapAt(o.Width)))
	for _, s := range v.Series {
		t := table.NewWriter()
		t.SetStyle(bare)
		t.SetColumnConfigs([]table.ColumnConfig{
			{Number: 1, Align: pretty.AlignRight, AlignHeader: pretty.AlignRight}, {Number: 5, Align: pretty.AlignRight, AlignHeader: pretty.AlignRight},
			{Number: 6, Align: pretty.AlignRight, AlignHeader: pretty.AlignRight}, {Number: 7, Align: pretty.AlignRight, AlignHeader: pretty.AlignRight},
		})
		t.AppendHeader(cells(historyColumns))
		for _, r := range s.Rows {
			words := r.words()
			if o.Color && r.Change != nil {
				words[len(words)-1] = colored(words[len(words)-1], r.Change.Badge.Class)
			}
			t.AppendRow(cells(words))
		}
		fmt.Fprintf(&b, "\n%s\n%s\n", s.heading(), t.Render())
		if !s.Note.Empty() {
			fmt.Fprintf(&b, "%s\n", pretty.WrapSoft(plain(s.Note.EN), wrapAt(o.Width)))
		}
	}
	for i, warning := range v.Warnings {
		if i == 0 {
			fmt.Fprintln(&b)
		}
		fmt.Fprintf(&b, "%s\n", pretty.WrapSoft("- "+plain(line(warning)), wrapAt(o.Width)))
	}
	if len(v.Series) > 0 {
		fmt.Fprintf(&b, "\n%s\n", pretty.WrapSoft(plain(v.method().EN), wrapAt(o.Width)))
	}
	_, err := io.WriteString(w, trailing.ReplaceAllString(b.String(), "\n"))
	return err
}

// HistoryMarkdown writes the same for a pull request or a wiki.
func HistoryMarkdown(w io.Writer, h history.History) error {
	v := newHistoryView(h)
	var b bytes.Buffer
	fmt.Fprintf(&b, "# dlbench history\n\n%s\n", escape(v.answer().EN))
	for _, s := range v.Series {
		fmt.Fprintf(&b, "\n## %s\n\n| %s |\n|--:|:--|:--|:--|--:|--:|--:|:--|\n", escape(s.heading()), strings.Join(historyColumns, " | "))
		for _, r := range s.Rows {
			words := r.words()
			for i, word := range words {
				words[i] = escape(word)
			}
			fmt.Fprintf(&b, "| %s |\n", strings.Join(words, " | "))
		}
		if !s.Note.Empty() {
			fmt.Fprintf(&b, "\n%s\n", escape(s.Note.EN))
		}
	}
	for i, warning := range v.Warnings {
		if i == 0 {
			fmt.Fprint(&b, "\n## To be doubted\n\n")
		}
		fmt.Fprintf(&b, "- %s\n", escape(line(warning)))
	}
	if len(v.Series) > 0 {
		fmt.Fprintf(&b, "\n%s\n", escape(v.method().EN))
	}
	_, err := w.Write(b.Bytes())
	return err
}

// HistoryCSV writes one line per run of a series, with full precision; an absent
// figure is empty.
func HistoryCSV(w io.Writer, h history.History) error {
	out := csv.NewWriter(w)
	out.Write([]string{
		"cell", "program", "backend", "metric", "unit", "host", "shared_imports", "no", "run", "started", "label", "median", "low", "high", "trials", "status", "counts", "reason",
		"change_before", "change_after", "change_ratio", "change_p", "change",
	})
	for _, s := range jsonHistory(h).Series {
		for i, p := range s.Points {
			row := []string{
				formula(s.Cell), s.Program, formula(s.Backend), s.Metric, s.Unit, strconv.Itoa(s.Host), strconv.FormatBool(s.Shared), strconv.Itoa(i + 1),
				formula(p.Run), p.Started, formula(p.Label), number(p.Median), number(p.Low), number(p.High), strconv.Itoa(p.Trials), p.Status, strconv.FormatBool(p.Counts), formula(line(p.Reason)),
			}
			if c := p.Change; c != nil {
				row = append(row, number(&c.Before), number(&c.After), number(c.Ratio), number(&c.P), c.Word)
			} else {
				row = append(row, "", "", "", "", "")
			}
			out.Write(row)
		}
	}
	out.Flush()
	return out.Error()
}

// number is a figure with full precision; empty where there is none.
func number(p *float64) string {
	if p == nil {
		return ""
	}
	return strconv.FormatFloat(*p, 'g', -1, 64)
}

// HistoryJSON writes a history for other programs.
func HistoryJSON(w io.Writer, h history.History) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(jsonHistory(h))
}

type historyData struct {
	Runs     int                 `json:"runs"`
	Order    string              `json:"order"` // "date", "label"
	Alpha    float64             `json:"alpha"`
	Hosts    []historyHost       `json:"hosts"`
	Series   []historySeriesData `json:"series"`
	Warnings []string            `json:"warnings,omitempty"`
}

type historyHost struct {
	Host   results.Host `json:"host"`
	Differ []string     `json:"differs_from_first,omitempty"`
}

type historySeriesData struct {
	Cell    string             `json:"cell"`
	Program string             `json:"program"`
	Backend string             `json:"backend"`
	Metric  string             `json:"metric"`
	Unit    string             `json:"unit"`
	Host    int                `json:"host"` // from 1
	Shared  bool               `json:"shared_imports,omitempty"`
	Note    string             `json:"note,omitempty"`
	Points  []historyPointData `json:"points"`
}

type historyPointData struct {
	Run     string             `json:"run"`
	Started string             `json:"started"`
	Label   string             `json:"label,omitempty"`
	Median  *float64           `json:"median"`
	Low     *float64           `json:"low"`
	High    *float64           `json:"high"`
	Trials  int                `json:"trials"`
	Status  string             `json:"status"`
	Counts  bool               `json:"counts"`
	Reason  string             `json:"reason,omitempty"`
	Change  *historyChangeData `json:"change,omitempty"`
}

type historyChangeData struct {
	Before float64  `json:"before"`
	After  float64  `json:"after"`
	Ratio  *float64 `json:"ratio"` // 0.05: 5 % more; null where the level before was 0
	P      float64  `json:"p"`
	Word   string   `json:"change"` // "worse", "better", "changed"
}

func jsonHistory(h history.History) historyData {
	d := historyData{Runs: h.Runs, Order: "date", Alpha: h.Alpha, Hosts: []historyHost{}, Series: []historySeriesData{}, Warnings: h.Warnings}
	if h.ByLabel {
		d.Order = "label"
	}
	for _, x := range h.Hosts {
		d.Hosts = append(d.Hosts, historyHost{x.Host, x.Diff})
	}
	for _, s := range h.Series {
		x := historySeriesData{
			Cell: s.Cell.Name(), Program: s.Cell.Hash, Backend: s.Cell.Backend, Metric: s.Metric.Name, Unit: s.Metric.Unit,
			Host: s.Host + 1, Shared: s.Shared, Note: s.Note, Points: []historyPointData{},
		}
		for i, p := range s.Points {
			q := historyPointData{
				Run: p.Run, Started: p.Started, Label: p.Label, Median: finite(p.Median), Low: finite(p.Lo), High: finite(p.Hi),
				Trials: p.Trials, Status: p.Status, Counts: p.Counts, Reason: p.Reason,
			}
			if c, ok := s.Change(i); ok {
				q.Change = &historyChangeData{Before: c.Before, After: c.After, P: c.P, Word: changeBadge(s, c).Word.EN}
				if r, ok := c.Ratio(); ok {
					q.Change.Ratio = finite(&r)
				}
			}
			x.Points = append(x.Points, q)
		}
		d.Series = append(d.Series, x)
	}
	return d
}
