package verify

import (
	"fmt"
	"hash/fnv"
	"slices"

	"golang.org/x/net/html"
)

// place is where in the page a walker is.
type place struct {
	section, table, row, column string
	columns                     []string
}

// walker compares two documents that ought to be the same.
type walker struct {
	found []Difference
	sums  map[*html.Node]uint64
}

// enough differences say that the pages have nothing in common.
const enough = 1000

func (w *walker) add(at place, what, page, records string) {
	if len(w.found) < enough {
		w.found = append(w.found, Difference{
			Section: short(at.section), Table: short(at.table), Row: short(at.row), Column: short(at.column),
			What: what, Page: short(page), Records: short(records),
		})
	}
}

// sum is a hash over a node and all below it.
func (w *walker) sum(n *html.Node) uint64 {
	if s, ok := w.sums[n]; ok {
		return s
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %q %q", n.Type, n.Data, n.Namespace)
	for _, a := range n.Attr {
		fmt.Fprintf(h, " %q %q=%q", a.Namespace, a.Key, a.Val)
	}
	var text []byte // of charts: another Go may pack the same data to other bytes
	packed := false
	if isCharts(n) {
		text, packed = chartText(n)
	}
	switch {
	case packed:
		h.Write(text)
	case !isRecords(n):
		for c := range n.ChildNodes() {
			fmt.Fprintf(h, " %d", w.sum(c))
		}
	}
	s := h.Sum64()
	w.sums[n] = s
	return s
}

func isRecords(n *html.Node) bool {
	return isElement(n, "script") && attribute(n, "id") == "records"
}

func isCharts(n *html.Node) bool {
	return isElement(n, "script") && attribute(n, "id") == "chart-data"
}

// nodes compares two nodes that stand in the same place.
func (w *walker) nodes(a, b *html.Node, at place) {
	if w.sum(a) == w.sum(b) {
		return
	}
	if a.Type != b.Type || a.Type != html.TextNode && a.Data != b.Data {
		w.add(at, "element", describe(a), describe(b))
		return
	}
	if a.Type == html.TextNode || a.Type == html.CommentNode {
		w.add(at, "text", a.Data, b.Data)
		return
	}
	at = at.enter(b)
	w.attributes(a, b, at)
	switch {
	case isCharts(b):
		w.charts(a, b)
		return
	case isElement(b, "script"), isElement(b, "style"):
		if english(a) != english(b) || w.sum(a) != w.sum(b) {
			w.add(at, b.Data, "other code than dlbench writes", "the code of dlbench")
		}
		return
	case isCell(b):
		w.cells(a, b, at)
		return
	}
	w.children(a, b, at)
}

// cells are compared by what they show; where they show the same, by the rest.
func (w *walker) cells(a, b *html.Node, at place) {
	if p, q := english(a), english(b); p != q {
		w.add(at, "text", p, q)
	} else if p, q := chinese(a), chinese(b); p != q {
		w.add(at, "Chinese text", p, q)
	} else {
		w.children(a, b, at)
	}
}

func (w *walker) attributes(a, b *html.Node, at place) {
	if slices.Equal(a.Attr, b.Attr) {
		return
	}
	type key struct{ space, name string }
	values := func(n *html.Node) map[key]string {
		m := map[key]string{}
		for _, x := range n.Attr {
			m[key{x.Namespace, x.Key}] = x.Val
		}
		return m
	}
	inA, inB := values(a), values(b)
	same := true
	for _, x := range slices.Concat(b.Attr, a.Attr) {
		k := key{x.Namespace, x.Key}
		p, isA := inA[k]
		q, isB := inB[k]
		delete(inA, k)
		delete(inB, k)
		if p != q || isA != isB { // one may be there and empty, such as hidden
			same = false
			w.add(at, fmt.Sprintf("attribute %s of %s", short(x.Key), short(b.Data)), attributeText(p, isA), attributeText(q, isB))
		}
	}
	if same {
		w.add(at, "attributes of "+short(b.Data), "another order", "the order of dlbench")
	}
}

func attributeText(value string, there bool) string {
	if !there {
		return "nothing"
	}
	return value
}

// children pairs the nodes below two nodes: those that are equal at both ends,
// then in between those of the same name. What has no partner is extra or missing.
func (w *walker) children(a, b *html.Node, at place) {
	as, bs := children(a), children(b)
	for len(as) > 0 && len(bs) > 0 && w.sum(as[0]) == w.sum(bs[0]) {
		as, bs = as[1:], bs[1:]
	}
	for len(as) > 0 && len(bs) > 0 && w.sum(as[len(as)-1]) == w.sum(bs[len(bs)-1]) {
		as, bs = as[:len(as)-1], bs[:len(bs)-1]
	}
	if len(as) == len(bs) {
		for i := range as {
			w.nodes(as[i], bs[i], at.inColumn(bs[i]))
		}
		return
	}
	partners, paired := map[string][]*html.Node{}, map[*html.Node]bool{}
	for _, n := range bs {
		partners[name(n)] = append(partners[name(n)], n)
	}
	for _, n := range as {
		if p := partners[name(n)]; len(p) > 0 {
			partners[name(n)] = p[1:]
			paired[p[0]] = true
			w.nodes(n, p[0], at.inColumn(p[0]))
		} else if shows(n) {
			w.add(at, kind(n), describe(n), "nothing")
		}
	}
	for _, n := range bs {
		if !paired[n] && shows(n) {
			w.add(at, kind(n), "nothing", describe(n))
		}
	}
}

func (p place) enter(n *html.Node) place {
	switch {
	case isElement(n, "section"):
		p = place{section: attribute(n, "id")}
	case isElement(n, "table"):
		p.table, p.columns = caption(n), heads(n)
	case isElement(n, "tr"):
		p.row = rowName(n)
	}
	return p
}

func (p place) inColumn(n *html.Node) place {
	if len(p.columns) == 0 || !isCell(n) {
		return p
	}
	if i := slices.Index(cellsOf(n.Parent), n); i >= 0 && i < len(p.columns) {
		p.column = p.columns[i]
	}
	return p
}

// name is what a node is told by from its siblings.
func name(n *html.Node) string {
	switch {
	case n.Type == html.TextNode:
		return "text"
	case isElement(n, "tr"):
		return "tr " + rowName(n)
	case isElement(n, "table"):
		return "table " + caption(n)
	}
	return n.Data + " " + attribute(n, "id") + " " + attribute(n, "class")
}

func kind(n *html.Node) string {
	if isElement(n, "tr") {
		return "row"
	}
	return "element"
}

func describe(n *html.Node) string {
	if n.Type != html.ElementNode {
		return n.Data
	}
	return "<" + n.Data + "> " + english(n)
}

// shows: white space between elements does not.
func shows(n *html.Node) bool { return n.Type != html.TextNode || short(n.Data) != "" }
