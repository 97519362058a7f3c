package report

import (
	"html/template"
	"io"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// page is what the template shows.
type page struct {
	pageParts
	Suite string

	Hero        hero
	Nav         []section
	Stars       starSection
	Claims      claimSection
	Summary     summarySection
	Throughput  throughputSection
	Latency     latencySection
	Ratios      ratioSection
	Roofline    rooflineSection
	Memory      memorySection
	Modes       modesSection
	Time        timeSection
	Learning    learningSection
	Fairness    fairnessSection
	Proof       proofSection
	Disturbance disturbanceSection
	Deployment  deploymentSection
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
	return writePage(w, "page.html", p)
}

func newPage(v *view) (*page, error) {
	type records struct {
		packed template.HTML
		note   text
		err    error
	}
	archived := make(chan records, 1) // beside the sections: it takes a third of the time
	go func() {
		html, note, err := v.embed()
		archived <- records{html, note, err}
	}()
	type drawings struct {
		packed template.HTML
		err    error
	}
	drawn := make(chan drawings, 1)
	go func() {
		html, err := v.charts()
		drawn <- drawings{html, err}
	}()
	p := &page{
		Suite: line(v.run.Meta.Suite), Hero: v.hero(), Stars: v.stars(), Claims: v.claims(), Deployment: v.deployment(),
		Summary: v.summary(), Throughput: v.throughput(), Latency: v.latency(), Ratios: v.ratios(), Roofline: v.roofline(), Memory: v.memory(), Modes: v.modes(), Time: v.time(), Learning: v.learning(),
		Fairness: v.fairness(), Proof: v.proof(), Disturbance: v.disturbances(), Failures: v.failures(),
		Models: v.models(), Method: v.method(), Raw: v.raw(),
	}
	for _, s := range []*section{
		&p.Stars.section, &p.Claims.section,
		&p.Throughput.section, &p.Latency.section, &p.Ratios.section, &p.Roofline.section, &p.Time.section, &p.Memory.section, &p.Modes.section, &p.Learning.section,
		&p.Proof.section, &p.Deployment.section, &p.Models.section, &p.Fairness.section, &p.Disturbance.section, &p.Failures.section, &p.Summary.section, &p.Method.section,
	} {
		if s.ID == "" { // a run has nothing for it
			continue
		}
		s.No = len(p.Nav) + 1
		p.Nav = append(p.Nav, *s)
	}
	interactive := <-drawn
	if interactive.err != nil {
		return nil, interactive.err
	}
	var err error
	if p.pageParts, err = newPageParts(v.documentTitle(), interactive.packed); err != nil {
		return nil, err
	}
	p.Form = form()
	r := <-archived
	p.Packed, p.Raw.Note = r.packed, r.note
	return p, r.err
}

func (v *view) documentTitle() text {
	name := line(v.run.Meta.Suite)
	if name == "" {
		return text{"dlbench report", "dlbench 报告"}
	}
	return textf("dlbench report: %s", "dlbench 报告：%s", name)
}
