package backends

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dlbench/dlbench/workloads"
)

// decodeJob reads a job strictly: a key that this worker does not know might
// change what is to be computed, so it is unsupported, never ignored.
func decodeJob(raw json.RawMessage) (Job, error) {
	var job Job
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&job); err != nil {
		if key, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
			return job, fmt.Errorf("%w: job has the unknown key %s", ErrUnsupported, key)
		}
		return job, fmt.Errorf("job cannot be read: %w", err)
	}
	return job, validate(job)
}

// inputKinds are the kinds of input that PROTOCOL.md defines.
var inputKinds = []string{workloads.KindImage, workloads.KindVector, workloads.KindTokens, workloads.KindSequence}

// validate refuses a job that contradicts itself or lacks a part.
func validate(job Job) error {
	p, s := job.Program, job.Settings
	switch {
	case !slices.Contains([]Purpose{ForTime, ForCheck, ForMemory}, job.For):
		return fmt.Errorf(`%w: job.for is %q, known are "time", "check" and "memory"`, ErrUnsupported, job.For)
	case p.Mode != workloads.Train && p.Mode != workloads.Infer:
		return fmt.Errorf(`%w: program.mode is %q, known are "train" and "infer"`, ErrUnsupported, p.Mode)
	case p.Schema != workloads.ProgramSchema:
		return fmt.Errorf("%w: program.schema is %d, this worker reads %d", ErrUnsupported, p.Schema, workloads.ProgramSchema)
	case !slices.Contains(inputKinds, p.Input.Kind):
		return fmt.Errorf("%w: program.input.kind is %q, known are %v", ErrUnsupported, p.Input.Kind, inputKinds)
	case p.Loss.Attr.Reduction != "mean":
		return fmt.Errorf(`%w: reduction of the loss is %q, known is "mean"`, ErrUnsupported, p.Loss.Attr.Reduction)
	case !slices.Contains(workloads.Devices, s.Device):
		return fmt.Errorf("%w: settings.device is %q, known are %v", ErrUnsupported, s.Device, workloads.Devices)
	case !slices.Contains(workloads.Placements, s.Data):
		return fmt.Errorf("%w: settings.data is %q, known are %v", ErrUnsupported, s.Data, workloads.Placements)
	case !slices.Contains(workloads.Allocators, s.Allocator):
		return fmt.Errorf("%w: settings.allocator is %q, known are %q", ErrUnsupported, s.Allocator, workloads.Allocators[1:])
	case job.Weights == "" || job.Batches == "":
		return fmt.Errorf("job names no file of weights or no file of batches")
	case len(p.Ops) == 0:
		return fmt.Errorf("program has no ops")
	case p.Data.Batches < 1:
		return fmt.Errorf("program.data.batches is %d, want at least 1", p.Data.Batches)
	case p.Mode != s.Mode || p.Batch != s.Batch || p.Accumulate != s.Accumulate:
		return fmt.Errorf("program is for %s, batch %d, accumulate %d but settings say %s, %d, %d",
			p.Mode, p.Batch, p.Accumulate, s.Mode, s.Batch, s.Accumulate)
	case p.Batch < 1 || p.Accumulate < 1 || p.Batch%p.Accumulate != 0:
		return fmt.Errorf("batch %d is not a multiple of accumulate %d, both at least 1", p.Batch, p.Accumulate)
	case p.Mode == workloads.Infer && (p.Accumulate != 1 || s.Checkpoint != 0 || len(p.Segments) > 0):
		return errors.New("an inference program has no gradients: accumulate must be 1, without checkpoints or segments")
	}
	for i, op := range p.Ops {
		if op.Op == workloads.OpBatchNorm && p.Mode == workloads.Train && p.Batch == p.Accumulate && (len(op.Shape) < 3 || op.Shape[1]*op.Shape[2] == 1) {
			return fmt.Errorf("op %d (%s %s) sees one value per channel: it has no unbiased variance", i, op.Op, op.Name)
		}
		for _, in := range op.In {
			if in < -1 || in >= i {
				return fmt.Errorf("op %d (%s %s) reads op %d, want an earlier op or -1", i, op.Op, op.Name, in)
			}
		}
	}
	return nil
}

// claims refuses a job that asks for more than info claims, so that no
// backend has to guard against what it never said it could do.
func claims(info Info, job Job) error {
	p, s := job.Program, job.Settings
	if !slices.Contains(info.Precisions, s.Precision) {
		if why := info.Lacks[s.Precision]; why != "" {
			return fmt.Errorf("%w: precision %s: %s", ErrUnsupported, s.Precision, why)
		}
		return fmt.Errorf("%w: precision %s, known are %v", ErrUnsupported, s.Precision, info.Precisions)
	}
	need := make([]workloads.Op, 0, len(p.Ops)+2)
	need = append(append(need, p.Ops...), p.Loss)
	if p.Mode == workloads.Train {
		need = append(need, p.Optimizer)
	}
	for _, op := range need {
		if !slices.Contains(info.Ops, op.Op) {
			return fmt.Errorf("%w: op %s", ErrUnsupported, strings.TrimSpace(op.Op+" "+op.Name))
		}
	}
	if s.Device != workloads.DeviceCPU {
		return fmt.Errorf("%w: device %s: this backend computes on the CPU", ErrUnsupported, s.Device)
	}
	if s.Allocator != "" {
		return fmt.Errorf("%w: allocator %s: Go programs have their own allocator, not the C library's malloc", ErrUnsupported, s.Allocator)
	}
	if s.Checkpoint > 0 && !slices.Contains(info.Features, "checkpoint") {
		return fmt.Errorf("%w: checkpointing", ErrUnsupported)
	}
	if s.Data == workloads.DataLoader && !slices.Contains(info.Features, "loader") {
		return fmt.Errorf("%w: data loader: this backend has no input pipeline of its own", ErrUnsupported)
	}
	if s.Accumulate > 1 && !slices.Contains(info.Features, "accumulate") {
		return fmt.Errorf("%w: accumulation", ErrUnsupported)
	}
	return nil
}
