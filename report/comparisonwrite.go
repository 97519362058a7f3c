package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	pretty "github.com/jedib0t/go-pretty/v6/text"

	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/compare/selection"
)

// CompareText writes the tables for a terminal, with the warnings as notes.
func CompareText(w io.Writer, t Comparison, o TextOptions) error {
	narrow()
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n", t.answer())
	tables, notes := t.tables()
	for _, drawn := range tables {
		fmt.Fprintf(&b, "\n%s\n%s\n", pretty.WrapSoft(drawn.Title, wrapAt(o.Width)), drawn.fit(o))
	}
	t.closing(&b, notes, func(s string) string { return pretty.WrapSoft(s, wrapAt(o.Width)) })
	_, err := io.WriteString(w, trailing.ReplaceAllString(b.String(), "\n"))
	return err
}

// fit draws a table without evidence, then without rounds, where the terminal is
// too narrow.
func (c comparisonTable) fit(o TextOptions) string {
	s := c.text(o)
	for _, column := range []string{"evidence", "rounds"} {
		if o.Width <= 0 || pretty.LongestLineLen(s) <= o.Width {
			break
		}
		c = c.without(column)
		s = c.text(o)
	}
	return s
}

// without is the table without a column.
func (c comparisonTable) without(column string) comparisonTable {
	at := slices.Index(c.Head, column)
	less := comparisonTable{Title: c.Title, Head: slices.Delete(slices.Clone(c.Head), at, at+1)}
	for _, r := range c.Rows {
		less.Rows = append(less.Rows, slices.Delete(slices.Clone(r), at, at+1))
	}
	return less
}

// text draws a table; the head's verdict is coloured where the terminal can.
func (c comparisonTable) text(o TextOptions) string {
	t := table.NewWriter()
	t.SetStyle(bare)
	verdict := slices.Index(c.Head, "verdict")
	var configs []table.ColumnConfig
	for i := range c.Head {
		align := pretty.AlignRight
		if i < verdict-3 || i == verdict || i == len(c.Head)-1 {
			align = pretty.AlignLeft
		}
		configs = append(configs, table.ColumnConfig{Number: i + 1, Align: align, AlignHeader: align})
	}
	t.SetColumnConfigs(configs)
	t.AppendHeader(cells(c.Head))
	for _, r := range c.Rows {
		if o.Color {
			r = slices.Clone(r)
			word, _, _ := strings.Cut(r[verdict], " ")
			r[verdict] = colored(r[verdict], verdictBadge(compare.Verdict(word)).Class)
		}
		t.AppendRow(cells(r))
	}
	return t.Render()
}

// CompareMarkdown writes the tables for a pull request.
func CompareMarkdown(w io.Writer, t Comparison) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n", escape(t.answer()))
	tables, notes := t.tables()
	for _, drawn := range tables {
		fmt.Fprintf(&b, "\n**%s**\n\n", escape(drawn.Title))
		rule := strings.Repeat("--:|", len(drawn.Head))
		labels := len(drawn.Head) - 7
		rule = strings.Repeat(":--|", labels) + rule[:len(rule)-4*labels]
		fmt.Fprintf(&b, "| %s |\n|%s\n", joinEscaped(drawn.Head), rule)
		for _, r := range drawn.Rows {
			fmt.Fprintf(&b, "| %s |\n", joinEscaped(r))
		}
	}
	t.closing(&b, notes, func(s string) string { return "- " + escape(strings.TrimPrefix(s, "- ")) })
	_, err := w.Write(b.Bytes())
	return err
}

func joinEscaped(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = escape(w)
	}
	return strings.Join(out, " | ")
}

// closing is what stands below the tables.
func (t Comparison) closing(b *bytes.Buffer, notes []string, show func(string) string) {
	fmt.Fprintln(b)
	for i, n := range notes {
		fmt.Fprintf(b, "%s\n", show(fmt.Sprintf("[%d] %s", i+1, n)))
	}
	for _, w := range t.Warnings {
		fmt.Fprintf(b, "%s\n", show("- "+plain(line(w))))
	}
	quoted := map[string]bool{}
	for _, r := range t.Runs { // of one host mostly, so the same
		if r.NoiseFloor != "" && !quoted[r.NoiseFloor] {
			quoted[r.NoiseFloor] = true
			fmt.Fprintf(b, "%s\n", show(r.NoiseFloor))
		}
	}
	if len(t.Lines) > 0 {
		fmt.Fprintf(b, "%s\n", show(t.terms()))
	}
}

// CompareCSV writes one line per comparison with full precision; an absent
// figure is empty. The warnings of a line are joined by semicolons; those of the
// runs as a whole stand in every other format.
func CompareCSV(w io.Writer, t Comparison) error {
	out := csv.NewWriter(w)
	var head []string
	for _, side := range []string{"base", "head"} {
		for _, name := range []string{"run", "cell", "program", "median", "low", "high", "trials", "failed", "status"} {
			head = append(head, side+"_"+name)
		}
	}
	labels := append(slices.Clone(selection.Keys), "metric", "unit", "better")
	head = append(labels, append(head, "ratio", "ratio_low", "ratio_high", "verdict", "rounds", "rounds_needed", "evidence", "evidence_needed", "detectable", "reason", "warnings")...)
	out.Write(head)
	for _, l := range t.Lines {
		row := make([]string, 0, len(head))
		parts := slices.Concat(l.Table, l.Row, l.Col)
		for _, k := range selection.Keys {
			at := slices.IndexFunc(parts, func(p selection.Part) bool { return p.Key == k })
			value := "" // ignored
			if at >= 0 {
				value = parts[at].Value
			}
			row = append(row, formula(value))
		}
		row = append(row, l.Metric, l.Unit, l.Better)
		for _, s := range []ComparedSide{l.Base, l.Head} {
			row = append(row, formula(s.Run), formula(s.Cell), formula(s.Hash), exactPtr(s.Median), exactPtr(s.Lo), exactPtr(s.Hi), strconv.Itoa(s.Trials), strconv.Itoa(s.Failed), s.Status)
		}
		row = append(row, exactPtr(l.Ratio), exactPtr(l.RatioLo), exactPtr(l.RatioHi), string(l.Verdict), strconv.Itoa(l.Rounds), strconv.Itoa(l.RoundsNeeded),
			exactPtr(&l.Evidence), exactPtr(&l.Needed), exactPtr(l.Detectable), formula(line(l.Reason)), formula(line(strings.Join(l.Warnings, "; "))))
		out.Write(row)
	}
	out.Flush()
	return out.Error()
}

func exactPtr(p *float64) string {
	if p == nil {
		return ""
	}
	return strconv.FormatFloat(*p, 'g', -1, 64)
}

// CompareJSON writes everything.
func CompareJSON(w io.Writer, t Comparison) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(t)
}
