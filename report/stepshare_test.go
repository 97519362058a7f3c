package report

import (
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

// spent is a timed trial of wall, CPU, system and GC nanoseconds; a negative one
// was not told.
func spent(step, wall, cpu, sys, gc int64) *trial {
	u := &results.Usage{WallNS: wall, CPUNS: cpu}
	if sys >= 0 {
		u.SysNS = &sys
	}
	if gc >= 0 {
		u.GCNS = &gc
	}
	return &trial{Record: &results.Record{Kind: results.KindTime, End: results.EndOK, BlockNS: []int64{step}, StepsPerBlock: 1, Usage: u}}
}

func TestSharesOfAStep(t *testing.T) {
	pc := func(s string) string { return s + nbsp + "%" }
	for _, test := range []struct {
		name                      string
		threads                   int
		trial                     *trial
		user, system, waiting, gc string
	}{
		{"one thread", 1, spent(1, 1000, 900, 100, 20), pc("80"), pc("10"), pc("10"), pc("2")},
		{"four threads", 4, spent(1, 1000, 2000, 400, 0), pc("40"), pc("10"), pc("50"), pc("0")},
		{"system not told", 1, spent(1, 1000, 900, -1, -1), pc("90"), none, pc("10"), none},
		{"more than granted", 1, spent(1, 1000, 1500, 300, 0), pc("120"), pc("30"), pc("0"), pc("0")},
		{"next to nothing", 1, spent(1, 1e6, 1e6, 3, 0), pc("100"), "<" + nbsp + "0.1" + nbsp + "%", pc("0"), pc("0")},
		{"no time", 1, spent(1, 0, 5, 5, 5), none, none, none, none},
	} {
		c := &cell{Cell: results.Cell{Mode: "train", Threads: test.threads}, trials: []*trial{test.trial}}
		row := c.shares()
		if row.User.EN != test.user || row.System.EN != test.system || row.Waiting.EN != test.waiting || row.GC.EN != test.gc {
			t.Errorf("%s: user %s, system %s, waiting %s, GC %s", test.name, row.User.EN, row.System.EN, row.Waiting.EN, row.GC.EN)
		}
	}
}

// Forward is inference over training of the very same settings, and nothing else.
func TestForwardShare(t *testing.T) {
	at := func(edit func(*results.Cell), step int64) *cell {
		k := resultstest.Cells()[0]
		edit(&k)
		return &cell{Cell: k, trials: []*trial{spent(step, 1, 1, 0, 0)}}
	}
	infer := at(func(c *results.Cell) { c.Mode, c.Hash = "infer", "another" }, 25)
	for _, test := range []struct {
		name string
		edit func(*results.Cell)
		ok   bool
	}{
		{"the same", func(*results.Cell) {}, true},
		{"another batch", func(c *results.Cell) { c.Batch++ }, false},
		{"another precision", func(c *results.Cell) { c.Precision = "bf16-mixed" }, false},
		{"other threads", func(c *results.Cell) { c.Threads++ }, false},
		{"another backend", func(c *results.Cell) { c.Backend = "gomlx" }, false},
		{"accumulated", func(c *results.Cell) { c.Accumulate = 4 }, false},
		{"checkpointed", func(c *results.Cell) { c.Checkpoint = 2 }, false},
		{"another allocator", func(c *results.Cell) { c.Allocator = "tuned" }, false},
	} {
		train := at(test.edit, 100)
		by := map[results.Cell]*cell{}
		for _, c := range []*cell{infer, train} {
			k := c.Cell
			k.Hash = ""
			by[k] = c
		}
		got, ok := train.forward(by)
		if ok != test.ok || ok && got != 0.25 {
			t.Errorf("%s: %v, %v", test.name, got, ok)
		}
	}
}

// A cell with the data on the host shows what copying takes, on both sides.
func TestCopyingShare(t *testing.T) {
	resident, host := resultstest.Cells()[0], resultstest.Cells()[0]
	host.Data = "host"
	host.Hash, resident.Hash = "", ""
	a, b := &cell{Cell: resident, trials: []*trial{spent(80, 1, 1, 0, 0)}}, &cell{Cell: host, trials: []*trial{spent(100, 1, 1, 0, 0)}}
	by := map[results.Cell]*cell{resident: a, host: b}
	for _, c := range []*cell{a, b} {
		if x, ok := c.copying(by); !ok || x < 0.199 || x > 0.201 {
			t.Errorf("%s: %v, %v; want 0.2", c.Cell.Data, x, ok)
		}
		if x, ok := c.copying(map[results.Cell]*cell{c.Cell: c}); ok {
			t.Errorf("%s alone: %v", c.Cell.Data, x)
		}
	}
}

// What is known of loading is said once where it is the same.
func TestLoaderIsSaidOnce(t *testing.T) {
	run := resultstest.Run(resultstest.Config{Seed: 1, Rounds: 2})
	page := renderHTML(t, run, compare.Analyze(run))
	if n := strings.Count(page, "Loading: not measured"); n != 1 {
		t.Errorf("said %d times", n)
	}
}
