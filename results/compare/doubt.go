package compare

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/dlbench/dlbench/results"
)

const (
	// Wall time and CPU time tell the same ratio on a quiet host with one thread.
	// From this factor on they do not.
	clocksApart = 1.25
	// A trial waited when the CPU time that it was granted exceeds what it used by
	// this factor.
	waitedOver = 1.1
)

// byWallTime are the metrics that are nothing but the wall time of the steps,
// so that their CPU time can be set against it.
var byWallTime = []string{"step-time", "throughput", "flops"}

// cpuRatios are the log ratios of CPU time per step in the direction of the
// metric; nil where CPU time does not speak for it.
func cpuRatios(p []pair, m results.Metric) []float64 {
	if !slices.Contains(byWallTime, m.Name) {
		return nil
	}
	if len(p) > 0 && p[0].head.Cell.Device != "" && p[0].head.Cell.Device != "cpu" {
		return nil
	}
	cpu, _ := results.LookupMetric("cpu-per-step")
	x, _, _ := logRatios(p, cpu)
	if m.Better > 0 {
		return negated(x)
	}
	return x
}

// heed sets the CPU's ratio of a comparison beside that of wall time, and
// withholds the verdict where the two contradict each other on a busy host:
// pairs are made within a round, but what else runs does not hit both sides of
// a pair alike. Of a cell with several threads the ratios may differ for better
// reasons, so there it is a warning at most.
func (c *Comparison) heed(p []pair, m results.Metric, base, head *cellTrials, delta float64) {
	x := cpuRatios(p, m)
	if len(x) == 0 || c.Ratio == nil {
		return
	}
	cpu, wall := median(x), math.Log(*c.Ratio)
	c.CPURatio = finitePtr(math.Exp(cpu))
	if c.CPURatio == nil || math.Abs(wall-cpu) <= math.Log(clocksApart) || !waited(p) {
		return
	}
	told := fmt.Sprintf("%s is %s by wall time, %s by CPU time: ", m.Name, factor(*c.Ratio), factor(*c.CPURatio))
	busy, several := base.busy() || head.busy(), max(c.Base.Threads, c.Head.Threads) > 1
	switch {
	case several && busy:
		c.Warnings = append(c.Warnings, told+"the host was busy, or one side left granted threads idle")
	case several:
	case !busy:
		c.Warnings = append(c.Warnings, told+"one side waited, though nothing disturbed the host")
	case contradicts(c.Verdict, m.Better, cpu, delta):
		c.withhold(told + "the host was busy, so there is no verdict; trust neither without a quiet run")
	default:
		c.Warnings = append(c.Warnings, told+"the host was busy, trust neither without a quiet run")
	}
}

// contradicts reports whether a log ratio lies on the other side of the margin
// than a verdict.
func contradicts(v Verdict, better int, ratio, delta float64) bool {
	gain := ratio * float64(better)
	switch v {
	case Improved:
		return gain <= delta
	case Regressed:
		return gain >= -delta
	case Equivalent:
		return math.Abs(ratio) >= delta
	}
	return false
}

// waited reports whether one side left CPU time unused in most rounds. CPU time
// above what was granted has a warning of its own.
func waited(p []pair) bool {
	wall, _ := results.LookupMetric("step-time")
	cpu, _ := results.LookupMetric("cpu-per-step")
	side := func(of func(pair) results.Record) bool {
		n := 0
		for _, q := range p {
			r := of(q)
			w, ok1 := wall.Of(r)
			c, ok2 := cpu.Of(r)
			if ok1 && ok2 && w*float64(max(1, r.Cell.Threads)) > waitedOver*c {
				n++
			}
		}
		return 2*n > len(p)
	}
	return side(func(q pair) results.Record { return q.base }) || side(func(q pair) results.Record { return q.head })
}

// busy reports whether the host may have been busy in most trials of the cell:
// they were disturbed, or nothing was recorded that would have shown it.
func (c *cellTrials) busy() bool { return 2*(c.disturbed+c.unwatched) > len(c.timed) }

// tooShort reports whether most trials measured for too short a time to be
// confirmed.
func (c *cellTrials) tooShort() bool { return 2*c.short > len(c.timed) }

// withholdShort takes the verdict from a comparison whose trials are mostly too
// short.
func (c *Comparison) withholdShort(m results.Metric, sides ...*cellTrials) {
	for _, side := range sides {
		if m.Segment && side.tooShort() {
			c.TooShort = true
			c.withhold(fmt.Sprintf("no verdict: most trials of %s measured for less than %d ms, too short for the harness's clock to confirm", side.cell.Backend, shortNS/1_000_000))
		}
	}
}

// withhold makes a comparison inconclusive for a reason; the first one is kept.
func (c *Comparison) withhold(reason string) {
	c.Verdict = Inconclusive
	c.Warnings = append(c.Warnings, reason)
	if c.Reason == "" {
		c.Reason = reason
	}
}

// blame says that the baseline is why there is no verdict, where it alone is.
func (c *Comparison) blame(base, head *cellTrials) {
	if base.status != StatusOK && head.status == StatusOK {
		c.Reason = fmt.Sprintf("the baseline %s is %s: %s", base.cell.Backend, base.status, base.reason)
		c.Warnings = append(c.Warnings, c.Reason)
	}
}

// factor shows a ratio with three digits.
func factor(v float64) string {
	digits := 2
	if v > 0 {
		digits = min(max(2-int(math.Floor(math.Log10(v))), 0), 9)
	}
	return strconv.FormatFloat(v, 'f', digits, 64) + "×"
}
