package report

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

// Every figure of the matrix is a comparison's, inverted; only a verdict about
// speed has a colour, on its side.
func TestRatiosAreTheComparisons(t *testing.T) {
	run, a := golden(t)
	v := newView(run, a)
	s := v.ratios()
	if len(s.Rows) != len(v.backends) || len(s.Columns) != len(v.groups) {
		t.Fatalf("%d rows and %d columns", len(s.Rows), len(s.Columns))
	}
	coloured, plain := 0, 0
	for i, row := range s.Rows {
		if len(row.Cells) != len(s.Columns) {
			t.Fatalf("row %d has %d cells", i, len(row.Cells))
		}
		for j, r := range row.Cells {
			var c *cell
			if k := slices.IndexFunc(v.groups[j].cells, func(c *cell) bool { return c.Cell.Backend == v.backends[i].Name }); k >= 0 {
				c = v.groups[j].cells[k]
			}
			if c == nil || c.comparison == nil {
				if r.Ratio != "" || r.Class != "" {
					t.Errorf("%d,%d: %q without a comparison", i, j, r.Ratio)
				}
				continue
			}
			x := c.comparison
			if x.Ratio != nil && r.Ratio != times(1 / *x.Ratio) {
				t.Errorf("%s: %s, the times are in the ratio %g", c.Cell.Name(), r.Ratio, *x.Ratio)
			}
			side := map[compare.Verdict]string{compare.Improved: "n", compare.Regressed: "s", compare.Equivalent: "eq"}[x.Verdict]
			if side == "" && r.Class != "" || side != "" && !strings.HasPrefix(r.Class, side) {
				t.Errorf("%s: verdict %s has the class %q", c.Cell.Name(), x.Verdict, r.Class)
			}
			if r.Class != "" {
				coloured++
			} else if r.Ratio != "" {
				plain++
			}
		}
	}
	if coloured < 3 || plain < 3 {
		t.Errorf("%d cells coloured, %d with a ratio plain: this run shows too little", coloured, plain)
	}
}

func TestTint(t *testing.T) {
	for _, test := range []struct {
		verdict compare.Verdict
		ratio   float64
		want    string
	}{
		{compare.Improved, 1.06, "n1"}, {compare.Improved, 1.69, "n1"}, {compare.Improved, 1.71, "n2"}, {compare.Improved, 2.9, "n3"}, {compare.Improved, 4.92, "n4"}, {compare.Improved, 1e9, "n4"},
		{compare.Regressed, 0.9, "s1"}, {compare.Regressed, 0.5, "s2"}, {compare.Regressed, 0.01, "s4"}, {compare.Regressed, 0, "s4"},
		{compare.Equivalent, 1, "eq"}, {compare.Inconclusive, 3, ""}, {compare.Flaky, 3, ""}, {compare.Improved, math.NaN(), "n1"}, {compare.Improved, math.Inf(1), "n4"},
	} {
		if got := tint(test.verdict, test.ratio); got != test.want {
			t.Errorf("%s at %g has the tint %q, want %q", test.verdict, test.ratio, got, test.want)
		}
	}
}

// manyCells is a plan of as many backends and workloads.
func manyCells(backends, workloads int) []results.Cell {
	names := []string{"eager", "gorgonia", "gomlx", "pytorch", "tensorflow", "jax", "onnxruntime"}
	var cells []results.Cell
	for w := range workloads {
		for b := range backends {
			c := resultstest.Cells()[0]
			c.Workload = "Mlp" + strings.Repeat("x", w)
			c.Backend = names[b%len(names)]
			if n := b / len(names); n > 0 {
				c.Backend += "@" + strings.Repeat("1.", n) + "0"
			}
			cells = append(cells, c)
		}
	}
	return cells
}

// A wide run has one matrix, in a region that scrolls by itself.
func TestRatiosOfManyCells(t *testing.T) {
	run := resultstest.Run(resultstest.Config{Seed: 3, Cells: manyCells(50, 20), Rounds: 2})
	page := everything(t, "wide", run, compare.Analyze(run))
	matrix := between(t, page, `<table class="matrix">`, "</table>")
	if rows := strings.Count(matrix, `<th scope=row>`); rows != 50 {
		t.Errorf("%d rows", rows)
	}
	if columns := strings.Count(matrix, `<th scope=col>`); columns != 21 {
		t.Errorf("%d columns with the first", columns)
	}
	if !strings.Contains(page, `<div class="scroll matrixbox" tabindex="0" role="region"`) {
		t.Error("the matrix stands in no region that the keyboard can scroll")
	}
}
