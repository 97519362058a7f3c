package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/backends/fake"
	"github.com/dlbench/dlbench/memprof/nvml/nvmltest"
	"github.com/dlbench/dlbench/results"
)

// gpuSuite is a suite of cells on the CPU and on a GPU.
func gpuSuite(t *testing.T, backends string) string {
	t.Helper()
	return suiteFile(t, backends, "rounds: {min: 1, max: 1, until: max}",
		"cells: [{workload: TinyMlp, mode: train, batch: 4, precision: f32, device: [cpu, cuda], steps: {warmup-max: 10, blocks: 4, per-block: 5}}]",
		"compare: {baseline: fake-on-gpu, metric: {train: step-time, infer: step-time}, min-effect: 0.05, alpha: 0.05}")
}

func recordsOn(t *testing.T, dir, device, backend, kind string) []results.Record {
	t.Helper()
	run, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []results.Record
	for _, r := range run.Records {
		if r.Cell.Device == device && r.Cell.Backend == backend && r.Kind == kind {
			list = append(list, r)
		}
	}
	return list
}

// The whole way of trials on a GPU, with a stand-in for the driver and a worker
// that only says that it computes on one.
func TestRunOnGPU(t *testing.T) {
	t.Setenv("LD_LIBRARY_PATH", filepath.Dir(nvmltest.Build(t)))
	t.Setenv("FAKE_NVML", "peak=0x10000000;processes=0;reasons=0x44;boost=15;swap=1") // 256 MiB
	dir := filepath.Join(t.TempDir(), "run")
	out := dlbench(t, "run", "--suite", gpuSuite(t, "eager, fake-on-gpu"), "--out", dir)
	if out.code != exitOK {
		t.Fatalf("exit %d\n%s\n%s", out.code, out.stdout, out.stderr)
	}
	run, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if g := run.Meta.Host.GPUs; len(g) != 2 || g[0] != "NVIDIA Fake 80GB, 80.0 GiB, driver 570.86.15" {
		t.Errorf("GPUs %q", g)
	}

	memory := recordsOn(t, dir, "cuda", "fake-on-gpu", results.KindMemory)
	if len(memory) != 1 || memory[0].Memory == nil {
		t.Fatalf("%+v", memory)
	}
	m := memory[0].Memory
	if m.Device == nil || m.DeviceAllocated == nil || m.DeviceReserved == nil || len(m.Absent) > 0 {
		t.Fatalf("%+v", m)
	}
	// The first reading may be any of the stand-in's steps of 16 MiB.
	if *m.Device < 0 || *m.Device > 256<<20 || *m.Device%(16<<20) != 0 || *m.DeviceAllocated != fake.GPUAllocated || *m.DeviceReserved != fake.GPUReserved {
		t.Errorf("device %d, allocated %d, reserved %d", *m.Device, *m.DeviceAllocated, *m.DeviceReserved)
	}

	timed := recordsOn(t, dir, "cuda", "fake-on-gpu", results.KindTime)
	if len(timed) != 1 || timed[0].Disturb == nil || timed[0].Disturb.GPU == nil {
		t.Fatalf("%+v", timed)
	}
	g := timed[0].Disturb.GPU
	if g.Name != "NVIDIA Fake 80GB" || g.Samples < 2 || *g.SMMinMHz < 1500 || *g.SMMaxMHz > 1545 || *g.SMTopMHz != 1980 || *g.Others != 0 {
		t.Errorf("%+v", g)
	}
	// The first GPU on the bus is the library's second: the worker's and ours.
	if *g.TemperatureC != 62 || strings.Join(g.Slowdowns, ",") != "hardware thermal slowdown" || strings.Join(g.Limits, ",") != "software power cap" {
		t.Errorf("%+v", g)
	}

	for _, backend := range []string{"eager", "fake-on-gpu"} {
		r := recordsOn(t, dir, "cpu", backend, results.KindTime)
		if len(r) != 1 || r[0].End != results.EndOK || r[0].Disturb.GPU != nil {
			t.Errorf("%s on the CPU: %+v", backend, r)
		}
	}
	eager := recordsOn(t, dir, "cuda", "eager", results.KindCheck)
	if len(eager) != 1 || eager[0].End != results.EndUnsupported || eager[0].Reason != "backend eager has no device cuda" {
		t.Errorf("eager on a GPU: %+v", eager)
	}
	page, err := os.ReadFile(filepath.Join(dir, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Memory of the GPU:", "96.0\u00a0MiB", "hardware thermal slowdown in 1 of 1 trials"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the report lacks %q", want)
		}
	}
}

// Without a driver, or with the GPUs hidden, a cell on a GPU is unsupported and
// the cells on the CPU are measured.
func TestRunWithoutGPU(t *testing.T) {
	empty := t.TempDir()
	for _, tc := range []struct {
		name, libraries, visible, want string
	}{
		{"no driver", empty, "0", "no CUDA device here: NVML is not available: libnvidia-ml.so.1 not found"},
		{"hidden", filepath.Dir(nvmltest.Build(t)), "-1", "no CUDA device here: CUDA_VISIBLE_DEVICES=-1 hides all 2 GPUs: expected a number below 2, or a UUID"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("LD_LIBRARY_PATH", tc.libraries)
			t.Setenv("CUDA_VISIBLE_DEVICES", tc.visible)
			if tc.libraries == empty {
				if out := dlbench(t, "doctor"); strings.Contains(out.stdout, "GPU") {
					t.Skip("this machine has a GPU")
				}
			}
			dir := filepath.Join(t.TempDir(), "run")
			if out := dlbench(t, "run", "--suite", gpuSuite(t, "fake-on-gpu"), "--out", dir); out.code != exitOK {
				t.Fatalf("exit %d\n%s", out.code, out.stderr)
			}
			r := recordsOn(t, dir, "cuda", "fake-on-gpu", results.KindCheck)
			if len(r) != 1 || r[0].End != results.EndUnsupported || r[0].Reason != tc.want {
				t.Errorf("%+v", r)
			}
			if r = recordsOn(t, dir, "cuda", "fake-on-gpu", results.KindTime); len(r) != 0 {
				t.Errorf("timed: %+v", r)
			}
			if r = recordsOn(t, dir, "cpu", "fake-on-gpu", results.KindTime); len(r) != 1 || r[0].End != results.EndOK {
				t.Errorf("on the CPU: %+v", r)
			}
		})
	}
}

func TestDoctorNamesTheGPU(t *testing.T) {
	t.Setenv("LD_LIBRARY_PATH", filepath.Dir(nvmltest.Build(t)))
	t.Setenv("FAKE_NVML", "count=1;persistence=0")
	out := dlbench(t, "doctor")
	for _, want := range []string{"NVIDIA driver 570.86.15", "GPU 0 (NVIDIA Fake 80GB): persistence mode is off", "2 programs compute on it"} {
		if !strings.Contains(out.stdout, want) {
			t.Errorf("doctor does not say %q:\n%s", want, out.stdout)
		}
	}
	t.Setenv("FAKE_NVML", "nvmlInit_v2=9")
	if out = dlbench(t, "doctor"); !strings.Contains(out.stdout, "no GPU can be used: nvmlInit_v2: the NVIDIA driver is not loaded") {
		t.Errorf("doctor does not say why:\n%s", out.stdout)
	}
}
