package results

import (
	"math"
	"strings"
	"testing"
)

func ptr[T any](v T) *T { return &v }

// example is a trial whose metrics can be worked out by hand.
func example() Record {
	return Record{
		Kind: KindTime, Round: 1, Attempt: 1, Cell: plain(), End: EndOK,
		Work:    Work{Examples: 32, ModelFLOPs: 6e6},
		Worker:  Worker{Params: 225034},
		BlockNS: []int64{1e6, 2e6, 3e6, 6e6}, StepsPerBlock: 2,
		Usage: &Usage{WallNS: 12e6, CPUNS: 18e6, SysNS: new(int64(8e5)), MinorFaults: new(int64(16)), Voluntary: new(int64(3)), Involuntary: new(int64(1)), GCNS: new(int64(4e5))},
		Phases: []Phase{
			{Name: "import", WallNS: 30e6, HWM: ptr(int64(100))}, {Name: "build", WallNS: 4e6, HWM: ptr(int64(150))},
			{Name: "first", WallNS: 5e6, HWM: ptr(int64(400))}, {Name: "warm-up", WallNS: 6e6, HWM: ptr(int64(300))},
			{Name: "measure", WallNS: 13e6, HWM: ptr(int64(350))},
		},
	}
}

func value(t *testing.T, name string, r Record) float64 {
	t.Helper()
	m, ok := LookupMetric(name)
	if !ok {
		t.Fatalf("no metric %s", name)
	}
	v, ok := m.Of(r)
	if !ok {
		return math.NaN()
	}
	return v
}

func TestMetrics(t *testing.T) {
	r := example()
	mem := Record{Kind: KindMemory, End: EndOK, Memory: &Memory{ImportPSS: ptr(int64(100)), PeakPSS: ptr(int64(900)), Device: ptr(int64(7))}}
	want := map[string]float64{
		"step-time": 1.5e-3, "throughput": 32 / 1.5e-3, "flops": 6e6 / 1.5e-3,
		"latency-p50": math.NaN(), "latency-p90": math.NaN(), "latency-p99": math.NaN(),
		"cpu-per-step": 18e-3 / 8, "system-per-step": 1e-4, "gc-per-step": 5e-5, "faults-per-step": 2, "switches-per-step": 0.5, "threads": 1.5,
		"import-time": 30e-3, "build-time": 4e-3, "first-step-time": 5e-3, "warmup-time": 6e-3,
		"peak-memory": 900, "peak-memory-above-import": 800, "device-memory": 7,
		"peak-resident": 400, "peak-resident-above-import": 300,
		"params": 225034, "model-flops": 6e6,
	}
	for _, m := range Metrics {
		w, ok := want[m.Name]
		if !ok {
			t.Errorf("%s is not tested", m.Name)
		}
		of := r
		if strings.HasPrefix(m.Name, "peak-memory") || m.Name == "device-memory" {
			of = mem
		}
		if got := value(t, m.Name, of); math.Abs(got-w) > 1e-12*w || math.IsNaN(got) != math.IsNaN(w) {
			t.Errorf("%s: got %v, want %v", m.Name, got, w)
		}
		// Nothing is read from a trial that did not end ok, or is of another kind.
		for _, bad := range []Record{{Kind: of.Kind, End: EndOK}, func() Record { b := of; b.End = EndTimeout; return b }(), func() Record { b := of; b.Kind = KindCheck; return b }()} {
			if v, ok := m.Of(bad); ok || v != 0 {
				t.Errorf("%s of a bad record: %v, %v", m.Name, v, ok)
			}
		}
	}
}

func TestMetricsAreNamedApart(t *testing.T) {
	names, units := map[string]bool{}, map[string]bool{}
	for _, m := range Metrics {
		if names[m.Name] || units[benchUnit(m)] || strings.ContainsAny(m.Name+m.Unit, " \t") {
			t.Errorf("%s (%s): name or unit is there twice, or has a space", m.Name, benchUnit(m))
		}
		names[m.Name], units[benchUnit(m)] = true, true
	}
}

func TestMetricsOfDamagedRecords(t *testing.T) {
	for name, change := range map[string]func(*Record){
		"zero time":        func(r *Record) { r.BlockNS = []int64{0, 0} },
		"negative block":   func(r *Record) { r.BlockNS = []int64{5, -1} },
		"no blocks":        func(r *Record) { r.BlockNS = nil },
		"no steps":         func(r *Record) { r.StepsPerBlock = 0 },
		"negative steps":   func(r *Record) { r.StepsPerBlock = -1 },
		"no usage":         func(r *Record) { r.Usage = nil },
		"zero wall":        func(r *Record) { r.Usage = &Usage{CPUNS: 5} },
		"no phases":        func(r *Record) { r.Phases = nil },
		"phase without":    func(r *Record) { r.Phases[2].HWM = nil },
		"largest integers": func(r *Record) { r.BlockNS = []int64{math.MaxInt64, math.MaxInt64} },
	} {
		r := example()
		change(&r)
		for _, m := range Metrics {
			if v, ok := m.Of(r); !isFinite(v) || !ok && v != 0 {
				t.Errorf("%s: %s is %v, %v", name, m.Name, v, ok)
			}
		}
		if strings.Contains(name, "block") || strings.Contains(name, "steps") || name == "zero time" {
			if v := value(t, "step-time", r); !math.IsNaN(v) {
				t.Errorf("%s: step-time is %v", name, v)
			}
		}
	}
	r := example()
	r.Phases[2].HWM = nil
	if v := value(t, "peak-resident", r); !math.IsNaN(v) {
		t.Errorf("a phase without HWM: the peak is %v, though it may have been there", v)
	}
}

func TestLatency(t *testing.T) {
	r := example()
	r.StepsPerBlock, r.BlockNS = 1, nil
	for i := range 662 {
		r.BlockNS = append(r.BlockNS, int64(662-i)*1e6) // 1 to 662 ms, falling
	}
	for name, want := range map[string]float64{"latency-p50": 0.331, "latency-p90": 0.596, "latency-p99": 0.656} {
		if got := value(t, name, r); math.Abs(got-want) > 1e-12 {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	short := r
	short.BlockNS = r.BlockNS[:661]
	if v := value(t, "latency-p99", short); !math.IsNaN(v) {
		t.Errorf("p99 of 661 samples is %v", v)
	}
	if v := value(t, "latency-p90", short); math.IsNaN(v) {
		t.Error("no p90 of 661 samples")
	}
	r.StepsPerBlock = 2
	if v := value(t, "latency-p50", r); !math.IsNaN(v) {
		t.Errorf("latency of blocks of two steps is %v", v)
	}
	if r.BlockNS[0] != 662e6 {
		t.Error("the record was sorted")
	}
}

func TestPercentileSamples(t *testing.T) {
	for q, want := range map[float64]int{0.5: 11, 0.9: 64, 0.99: 662} {
		if got := PercentileSamples(q); got != want {
			t.Errorf("q %g: got %d, want %d", q, got, want)
		}
	}
}

// A fork has not the page tables of what its parent mapped, so its resident size
// is no figure of what the work takes, in old run folders neither.
func TestForkedTrialsHaveNoResidentPeak(t *testing.T) {
	r := example()
	r.Shared = true
	for _, name := range []string{"peak-resident", "peak-resident-above-import"} {
		if v := value(t, name, r); !math.IsNaN(v) {
			t.Errorf("%s of a forked trial is %v", name, v)
		}
	}
	if v := value(t, "step-time", r); math.IsNaN(v) {
		t.Error("a forked trial has no step time")
	}
}
