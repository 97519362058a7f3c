package harness

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

func smoke(t *testing.T) workloads.Suite {
	t.Helper()
	s, ok := workloads.FindSuite("smoke")
	if !ok {
		t.Fatal("the suite smoke is not shipped")
	}
	return s
}

// catalogOf makes entries that only have names.
func catalogOf(names ...string) []backends.Entry {
	var entries []backends.Entry
	for _, n := range names {
		entries = append(entries, backends.Entry{Info: backends.Info{Name: n}})
	}
	return entries
}

func TestNewPlan(t *testing.T) {
	all := catalogOf("eager", "gorgonia", "gomlx")
	p, err := NewPlan(smoke(t), all, Selection{})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Cells) != 12 {
		t.Errorf("%d cells, want 4 points on 3 backends", len(p.Cells))
	}
	for _, c := range p.Cells {
		if c.Name.Hash != c.Program.Hash || c.Steps.Blocks == 0 || p.Workloads[c.Name.Workload].Params == 0 {
			t.Errorf("incomplete cell: %+v", c.Name)
		}
		w, state := c.Work, c.Program.State(c.Settings.Precision)
		if w.GradientBytes != state.Gradients || w.OptimizerBytes != state.Optimizer || w.InputBytes != state.Inputs || w.InputBytes == 0 {
			t.Errorf("%s: work %+v, state %+v", c.Name.Name(), w, state)
		}
	}
	p, err = NewPlan(smoke(t), all, Selection{Backends: []string{"gomlx"}, Workloads: []string{"TinyMlp"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Cells) != 2 || p.Cells[0].Name.Backend != "gomlx" || p.Cells[0].Name.Workload != "TinyMlp" {
		t.Errorf("the selection left %d cells", len(p.Cells))
	}
}

// A line for one backend makes no cells of the others, and a version of that
// backend counts as it.
func TestNewPlanOfALineForOneBackend(t *testing.T) {
	suite := smoke(t)
	suite.Cells = slices.Clone(suite.Cells)
	for i := range suite.Cells {
		suite.Cells[i].Backends = []string{"gomlx"}
	}
	p, err := NewPlan(suite, catalogOf("eager", "gorgonia", "gomlx", "gomlx@1"), Selection{Backends: []string{"eager", "gomlx", "gomlx@1"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Cells) != 8 || slices.ContainsFunc(p.Cells, func(c Cell) bool { return plainName(c.Name.Backend) != "gomlx" }) {
		t.Errorf("%d cells, want 4 points on gomlx and gomlx@1", len(p.Cells))
	}
}

func TestNewPlanRefuses(t *testing.T) {
	all := catalogOf("eager", "gorgonia", "gomlx")
	badMetric := smoke(t)
	badMetric.Compare.Metric = map[workloads.Mode]string{workloads.Train: "speed"}
	ofMemory, ofPercentile := smoke(t), smoke(t)
	ofMemory.Compare.Metric = map[workloads.Mode]string{workloads.Train: "peak-memory"}
	ofPercentile.Compare.Metric = map[workloads.Mode]string{workloads.Train: "latency-p99"}
	for _, tc := range []struct {
		name    string
		suite   workloads.Suite
		entries []backends.Entry
		sel     Selection
		want    []string
	}{
		{"a backend that the catalog lacks", smoke(t), catalogOf("eager"), Selection{}, []string{"gorgonia", "dlbench list backends"}},
		{"a backend that the suite lacks", smoke(t), all, Selection{Backends: []string{"pytorch"}}, []string{"pytorch", "eager"}},
		{"a workload that the suite lacks", smoke(t), all, Selection{Workloads: []string{"Nope"}}, []string{"Nope", "TinyMlp"}},
		{"a workload that shadows a shipped one", smoke(t), all, Selection{Own: []workloads.Spec{{Workload: "TinyMlp"}}}, []string{"TinyMlp", "shipped"}},
		{"a workload defined twice", smoke(t), all, Selection{Own: []workloads.Spec{{Workload: "Mine"}, {Workload: "Mine"}}}, []string{"two files define Mine"}},
		{"a metric of memory trials", ofMemory, all, Selection{}, []string{"peak-memory", "memory trials", "step-time"}},
		{"a percentile of too few steps", ofPercentile, all, Selection{}, []string{"latency-p99", "TinyMlp"}},
		{"a metric that does not exist", badMetric, all, Selection{}, []string{"speed", "step-time"}},
	} {
		_, err := NewPlan(tc.suite, tc.entries, tc.sel)
		for _, w := range tc.want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v, want it to name %s", tc.name, err, w)
			}
		}
	}
}

// The oracle must cover the last measured step, and follow a backend's
// declared dialect.
func TestPrepareAsksTheOracle(t *testing.T) {
	entries := catalogOf("eager", "gorgonia", "gomlx")
	entries[1].Info.Dialect = map[string]string{"adam-epsilon": "uncorrected"}
	p, err := NewPlan(smoke(t), entries, Selection{})
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	oracle := func(_ context.Context, p workloads.Program, weights, batches, dialect string, steps int, precisions ...workloads.Precision) (*workloads.Golden, error) {
		asked[p.Optimizer.Op+" "+dialect] = true
		if len(precisions) != 1 || precisions[0] != workloads.F32 {
			t.Errorf("%s: precisions %v asked, want that of the cell", p.Name, precisions)
		}
		if p.Mode == workloads.Train && steps < 5 || p.Mode == workloads.Infer && steps < p.Data.Batches {
			t.Errorf("%s %s: %d steps asked", p.Name, p.Mode, steps)
		}
		return &workloads.Golden{}, nil
	}
	if err := p.Prepare(t.Context(), workloads.Cache{Dir: t.TempDir()}, "", oracle); err != nil {
		t.Fatal(err)
	}
	if !asked["adam adam-epsilon=uncorrected"] || asked["sgd adam-epsilon=uncorrected"] {
		t.Errorf("dialects asked for: %v", asked)
	}
	failing := func(context.Context, workloads.Program, string, string, string, int, ...workloads.Precision) (*workloads.Golden, error) {
		return nil, errors.New("out of memory")
	}
	if err := p.Prepare(t.Context(), workloads.Cache{Dir: t.TempDir()}, "", failing); err == nil || !strings.Contains(err.Error(), "TinyMlp") {
		t.Errorf("an oracle that fails: %v, want the cell named", err)
	}
}

// Another version of a backend of the suite may be named beside it.
func TestNewPlanOfVersions(t *testing.T) {
	all := catalogOf("eager", "gorgonia", "gomlx", "gorgonia@0.9", "gomlx@mine")
	backendsOf := func(sel ...string) (names []string) {
		t.Helper()
		p, err := NewPlan(smoke(t), all, Selection{Backends: sel, Workloads: []string{"TinyMlp"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range p.Entries() {
			names = append(names, e.Info.Name)
		}
		return names
	}
	for want, sel := range map[string][]string{
		"gorgonia gorgonia@0.9": {"gorgonia@0.9", "gorgonia"},
		"gorgonia@0.9":          {"gorgonia@0.9", "gorgonia@0.9"},
		"eager gomlx@mine":      {"gomlx@mine", "eager"},
		"eager gorgonia gomlx":  nil,
	} {
		if got := strings.Join(backendsOf(sel...), " "); got != want {
			t.Errorf("--backend %v runs %q, want %q", sel, got, want)
		}
	}
	if _, err := NewPlan(smoke(t), all, Selection{Backends: []string{"fast@1"}}); err == nil || !strings.Contains(err.Error(), "fast@1") {
		t.Errorf("a version of a backend that the suite lacks: %v", err)
	}
}
