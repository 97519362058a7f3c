package verify

import (
	"fmt"
	"maps"
	"slices"

	"golang.org/x/net/html"
)

// compareTables compares what two versions of dlbench both show: cells of tables of
// one caption, in rows and columns of one name.
func (r *Result) compareTables(page, again *html.Node) {
	says, means := tablesOf(page), tablesOf(again)
	for _, name := range means.names {
		b := means.tables[name]
		a, ok := says.tables[name]
		if !ok {
			r.OnlyRecords++
			continue
		}
		r.compareTable(a, b)
	}
	for _, name := range says.names {
		if _, ok := means.tables[name]; !ok {
			r.OnlyPage++
		}
	}
	inPage, inAgain := chartData(page), chartData(again)
	w := walker{}
	for _, id := range slices.Sorted(maps.Keys(inAgain)) {
		if x, ok := inPage[id]; ok {
			r.Charts++
			w.values(x, inAgain[id], "data of the charts."+id)
		}
	}
	r.Differences = append(r.Differences, w.found...)
}

// chartData are the charts of a page.
func chartData(page *html.Node) map[string]any {
	for n := range all(page) {
		if isElement(n, "script") && attribute(n, "id") == "chart-data" {
			charts, _ := chartsOf(n)
			return charts
		}
	}
	return nil
}

func (r *Result) compareTable(a, b table) {
	for _, name := range b.names {
		means := b.rows[name]
		says, ok := a.rows[name]
		if !ok {
			r.OnlyRecords++
			continue
		}
		for _, column := range means.columns {
			p, ok := says.cells[column]
			if !ok {
				continue
			}
			q := means.cells[column]
			r.Cells++
			if x, y := english(p), english(q); x != y {
				verdict := badges(p) != badges(q)
				if verdict {
					x, y = badges(p), badges(q)
				}
				r.Differences = append(r.Differences, Difference{
					Section: short(b.section), Table: short(b.caption), Row: short(name.text), Column: short(column.text), What: "text", Page: short(x), Records: short(y), Verdict: verdict,
				})
			}
		}
	}
	for _, name := range a.names {
		if _, ok := b.rows[name]; ok {
			continue
		}
		r.OnlyPage++
		for _, column := range a.rows[name].columns {
			if badge := badges(a.rows[name].cells[column]); badge != "" { // a verdict that no record is behind
				r.Differences = append(r.Differences, Difference{
					Section: short(a.section), Table: short(a.caption), Row: short(name.text), What: "row", Page: short(badge), Records: "nothing", Verdict: true,
				})
			}
		}
	}
}

// badges are the words of the badges in a cell, in English.
func badges(cell *html.Node) string {
	s := ""
	for n := range all(cell) {
		if hasClass(n, "badge") {
			s += english(n) + "; "
		}
	}
	return s
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

type table struct {
	section, caption string
	names            []named
	rows             map[named]row
}

type row struct {
	columns []named
	cells   map[named]*html.Node
}

type tables struct {
	names  []named
	tables map[named]table
}

func tablesOf(page *html.Node) tables {
	all, seen := tables{tables: map[named]table{}}, numbered{}
	var walk func(n *html.Node, section string)
	walk = func(n *html.Node, section string) {
		if isElement(n, "section") {
			section = attribute(n, "id")
		}
		if isElement(n, "table") {
			t := read(n)
			t.section = section
			name := seen.next(section + ": " + t.caption)
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
	t := table{caption: caption(n), rows: map[named]row{}}
	names, seen := heads(n), numbered{}
	for d := range all(n) {
		if !isElement(d, "tr") || d.Parent == nil || isElement(d.Parent, "thead") {
			continue
		}
		name := seen.next(rowName(d))
		columns, r := numbered{}, row{cells: map[named]*html.Node{}}
		for i, cell := range cellsOf(d) {
			head := fmt.Sprintf("column %d", i+1)
			if i < len(names) {
				head = names[i]
			}
			column := columns.next(head)
			r.columns = append(r.columns, column)
			r.cells[column] = cell
		}
		t.names = append(t.names, name)
		t.rows[name] = r
	}
	return t
}
