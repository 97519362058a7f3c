package results

// Metric is a named function from a record to a number with a unit. Of answers
// false where the record has no such number; what it returns is finite.
type Metric struct {
	Name   string
	Unit   string // in the terms of golang.org/x/perf/benchunit
	Better int    // -1: smaller is better, +1: larger is better, 0: neither
	Exact  bool   // the same in every trial of a cell, so that nothing is estimated
	// Segment tells a metric of the measured segment, which needs one that is long
	// enough for the harness's own clock to confirm.
	Segment bool
	// Percentile is the share that a metric of single steps is a percentile for; 0:
	// it is none.
	Percentile float64
	// Memory tells a metric of memory trials. A cell has a few of them and
	// they belong to no round, so nothing is judged by them.
	Memory bool
	Of     func(Record) (float64, bool)
}

// Metrics are all metrics. Those of speed and use are of timed trials that
// ended ok, those named memory are of memory trials that ended ok.
var Metrics = []Metric{
	// The measured segment, as total over steps: a median of blocks would hide
	// what happens once in many steps, such as garbage collection.
	{Name: "step-time", Unit: "sec/step", Better: -1, Segment: true, Of: timed(stepTime)},
	{Name: "throughput", Unit: "examples/sec", Better: +1, Segment: true, Of: timed(func(r Record) (float64, bool) {
		sec, ok := stepTime(r)
		return float64(r.Work.Examples) / sec, ok && r.Work.Examples > 0
	})},
	{Name: "flops", Unit: "FLOP/sec", Better: +1, Segment: true, Of: timed(func(r Record) (float64, bool) {
		sec, ok := stepTime(r)
		return float64(r.Work.ModelFLOPs) / sec, ok && r.Work.ModelFLOPs > 0
	})},
	{Name: "latency-p50", Unit: "sec", Better: -1, Segment: true, Percentile: 0.50, Of: timed(latency(0.50))},
	{Name: "latency-p90", Unit: "sec", Better: -1, Segment: true, Percentile: 0.90, Of: timed(latency(0.90))},
	{Name: "latency-p99", Unit: "sec", Better: -1, Segment: true, Percentile: 0.99, Of: timed(latency(0.99))},

	// What the measured segment used.
	{Name: "cpu-per-step", Unit: "cpu-sec/step", Better: -1, Segment: true, Of: perStep(func(u Usage) *int64 { return &u.CPUNS }, 1e-9)},
	{Name: "system-per-step", Unit: "system-sec/step", Better: -1, Segment: true, Of: perStep(func(u Usage) *int64 { return u.SysNS }, 1e-9)},
	{Name: "gc-per-step", Unit: "gc-sec/step", Better: -1, Segment: true, Of: perStep(func(u Usage) *int64 { return u.GCNS }, 1e-9)},
	{Name: "faults-per-step", Unit: "faults/step", Better: -1, Segment: true, Of: perStep(func(u Usage) *int64 { return u.MinorFaults }, 1)},
	{Name: "switches-per-step", Unit: "switches/step", Better: -1, Segment: true, Of: perStep(Usage.Switches, 1)},
	{Name: "threads", Unit: "threads", Segment: true, Of: timed(func(r Record) (float64, bool) {
		if r.Usage == nil {
			return 0, false
		}
		return float64(r.Usage.CPUNS) / float64(r.Usage.WallNS), r.Usage.WallNS > 0
	})},

	// Where the time before the measured segment went.
	{Name: "import-time", Unit: "sec", Better: -1, Of: timed(phaseTime("import"))},
	{Name: "build-time", Unit: "sec", Better: -1, Of: timed(phaseTime("build"))},
	{Name: "first-step-time", Unit: "sec", Better: -1, Of: timed(phaseTime("first"))},
	{Name: "warmup-time", Unit: "sec", Better: -1, Of: timed(phaseTime("warm-up"))},

	// Memory. PSS shares a page among the processes that map it; resident bytes
	// count it in each. Above import is what the work itself took: one binary
	// links all Go libraries, so its level after import says nothing of one.
	{Name: "peak-memory", Unit: "B", Better: -1, Memory: true, Of: memory(func(m Memory) (float64, bool) {
		return deref(m.PeakPSS)
	})},
	{Name: "peak-memory-above-import", Unit: "B", Better: -1, Memory: true, Of: memory(func(m Memory) (float64, bool) {
		peak, ok1 := deref(m.PeakPSS)
		base, ok2 := deref(m.ImportPSS)
		return peak - base, ok1 && ok2
	})},
	{Name: "device-memory", Unit: "B", Better: -1, Memory: true, Of: memory(func(m Memory) (float64, bool) {
		return deref(m.Device)
	})},
	{Name: "peak-resident", Unit: "B", Better: -1, Of: timed(peakResident)},
	{Name: "peak-resident-above-import", Unit: "B", Better: -1, Of: timed(func(r Record) (float64, bool) {
		peak, ok := peakResident(r)
		if !ok || r.Phases[0].Name != "import" {
			return 0, false
		}
		return peak - float64(*r.Phases[0].HWM), true
	})},

	// Facts about the work.
	{Name: "params", Unit: "params", Exact: true, Of: timed(func(r Record) (float64, bool) {
		return float64(r.Worker.Params), r.Worker.Params > 0
	})},
	{Name: "model-flops", Unit: "FLOP/step", Exact: true, Of: timed(func(r Record) (float64, bool) {
		return float64(r.Work.ModelFLOPs), r.Work.ModelFLOPs > 0
	})},
}

// LookupMetric returns the metric of a name.
func LookupMetric(name string) (Metric, bool) {
	for _, m := range Metrics {
		if m.Name == name {
			return m, true
		}
	}
	return Metric{}, false
}

// timed restricts a metric to timed trials that ended ok, and to finite values.
func timed(of func(Record) (float64, bool)) func(Record) (float64, bool) {
	return func(r Record) (float64, bool) {
		if r.Kind != KindTime || r.End != EndOK {
			return 0, false
		}
		return guard(of(r))
	}
}

// memory restricts a metric to memory trials that ended ok.
func memory(of func(Memory) (float64, bool)) func(Record) (float64, bool) {
	return func(r Record) (float64, bool) {
		if r.Kind != KindMemory || r.End != EndOK || r.Memory == nil {
			return 0, false
		}
		return guard(of(*r.Memory))
	}
}

func guard(v float64, ok bool) (float64, bool) {
	if !ok || !isFinite(v) {
		return 0, false
	}
	return v, true
}

// stepTime is the mean seconds per step of the measured segment.
func stepTime(r Record) (float64, bool) {
	ns, ok := r.SegmentNS()
	return ns * 1e-9 / float64(r.Steps()), ok && r.Steps() > 0
}

func perStep(of func(Usage) *int64, scale float64) func(Record) (float64, bool) {
	return timed(func(r Record) (float64, bool) {
		if r.Usage == nil {
			return 0, false
		}
		n := of(*r.Usage)
		if n == nil {
			return 0, false
		}
		return float64(*n) * scale / float64(r.Steps()), r.Steps() > 0
	})
}

func phaseTime(name string) func(Record) (float64, bool) {
	return func(r Record) (float64, bool) {
		for _, p := range r.Phases {
			if p.Name == name {
				return float64(p.WallNS) * 1e-9, p.WallNS > 0
			}
		}
		return 0, false
	}
}

// peakResident is the largest resident size over all phases. Where one phase
// lacks it, the peak may have been there, so there is none. Nor is there one of
// a forked trial, whatever was recorded: a fork does not copy the page tables of
// mapped files, so the libraries that its parent loaded are missing.
func peakResident(r Record) (float64, bool) {
	if r.Shared {
		return 0, false
	}
	var peak float64
	for _, p := range r.Phases {
		if p.HWM == nil {
			return 0, false
		}
		peak = max(peak, float64(*p.HWM))
	}
	return peak, peak > 0
}

func deref(v *int64) (float64, bool) {
	if v == nil {
		return 0, false
	}
	return float64(*v), true
}
