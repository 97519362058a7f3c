package workloads

import "testing"

func TestShippedResolve(t *testing.T) {
	for _, s := range Shipped() {
		for _, m := range Modes {
			set := DefaultSettings()
			set.Mode = m
			p, err := s.Resolve(set)
			if err != nil {
				t.Error(err)
				continue
			}
			t.Logf("%-26s %-5s ops %3d params %11d flops %15d acts %12d cuts %d", p.Name, m, len(p.Ops), p.Work.ParamBytes/4, p.Work.ModelFLOPs, p.Work.ActivationBytes, len(p.cuts()))
		}
	}
}
