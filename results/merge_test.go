package results_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/resultstest"
)

// withThreads is a run whose cells no other run has.
func withThreads(n int) results.Run {
	cells := slices.Clone(resultstest.Cells()[:3])
	for i := range cells {
		cells[i].Threads = n
	}
	run := resultstest.Run(resultstest.Config{Seed: uint64(n), Rounds: 2, Cells: cells})
	run.Dir = ""
	return run
}

func TestMergeKeepsThePartsAsTheyWere(t *testing.T) {
	a, b := withThreads(1), withThreads(2)
	b.Meta.Suite, b.Meta.Started, b.Meta.Notes = "threads", "2026-11-19T08:00:00Z", map[string]string{"en": "Two."}
	b.Warnings = []string{"torn"}
	m, err := results.Merge([]results.Run{a, b})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(m.Parts, []results.Run{a, b}) {
		t.Error("the parts differ")
	}
	if len(m.Records) != len(a.Records)+len(b.Records) || len(m.Meta.Cells) != 6 || len(m.Warnings) != 1 {
		t.Errorf("%d records, %d cells, warnings %v", len(m.Records), len(m.Meta.Cells), m.Warnings)
	}
	if want := a.Meta.Suite + " + threads"; m.Meta.Suite != want || m.Meta.Started != b.Meta.Started || !strings.HasSuffix(m.Meta.Notes["en"], "Two.") {
		t.Errorf("suite %q, want %q; started %s; notes %v", m.Meta.Suite, want, m.Meta.Started, m.Meta.Notes)
	}
	if one, err := results.Merge([]results.Run{a}); err != nil || !reflect.DeepEqual(one, a) {
		t.Errorf("one run merged is another: %v", err)
	}
}

// A run from before layers were said to stand at the input is of the same workload.
func TestMergeOfAnOlderRun(t *testing.T) {
	a, b := withThreads(1), withThreads(2)
	b.Meta.Workloads = map[string]results.Workload{}
	for name, w := range a.Meta.Workloads {
		w.Layers = slices.Clone(w.Layers)
		w.Layers[1].AtInput = true
		b.Meta.Workloads[name] = w
	}
	if _, err := results.Merge([]results.Run{a, b}); err != nil {
		t.Error(err)
	}
}

func TestMergeRefuses(t *testing.T) {
	for _, test := range []struct {
		name, want string
		edit       func(*results.Run)
	}{
		{"a cell of both", "both measured Mlp/mode=train/precision=f32/batch=64/backend=eager; hint: dlbench compare", func(r *results.Run) { r.Meta.Cells[0].Threads = 1 }},
		{"a cell of records only", "both measured", func(r *results.Run) { r.Records[0].Cell.Threads, r.Records[0].Cell.Backend = 1, "eager" }},
		{"two baselines", `has the baseline "gorgonia" and`, func(r *results.Run) { r.Meta.Baseline = "eager" }},
		{"two programs of a name", "its workload Mlp is another program", func(r *results.Run) {
			r.Meta.Workloads = map[string]results.Workload{"Mlp": {Params: 1}}
		}},
		{"two environments", "backend eager has another environment than", func(r *results.Run) {
			r.Meta.Backends = map[string]results.Backend{"eager": {Env: map[string]string{"A": "1"}}}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, b := withThreads(1), withThreads(2)
			a.Meta.Backends = map[string]results.Backend{"eager": {}}
			test.edit(&b)
			if _, err := results.Merge([]results.Run{a, b}); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
	if _, err := results.Merge(nil); err == nil {
		t.Error("nothing was merged")
	}
}
