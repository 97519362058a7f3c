package report

import (
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/compare/frameworks"
)

// A run that speaks to none of the claims keeps their table closed; one that has
// figures for one of them shows it.
func TestClaimsThatNothingSpeaksTo(t *testing.T) {
	for _, tt := range []struct {
		backends []string
		closed   bool
	}{
		{[]string{"eager", "gorgonia", "gomlx"}, true},
		{[]string{"tensorflow", "pytorch"}, false},
	} {
		run := rivals(tt.backends...)
		page := renderHTML(t, run, compare.Analyze(run))
		section := between(t, page, `<section id="claims"`, "</section>")
		if closed := strings.Contains(section, "What each claim would need"); closed != tt.closed {
			t.Errorf("%v: closed is %v", tt.backends, closed)
		}
		if says := strings.Contains(section, "answers none of them"); says != tt.closed {
			t.Errorf("%v: says that none is answered: %v", tt.backends, says)
		}
		if n := strings.Count(section, `<tr role="row" id="C`); n != 20 {
			t.Errorf("%v: %d claims", tt.backends, n)
		}
	}
}

// Each doubling has its line; of many, the labels keep their distance.
func TestLabelsOfCostsKeepApart(t *testing.T) {
	for _, top := range []float64{1.2, 5, 20, 36, 300} {
		v := &view{}
		p := v.costPlot(frameworks.Row{Lowest: 0, Ratings: []frameworks.Rating{{Relative: new(1.0), Own: 5}, {Relative: &top, Own: 1}}})
		labels := 0
		for _, tick := range p.Grid {
			if tick.Cost != "" {
				labels++
			}
		}
		if labels < 2 || labels > 5 || p.Grid[0].Cost == "" {
			t.Errorf("up to %g times: %d labels on %d lines", top, labels, len(p.Grid))
		}
	}
}
