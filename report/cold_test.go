package report

import (
	"slices"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

// A memory trial that compiled holds its compiler: it is flagged where it is all
// that there is, and left out beside one that did not.
func TestMemoryOfColdTrials(t *testing.T) {
	plain := resultstest.Run(resultstest.Config{Seed: 5, Memory: true})
	cold := plain
	cold.Records = slices.Clone(plain.Records)
	var again []results.Record
	for i := range cold.Records {
		if r := &cold.Records[i]; r.Kind == results.KindMemory {
			r.Worker.CompileCache = "warm"
			again = append(again, *r)
			r.Worker.CompileCache, r.Attempt = "cold", 1
			if r.Memory == nil || r.Memory.PeakPSS == nil {
				continue
			}
			peak, m := *r.Memory.PeakPSS*5, *r.Memory
			m.PeakPSS, r.Memory = &peak, &m
		}
	}
	both := cold
	both.Records = append(slices.Clone(cold.Records), again...)
	for name, tc := range map[string]struct {
		run  results.Run
		cold bool
	}{"no cache": {plain, false}, "cold": {cold, true}, "cold and warm": {both, false}} {
		a := compare.Analyze(tc.run)
		for want, page := range map[string]func(*strings.Builder) error{
			`<span lang=en>compiled cold: the compiler's memory is in it</span>`: func(b *strings.Builder) error { return HTML(b, tc.run, a) },
			"MiB (compiled cold)":                           func(b *strings.Builder) error { return Text(b, tc.run, a, TextOptions{}) },
			"compiled cold: the compiler's memory is in it": func(b *strings.Builder) error { return Markdown(b, tc.run, a) },
		} {
			var b strings.Builder
			if err := page(&b); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(b.String(), want) != tc.cold {
				t.Errorf("%s: a page with %q: %v", name, want, !tc.cold)
			}
		}
		was, now := newView(plain, compare.Analyze(plain)), newView(tc.run, a)
		for i, c := range now.cells() {
			before, ok := was.cells()[i].above()
			above, _ := c.above()
			if ok && (above != before) != tc.cold {
				t.Errorf("%s, %s: above import %v, without a cache %v", name, c.Cell.Name(), above, before)
			}
		}
	}
}
