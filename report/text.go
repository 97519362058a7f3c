package report

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/jedib0t/go-pretty/v6/table"
	pretty "github.com/jedib0t/go-pretty/v6/text"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/compare/frameworks"
)

// TextOptions say what the terminal can show.
type TextOptions struct {
	Color bool
	Width int // columns; 0: as wide as needed
}

// Text writes the answer, one table of all cells and what is to be doubted.
func Text(w io.Writer, run results.Run, a compare.Analysis, o TextOptions) error {
	narrow()
	v := newView(run, a)
	rows := v.rows()
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n\n", pretty.WrapSoft(plain(v.answer().EN), wrapAt(o.Width)))
	for _, r := range v.runs() {
		fmt.Fprintf(&b, "%s\n", pretty.WrapSoft(plain(fmt.Sprintf("run %d: %s, %s, %s trials, %s", r.No, r.Suite, r.Started, r.Trials, r.Rule.EN)), wrapAt(o.Width)))
	}
	if len(v.run.Parts) > 0 {
		fmt.Fprintln(&b)
	}
	if len(rows) > 0 {
		fmt.Fprintf(&b, "%s\n", v.tables(rows, o))
		v.standingText(&b, o)
	}
	for i, d := range v.doubts(rows) {
		if i == 0 {
			fmt.Fprintln(&b)
		}
		fmt.Fprintf(&b, "%s\n", pretty.WrapSoft("- "+d, wrapAt(o.Width)))
	}
	for _, f := range []fact{v.howSure(), v.sample(), v.noiseFloor()} {
		if f.Label.Empty() {
			continue
		}
		fmt.Fprintf(&b, "\n%s", pretty.WrapSoft(plain(f.Label.EN+": "+f.Value.EN), wrapAt(o.Width)))
	}
	for _, w := range v.noiseWords() {
		fmt.Fprintf(&b, "\n%s", pretty.WrapSoft("- "+w, wrapAt(o.Width)))
	}
	fmt.Fprintln(&b)
	_, err := io.WriteString(w, trailing.ReplaceAllString(b.String(), "\n"))
	return err
}

// standingText writes the star table and the claims.
func (v *view) standingText(b *bytes.Buffer, o TextOptions) {
	head, rows, notes := v.starTable()
	if len(rows) > 0 {
		t := table.NewWriter()
		t.SetStyle(bare)
		t.AppendHeader(cells(head))
		for _, r := range rows {
			t.AppendRow(cells(r))
		}
		fmt.Fprintf(b, "\n%s\n", t.Render())
	}
	notes = slices.DeleteFunc(notes, func(n string) bool { // of every run alike: the page has them
		return strings.HasPrefix(n, string(frameworks.Distributed)) || strings.HasPrefix(n, string(frameworks.Mobile))
	})
	for i, n := range append(notes, v.claimLines()...) {
		if i == 0 {
			fmt.Fprintln(b)
		}
		fmt.Fprintf(b, "%s\n", pretty.WrapSoft("- "+line(n), wrapAt(o.Width)))
	}
}

// narrow has go-pretty count ×, – and rules as one column wide. By itself it
// asks the locale, and the same run would give other bytes under zh_CN.
var narrow = sync.OnceFunc(func() { pretty.OverrideRuneWidthEastAsianWidth(false) })

// trailing are the spaces that pad lines to the width of a table.
var trailing = regexp.MustCompile(` +\n`)

func wrapAt(width int) int {
	if width <= 0 {
		return 1 << 20
	}
	return width
}

// tables lays rows out, one table per group in common columns. Where the
// terminal is too narrow, the columns on the right go first, then the remarks
// on verdicts.
func (v *view) tables(rows []row, o TextOptions) string {
	for hidden := 0; ; hidden++ {
		s := v.layout(rows, o, hidden)
		if o.Width <= 0 || hidden == 3 || pretty.LongestLineLen(s) <= o.Width {
			return s
		}
	}
}

// layout draws the tables without their last hidden columns.
func (v *view) layout(rows []row, o TextOptions, hidden int) string {
	head := v.columns()
	shown := head[:len(head)-min(hidden, 2)]
	widths := make([]int, len(shown))
	words := make([][]string, len(rows))
	for i, r := range rows {
		words[i] = r.words()[:len(shown)]
		if hidden == 3 {
			words[i][verdictColumn] = plain(r.badge.Word.EN)
		}
	}
	for _, w := range append([][]string{shown}, words...) {
		for n := range shown {
			widths[n] = max(widths[n], pretty.StringWidthWithoutEscSequences(w[n]))
		}
	}
	var b strings.Builder
	for i := 0; i < len(rows); {
		g := rows[i].cell.group
		t := table.NewWriter()
		t.SetStyle(bare)
		t.SetColumnConfigs(columnConfigs(widths))
		if i == 0 {
			t.AppendHeader(cells(shown))
		}
		title := settings(g.Key)
		for ; i < len(rows) && rows[i].cell.group == g; i++ {
			if o.Color {
				words[i][verdictColumn] = colored(words[i][verdictColumn], rows[i].badge.Class)
			}
			t.AppendRow(cells(words[i]))
		}
		fmt.Fprintf(&b, "%s\n%s\n\n", title, t.Render())
	}
	return strings.TrimRight(b.String(), "\n")
}

const verdictColumn = 3

// bare is a table without borders.
var bare = func() table.Style {
	s := table.StyleLight
	s.Format.Header = pretty.FormatDefault
	s.Options.DrawBorder = false
	s.Options.SeparateColumns = false
	return s
}()

// columnConfigs align figures to the right and give all tables the same widths.
func columnConfigs(widths []int) []table.ColumnConfig {
	var configs []table.ColumnConfig
	for n, w := range widths {
		c := table.ColumnConfig{Number: n + 1, Align: pretty.AlignRight, AlignHeader: pretty.AlignRight, WidthMin: w}
		if n == 0 || n == verdictColumn {
			c.Align, c.AlignHeader = pretty.AlignLeft, pretty.AlignLeft
		}
		configs = append(configs, c)
	}
	return configs
}

func cells(words []string) table.Row {
	r := make(table.Row, len(words))
	for i, w := range words {
		r[i] = w
	}
	return r
}

// colored marks a verdict for a terminal. The codes are written here because
// go-pretty's own depend on a switch that is global to the process.
func colored(s, class string) string {
	code := map[string]string{"b-faster": "32", "b-slower": "31", "b-wrong": "31", "b-open": "2"}[class]
	if code == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}
