package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/dlbench/dlbench/results/compare/gate"
)

// A comment on GitHub holds 65536 characters; beyond these bytes rows are left
// out, with their number.
const maxComment = 60_000

// gateRows is how many rows the table above the fold has.
const gateRows = 20

// GateMarker is the comment by which a script finds an earlier comment of the
// same gate, to put the new one in its place.
func GateMarker(o GateOptions) string {
	name := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" ./", r) {
			return r
		}
		return '_' // two hyphens would end the comment
	}, o.title())
	return "<!-- dlbench-gate: " + name + " -->"
}

// GateMarkdown writes a gate's answer as a comment on a change: what failed or is
// open in a short table, all checks and all doubts folded.
func GateMarkdown(w io.Writer, r gate.Result, o GateOptions) error {
	lines := gateLines(r)
	var open []gateLine
	for _, l := range lines {
		if l.Fails || l.Outcome == gate.Undecided {
			open = append(open, l)
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n### %s: %s\n\n%s\n\n", GateMarker(o), commented(o.title()), commented(r.Headline()), commented(gateSides(r)))
	if len(open) > 0 {
		fmt.Fprint(&b, gateHeader)
		for _, l := range open[:min(len(open), gateRows)] {
			b.WriteString(l.row())
		}
		if n := len(open) - gateRows; n > 0 {
			fmt.Fprintf(&b, "\n%d more below.\n", n)
		}
		fmt.Fprintln(&b)
	}
	fmt.Fprintf(&b, "<details>\n<summary>All %d checks</summary>\n\n", len(lines))
	fmt.Fprint(&b, gateHeader)
	room := maxComment - (maxComment-b.Len())/4 // the rest is for doubts
	for i, l := range lines {
		row := l.row()
		if b.Len()+len(row) > room {
			fmt.Fprintf(&b, "\n%d more, which a comment has no room for; the JSON and JUnit files have all.\n", len(lines)-i)
			break
		}
		b.WriteString(row)
	}
	fmt.Fprint(&b, "\n</details>\n")
	if doubts := gateDoubts(r, lines); len(doubts) > 0 {
		fmt.Fprintf(&b, "\n<details>\n<summary>To be doubted (%d)</summary>\n\n", len(doubts))
		for _, d := range doubts {
			if b.Len() > maxComment {
				break
			}
			fmt.Fprintf(&b, "- %s\n", commented(d))
		}
		fmt.Fprint(&b, "\n</details>\n")
	}
	fmt.Fprintf(&b, "\n<sub>%s; dlbench %s</sub>\n", commented(gateTerms(r)), commented(o.Version))
	_, err := w.Write(b.Bytes())
	return err
}

// gateHeader begins a table of checks.
const gateHeader = "| cell | metric | verdict | change | range | base | head | |\n|:--|:--|:--|--:|--:|--:|--:|:--|\n"

// row is a check as a row of such a table.
func (l gateLine) row() string {
	why := ""
	switch {
	case l.Outcome == gate.Undecided:
		why = l.Detail // with the effect that would have been seen
	case l.Fails || l.Outcome != gate.Pass:
		why = l.Reason
	}
	return fmt.Sprintf("| %s | %s | %s %s | %s | %s | %s | %s | %s |\n", quoted(l.Label), quoted(l.Metric), l.Icon, bold(l),
		commented(l.Change), commented(l.Range), commented(l.Base), commented(l.Head), commented(why))
}

func bold(l gateLine) string {
	if l.Fails {
		return "**" + commented(l.Word) + "**"
	}
	return commented(l.Word)
}

// quoted is a foreign name as code. Its characters are entities, so that nothing
// in it is Markdown or HTML, and sites make no mention or link of it.
func quoted(s string) string {
	if s == "" {
		return ""
	}
	return "<code>" + noLinks.Replace(entities(line(s))) + "</code>"
}

// commented is foreign text within a line. A name after an @ would call somebody on
// the sites that show it, a number after a # would link to something: a space of
// no width stands between.
func commented(s string) string {
	return noCalls.Replace(noLinks.Replace(entities(plain(line(s)))))
}

// A character of no width keeps sites from seeing a link, a name or a number.
var (
	noLinks = strings.NewReplacer("://", ":&#8203;//", "www.", "www&#8203;.")
	noCalls = strings.NewReplacer("&#64;", "&#64;&#8203;", "&#35;", "&#35;&#8203;")
)

// entities writes what Markdown or HTML could take for markup as entities, which
// both show as the characters and neither interprets.
func entities(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune("&<>\"'`*_[]\\|~$@#!^{}", r) {
			fmt.Fprintf(&b, "&#%d;", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
