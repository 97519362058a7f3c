package backendtest

import (
	"slices"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// A quick pass proves every op in every precision, and what a program was
// altered for; the rest of the precisions of few bits it leaves out.
func TestQuickPassCoversEveryOp(t *testing.T) {
	precisions := []workloads.Precision{workloads.F32, workloads.BF16Mix, workloads.BF16}
	count := func(quick bool) (cases int, ops map[workloads.Precision]map[string]bool) {
		s := &suite{opts: Options{FirstFinding: quick}, info: backends.HelloReply{Info: backends.Info{Precisions: precisions}}, covers: map[workloads.Precision][]string{}}
		ops = map[workloads.Precision]map[string]bool{}
		var list []resolved
		for _, p := range programs() {
			r, err := p.resolve(p.settings)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, resolved{program: p, Program: r})
		}
		s.programs = list
		s.info.Features = []string{"accumulate", "checkpoint", "loader"}
		for _, of := range list {
			for _, op := range of.Ops {
				s.info.Ops = append(s.info.Ops, op.Op)
			}
			s.info.Ops = append(s.info.Ops, of.Loss.Op, of.Optimizer.Op)
		}
		for _, of := range list {
			p := of.program
			chosen := s.sampled(of)
			if p.alter != nil && !slices.Equal(chosen, s.precisionsOf(of)) {
				t.Errorf("%s is altered, and only in %v", p.name, chosen)
			}
			for _, prec := range chosen {
				cases++
				if ops[prec] == nil {
					ops[prec] = map[string]bool{}
				}
				parts, _ := needs(of.Program, p.settings)
				for _, part := range append(parts, of.features()...) {
					ops[prec][part] = true
				}
			}
		}
		return cases, ops
	}
	all, every := count(false)
	few, covered := count(true)
	if few >= all*3/4 {
		t.Errorf("a quick pass has %d of %d cases: expected less than three quarters", few, all)
	}
	for prec, ops := range every {
		for op := range ops {
			if !covered[prec][op] {
				t.Errorf("a quick pass proves no %s in %s", op, prec)
			}
		}
	}
}
