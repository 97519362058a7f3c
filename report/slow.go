package report

import (
	"math"

	"github.com/dlbench/dlbench/results/compare"
)

// slowdowns words what explains the slow trials of a cell, with its numbers.
func (v *view) slowdowns(c *cell) []text {
	if c.summary == nil {
		return nil
	}
	var all []text
	for _, s := range c.summary.Slowdowns {
		t := slowdown(s)
		if t.Empty() {
			continue
		}
		if s.Cause == compare.SlowPageFaults && v.tunable(c) {
			t = textf("%s; glibc gave memory back and took it again: try allocator: tuned", "%s；glibc 反复归还并重新取得内存，可试 allocator: tuned", t)
		}
		all = append(all, t)
	}
	return all
}

// tunable reports whether another setting of the allocator could help a cell:
// one of Python's frameworks, whose memory is malloc's, on Linux.
func (v *view) tunable(c *cell) bool {
	if c.Cell.Allocator != "" || v.run.Meta.Host.OS != "linux" {
		return false
	}
	for _, r := range c.timed() {
		if r.Worker.Versions["python"] != "" {
			return true
		}
	}
	return false
}

// tellCorrelation is the rank correlation from which on it is worth telling.
const tellCorrelation = 0.5

func slowdown(s compare.Slowdown) text {
	extra, part := duration(s.Extra), duration(s.Part)
	var t text
	switch {
	case s.Explained == 0 && s.Cause == compare.SlowPageFaults && s.Correlation != nil:
		return textf(
			"step time follows page faults over %d trials (rank correlation %s): the slower half took %s per step more than the faster half, %s of it system time, with %s page faults per step against %s",
			"%d 次试验的每步时间随缺页数变化（秩相关 %s）：较慢的一半每步比较快的一半多 %s，其中 %s 是系统时间；每步缺页 %s 次，较快的一半 %s 次",
			s.Trials, round3(*s.Correlation), extra, part, events(s.Events), events(s.Usual))
	case s.Explained == 0:
		return text{}
	case s.Cause == compare.SlowPageFaults:
		t = textf(
			"%d of %d trials slowed by page faults: in round %d a step took %s more than the median, %s of it system time, with %s page faults per step (median %s)",
			"%[2]d 次试验中有 %[1]d 次因缺页而变慢：第 %[3]d 轮每步比中位数多 %[4]s，其中 %[5]s 是系统时间；每步缺页 %[6]s 次（中位数 %[7]s 次）",
			s.Explained, s.Trials, s.Round, extra, part, events(s.Events), events(s.Usual))
	case s.Cause == compare.SlowSystem:
		t = textf(
			"%d of %d trials slowed by system time: in round %d a step took %s more than the median, %s of it system time",
			"%[2]d 次试验中有 %[1]d 次因系统时间而变慢：第 %[3]d 轮每步比中位数多 %[4]s，其中 %[5]s 是系统时间",
			s.Explained, s.Trials, s.Round, extra, part)
	case s.Cause == compare.SlowWaiting:
		t = textf(
			"%d of %d trials slowed by waiting for a CPU: in round %d a step took %s more than the median, %s of it without a CPU, with %s involuntary context switches per step (median %s)",
			"%[2]d 次试验中有 %[1]d 次因等待 CPU 而变慢：第 %[3]d 轮每步比中位数多 %[4]s，其中 %[5]s 没有 CPU 可用；每步非自愿上下文切换 %[6]s 次（中位数 %[7]s 次）",
			s.Explained, s.Trials, s.Round, extra, part, events(s.Events), events(s.Usual))
	default:
		return text{}
	}
	if s.Correlation != nil && *s.Correlation >= tellCorrelation {
		t = textf("%s; over all trials step time follows it (rank correlation %s)", "%s；各次试验的每步时间都随之变化（秩相关 %s）", t, round3(*s.Correlation))
	}
	return t
}

// events formats a mean count per step.
func events(n float64) string {
	if n >= 100 {
		return whole(int64(math.Round(n)))
	}
	return sig(n)
}
