// Package verify holds a report's page against the records that it carries: it
// judges them again, writes the page again and compares the two.
package verify

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"github.com/dlbench/dlbench/report"
	"github.com/dlbench/dlbench/results/compare"
)

// Result is what came out.
type Result struct {
	Form        string // of the page; see report.Form
	Differences []Difference
	// What was compared: cells of tables, verdicts of comparisons, charts, and the
	// trials behind them in Runs runs.
	Cells, Verdicts, Charts, Records, Runs int
	// AllVerdicts is of a page in another form, in which Verdicts are the badges that
	// could be compared, out of so many; nothing else is.
	AllVerdicts int
}

// OtherForm reports whether another version of dlbench wrote the page. This one
// cannot verify it: it does not know how that version words and draws its records.
func (r Result) OtherForm() bool { return r.Form != report.Form() }

// Difference is one thing that the page shows otherwise than its records do.
type Difference struct {
	Section, Table, Row, Column string // empty: not in one
	What                        string // for example "text", "row", "attribute x of rect"
	Page, Records               string // what each says
}

func (d Difference) String() string {
	var where []string
	for _, p := range []struct{ kind, name string }{{"section", d.Section}, {"table", d.Table}, {"row", d.Row}, {"column", d.Column}} {
		if p.name != "" {
			where = append(where, fmt.Sprintf("%s %q", p.kind, p.name))
		}
	}
	where = append(where, d.What)
	return fmt.Sprintf("%s: the page says %q, the records say %q", strings.Join(where, ", "), d.Page, d.Records)
}

// Agrees reports whether the page says what its records say. A page of another
// form never does, because most of what it says is not compared.
func (r Result) Agrees() bool { return !r.OtherForm() && len(r.Differences) == 0 }

// Page verifies a page. The error is of a page that cannot be: it is none of
// dlbench, it is damaged, or records were left out of it.
func Page(page []byte) (Result, error) {
	e, err := report.ReadEmbedded(bytes.NewReader(page))
	if err != nil {
		return Result{}, err
	}
	if len(e.Left) > 0 {
		return Result{}, fmt.Errorf("the page was too large to hold all records (left out: %s), so it cannot be verified; hint: report the run's folder again", short(strings.Join(e.Left, ", ")))
	}
	run, err := e.Run()
	if err != nil {
		return Result{}, err
	}
	analysis := compare.Analyze(run)
	var again bytes.Buffer
	if err := report.HTML(&again, run, analysis); err != nil {
		return Result{}, err
	}
	r := Result{Form: e.Form, Records: len(run.Records), Runs: len(e.Runs)}
	says, means, err := parse(page, again.Bytes())
	if err != nil {
		return Result{}, err
	}
	if r.OtherForm() {
		r.compareBadges(says, means)
		return r, nil
	}
	for _, g := range analysis.Groups {
		r.Verdicts += len(g.Comparisons)
	}
	r.Cells, r.Charts = measure(means)
	if bytes.Equal(bare(page), bare(again.Bytes())) {
		return r, nil
	}
	w := walker{sums: map[*html.Node]uint64{}}
	w.nodes(says, means, place{})
	r.Differences = w.found
	if len(r.Differences) == 0 { // such as white space within a tag
		at, p, q := firstDifference(bare(page), bare(again.Bytes()))
		r.Differences = []Difference{{What: fmt.Sprintf("byte %d", at), Page: p, Records: q}}
	}
	return r, nil
}

func parse(page, again []byte) (says, means *html.Node, err error) {
	if says, err = html.Parse(bytes.NewReader(page)); err != nil {
		return nil, nil, fmt.Errorf("the page is no HTML: %w", err)
	}
	if means, err = html.Parse(bytes.NewReader(again)); err != nil {
		return nil, nil, fmt.Errorf("the page as it should be: %w", err)
	}
	return says, means, nil
}

// bare is a page without what its records are packed to, which holds the same runs
// in other bytes where another version of Go compressed them, and with the data of
// its charts unpacked. Their places stay.
func bare(page []byte) []byte {
	before, rest, _ := bytes.Cut(page, []byte(report.RecordsOpen))
	_, after, _ := bytes.Cut(rest, []byte("</script>"))
	page = slices.Concat(before, []byte(report.RecordsOpen), after)
	before, rest, _ = bytes.Cut(page, []byte(report.ChartsOpen))
	packed, after, ends := bytes.Cut(rest, []byte("</script>"))
	data, err := report.UnpackCharts(packed)
	if !ends || err != nil {
		return page
	}
	return slices.Concat(before, []byte(report.ChartsOpen), data, after)
}

func firstDifference(a, b []byte) (at int, inA, inB string) {
	for at < min(len(a), len(b)) && a[at] == b[at] {
		at++
	}
	around := func(s []byte) string {
		return short(strings.ToValidUTF8(string(s[min(at, len(s)):min(at+40, len(s))]), "?"))
	}
	return at, around(a), around(b)
}

// short keeps a line a line.
func short(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	const most = 120
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
