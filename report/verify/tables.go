package verify

import (
	"fmt"
	"slices"

	"golang.org/x/net/html"

	"github.com/dlbench/dlbench/report"
)

// mark is a badge: its colour, and its word in both languages.
type mark struct{ class, en, zh string }

func (m mark) parts() []string { return []string{"class=" + m.class, "en=" + m.en, "zh=" + m.zh} }

func (m mark) String() string { return m.en + " / " + m.zh + " (" + m.class + ")" }

// badges are those of a page, or of a cell without the tables within it.
func badges(n *html.Node) []mark {
	var list []mark
	for d := range all(n) {
		if hasClass(d, "badge") && (!isCell(n) || within(d, isCell) == n) {
			list = append(list, mark{attribute(d, "class"), english(d), chinese(d)})
		}
	}
	return list
}

// compareBadges compares the badges that two versions of dlbench both show: those
// of tables of one caption, in rows and columns of one name, of which both have
// equally many. What has no such partner, or a colour or word that this version
// does not know, may be another version's way to say the same: it is not compared.
func (r *Result) compareBadges(page, again *html.Node) {
	known, inAgain := map[string]bool{}, badges(again)
	vocabulary := slices.Clone(inAgain)
	for _, b := range report.VerdictBadges() {
		vocabulary = append(vocabulary, mark{"badge " + b.Class, b.EN, b.ZH})
	}
	for _, m := range vocabulary {
		for _, part := range m.parts() {
			known[part] = true
		}
	}
	r.AllVerdicts = max(len(badges(page)), len(inAgain))
	says, means := tablesOf(page), tablesOf(again)
	for _, name := range means.names {
		a, b := says.tables[name], means.tables[name]
		if !says.seen.asOften(means.seen, name) {
			continue
		}
		for _, line := range b.names {
			if !a.seen.asOften(b.seen, line) {
				continue
			}
			in, of := a.rows[line], b.rows[line]
			for _, column := range of.columns {
				if in.seen.asOften(of.seen, column) {
					at := Difference{Section: short(b.section), Table: short(b.caption), Row: short(line.text), Column: short(column.text), What: "verdict"}
					r.compareMarks(badges(in.cells[column]), badges(of.cells[column]), known, at)
				}
			}
		}
	}
}

func (r *Result) compareMarks(page, again []mark, known map[string]bool, at Difference) {
	if len(page) != len(again) {
		return
	}
	for i, p := range page {
		q := again[i]
		if p != q {
			of := q.parts()
			if !slices.ContainsFunc(p.parts(), func(part string) bool { return known[part] && !slices.Contains(of, part) }) {
				continue
			}
			d := at
			d.Page, d.Records = short(p.String()), short(q.String())
			r.Differences = append(r.Differences, d)
		}
		r.Verdicts++
	}
}

// named tells things of the same name apart by their order.
type named struct {
	text string
	n    int
}

// numbered counts names.
type numbered map[string]int

func (c numbered) next(text string) named {
	c[text]++
	return named{text, c[text]}
}

// asOften: the n-th of a name is the same thing in both only where both have as
// many of them.
func (c numbered) asOften(other numbered, name named) bool { return c[name.text] == other[name.text] }

type table struct {
	section, caption string
	names            []named
	rows             map[named]row
	seen             numbered
}

type row struct {
	columns []named
	cells   map[named]*html.Node
	seen    numbered
}

type tables struct {
	names  []named
	tables map[named]table
	seen   numbered
}

func tablesOf(page *html.Node) tables {
	all := tables{tables: map[named]table{}, seen: numbered{}}
	var walk func(n *html.Node, section string)
	walk = func(n *html.Node, section string) {
		if isElement(n, "section") {
			section = attribute(n, "id")
		}
		if isElement(n, "table") {
			t := read(n)
			t.section = section
			name := all.seen.next(section + ": " + t.caption)
			all.names = append(all.names, name)
			all.tables[name] = t
		}
		for c := range n.ChildNodes() {
			walk(c, section)
		}
	}
	walk(page, "")
	return all
}

func read(n *html.Node) table {
	t := table{caption: caption(n), rows: map[named]row{}, seen: numbered{}}
	names := heads(n)
	for d := range all(n) {
		if !isElement(d, "tr") || isElement(d.Parent, "thead") || within(d, isTable) != n {
			continue
		}
		name := t.seen.next(rowName(d))
		r := row{cells: map[named]*html.Node{}, seen: numbered{}}
		for i, cell := range cellsOf(d) {
			head := fmt.Sprintf("column %d", i+1)
			if i < len(names) {
				head = names[i]
			}
			column := r.seen.next(head)
			r.columns = append(r.columns, column)
			r.cells[column] = cell
		}
		t.names = append(t.names, name)
		t.rows[name] = r
	}
	return t
}
