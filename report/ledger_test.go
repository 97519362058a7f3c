package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

// The ledger shows what held for each backend, in both languages, and marks the
// conditions under which backends differ.
func TestLedger(t *testing.T) {
	run := resultstest.Run(resultstest.Config{Seed: 4, Rounds: 7, Check: true})
	on, off := new(true), new(false)
	rename := map[string]string{"eager": "pytorch-compile", "gorgonia": "jax", "gomlx": "gomlx"}
	plan := func(c *results.Cell) {
		c.Backend = rename[c.Backend]
		if c.Backend == "pytorch-compile" && c.Mode == "infer" {
			c.Allocator = "tuned"
		}
	}
	for i := range run.Meta.Cells {
		plan(&run.Meta.Cells[i])
	}
	seen := 0
	for i := range run.Records {
		r := &run.Records[i]
		plan(&r.Cell)
		r.Worker.Threads = r.Cell.Threads
		switch r.Cell.Backend {
		case "pytorch-compile":
			r.Worker.TF32, r.Worker.CompileCache = off, "warm"
			r.Worker.Kernels = map[string]string{"f32-product": "AVX2", "forced": "avx2"}
			if seen++; seen == 1 {
				r.Worker.CompileCache = "cold"
			}
		case "jax":
			r.Worker.TF32, r.Worker.Threads = on, 2
			r.Shared = r.Kind == results.KindTime
			if u := r.Usage; u != nil && r.Cell.Workload == "MnistCnn" {
				u.CPUNS = u.WallNS * 131 / 100
			}
		}
	}
	run.Meta.Baseline = "jax"
	run.Meta.Backends = map[string]results.Backend{"jax": {Env: map[string]string{"XLA_FLAGS": "--x=1 --y", "B": "2"}}}
	v := newView(run, compare.Analyze(run))
	got := map[string]ledgerRow{}
	for _, r := range v.ledger() {
		got[r.Label.EN] = r
	}
	// In the order of v.backends: pytorch-compile, jax, gomlx.
	for _, test := range []struct {
		label  string
		values [3]text
		differ bool
	}{
		{"effective threads, as reported", [3]text{same("1"), {"2 (granted 1)", "2（分配 1）"}, same("1")}, true},
		{"cells that used more CPU than granted", [3]text{{"none", "无"}, {"1 of 4: up to 1.31 CPUs, granted 1", "4 个中 1 个：最多 1.31 个 CPU，分配 1 个"}, {"none", "无"}}, true},
		{"matrix products through TF32", [3]text{{"no", "否"}, {"yes", "是"}, {"not said", "未说明"}}, true},
		{"memory allocator", [3]text{{"default, tuned", "默认，调优"}, {"default", "默认"}, {"default", "默认"}}, true},
		{"environment variables of its own", [3]text{{"none", "无"}, same("B=2 XLA_FLAGS=--x=1 --y"), {"none", "无"}}, true},
		{"compile cache at the first step", [3]text{{"cold in 1, warm in 31 trials", "冷：1 次，热：31 次"}, {"none", "无"}, {"none", "无"}}, true},
		{"processes", [3]text{{"fresh for each trial", "每次试验全新"}, {"forked after a shared import in 28 of 32 trials", "32 次试验中有 28 次在共享导入之后派生"}, {"fresh for each trial", "每次试验全新"}}, true},
		{"kernels", [3]text{same("f32-product AVX2, forced avx2"), same(none), same(none)}, false},
		{"segments recomputed", [3]text{same("0"), same("0"), same("0")}, false},
	} {
		row, ok := got[test.label]
		if !ok {
			t.Errorf("no row %q", test.label)
			continue
		}
		for i, want := range test.values {
			if row.Values[i] != want {
				t.Errorf("%s, %s: got %q, want %q", test.label, v.backends[i].Name, row.Values[i], want)
			}
		}
		if row.Differ != test.differ {
			t.Errorf("%s: differ is %v", test.label, row.Differ)
		}
	}
	// What is above its grant is in every form that a person reads.
	for _, w := range writers[:2] {
		var b bytes.Buffer
		if err := w.write(&b, run, compare.Analyze(run)); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), "trials used more CPU than granted") {
			t.Errorf("%s does not say who used more CPU than granted", w.name)
		}
	}
	var b bytes.Buffer
	if err := Text(&b, run, compare.Analyze(run), TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "trials used more CPU than granted: MnistCnn train f32 batch=8 JAX") {
		t.Errorf("the text does not say who used more CPU than granted:\n%s", b.String())
	}
	page := renderHTML(t, run, compare.Analyze(run))
	for _, want := range []string{"28 of them forked after a shared import", "其中 28 次在共享导入之后派生", "fresh or forked from one", "cold in 1, warm in 31 trials", "冷：1 次，热：31 次", "调优的内存分配器", "tuned allocator"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// A backend that never spoke differs from none.
func TestLedgerOfSilence(t *testing.T) {
	run := resultstest.Run(resultstest.Config{Seed: 4, Rounds: 7})
	for i := range run.Records {
		if r := &run.Records[i]; r.Cell.Backend == "gomlx" {
			r.End, r.Reason, r.Worker, r.Usage, r.BlockNS = results.EndCrashed, "import", results.Worker{}, nil, nil
		}
	}
	for _, row := range newView(run, compare.Analyze(run)).ledger() {
		if row.Values[2] != same(none) {
			t.Errorf("%s: %q of a backend that never spoke", row.Label.EN, row.Values[2])
		}
		if row.Differ && row.Label.EN != "kind" && row.Label.EN != "versions" {
			t.Errorf("%s differs", row.Label.EN)
		}
	}
}
