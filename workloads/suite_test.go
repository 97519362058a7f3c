package workloads

import "testing"

func TestShippedSuitesExpand(t *testing.T) {
	for _, s := range ShippedSuites() {
		cells, err := s.Expand()
		if err != nil {
			t.Error(err)
		}
		t.Log(s.Name, len(cells), s.Limits, s.Compare)
		for _, c := range cells {
			t.Log(" ", c.Spec.Workload, c.Settings, c.Spec.Steps)
		}
	}
}
