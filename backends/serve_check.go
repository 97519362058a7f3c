package backends

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/dlbench/dlbench/workloads"
)

func (s *server) check(line []byte) (any, error) {
	var req CheckRequest
	if err := json.Unmarshal(line, &req); err != nil {
		return nil, err
	}
	training := s.job.Program.Mode == workloads.Train
	switch {
	case req.Steps < 1 || req.Steps > MaxSteps:
		return nil, fmt.Errorf("steps is %d, want 1 to %d", req.Steps, MaxSteps)
	case req.Grads && (s.job.For != ForCheck || !training):
		return nil, errors.New(`gradients need a training program built for "check"`)
	}
	if s.step != 0 {
		if err := s.backend.Reset(); err != nil {
			return nil, err
		}
		s.step = 0
	}
	reply := &CheckReply{T: "checked", Digest: workloads.Digest{Tensors: map[string]workloads.Fingerprint{}}}
	if err := s.digest(reply.Tensors, "logits", "", 0); err != nil {
		return nil, err
	}
	if req.Grads {
		if err := s.digest(reply.Tensors, "grads", "grad/", 0); err != nil {
			return nil, err
		}
	}
	batch := make([]int, 1)
	for range req.Steps {
		batch[0] = s.step % s.job.Program.Data.Batches
		if req.Correct {
			n, err := s.correct(batch[0])
			if err != nil {
				return nil, fmt.Errorf("step %d: %w", s.step, err)
			}
			reply.Correct = append(reply.Correct, n)
		}
		if err := s.backend.Run(batch); err != nil {
			return nil, fmt.Errorf("step %d: %w", s.step, err)
		}
		loss, err := s.loss(batch[0])
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", s.step, err)
		}
		reply.Losses = append(reply.Losses, loss)
		s.step++
	}
	if training {
		if err := s.digest(reply.Tensors, "params", "param/", 0); err != nil {
			return nil, err
		}
	}
	return reply, nil
}

// digest adds the fingerprints of what Read returns to out, under prefix.
func (s *server) digest(out map[string]workloads.Fingerprint, what, prefix string, batch int) error {
	tensors, err := s.backend.Read(what, batch)
	if err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	for name, t := range tensors {
		f := workloads.FingerprintOf(t.Data)
		if !finite(f.Norm) || !finite(f.Proj) {
			return fmt.Errorf("%s%s holds values that are not finite", prefix, name)
		}
		out[prefix+name] = f
	}
	return nil
}

// loss reads the loss of the last step that ran.
func (s *server) loss(batch int) (float64, error) {
	read, err := s.backend.Read("loss", batch)
	if err != nil {
		return 0, fmt.Errorf("read loss: %w", err)
	}
	t := read["loss"]
	if len(t.Data) != 1 {
		return 0, fmt.Errorf("read loss: got %d values, want 1", len(t.Data))
	}
	if !finite(t.Data[0]) {
		return 0, fmt.Errorf("loss is %v", t.Data[0])
	}
	return t.Data[0], nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// correct counts the examples of a batch that the current parameters answer
// right.
func (s *server) correct(batch int) (int, error) {
	read, err := s.backend.Read("logits", batch)
	if err != nil {
		return 0, fmt.Errorf("read logits: %w", err)
	}
	if s.labels == nil {
		tensors, err := workloads.ReadSafetensors(s.job.Batches)
		if err != nil {
			return 0, err
		}
		s.labels = tensors["y"].I32
	}
	n := s.job.Program.Batch
	if len(s.labels) < (batch+1)*n {
		return 0, fmt.Errorf("%s: y has %d labels, want %d in each of %d batches", s.job.Batches, len(s.labels), n, s.job.Program.Data.Batches)
	}
	return workloads.CountCorrect(read["logits"].Data, s.labels[batch*n:(batch+1)*n])
}
