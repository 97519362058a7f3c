package report

import (
	"bytes"
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"
	pretty "github.com/jedib0t/go-pretty/v6/text"

	"github.com/dlbench/dlbench/results/compare/gate"
)

// GateText writes a gate's answer for a terminal: the headline, a table of all
// checks, then what failed and what is open, and what is to be doubted.
func GateText(w io.Writer, r gate.Result, o GateOptions) error {
	narrow()
	lines := gateLines(r)
	wrap := wrapAt(o.Terminal.Width)
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n", pretty.WrapSoft(plain(line(r.Headline())), wrap))
	fmt.Fprintf(&b, "%s\n%s\n\n", pretty.WrapSoft(gateSides(r), wrap), pretty.WrapSoft(gateTerms(r), wrap))
	if len(lines) > 0 {
		fmt.Fprintf(&b, "%s\n", gateTable(lines, o.Terminal))
	}
	first := true
	for _, l := range lines {
		if !l.Fails && l.Outcome != gate.Undecided {
			continue
		}
		if first {
			fmt.Fprintln(&b)
			first = false
		}
		fmt.Fprintf(&b, "%s\n", pretty.WrapSoft(fmt.Sprintf("%s %s: %s: %s", l.Icon, l.Word, l.Label, l.Detail), wrap))
	}
	for i, d := range gateDoubts(r, lines) {
		if i == 0 {
			fmt.Fprintln(&b)
		}
		fmt.Fprintf(&b, "%s\n", pretty.WrapSoft("- "+d, wrap))
	}
	_, err := io.WriteString(w, trailing.ReplaceAllString(b.String(), "\n"))
	return err
}

// gateColumns of a table of checks; the verdict is the second, so that a narrow
// terminal loses only figures.
var gateColumns = []string{"cell", "verdict", "metric", "change", "range", "base", "head"}

func (l gateLine) columns() []string {
	return []string{l.Label, l.Word, l.Metric, l.Change, l.Range, l.Base, l.Head}
}

// gateTable lays the checks out; where a terminal is too narrow, columns on the
// right go.
func gateTable(lines []gateLine, o TextOptions) string {
	for shown := len(gateColumns); ; shown-- {
		t := table.NewWriter()
		t.SetStyle(bare)
		var configs []table.ColumnConfig
		for n := range shown {
			c := table.ColumnConfig{Number: n + 1}
			if n > 2 {
				c.Align, c.AlignHeader = pretty.AlignRight, pretty.AlignRight
			}
			configs = append(configs, c)
		}
		t.SetColumnConfigs(configs)
		t.AppendHeader(cells(gateColumns[:shown]))
		for _, l := range lines {
			words := l.columns()[:shown]
			if o.Color && l.Colour != "" {
				words[1] = "\x1b[" + l.Colour + "m" + words[1] + "\x1b[0m"
			}
			t.AppendRow(cells(words))
		}
		s := t.Render()
		if o.Width <= 0 || shown == 2 || pretty.LongestLineLen(s) <= o.Width {
			return s
		}
	}
}
