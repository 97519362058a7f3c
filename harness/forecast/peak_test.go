package forecast

import (
	"math"
	"slices"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/harness"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/workloads"
)

// Of each cell of the reference, with all that is known of its workload left
// out: an estimate that is far off would refuse cells that fit, or none.
func TestMemoryOfUnseenWorkloads(t *testing.T) {
	all := Reference().Costs
	n, near, far := 0, 0, 0
	for _, c := range all {
		if c.Ends != "" || c.Above == 0 {
			continue
		}
		pool := slices.DeleteFunc(slices.Clone(all), func(o Cost) bool {
			return o.Cell.Workload == c.Cell.Workload || o.Cell.Backend != c.Cell.Backend
		})
		above, peak, imported := estimateMemory(c, pool)
		if len(pool) == 0 {
			continue
		}
		if peak < above || imported <= 0 {
			t.Errorf("%s: above import %d, peak %d, import %d", c.Cell.Name(), above, peak, imported)
		}
		n++
		switch off := math.Abs(math.Log(float64(above) / float64(c.Above))); {
		case off < math.Log(1.3):
			near++
		case off > math.Log(2.5):
			far++
			t.Logf("%s: %.1f MiB, estimated %.1f", c.Cell.Name(), float64(c.Above)/mib, float64(above)/mib)
		}
	}
	if n < 60 || 2*near < n || 10*far > n {
		t.Errorf("of %d estimates %d are within 30 %% and %d are off by a factor of more than 2.5", n, near, far)
	}
}

// With the workload known, the difference is what the shapes make.
func TestMemoryOfOtherSettings(t *testing.T) {
	cost := func(batch int, kept int64) Cost {
		return Cost{
			Cell:     results.Cell{Workload: "W", Mode: "train", Device: "cpu", Batch: batch, Accumulate: 1, Backend: "b"},
			Work:     results.Work{ParamBytes: 1 << 20, GradientBytes: 1 << 20, KeptBytes: kept},
			Calls:    10,
			Imported: 100 << 20,
		}
	}
	known := cost(8, 100<<20)
	known.Above, known.Peak = 300<<20, 420<<20
	want := cost(16, 200<<20)
	above, peak, imported := estimateMemory(want, []Cost{known})
	if above != 400<<20 || imported != 100<<20 || peak != 520<<20 {
		t.Errorf("got %d, %d and %d MiB, expected 400 above the import, 520 in all, 100 imported", above>>20, peak>>20, imported>>20)
	}
	if above, _, _ := estimateMemory(cost(1, 0), []Cost{known}); above < 75<<20 || above > 201<<20 {
		t.Errorf("a small batch: %d MiB, expected no less than half of what the model says", above>>20)
	}
	if above, peak, _ := estimateMemory(want, nil); above != 0 || peak != 0 {
		t.Errorf("of nothing: %d and %d", above, peak)
	}
}

// The cells of suite modes that a backend can do are in the reference with what
// their workers grew by, so that a plan's memory rests on a measurement and not
// on an estimate.
func TestReferenceKnowsModes(t *testing.T) {
	suite, ok := workloads.FindSuite("modes")
	if !ok {
		t.Fatal("no suite modes")
	}
	var entries []backends.Entry
	for _, name := range suite.Backends {
		entries = append(entries, backends.Entry{Info: backends.Info{Name: name}})
	}
	plan, err := harness.NewPlan(suite, entries, harness.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	known := 0
	for _, c := range plan.Cells {
		cost, ok := Reference().find(c.Name)
		switch {
		case !ok:
			t.Errorf("%s is not in the reference: scripts/reference-costs", c.Name.Name())
		case cost.Ends == "" && cost.Above <= 0:
			t.Errorf("%s: what its worker grew by is not known", c.Name.Name())
		case cost.Ends == "":
			known++
		}
	}
	if 2*known < len(plan.Cells) {
		t.Errorf("%d of %d cells can be done at all", known, len(plan.Cells))
	}
}
