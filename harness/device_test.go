package harness

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/harness/gpu"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/workloads"
)

// A cell that asks for a device which the backend or the host does not have is
// unsupported, and nothing is started for it; the driver is not asked where the
// backend could not use it anyway.
func TestUnsupportedBeforeTheStart(t *testing.T) {
	none := errors.New("no CUDA device here: NVML is not available: libnvidia-ml.so.1 not found")
	for _, tc := range []struct {
		name    string
		devices []string
		device  string
		asked   int
		want    string
	}{
		{"a backend for the CPU", nil, workloads.DeviceCUDA, 0, "backend gorgonia has no device cuda"},
		{"a host without one", []string{"cpu", "cuda"}, workloads.DeviceCUDA, 1, none.Error()},
	} {
		asked := 0
		c := Config{
			Limits: results.Limits{TrialNS: int64(time.Minute)},
			GPU:    func() (*gpu.Device, error) { asked++; return nil, none },
		}
		cell := Cell{
			Entry:    backends.Entry{Info: backends.Info{Name: "gorgonia"}, Argv: []string{"/nowhere"}, Devices: tc.devices},
			Settings: workloads.Settings{Device: tc.device},
		}
		for _, kind := range []string{results.KindCheck, results.KindMemory, results.KindTime} {
			r := c.trial(t.Context(), cell, kind, place{attempt: 1})
			if r.End != results.EndUnsupported || r.Reason != tc.want || r.Phase != "import" {
				t.Errorf("%s, %s: ended %s in %q (%s), want unsupported (%s)", tc.name, kind, r.End, r.Phase, r.Reason, tc.want)
			}
		}
		if asked != 3*tc.asked {
			t.Errorf("%s: the driver was asked %d times", tc.name, asked)
		}
		cell.Settings.Device = workloads.DeviceCPU
		if r := c.trial(t.Context(), cell, results.KindTime, place{attempt: 1}); r.End != results.EndCrashed || asked != 3*tc.asked || r.Disturb.GPU != nil {
			t.Errorf("%s, on the CPU: ended %s, asked %d times", tc.name, r.End, asked)
		}
	}
}

// A backend that could compute on a GPU must not do so in a cell on the CPU.
func TestGPUsAreHidden(t *testing.T) {
	both := backends.Entry{Devices: []string{"cpu", "cuda"}}
	for _, tc := range []struct {
		entry  backends.Entry
		device string
		hidden bool
	}{
		{both, workloads.DeviceCPU, true},
		{both, workloads.DeviceCUDA, false},
		{backends.Entry{}, workloads.DeviceCPU, false},
	} {
		env := environment(Cell{Entry: tc.entry, Settings: workloads.Settings{Device: tc.device}}, nil)
		if got := slices.Contains(env, "CUDA_VISIBLE_DEVICES=-1"); got != tc.hidden {
			t.Errorf("%v on %s: hidden %v, want %v", tc.entry.Devices, tc.device, got, tc.hidden)
		}
	}
}

// A framework that takes the whole GPU at its start would hide what the work
// takes; in timed trials it may do as it does by itself.
func TestMemoryIsTakenOnDemand(t *testing.T) {
	d := &device{gpu: &gpu.Device{}}
	for kind, want := range map[string]bool{results.KindMemory: true, results.KindTime: false, results.KindCheck: false} {
		env := d.env(kind)
		if got := slices.Contains(env, "XLA_PYTHON_CLIENT_PREALLOCATE=false") && slices.Contains(env, "TF_FORCE_GPU_ALLOW_GROWTH=true"); got != want {
			t.Errorf("%s: %q", kind, env)
		}
	}
}
