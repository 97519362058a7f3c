package report

import (
	"embed"
	"fmt"
	"html/template"
	"io"

	"github.com/dlbench/dlbench/results/compare/gate"
)

//go:embed templates/gate
var gateFiles embed.FS

// gatePage is what the template shows.
type gatePage struct {
	Policy, Title, Headline, Sides, Terms, Version string
	Style                                          template.CSS
	Lines                                          []gateLine
	Doubts                                         []string
}

// GateHTML writes a gate's answer as one page that loads and runs nothing.
func GateHTML(w io.Writer, r gate.Result, o GateOptions) error {
	style, err := gateFiles.ReadFile("templates/gate/style.css")
	if err != nil {
		return err
	}
	t, err := template.ParseFS(gateFiles, "templates/gate/page.html")
	if err != nil {
		return fmt.Errorf("report: templates: %w", err)
	}
	lines := gateLines(r)
	p := gatePage{
		Policy: "default-src 'none'; style-src " + digest(style) + "; base-uri 'none'; form-action 'none'",
		Title:  o.title(), Headline: plain(line(r.Headline())), Sides: gateSides(r), Terms: gateTerms(r), Version: line(o.Version),
		Style: template.CSS(style), Lines: lines, Doubts: gateDoubts(r, lines),
	}
	return writeTemplate(w, t, "page.html", p)
}
