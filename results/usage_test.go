package results

import "testing"

// What a worker could not tell has no value, which is not the value 0.
func TestUnknownCountersAreAbsent(t *testing.T) {
	r := Record{Kind: KindTime, End: EndOK, BlockNS: []int64{1e6, 1e6}, StepsPerBlock: 1, Usage: &Usage{WallNS: 2e6, CPUNS: 2e6, Voluntary: new(int64(3))}}
	for _, name := range []string{"system-per-step", "gc-per-step", "faults-per-step", "switches-per-step"} {
		m, ok := LookupMetric(name)
		if !ok {
			t.Fatalf("no metric %s", name)
		}
		if v, ok := m.Of(r); ok {
			t.Errorf("%s is %v of a worker that did not tell", name, v)
		}
	}
	if m, _ := LookupMetric("cpu-per-step"); m.Name == "" {
		t.Error("no metric cpu-per-step")
	} else if v, ok := m.Of(r); !ok || v != 1e-3 {
		t.Errorf("cpu-per-step = %v, %v, want 0.001", v, ok)
	}
}
