package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dlbench/dlbench/results/compare/selection"
)

// A comparison is drawn as tables, one per value of the table's projection and
// per metric. What all rows of a table share stands above it.

// comparisonTable is one of them, in words.
type comparisonTable struct {
	Title string
	Head  []string
	Rows  [][]string
}

// comparisonNotes numbers warnings; one that several lines have is one note.
type comparisonNotes struct {
	texts []string
	at    map[string]int
}

func (n *comparisonNotes) marks(warnings []string) string {
	var numbers []int
	for _, w := range warnings {
		w = plain(line(w))
		if n.at[w] == 0 {
			if n.at == nil {
				n.at = map[string]int{}
			}
			n.texts = append(n.texts, w)
			n.at[w] = len(n.texts)
		}
		numbers = append(numbers, n.at[w])
	}
	if len(numbers) == 0 {
		return ""
	}
	slices.Sort(numbers)
	return strings.ReplaceAll(fmt.Sprint(slices.Compact(numbers)), " ", ",")
}

// tables lays the lines out, in their order.
func (t Comparison) tables() (list []comparisonTable, notes []string) {
	var numbered comparisonNotes
	for from := 0; from < len(t.Lines); {
		to := from + 1
		for to < len(t.Lines) && t.Lines[to].Metric == t.Lines[from].Metric && slices.Equal(t.Lines[to].Table, t.Lines[from].Table) {
			to++
		}
		list = append(list, t.table(t.Lines[from:to], &numbered))
		from = to
	}
	return list, numbered.texts
}

func (t Comparison) table(lines []ComparisonLine, notes *comparisonNotes) comparisonTable {
	first := lines[0]
	varies := make([]bool, len(first.Row))
	for _, l := range lines {
		for i, p := range l.Row {
			varies[i] = varies[i] || p != first.Row[i]
		}
	}
	var shared, row []string
	for i, p := range first.Row {
		if varies[i] {
			row = append(row, p.Key)
		} else if s := partWord(p); s != "" {
			shared = append(shared, s)
		}
	}
	title := ""
	for _, p := range first.Table {
		title += p.Key + " " + plain(line(p.Value)) + " · "
	}
	title += first.Metric + " (" + first.Unit + ", " + first.Better + " is better)"
	if len(shared) > 0 {
		title += " · " + strings.Join(shared, " ")
	}
	base := sameValues(t.Base)
	drawn := comparisonTable{Title: title}
	if len(row) > 0 {
		drawn.Head = append(drawn.Head, strings.Join(row, " "))
	}
	drawn.Head = append(drawn.Head, strings.Join(partKeys(first.Col), " "), "base "+base, "head", "head/base", "verdict", "rounds", "evidence", "notes")
	for _, l := range lines {
		drawn.Rows = append(drawn.Rows, l.words(varies, notes))
	}
	return drawn
}

// words are the line in the table's columns.
func (l ComparisonLine) words(varies []bool, notes *comparisonNotes) []string {
	var row, col, words []string
	for i, p := range l.Row {
		if varies[i] {
			row = append(row, line(p.Value))
		}
	}
	if len(row) > 0 {
		words = append(words, strings.Join(row, " "))
	}
	for _, p := range l.Col {
		col = append(col, line(p.Value))
	}
	ratio := none
	if l.Ratio != nil {
		ratio = factor(*l.Ratio) + "× (" + factorSpan(l.RatioLo, l.RatioHi) + ")"
	}
	verdict := string(l.Verdict)
	if l.Detectable != nil {
		verdict += " (sees " + percent(*l.Detectable).EN + ")"
	}
	evidence := none
	if l.Rounds > 0 {
		evidence = round3(l.Evidence) + "/" + round3(l.Needed)
	}
	words = append(words, strings.Join(col, " "), l.Base.words(l.Unit), l.Head.words(l.Unit), ratio, verdict, fmt.Sprint(l.Rounds), evidence, notes.marks(l.Warnings))
	for i, w := range words {
		words[i] = plain(w)
	}
	return words
}

// factor shows a ratio; around 1 with as many digits as small changes take.
func factor(v float64) string {
	if v >= 0.5 && v < 2 {
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
	return sig(v)
}

func factorSpan(lo, hi *float64) string {
	switch {
	case lo != nil && hi != nil:
		return factor(*lo) + "–" + factor(*hi)
	case lo != nil:
		return "≥" + nbsp + factor(*lo)
	case hi != nil:
		return "≤" + nbsp + factor(*hi)
	}
	return "unbounded"
}

// words are the median and its interval, or what the side is.
func (s ComparedSide) words(unit string) string {
	if s.Median == nil {
		return s.Status
	}
	mid, lo, hi := quantity(*s.Median, unit), "", ""
	if s.Lo != nil && s.Hi != nil {
		lo, hi = quantity(*s.Lo, unit), quantity(*s.Hi, unit)
		if _, u, ok := strings.Cut(hi, nbsp); ok && strings.HasSuffix(lo, nbsp+u) {
			lo = strings.TrimSuffix(lo, nbsp+u)
		}
		mid += " (" + lo + "–" + hi + ")"
	}
	return mid
}

// quantity shows a value of a metric; what a count counts stands beside it.
func quantity(v float64, unit string) string {
	if s, ok := measured(v, unit); ok {
		return s
	}
	return count(v)
}

// measured shows a time or bytes, with a unit that suits the value; false: the
// metric is neither.
func measured(v float64, unit string) (string, bool) {
	switch {
	case unit == "sec" || strings.HasSuffix(unit, "sec/step"):
		return duration(v * 1e9), true
	case unit == "B":
		return bytesize(v), true
	}
	return "", false
}

// partWord shows a part that a whole table shares; nothing where it is the plain
// value that names leave out.
func partWord(p selection.Part) string {
	switch p.Key + "=" + p.Value {
	case "device=cpu", "data=resident", "accumulate=1", "threads=1", "checkpoint=0", "allocator=default":
		return ""
	}
	switch p.Key {
	case "workload", "mode", "precision":
		return plain(line(p.Value))
	case "run": // of one run: its title says which
		return ""
	}
	return p.Key + "=" + plain(line(p.Value))
}

func partKeys(parts []selection.Part) (keys []string) {
	for _, p := range parts {
		keys = append(keys, p.Key)
	}
	return keys
}

func sameValues(parts []selection.Part) string {
	var words []string
	for _, p := range parts {
		words = append(words, plain(line(p.Value)))
	}
	return strings.Join(words, " ")
}

// answer counts the verdicts in one line.
func (t Comparison) answer() string {
	n := map[string]int{}
	var order []string
	for _, l := range t.Lines {
		v := string(l.Verdict)
		if n[v] == 0 {
			order = append(order, v)
		}
		n[v]++
	}
	slices.Sort(order)
	var words []string
	for _, v := range order {
		words = append(words, fmt.Sprintf("%d %s", n[v], v))
	}
	base := ""
	for _, p := range t.Base {
		base += " " + p.Key + "=" + plain(line(p.Value))
	}
	s := plain(counts(len(t.Lines), "comparison", "").EN) + " with" + base
	if len(words) > 0 {
		s += ": " + strings.Join(words, ", ")
	}
	return s
}

// terms says how sure the verdicts are, in one line.
func (t Comparison) terms() string {
	return plain(fmt.Sprintf("Verdicts: a false one anywhere with probability at most %s, of %s; changes below %s are none. The evidence must reach what stands behind its slash.",
		percent(t.Alpha).EN, counts(t.Family, "comparison", "").EN, percent(t.MinEffect).EN))
}
