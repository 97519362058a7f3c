package report

import (
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

// onDevice is a run of two backends on a GPU: one is told everything of, of the
// other the framework's and the driver's figures are absent.
func onDevice(t *testing.T) results.Run {
	t.Helper()
	base := results.Cell{
		Workload: "Mlp", Hash: "sha256:" + strings.Repeat("ab", 32), Mode: "train", Precision: "f32", Device: "cuda",
		Data: "resident", Batch: 64, Accumulate: 1, Threads: 1, Backend: "pytorch",
	}
	other := base
	other.Backend = "jax"
	run := resultstest.Run(resultstest.Config{Seed: 3, Rounds: 8, Cells: []results.Cell{base, other}, Memory: true, Baseline: "pytorch"})
	run.Meta.Host.GPUs = []string{"NVIDIA Fake 80GB, 80.0 GiB, driver 570.86.15"}
	n := func(x int64) *int64 { return &x }
	for i := range run.Records {
		r := &run.Records[i]
		g := &results.GPU{Name: "NVIDIA Fake 80GB", Samples: 4, SMTopMHz: n(1980), Others: n(0)}
		if r.Cell.Backend == "pytorch" {
			g.SMMinMHz, g.SMMaxMHz, g.TemperatureC, g.PowerMW = n(1900), n(1965), n(60+int64(r.Round)), n(345_678)
			g.Limits = []string{"software power cap"}
			if r.Round == 3 {
				g.SMMinMHz, g.Slowdowns, g.Others = n(990), []string{"hardware slowdown", "hardware thermal slowdown"}, n(2)
			}
		} else {
			g.SMTopMHz, g.Others = nil, nil
			g.Absent = map[string]string{"clocks": "not supported by this GPU", "reasons": "not supported by this GPU"}
		}
		if r.Kind == results.KindMemory {
			r.Disturb = nil
			r.Memory.Absent = map[string]string{"device": "nvmlDeviceGetMemoryInfo_v2: no permission", "device_allocated": "the worker did not tell", "device_reserved": "the worker did not tell"}
			if r.Cell.Backend == "pytorch" {
				r.Memory.Absent = nil
				r.Memory.Device, r.Memory.DeviceAllocated, r.Memory.DeviceReserved = n(600<<20), n(96<<20), n(128<<20)
			}
			continue
		}
		r.Disturb = &results.Disturbance{GPU: g}
	}
	return run
}

func TestGPURows(t *testing.T) {
	run := onDevice(t)
	v := newView(run, compare.Analyze(run))
	rows := v.gpuRows()
	if len(rows) != 2 {
		t.Fatalf("%d rows, want 2", len(rows))
	}
	r := rows[0]
	if r.Device != "NVIDIA Fake 80GB" || r.Clock.EN != "990–1965\u00a0MHz of 1980" || r.Clock.ZH != "990–1965\u00a0MHz（最高 1980）" || r.Heat != "68\u00a0°C" || r.Power != "346\u00a0W" {
		t.Errorf("%+v", r)
	}
	if want := (text{
		"hardware slowdown in 1 of 8 trials, hardware thermal slowdown in 1 of 8 trials, software power cap in 8 of 8 trials",
		"8 次试验中有 1 次硬件降频，8 次试验中有 1 次硬件过热降频，8 次试验中有 8 次软件功耗上限",
	}); r.Held != want {
		t.Errorf("%+v", r.Held)
	}
	if r = rows[1]; r.Clock.EN != none || r.Heat != none || r.Power != none || r.Held.EN != "not told by the driver" {
		t.Errorf("%+v", r)
	}
}

func TestGPUSignals(t *testing.T) {
	run := onDevice(t)
	v := newView(run, compare.Analyze(run))
	want := []struct {
		worst          string
		known, flagged int
	}{{"2", 8, 1}, {"49.6\u00a0%", 8, 1}, {"2", 8, 1}, {"68\u00a0°C", 8, 0}}
	signals := v.gpuSignals()
	if len(signals) != len(want) {
		t.Fatalf("%d signals, want %d", len(signals), len(want))
	}
	for i, s := range signals {
		row := v.signalRow(s)
		if row.Worst.EN != want[i].worst || row.Known != want[i].known || row.Count() != want[i].flagged {
			t.Errorf("%s: worst %q, known %d, flagged %d, want %+v", s.label.EN, row.Worst.EN, row.Known, row.Count(), want[i])
		}
	}
}

func TestDeviceMemory(t *testing.T) {
	run := onDevice(t)
	panels := newView(run, compare.Analyze(run)).deviceMemories()
	if len(panels) != 1 || len(panels[0].Rows) != 2 {
		t.Fatalf("%+v", panels)
	}
	r := panels[0].Rows[0]
	if r.Driver != "600\u00a0MiB" || r.Allocated != "96.0\u00a0MiB" || r.Reserved != "128\u00a0MiB" || !r.Why.Empty() {
		t.Errorf("%+v", r)
	}
	if r = panels[0].Rows[1]; r.Driver != none || r.Allocated != none || r.Reserved != none || !strings.Contains(r.Why.EN, "no permission") || !strings.Contains(r.Why.EN, "did not tell") {
		t.Errorf("%+v", r)
	}
}

// The page shows all of it in both languages, and nothing of a GPU in a run
// without one.
func TestGPUOnThePage(t *testing.T) {
	run := onDevice(t)
	page := renderHTML(t, run, compare.Analyze(run))
	parts := []string{
		"Memory of the GPU:", "GPU 显存：", "as its driver told ten times a second", "驱动每秒十次读数", "600\u00a0MiB", "硬件过热降频",
		"GPU: fall of the SM clock within the trial", "NVIDIA Fake 80GB, 80.0 GiB, driver 570.86.15",
	}
	for _, want := range parts {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	plain, a := golden(t)
	without := renderHTML(t, plain, a)
	for _, bad := range parts[:5] {
		if strings.Contains(without, bad) {
			t.Errorf("a run on the CPU shows %q", bad)
		}
	}
}
