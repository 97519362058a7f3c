package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

// faulty is a run in which round 3 of gomlx on MnistCnn faulted pages in at
// every step.
func faulty(t *testing.T, change func(*results.Record)) (results.Run, compare.Analysis) {
	t.Helper()
	run := resultstest.Run(resultstest.Config{Seed: 5, Rounds: 9, Noise: 0.004, Check: true})
	for i := range run.Records {
		r := &run.Records[i]
		if r.Cell.Backend != "gomlx" || r.Cell.Workload != "MnistCnn" || r.Kind != results.KindTime {
			continue
		}
		r.Worker.Versions = map[string]string{"python": "3.11.7"}
		u, n := r.Usage, int64(r.Steps())
		u.MinorFaults, u.SysNS = new(156*n), new(170_000*n)
		if r.Round == 3 {
			u.MinorFaults, u.SysNS = new(2_046*n), new(2_070_000*n)
			for k := range r.BlockNS {
				r.BlockNS[k] += 2_000_000
			}
			u.WallNS += 2_000_000 * n
			u.CPUNS += 2_000_000 * n
		}
		if change != nil {
			change(r)
		}
	}
	return run, compare.Analyze(run)
}

func TestSlowTrialsAreExplained(t *testing.T) {
	run, a := faulty(t, nil)
	const en = "1 of 9 trials slowed by page faults: in round 3 a step took "
	const more = "1.90 ms of it system time, with 2 046 page faults per step (median 156)"
	const hint = "try allocator: tuned"
	for _, w := range writers {
		var b bytes.Buffer
		if err := w.write(&b, run, a); err != nil {
			t.Fatal(err)
		}
		got := strings.NewReplacer(nbsp, " ", "\u202f", " ", "\n", " ").Replace(b.String())
		switch w.name {
		case "report.html":
			zh := "9 次试验中有 1 次因缺页而变慢：第 3 轮每步比中位数多 "
			for _, want := range []string{en, more, hint, zh, "其中 1.90 ms 是系统时间；每步缺页 2 046 次（中位数 156 次）", "可试 allocator: tuned"} {
				if strings.Count(got, want) != 1 {
					t.Errorf("%s: %d times %q", w.name, strings.Count(got, want), want)
				}
			}
		case "report.json":
			if strings.Count(got, `"cause": "page-faults"`) != 1 || !strings.Contains(got, `"round": 3`) {
				t.Errorf("%s has no slowdown", w.name)
			}
		case "report.md", "report.txt":
			for _, want := range []string{en, more, hint} {
				if strings.Count(got, want) != 1 {
					t.Errorf("%s: %d times %q", w.name, strings.Count(got, want), want)
				}
			}
		}
	}
}

// The allocator is named only where it can help.
func TestAllocatorHint(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*results.Record)
		os     string
		want   bool
	}{
		"python on linux": {nil, "linux", true},
		"python on macOS": {nil, "darwin", false},
		"Go":              {func(r *results.Record) { r.Worker.Versions = map[string]string{"gomlx": "1"} }, "linux", false},
	} {
		run, a := faulty(t, test.change)
		run.Meta.Host.OS = test.os
		var b bytes.Buffer
		if err := Text(&b, run, a, TextOptions{}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), "slowed by page faults") || strings.Contains(b.String(), "allocator: tuned") != test.want {
			t.Errorf("%s:\n%s", name, b.String())
		}
	}
}

func TestSlowdownWords(t *testing.T) {
	some := 0.931
	for _, test := range []struct {
		s      compare.Slowdown
		en, zh string
	}{
		{
			compare.Slowdown{Cause: compare.SlowWaiting, Explained: 2, Trials: 12, Round: 7, Extra: 2.1e6, Part: 1.9e6, Events: 0.5, Usual: 0.05, Correlation: &some},
			"2 of 12 trials slowed by waiting for a CPU: in round 7 a step took 2.10 ms more than the median, 1.90 ms of it without a CPU, with 0.500 involuntary context switches per step (median 0.0500); over all trials step time follows it (rank correlation 0.931)",
			"12 次试验中有 2 次因等待 CPU 而变慢：第 7 轮每步比中位数多 2.10 ms，其中 1.90 ms 没有 CPU 可用；每步非自愿上下文切换 0.500 次（中位数 0.0500 次）；各次试验的每步时间都随之变化（秩相关 0.931）",
		},
		{
			compare.Slowdown{Cause: compare.SlowSystem, Explained: 1, Trials: 7, Round: 2, Extra: 2.1e6, Part: 1.9e6},
			"1 of 7 trials slowed by system time: in round 2 a step took 2.10 ms more than the median, 1.90 ms of it system time",
			"7 次试验中有 1 次因系统时间而变慢：第 2 轮每步比中位数多 2.10 ms，其中 1.90 ms 是系统时间",
		},
		{
			compare.Slowdown{Cause: compare.SlowPageFaults, Trials: 8, Extra: 1.5e6, Part: 8.3e5, Events: 1550, Usual: 758, Correlation: &some},
			"step time follows page faults over 8 trials (rank correlation 0.931): the slower half took 1.50 ms per step more than the faster half, 830 µs of it system time, with 1 550 page faults per step against 758",
			"8 次试验的每步时间随缺页数变化（秩相关 0.931）：较慢的一半每步比较快的一半多 1.50 ms，其中 830 µs 是系统时间；每步缺页 1 550 次，较快的一半 758 次",
		},
		{compare.Slowdown{Cause: "a later version's", Explained: 1, Trials: 7}, "", ""},
	} {
		got := slowdown(test.s)
		if plain(got.EN) != test.en || plain(got.ZH) != test.zh {
			t.Errorf("got  %q\n     %q\nwant %q\n     %q", plain(got.EN), plain(got.ZH), test.en, test.zh)
		}
	}
}
