package harness

import (
	"context"
	"time"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/memprof"
	"github.com/dlbench/dlbench/results"
)

// memory is the trial that only looks at memory: build, first step, and as
// many steps as a timed trial measures, under a sampler. It reads back no
// tensor, which would show as memory, and its times are never speed samples.
func (t *trial) memory() error {
	s := t.cell.Steps
	t.client.MaxGap, t.client.CPUs = time.Hour, 0 // no time of this trial is a sample
	imported := memprof.Of(memprof.TreePSS(t.worker.Processes()))
	// The border first: what the import held for a moment is no part of the work.
	t.border("build", 0)
	timeline := memprof.NewTimeline(t.worker.Processes, 0)
	t.device.sampleMemory()
	var allocated, reserved *int64
	defer func() {
		t.rec.Memory = memoryOf(timeline, imported)
		t.rec.Memory.DeviceAllocated, t.rec.Memory.DeviceReserved = allocated, reserved
		t.device.keep(t.rec.Memory)
	}()
	run := func(phase string, blocks, perBlock int) error {
		ran, err := t.ask(phase, blocks, perBlock)
		allocated, reserved = larger(allocated, ran.DeviceAllocated), larger(reserved, ran.DeviceReserved)
		return err
	}
	// A phase may be shorter than the sampler's period, and the border after it
	// resets the peak that the kernel kept.
	border := func(next string, steps int) {
		timeline.Sample()
		t.device.sample()
		t.border(next, steps)
	}
	if err := t.build(backends.ForMemory); err != nil {
		return err
	}
	border("first", 0)
	if err := run("first", 1, 1); err != nil {
		return err
	}
	border("measure", 1)
	if err := run(backends.PhaseMeasure, s.Blocks, s.PerBlock); err != nil {
		return err
	}
	border("", s.Measured())
	return t.client.Bye()
}

// larger is the larger of two peaks, either of which may be unknown.
func larger(a, b *int64) *int64 {
	if a == nil || b != nil && *b > *a {
		return b
	}
	return a
}

// memoryOf ends the sampling and sums up. A figure that could not be read is
// absent, with the reason.
func memoryOf(timeline *memprof.Timeline, imported memprof.Figure) *results.Memory {
	timeline.Stop()
	m := &results.Memory{}
	keep := func(name string, f memprof.Figure) *int64 {
		if f.Absent != "" {
			if m.Absent == nil {
				m.Absent = map[string]string{}
			}
			m.Absent[name] = f.Absent
		}
		return f.Ptr()
	}
	m.ImportPSS = keep("import_pss", imported)
	m.PeakPSS = keep("peak_pss", timeline.PeakPSS())
	m.PeakRSS = keep("peak_rss", timeline.Peak())
	for _, p := range timeline.Points() {
		m.Timeline = append(m.Timeline, results.Point{NS: p.At.Nanoseconds(), RSS: p.RSS})
	}
	return m
}

// MemoryTrial runs one memory trial of a cell, alone.
func MemoryTrial(ctx context.Context, c Config, cell Cell) results.Record {
	r := &runner{Config: c}
	defer r.close()
	return r.trial(ctx, cell, results.KindMemory, place{attempt: 1, order: 1})
}

// Occupied is the largest resident size that the trial's worker had, over all
// phases; on a GPU what it took of the device's memory. 0: it could not be read.
func Occupied(r results.Record) int64 {
	if r.Memory != nil && r.Memory.Device != nil {
		return *r.Memory.Device
	}
	var most int64
	for _, p := range r.Phases {
		if p.HWM != nil {
			most = max(most, *p.HWM)
		}
	}
	if r.Memory != nil && r.Memory.PeakRSS != nil {
		most = max(most, *r.Memory.PeakRSS)
	}
	return most
}
