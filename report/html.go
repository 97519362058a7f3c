package report

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

//go:embed templates/*.html templates/style.css templates/page.js assets/echarts.common.min.js
var files embed.FS

// page is what the template shows.
type page struct {
	pageParts
	Suite string

	Hero        hero
	Nav         []section
	Summary     summarySection
	Throughput  throughputSection
	Latency     latencySection
	Memory      memorySection
	Time        timeSection
	Fairness    fairnessSection
	Proof       proofSection
	Disturbance disturbanceSection
	Failures    failureSection
	Models      modelSection
	Method      methodSection
	Raw         rawData
}

// pageParts are what every page consists of besides its text.
type pageParts struct {
	Policy  string // content security policy
	Title   text
	Style   template.CSS
	ECharts template.JS
	Script  template.JS
	Charts  template.JS
	Records template.JS
}

// newPageParts embeds the style, both scripts and the data of a page.
func newPageParts(title text, options, records template.JS) (pageParts, error) {
	var contents [3][]byte
	for i, name := range []string{"templates/style.css", "templates/page.js", "assets/echarts.common.min.js"} {
		var err error
		if contents[i], err = files.ReadFile(name); err != nil {
			return pageParts{}, err
		}
	}
	style, script, echarts := contents[0], contents[1], contents[2]
	return pageParts{
		Policy: "default-src 'none'; script-src " + digest(echarts) + " " + digest(script) +
			"; style-src " + digest(style) + "; img-src data:; base-uri 'none'; form-action 'none'",
		Title: title, Style: template.CSS(style), ECharts: template.JS(echarts), Script: template.JS(script),
		Charts: options, Records: records,
	}, nil
}

// HTML writes a run and its analysis as one self-contained page: it loads
// nothing, runs nothing but its own two scripts, and reads well without them.
// The same arguments give the same bytes.
func HTML(w io.Writer, run results.Run, a compare.Analysis) error {
	p, err := newPage(newView(run, a))
	if err != nil {
		return err
	}
	t, err := template.New("page.html").ParseFS(files, "templates/*.html")
	if err != nil {
		return fmt.Errorf("report: templates: %w", err)
	}
	var b bytes.Buffer // a page that fails half-way is not written
	if err := t.Execute(&b, p); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err = w.Write(b.Bytes())
	return err
}

func newPage(v *view) (*page, error) {
	p := &page{
		Suite: line(v.run.Meta.Suite), Hero: v.hero(),
		Summary: v.summary(), Throughput: v.throughput(), Latency: v.latency(), Memory: v.memory(), Time: v.time(),
		Fairness: v.fairness(), Proof: v.proof(), Disturbance: v.disturbances(), Failures: v.failures(),
		Models: v.models(), Method: v.method(), Raw: v.raw(),
	}
	for i, s := range []*section{
		&p.Summary.section, &p.Throughput.section, &p.Latency.section, &p.Memory.section, &p.Time.section,
		&p.Fairness.section, &p.Proof.section, &p.Disturbance.section, &p.Failures.section, &p.Models.section, &p.Method.section,
	} {
		s.No = i + 1
		p.Nav = append(p.Nav, *s)
	}
	options, err := v.charts()
	if err != nil {
		return nil, err
	}
	records, note, err := v.embed()
	if err != nil {
		return nil, err
	}
	p.Raw.Note = note
	p.pageParts, err = newPageParts(v.documentTitle(), options, records)
	return p, err
}

// digest is a source expression of a content security policy.
func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func (v *view) documentTitle() text {
	name := line(v.run.Meta.Suite)
	if name == "" {
		return text{"dlbench report", "dlbench 报告"}
	}
	return textf("dlbench report: %s", "dlbench 报告：%s", name)
}
