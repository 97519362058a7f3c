package report

import (
	"slices"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// Of many backends the answer names both ends, by the share of comparisons that
// were decided that way, and never calls an undecided one faster or slower.
func TestAnswerOfMany(t *testing.T) {
	v := &view{baseline: identity{Label: "Base"}}
	of := func(label string, faster, slower, undecided int) standing {
		s := standing{identity{Label: label}, &tally{faster: faster, slower: slower, undecided: undecided}}
		s.up, s.down = slices.Repeat([]float64{1.5}, faster), slices.Repeat([]float64{0.5}, slower)
		return s
	}
	all := []standing{of("A", 0, 6, 0), of("B", 3, 1, 2), of("C", 0, 0, 6), of("D", 2, 0, 0), of("E", 3, 2, 1), of("F", 1, 0, 5)}
	got := v.answerOfMany(all)
	for _, want := range []string{
		"Of 6 backends held against Base",
		"relative to it: D in 2 of 2 comparisons (1.50×), B in 3 of 6 comparisons (1.50×), E in 3 of 6 comparisons (1.50×); ",
		"and these slower: A in 6 of 6 comparisons (0.500×), E in 2 of 6 comparisons (0.500×), B in 1 of 6 comparisons (0.500×).",
	} {
		if !strings.Contains(got.EN, want) {
			t.Errorf("no %q in %q", want, got.EN)
		}
	}
	if want := "更快的次数占比最高的是 D（2 项比较中 2 项，速度为其 1.50 倍）"; !strings.Contains(got.ZH, want) {
		t.Errorf("no %q in %q", want, got.ZH)
	}
	if got := v.answerOfMany([]standing{of("C", 0, 0, 6)}); !strings.Contains(got.EN, "none was decided") || strings.Contains(got.EN, "C") {
		t.Error(got.EN)
	}
	if got := v.answerOfMany([]standing{of("D", 2, 0, 0)}); !strings.HasSuffix(got.EN, "none was slower.") {
		t.Error(got.EN)
	}
	if got := v.answerOfMany([]standing{of("A", 0, 2, 0)}); !strings.Contains(got.EN, "none was faster") {
		t.Error(got.EN)
	}
}

// Few backends are described one by one, many by their ends.
func TestAnswerByNumber(t *testing.T) {
	v := &view{trials: []*trial{{Record: &results.Record{}}}, baseline: identity{Name: "b", Label: "Base"}}
	for n := range described + 2 {
		got := v.answer()
		if many := strings.Contains(got.EN, "backends held against"); many != (n > described) {
			t.Errorf("%d backends: %s", n, got.EN)
		}
		v.add(string(rune('A' + n)))
	}
}

// add gives the view a backend that is twice as fast in its one comparison.
func (v *view) add(name string) {
	ratio := 0.5
	c := &cell{
		Cell: results.Cell{Backend: name}, Backend: identity{Name: name, Label: name}, group: &group{},
		summary:    &compare.Summary{Median: &ratio, Status: compare.StatusOK},
		comparison: &compare.Comparison{Metric: "step-time", Ratio: &ratio, Verdict: compare.Improved},
	}
	v.backends = append(v.backends, c.Backend)
	v.groups = append(v.groups, &group{cells: []*cell{c}})
}
