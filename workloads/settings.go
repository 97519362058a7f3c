package workloads

import (
	"fmt"
	"slices"
)

// The devices and the data placements.
const (
	DeviceCPU    = "cpu"
	DeviceCUDA   = "cuda"
	DataResident = "resident" // batches lie ready on the device
	DataHost     = "host"     // batches are copied to the device inside the step
	DataLoader   = "loader"   // batches are gathered example by example by the framework's own input pipeline

	// AllocatorTuned keeps glibc's malloc from returning memory to the kernel
	// between steps: thresholds for trimming and for mmap of 1 GiB, a top pad of
	// 64 MiB (mallopt(3)).
	AllocatorTuned = "tuned"

	// AllocatorReturning makes glibc's malloc map blocks of 128 KiB and more by
	// themselves, always, and so return each to the kernel once it is freed: the
	// peak of a process is then what was held, without what malloc keeps.
	AllocatorReturning = "returning"
)

// Modes, Precisions, Devices and Placements list the closed sets in the order
// in which people expect them.
var (
	Modes      = []Mode{Train, Infer}
	Precisions = []Precision{F64, F32, TF32, BF16Mix, F16Mix, BF16, F16, Int8}
	Devices    = []string{DeviceCPU, DeviceCUDA}
	Placements = []string{DataResident, DataHost, DataLoader}
	Allocators = []string{"", AllocatorTuned, AllocatorReturning}
)

// inferOnly lists the precisions without a float32 master copy of the weights.
var inferOnly = []Precision{BF16, F16, Int8}

// Loss scaling in f16-mixed (Micikevicius et al., Mixed Precision Training, 2018,
// arXiv:1710.03740) is dynamic and the same on every backend: a step whose
// gradients are not all finite makes no update and halves the scale, and after
// LossScaleInterval updates in a row it doubles.
const (
	InitialLossScale  = 1024
	LossScaleInterval = 2000
)

const (
	maxBatch   = 1 << 16
	maxThreads = 4096
)

// DefaultSettings is float32 training on one CPU thread with resident batches.
func DefaultSettings() Settings {
	return Settings{Mode: Train, Precision: F32, Device: DeviceCPU, Data: DataResident, Batch: 32, Accumulate: 1, Threads: 1}
}

// Validate says what is wrong with the settings, in one line, or nil.
func (s Settings) Validate() error {
	switch {
	case !slices.Contains(Modes, s.Mode):
		return fmt.Errorf("mode %q is unknown: expected one of %v", s.Mode, Modes)
	case !slices.Contains(Precisions, s.Precision):
		return fmt.Errorf("precision %q is unknown: expected one of %v", s.Precision, Precisions)
	case s.Mode == Train && slices.Contains(inferOnly, s.Precision):
		return fmt.Errorf("precision %s is for inference only: expected f64, f32, tf32, bf16-mixed or f16-mixed in mode train", s.Precision)
	case s.Mode == Infer && (s.Precision == BF16Mix || s.Precision == F16Mix):
		return fmt.Errorf("precision %s is for training only: expected %s in mode infer", s.Precision, s.Precision[:len(s.Precision)-len("-mixed")])
	case !slices.Contains(Devices, s.Device):
		return fmt.Errorf("device %q is unknown: expected one of %v", s.Device, Devices)
	case !slices.Contains(Placements, s.Data):
		return fmt.Errorf("data placement %q is unknown: expected one of %v", s.Data, Placements)
	case s.Batch < 1 || s.Batch > maxBatch:
		return fmt.Errorf("batch %d: expected 1 to %d examples", s.Batch, maxBatch)
	case s.Accumulate < 1:
		return fmt.Errorf("accumulate %d: expected at least 1 micro-batch per step", s.Accumulate)
	case s.Batch%s.Accumulate != 0:
		return fmt.Errorf("accumulate %d does not divide batch %d", s.Accumulate, s.Batch)
	case s.Threads < 1 || s.Threads > maxThreads:
		return fmt.Errorf("threads %d: expected 1 to %d", s.Threads, maxThreads)
	case s.Checkpoint < 0:
		return fmt.Errorf("checkpoint %d: expected a number of segments, 0 for none", s.Checkpoint)
	case !slices.Contains(Allocators, s.Allocator):
		return fmt.Errorf("allocator %q is unknown: expected default, tuned or returning", s.Allocator)
	case s.Mode == Infer && s.Accumulate != 1:
		return fmt.Errorf("accumulate %d in mode infer: gradients are accumulated in training only", s.Accumulate)
	case s.Mode == Infer && s.Checkpoint != 0:
		return fmt.Errorf("checkpoint %d in mode infer: activations are recomputed in training only", s.Checkpoint)
	}
	return nil
}

// widths returns the bytes of one stored parameter and of one activation.
func (p Precision) widths() (param, activation int64) {
	switch p {
	case F64:
		return 8, 8
	case BF16Mix, F16Mix:
		return 4, 2
	case BF16, F16:
		return 2, 2
	case Int8:
		return 1, 1
	}
	return 4, 4
}
