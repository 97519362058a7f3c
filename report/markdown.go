package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// Markdown writes the answer, one table per workload and settings, and what is
// to be doubted, for a pull request or a README.
func Markdown(w io.Writer, run results.Run, a compare.Analysis) error {
	v := newView(run, a)
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n\n%s\n\n", escape(v.documentTitle().EN), escape(v.answer().EN))
	for _, f := range v.hero().Facts {
		fmt.Fprintf(&b, "- %s: %s\n", f.Label.EN, escape(f.Value.EN))
	}
	if c := v.summary().Command; c != "" {
		fmt.Fprintf(&b, "- Command: `%s`\n", strings.ReplaceAll(plain(c), "`", "'"))
	}
	for _, r := range v.runs() {
		fmt.Fprintf(&b, "- Run %d: %s, %s, %s trials, %s, %s: `%s`\n", r.No, escape(r.Suite), r.Started, plain(r.Trials), escape(r.Rule.EN), escape(r.Host.EN), strings.ReplaceAll(plain(r.Command), "`", "'"))
	}
	v.standingMarkdown(&b)
	head := v.columns()
	rows := v.rows()
	var last *group
	for _, r := range rows {
		if g := r.cell.group; g != last {
			last = g
			fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", escape(g.Title.EN), escape(g.Detail.EN))
			fmt.Fprintf(&b, "| %s |\n|:--|--:|--:|:--|--:|--:|\n", strings.Join(head, " | "))
		}
		words := r.words()
		for i, word := range words {
			words[i] = escape(word)
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(words, " | "))
	}
	if doubts := v.doubts(rows); len(doubts) > 0 {
		fmt.Fprint(&b, "\n## To be doubted\n\n")
		for _, d := range doubts {
			fmt.Fprintf(&b, "- %s\n", escape(d))
		}
	}
	if words := v.noiseWords(); len(words) > 0 {
		fmt.Fprintf(&b, "\n## %s\n\n", escape(v.noiseFloor().Label.EN))
		for _, w := range words {
			fmt.Fprintf(&b, "- %s\n", escape(w))
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// standingMarkdown writes the star table and the claims.
func (v *view) standingMarkdown(b *bytes.Buffer) {
	head, rows, notes := v.starTable()
	fmt.Fprintf(b, "\n## %s\n\n", v.stars().Title.EN)
	if len(rows) > 0 {
		fmt.Fprintf(b, "| %s |\n|:--|%s\n", joinEscaped(head), strings.Repeat(":--|", len(head)-1))
		for _, r := range rows {
			fmt.Fprintf(b, "| %s |\n", joinEscaped(r))
		}
		fmt.Fprintln(b)
	}
	for _, n := range notes {
		fmt.Fprintf(b, "- %s\n", escape(line(n)))
	}
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n| | the articles say | verdict | measured, or what is missing |\n|:--|:--|:--|:--|\n", v.claims().Title.EN, escape(v.claimsLead().EN))
	for _, c := range v.claimData() {
		words := slices.Clone(c.Measured)
		if len(c.Missing) > 0 {
			words = append(words, "missing: "+strings.Join(c.Missing, "; "))
		}
		fmt.Fprintf(b, "| %s |\n", joinEscaped([]string{c.ID, c.Says, c.Verdict, strings.Join(words, "; ")}))
	}
}

// escape keeps a foreign string from being read as Markdown or HTML.
func escape(s string) string {
	return strings.NewReplacer(
		`\`, `\\`, "|", `\|`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "*", `\*`, "_", `\_`, "`", "\\`",
		"[", `\[`, "]", `\]`, "\n", " ", "\r", " ",
	).Replace(plain(s))
}
