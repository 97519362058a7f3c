package results

import (
	"fmt"
	"slices"
	"strings"
)

// Judgeable reports why backends cannot be judged by a metric, in one line, or
// nil. stepsPerBlock and blocks are those of a timed trial as it is planned, 0
// where they are not known yet. Judging takes one number per timed trial, of
// which either more or less is better, in every trial that is planned.
//
// A metric that passes may still have no value on some backend: time spent in
// garbage collection, for example, is 0 where there is none, and has no ratio.
func (m Metric) Judgeable(stepsPerBlock, blocks int) error {
	switch {
	case m.Exact:
		return fmt.Errorf("metric %q cannot be judged: it is a fact about the work, the same for all backends; %s", m.Name, judgeableHint())
	case m.Memory:
		return fmt.Errorf("metric %q cannot be judged: it is read from memory trials, which belong to no round; %s", m.Name, judgeableHint())
	case m.Better == 0:
		return fmt.Errorf("metric %q cannot be judged: neither more nor less of it is better; %s", m.Name, judgeableHint())
	case m.Percentile > 0 && stepsPerBlock > 1:
		return fmt.Errorf("metric %q cannot be judged: it takes blocks of one step, these have %d; hint: set one step per block", m.Name, stepsPerBlock)
	case m.Percentile > 0 && blocks > 0 && blocks < PercentileSamples(m.Percentile):
		return fmt.Errorf("metric %q cannot be judged: it takes %d steps per trial, these have %d; hint: measure more steps", m.Name, PercentileSamples(m.Percentile), blocks)
	}
	return nil
}

// judgeableHint names the metrics that need nothing special.
func judgeableHint() string {
	var names []string
	for _, m := range Metrics {
		if m.Better != 0 && !m.Exact && !m.Memory && m.Percentile == 0 {
			names = append(names, m.Name)
		}
	}
	slices.Sort(names)
	return "expected one of " + strings.Join(names, ", ")
}
