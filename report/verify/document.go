package verify

import (
	"iter"
	"strings"

	"golang.org/x/net/html"
)

// all are a node and everything below it, in the order of the document.
func all(n *html.Node) iter.Seq[*html.Node] {
	return func(yield func(*html.Node) bool) {
		if !yield(n) {
			return
		}
		for d := range n.Descendants() {
			if !yield(d) {
				return
			}
		}
	}
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func isElement(n *html.Node, tag string) bool { return n.Type == html.ElementNode && n.Data == tag }

func hasClass(n *html.Node, class string) bool {
	for c := range strings.FieldsSeq(attribute(n, "class")) {
		if c == class {
			return true
		}
	}
	return false
}

// children of any kind.
func children(n *html.Node) []*html.Node {
	var list []*html.Node
	for c := range n.ChildNodes() {
		list = append(list, c)
	}
	return list
}

// words are what a node shows in English, or in any language that is given.
func words(n *html.Node, without string) string {
	var b strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		switch {
		case n.Type == html.TextNode:
			b.WriteString(n.Data)
		case n.Type == html.ElementNode && (attribute(n, "lang") == without || n.Data == "script" || n.Data == "style"):
			return
		case isElement(n, "small") || isElement(n, "br") || isElement(n, "svg"):
			b.WriteString(" ")
		}
		for c := range n.ChildNodes() {
			walk(c)
		}
	}
	walk(n)
	return strings.Join(strings.Fields(b.String()), " ")
}

func english(n *html.Node) string { return words(n, "zh-Hans") }
func chinese(n *html.Node) string { return words(n, "en") }

func isTable(n *html.Node) bool { return isElement(n, "table") }

// within is the next node above that is of a kind.
func within(n *html.Node, kind func(*html.Node) bool) *html.Node {
	for n = n.Parent; n != nil && !kind(n); n = n.Parent {
	}
	return n
}

func isCell(n *html.Node) bool { return isElement(n, "td") || isElement(n, "th") }

// cellsOf are the cells of a row.
func cellsOf(row *html.Node) []*html.Node {
	var list []*html.Node
	for c := range row.ChildNodes() {
		if isCell(c) {
			list = append(list, c)
		}
	}
	return list
}

// rowName is what a row begins with.
func rowName(row *html.Node) string {
	if cells := cellsOf(row); len(cells) > 0 {
		return english(cells[0])
	}
	return ""
}

// caption is what a table is called.
func caption(table *html.Node) string {
	for c := range table.ChildNodes() {
		if isElement(c, "caption") {
			return english(c)
		}
	}
	return attribute(table, "id")
}

// heads are the names of a table's columns, from the last row of its head.
func heads(table *html.Node) []string {
	var names []string
	for c := range table.ChildNodes() {
		if !isElement(c, "thead") {
			continue
		}
		for row := range c.ChildNodes() {
			if isElement(row, "tr") {
				names = nil
				for _, cell := range cellsOf(row) {
					names = append(names, english(cell))
				}
			}
		}
	}
	return names
}

// measure counts the cells of all tables, and the charts that scripts draw.
func measure(page *html.Node) (cells, charts int) {
	for n := range all(page) {
		if isCell(n) {
			cells++
		}
	}
	return cells, len(chartData(page))
}
