package forecast

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
)

// What is learned from a run foretells that run.
func TestLearn(t *testing.T) {
	plan := planOf(t)
	for _, share := range []bool{false, true} {
		run := runOf(plan, 2, share, 1)
		k := Learn(run)
		if !near(k.Canary, 7e-4) || math.Abs(k.Between-0.1) > 1e-6 || len(k.Costs) != 4 {
			t.Fatalf("%+v", k)
		}
		for _, c := range k.Costs {
			shared := share && c.Cell.Backend == "forking"
			form := form(Time, shared)
			want := Trial{N: 2, Import: 2, Build: 0.5, First: 0.25, Check: 0.25, WarmupBlocks: 10, Steady: 1, WarmupStep: 0.05, Step: 0.05, Rest: 0.5}
			if shared {
				want.Import = 0
			}
			if got := c.Trials[form]; !alikeTrials(got, want) {
				t.Errorf("%s:\n got %+v\nwant %+v", form, got, want)
			}
			if c.Peak != 150<<20 || c.Imported != 150<<20 || c.Calls == 0 || c.Seen != "2026-11-21" {
				t.Errorf("%+v", c)
			}
		}
		rows, err := Of(plan, Sources{Here: k}).Against(run)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			if math.Abs(r.Off()) > 0.01 {
				t.Errorf("share %v: %s: forecast %v, came %v", share, r.What, r.Forecast, r.Came)
			}
		}
	}
}

func alikeTrials(a, b Trial) bool {
	x, y := a.durations(), b.durations()
	for i := range x {
		if math.Abs(*x[i]-*y[i]) > 1e-6 {
			return false
		}
	}
	return a.N == b.N && near(a.WarmupBlocks, b.WarmupBlocks) && near(a.Steady, b.Steady)
}

// Trials that were cut short teach nothing; how a cell ends is kept only where
// another run would end alike.
func TestLearnEnds(t *testing.T) {
	plan := planOf(t)
	for _, tc := range []struct {
		end   string
		phase string
		known bool
	}{
		{results.EndUnsupported, "build", true}, {results.EndWrong, "check", true},
		{results.EndUnsupported, "import", false}, // not set up, no such device: that may change
		{results.EndCrashed, "build", false}, {results.EndTimeout, "check", false}, {results.EndInterrupted, "build", false}, {results.EndOOM, "build", false},
	} {
		run := runOf(plan, 0, false, 1)
		run.Records = run.Records[:1]
		r := &run.Records[0]
		r.End, r.Phase = tc.end, tc.phase
		k := Learn(run)
		if got := len(k.Costs) == 1 && k.Costs[0].Ends == tc.end; got != tc.known {
			t.Errorf("%+v: %+v", tc, k.Costs)
		}
	}
}

func TestMerge(t *testing.T) {
	plan := planOf(t)
	old, later := Learn(runOf(plan, 20, false, 1)), Learn(runOf(plan, 8, false, 2))
	c := old.Merge(later).Costs[0]
	// 20 trials count as 8, so the mean is halfway.
	if got := c.Trials[Time]; got.N != 16 || !near(got.Build, 0.75) {
		t.Errorf("%+v", got)
	}
	ends := later
	ends.Costs = []Cost{{Cell: c.Cell, Ends: results.EndUnsupported, Trials: map[Form]Trial{Check: {N: 1}}}}
	if got, _ := old.Merge(ends).find(c.Cell); got.Ends != results.EndUnsupported || len(got.Trials) != 1 {
		t.Errorf("a cell that no longer works: %+v", got)
	}
	if got, _ := old.Merge(ends).Merge(later).find(c.Cell); got.Ends != "" || got.Trials[Check].N != 1 || !near(got.Trials[Time].Build, 1) {
		t.Errorf("a cell that works again: %+v", got)
	}
}

func TestFile(t *testing.T) {
	path := Path(filepath.Join(t.TempDir(), "new"))
	if k, err := Read(path, "some"); err != nil || len(k.Costs) != 0 {
		t.Fatalf("no file: %+v, %v", k, err)
	}
	learned := Learn(runOf(planOf(t), 2, true, 1))
	other := learned
	other.Host = "another"
	for _, k := range []Known{learned, other} {
		if err := Add(path, k); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []Known{learned, other} {
		got, err := Read(path, want.Host)
		if err != nil || len(got.Costs) != len(want.Costs) || got.Host != want.Host {
			t.Fatalf("%+v, %v", got, err)
		}
		for _, c := range want.Costs {
			have, ok := got.find(c.Cell)
			if !ok || !reflect.DeepEqual(have, c.rounded()) {
				t.Errorf("read %+v\nwrote %+v", have, c)
			}
		}
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty":           "",
		"torn":            string(whole[:len(whole)/2]),
		"another schema":  strings.Replace(string(whole), `"schema":1`, `"schema":2`, 1),
		"a negative time": strings.Replace(string(whole), `"build":0.5`, `"build":-0.5`, 1),
		"an age":          strings.Replace(string(whole), `"build":0.5`, `"build":1e99`, 1),
		"no trial":        strings.Replace(string(whole), `"n":2`, `"n":0`, 1),
		"a strange cell":  strings.Replace(string(whole), `"TinyMlp"`, `"../x"`, 1),
		"an unknown key":  strings.Replace(string(whole), `"calls"`, `"cells"`, 1),
	} {
		if text == string(whole) {
			t.Errorf("%s: nothing was changed", name)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		k, err := Read(path, learned.Host)
		if err == nil || !strings.HasPrefix(err.Error(), path+": ") || len(k.Costs) != 0 {
			t.Errorf("%s: %v, %d costs", name, err, len(k.Costs))
		}
		if err := Add(path, learned); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if k, err := Read(path, learned.Host); err != nil || len(k.Costs) != len(learned.Costs) {
			t.Errorf("%s: not replaced: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"schema":1,"hosts":[]}`))
	f.Add([]byte(`{"schema":1,"hosts":[{"host":"a","canary":1,"between":0,"costs":[{"cell":{"workload":"W","backend":"b","mode":"train","precision":"f32","device":"cpu","data":"resident","batch":1},"trials":{"time":{"n":1}}}]}]}`))
	f.Add(referenceFile)
	f.Fuzz(func(t *testing.T, data []byte) {
		read, err := decode(data)
		if err != nil {
			return
		}
		again, err := decode(encode(read))
		if err != nil || len(again.Hosts) != len(read.Hosts) {
			t.Fatalf("what was read cannot be written: %v", err)
		}
	})
}

func TestReferenceIsValid(t *testing.T) {
	if k := Reference(); k.Host == "" {
		t.Errorf("%+v", k)
	}
}
