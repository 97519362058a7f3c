package harness

import (
	"fmt"
	"slices"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/harness/gpu"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/workloads"
)

// device is the GPU's side of one trial; nil for a trial on the CPU, and all of
// its methods may be called on nil.
type device struct {
	gpu   *gpu.Device
	watch *gpu.Watch // nil in check trials
	peak  *gpu.Peak  // nil but in memory trials, from the build on
}

// device returns the GPU for a trial of the cell, or why it can have none, in
// one line; neither for a cell on the CPU. The driver is asked only if the
// backend claims to use it.
func (c Config) device(cell Cell) (*device, string) {
	on := cell.Settings.Device
	if !onGPU(cell) {
		return nil, ""
	}
	if !slices.Contains(cell.Entry.Devices, on) {
		return nil, fmt.Sprintf("backend %s has no device %s", cell.Entry.Info.Name, on)
	}
	find := c.GPU
	if find == nil {
		find = gpu.Find
	}
	found, err := find()
	if err != nil {
		return nil, err.Error()
	}
	return &device{gpu: found}, ""
}

// OnGPU reports whether a cell of the plan may run on a GPU.
func (p Plan) OnGPU() bool {
	return slices.ContainsFunc(p.Cells, func(c Cell) bool {
		return onGPU(c) && slices.Contains(c.Entry.Devices, workloads.DeviceCUDA)
	})
}

func onGPU(c Cell) bool { return c.Settings.Device == workloads.DeviceCUDA }

// visibleEnv hides every GPU from a worker that must compute on the CPU and
// could do otherwise.
func visibleEnv(c Cell) []string {
	if !onGPU(c) && slices.Contains(c.Entry.Devices, workloads.DeviceCUDA) {
		return gpu.Hidden()
	}
	return nil
}

// env makes the worker see this device alone.
func (d *device) env(kind string) []string {
	switch {
	case d == nil:
		return nil
	case kind == results.KindMemory:
		return append(d.gpu.Env(), gpu.OnDemand()...)
	}
	return d.gpu.Env()
}

// begin starts to watch; call it before the worker is started.
func (d *device) begin(kind string) {
	if d != nil && kind != results.KindCheck {
		d.watch = d.gpu.Watch()
	}
}

// enter tells the watch that a phase begins; "" when the last one has ended.
func (d *device) enter(kind, phase string) {
	if d != nil && kind == results.KindTime {
		d.watch.Count(phase == backends.PhaseMeasure)
	}
}

// end returns what the watch saw, nil without one. What follows the trial's
// memory must have been stopped by keep.
func (d *device) end() *results.GPU {
	if d == nil {
		return nil
	}
	return d.watch.Stop()
}

// sampleMemory begins to follow the memory in use; call it before the build.
func (d *device) sampleMemory() {
	if d != nil {
		d.peak = d.gpu.Peak()
	}
}

// sample reads the memory now, besides the sampler's period.
func (d *device) sample() {
	if d != nil {
		d.peak.Sample()
	}
}

// keep ends the sampling and writes the device's peak into m. Figures that the
// worker did not tell are absent with the reason.
func (d *device) keep(m *results.Memory) {
	if d == nil {
		return
	}
	absent := func(figure, why string) {
		if m.Absent == nil {
			m.Absent = map[string]string{}
		}
		m.Absent[figure] = why
	}
	if n, err := d.peak.Stop(); err != nil {
		absent("device", err.Error())
	} else {
		m.Device = &n
	}
	for figure, told := range map[string]*int64{"device_allocated": m.DeviceAllocated, "device_reserved": m.DeviceReserved} {
		if told == nil {
			absent(figure, "the worker did not tell")
		}
	}
}
