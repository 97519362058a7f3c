package backendtest_test

import (
	"slices"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/backendtest"
)

func TestReportText(t *testing.T) {
	r := backendtest.Report{
		Worker: backends.HelloReply{Info: backends.Info{Name: "w", Kind: "eager"}},
		Results: []backendtest.Result{
			{Name: "protocol/hello", Status: backendtest.Pass},
			{Name: "program/a", Status: backendtest.Skip, Reason: "the worker does not claim lstm"},
			{Name: "state/reset", Status: backendtest.Fail, Reason: "after reset step 2 differs", Stderr: []string{"Traceback:", "  line 1"}},
			{Name: "state/other", Status: backendtest.Fail, Reason: "something else"},
			{Name: "state/check", Status: backendtest.Fail, Reason: "after reset step 2 differs"},
			{Name: "program/b", Status: backendtest.Skip, Reason: "the worker does not claim lstm"},
		},
		Proven: map[string][]string{"relu": {"r1", "r2"}, "dense": {"d"}},
		Mutations: []backendtest.Mutation{
			{Name: "rate", Killed: []string{"d"}, Survived: []string{"r1"}},
			{Name: "causal"},
			{Name: "labels", Survived: []string{"d"}},
		},
	}
	const want = `w (eager): 1 passed, 3 failed, 2 skipped
fail  state/reset, state/check: after reset step 2 differs
      stderr | Traceback:
      stderr |   line 1
fail  state/other: something else
skip  program/a, program/b: the worker does not claim lstm
proven by programs:
  dense                  1 (d)
  relu                   2 (r1)
deliberate mistakes:
  rate                               found by 1 of 2 programs
  labels                             found by 0 of 1 programs
`
	if got := text(r); got != want {
		t.Errorf("text is\n%s\nwant\n%s", got, want)
	}
	if r.OK() || !slices.Equal(r.Survivors(), []string{"labels"}) {
		t.Errorf("OK %v, survivors %v", r.OK(), r.Survivors())
	}
}
