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
	Policy  string // content security policy
	Title   text
	Suite   string
	Style   template.CSS
	ECharts template.JS
	Script  template.JS
	Charts  template.JS
	Records template.JS

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
		Title: v.documentTitle(), Suite: line(v.run.Meta.Suite), Hero: v.hero(),
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
	var err error
	if p.Charts, err = v.charts(); err != nil {
		return nil, err
	}
	if p.Records, p.Raw.Note, err = v.embed(); err != nil {
		return nil, err
	}
	style, err := files.ReadFile("templates/style.css")
	if err != nil {
		return nil, err
	}
	script, err := files.ReadFile("templates/page.js")
	if err != nil {
		return nil, err
	}
	echarts, err := files.ReadFile("assets/echarts.common.min.js")
	if err != nil {
		return nil, err
	}
	p.Style, p.Script, p.ECharts = template.CSS(style), template.JS(script), template.JS(echarts)
	p.Policy = "default-src 'none'; script-src " + digest(echarts) + " " + digest(script) +
		"; style-src " + digest(style) + "; img-src data:; base-uri 'none'; form-action 'none'"
	return p, nil
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
