package results

import (
	"strings"
	"testing"
)

func TestJudgeable(t *testing.T) {
	for _, test := range []struct {
		metric                string
		stepsPerBlock, blocks int
		want                  string // "": can be judged
	}{
		{"step-time", 10, 3, ""},
		{"throughput", 0, 0, ""},
		{"peak-resident", 1, 1, ""},
		{"import-time", 1, 1, ""},
		{"params", 1, 1000, "a fact about the work"},
		{"model-flops", 1, 1000, "a fact about the work"},
		{"peak-memory", 1, 1000, "read from memory trials"},
		{"peak-memory-above-import", 1, 1000, "read from memory trials"},
		{"device-memory", 1, 1000, "read from memory trials"},
		{"threads", 1, 1000, "neither more nor less"},
		{"latency-p50", 1, 11, ""},
		{"latency-p50", 2, 1000, "blocks of one step, these have 2"},
		{"latency-p99", 1, 661, "takes 662 steps per trial, these have 661"},
		{"latency-p99", 1, 662, ""},
		{"latency-p99", 0, 0, ""}, // not known yet
	} {
		m, ok := LookupMetric(test.metric)
		if !ok {
			t.Fatalf("no metric %s", test.metric)
		}
		err := m.Judgeable(test.stepsPerBlock, test.blocks)
		if (err == nil) != (test.want == "") || err != nil && (!strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.metric) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s with %d blocks of %d: got %v, want %q", test.metric, test.blocks, test.stepsPerBlock, err, test.want)
		}
	}
}

// What a metric says of itself is what its function reads.
func TestMetricsSayWhatTheyRead(t *testing.T) {
	whole := example()
	whole.StepsPerBlock, whole.BlockNS = 1, make([]int64, 662)
	for i := range whole.BlockNS {
		whole.BlockNS[i] = 1e6
	}
	memory := Record{Kind: KindMemory, End: EndOK, Memory: &Memory{ImportPSS: ptr(int64(100)), PeakPSS: ptr(int64(900)), Device: ptr(int64(7))}}
	unmeasured := whole
	unmeasured.BlockNS, unmeasured.StepsPerBlock, unmeasured.Usage = nil, 0, nil
	for _, m := range Metrics {
		if _, ok := m.Of(memory); ok != m.Memory {
			t.Errorf("%s: of memory trials is %v, reads one is %v", m.Name, m.Memory, ok)
		}
		if _, ok := m.Of(whole); ok == m.Memory {
			t.Errorf("%s: of memory trials is %v, reads a timed one is %v", m.Name, m.Memory, ok)
		}
		if _, ok := m.Of(unmeasured); !m.Memory && ok == m.Segment {
			t.Errorf("%s: of the measured segment is %v, reads a trial without is %v", m.Name, m.Segment, ok)
		}
		blocks := whole
		blocks.StepsPerBlock = 2
		if _, ok := m.Of(blocks); !m.Memory && ok == (m.Percentile > 0) {
			t.Errorf("%s: percentile %g, reads blocks of two steps is %v", m.Name, m.Percentile, ok)
		}
	}
}
