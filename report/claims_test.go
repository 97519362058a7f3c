package report

import (
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results/compare"
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
