package nvml

import (
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// On a machine with a GPU every reading is held to the driver: what it answers
// must be possible, and what nvidia-smi tells too must be the same.
func TestDriverOfThisMachine(t *testing.T) {
	l, err := Shared()
	if err != nil {
		t.Skip(err)
	}
	all, err := l.Devices()
	if err != nil {
		t.Fatal(err)
	}
	driver, err := l.Driver()
	if err != nil || driver == "" {
		t.Errorf("driver %q, %v", driver, err)
	}
	cuda, err := l.CUDADriver()
	t.Logf("%s: driver %s, CUDA %s, %v, GPUs: %d", l.Path(), driver, cuda, err, len(all))
	told := smi(t)
	for i, d := range all {
		uuid, err := d.UUID()
		if err != nil || !strings.HasPrefix(uuid, "GPU-") {
			t.Errorf("GPU %d: UUID %q, %v", i, uuid, err)
		}
		name, err := d.Name()
		possible(t, i, "name", name != "", name, err)
		m, err := d.Memory()
		possible(t, i, "memory", m.Total > 1<<28 && m.Used >= 0 && m.Used <= m.Total && m.Reserved >= 0 && m.Reserved < m.Total, m, err)
		top, err := d.MaxClocks()
		possible(t, i, "highest clocks", top.SM > 100 && top.SM < 10_000 && top.Memory > 100, top, err)
		now, err := d.Clocks()
		possible(t, i, "clocks", now.SM > 0 && now.SM < 10_000 && now.Memory > 0, now, err)
		heat, err := d.Temperature()
		possible(t, i, "temperature", heat > 0 && heat < 130, heat, err)
		power, err := d.Power()
		possible(t, i, "power", power > 0 && power < 5e6, power, err)
		busy, err := d.Utilization()
		possible(t, i, "utilization", busy.GPU >= 0 && busy.GPU <= 100 && busy.Memory <= 100, busy, err)
		reasons, err := d.Reasons()
		possible(t, i, "reasons", reasons < 1<<16, reasons.Words(), err)
		mode, err := d.ComputeMode()
		possible(t, i, "compute mode", !strings.HasPrefix(mode, "compute mode"), mode, err)
		on, err := d.Persistence()
		possible(t, i, "persistence", true, on, err)
		divided, err := d.MIGMode()
		possible(t, i, "MIG mode", true, divided, err)
		programs, err := d.Processes()
		sane := true
		for _, p := range programs {
			sane = sane && p.PID > 0 && p.PID < 1<<23 && p.Used < m.Total
		}
		possible(t, i, "processes", sane, programs, err)
		if line, ok := told[uuid]; ok {
			if want := fmt.Sprint(name, ", ", driver, ", ", strconv.FormatInt(m.Total>>20, 10)); line != want {
				t.Errorf("GPU %d: nvidia-smi says %q, NVML here %q", i, line, want)
			}
		} else if told != nil {
			t.Errorf("GPU %d: nvidia-smi does not know %s", i, uuid)
		}
	}
}

func possible(t *testing.T, gpu int, what string, ok bool, value any, err error) {
	t.Helper()
	switch {
	case errors.Is(err, NotSupported) || errors.Is(err, NoPermission):
		t.Logf("GPU %d: %s: %v", gpu, what, err)
	case err != nil || !ok:
		t.Errorf("GPU %d: %s: %v, %v", gpu, what, value, err)
	default:
		t.Logf("GPU %d: %s: %v", gpu, what, value)
	}
}

// smi is what nvidia-smi tells of each UUID: name, driver, MiB; nil without it.
func smi(t *testing.T) map[string]string {
	t.Helper()
	out, err := exec.Command("nvidia-smi", "--query-gpu=uuid,name,driver_version,memory.total", "--format=csv,noheader,nounits").Output()
	if err != nil {
		t.Log("nvidia-smi: ", err)
		return nil
	}
	told := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if uuid, rest, ok := strings.Cut(strings.TrimSpace(line), ", "); ok {
			told[uuid] = rest
		}
	}
	return told
}
