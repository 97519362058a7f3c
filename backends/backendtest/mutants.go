package backendtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// A mutant is a deliberate mistake. Those of this file are made in the job
// that is sent, so they work with every worker; Options.Mutants are workers.
// Each must be called wrong, else the budgets prove nothing.

// jobMutant changes a job, and returns false where the change means nothing.
type jobMutant struct {
	name   string
	change func(m *mutation) bool
}

// mutation is a job being changed. Files are written when it is done.
type mutation struct {
	job     *backends.Job
	weights map[string]workloads.Tensor
	batches map[string]workloads.Tensor
}

var jobMutants = []jobMutant{
	{"rate", func(m *mutation) bool { m.job.Program.Optimizer.Attr.Rate *= 1.02; return m.training() }},
	{"momentum", func(m *mutation) bool {
		a := &m.job.Program.Optimizer.Attr
		a.Momentum *= 0.9
		return m.training() && a.Momentum > 0
	}},
	{"summed-loss", func(m *mutation) bool {
		// A summed loss has gradients that are batch times as large.
		m.job.Program.Optimizer.Attr.Rate *= float64(m.job.Program.Batch)
		return m.training() && m.job.Program.Optimizer.Op == workloads.OptSGD
	}},
	{"adam-beta2", func(m *mutation) bool {
		m.job.Program.Optimizer.Attr.Beta2 = 0.99
		return m.training() && m.job.Program.Optimizer.Op == workloads.OptAdam
	}},
	{"adam-epsilon", func(m *mutation) bool {
		m.job.Program.Optimizer.Attr.Epsilon = 1e-3 // programs have 1e-7 or 1e-2
		return m.training() && m.job.Program.Optimizer.Op == workloads.OptAdam
	}},
	{"norm-epsilon", func(m *mutation) bool {
		return m.ops(func(o *workloads.Op) { o.Attr.Epsilon += 0.01 }, workloads.OpBatchNorm, workloads.OpLayerNorm)
	}},
	{"batchnorm-momentum", func(m *mutation) bool {
		// TensorFlow's momentum is the weight of the old value.
		return m.ops(func(o *workloads.Op) { o.Attr.Momentum = 1 - o.Attr.Momentum }, workloads.OpBatchNorm) && m.training()
	}},
	{"gelu-for-relu", func(m *mutation) bool {
		return m.ops(func(o *workloads.Op) { o.Op = workloads.OpGELU }, workloads.OpReLU)
	}},
	{"causal", func(m *mutation) bool {
		return m.ops(func(o *workloads.Op) { o.Attr.Causal = !o.Attr.Causal }, workloads.OpAttention)
	}},
	{"heads", func(m *mutation) bool {
		return m.ops(func(o *workloads.Op) { o.Attr.Heads = 1 }, workloads.OpAttention)
	}},
	{"gate-order", func(m *mutation) bool { return m.blocks(workloads.OpLSTM, []int{0, 2, 1, 3}) }},
	{"qkv-order", func(m *mutation) bool { return m.blocks(workloads.OpAttention, []int{1, 0, 2}) }},
	{"transposed-weight", func(m *mutation) bool { return m.each(2, transpose) }},
	{"flipped-kernel", func(m *mutation) bool {
		return m.each(4, func(shape []int, data []float32) {
			for plane := range slices.Chunk(data, shape[2]*shape[3]) {
				slices.Reverse(plane)
			}
		})
	}},
	{"shifted-input", func(m *mutation) bool {
		// One column to the right, as a convolution with its padding on one side sees it.
		x, shape := m.batches["x"], m.job.Program.Input.Shape
		if m.job.Program.Input.Kind != "image" {
			return false
		}
		for row := range slices.Chunk(x.F32, shape[2]) {
			copy(row[1:], slices.Clone(row))
			row[0] = 0
		}
		return true
	}},
	{"batch-order", func(m *mutation) bool {
		x, y := m.batches["x"], m.batches["y"]
		n := m.job.Program.Data.Batches
		rotate(x.F32, n)
		rotate(x.I32, n)
		rotate(y.I32, n)
		return n > 1
	}},
	{"labels", func(m *mutation) bool {
		y := m.batches["y"].I32
		for i := range y {
			y[i] = (y[i] + 1) % int32(m.job.Program.Data.Classes)
		}
		return true
	}},
}

// training reports whether optimizer mistakes mean anything.
func (m *mutation) training() bool { return m.job.Program.Mode == workloads.Train }

// ops changes all ops of the given kinds.
func (m *mutation) ops(change func(*workloads.Op), kinds ...string) bool {
	found := false
	m.job.Program.Ops = slices.Clone(m.job.Program.Ops)
	for i := range m.job.Program.Ops {
		if o := &m.job.Program.Ops[i]; slices.Contains(kinds, o.Op) {
			before := *o
			change(o)
			found = found || before.Op != o.Op || before.Attr != o.Attr
		}
	}
	return found
}

// each changes all weights of that rank, if that makes a difference.
func (m *mutation) each(rank int, change func(shape []int, data []float32)) bool {
	found := false
	for _, p := range m.job.Program.Params {
		if len(p.Shape) == rank && !p.Buffer {
			data := m.weights[p.Name].F32
			before := slices.Clone(data)
			change(p.Shape, data)
			found = found || !slices.Equal(before, data) // a single row, or zeros, stay as they are
		}
	}
	return found
}

// blocks reorders the rows of an op's stacked weights: block i comes from order[i].
func (m *mutation) blocks(kind string, order []int) bool {
	found := false
	for _, o := range m.job.Program.Ops {
		if o.Op != kind {
			continue
		}
		for _, part := range []string{"weight_ih", "weight_hh", "bias", "qkv.weight", "qkv.bias"} {
			t, ok := m.weights[o.Name+"."+part]
			if !ok {
				continue
			}
			found = true
			from, size := slices.Clone(t.F32), len(t.F32)/len(order)
			for i, at := range order {
				copy(t.F32[i*size:(i+1)*size], from[at*size:])
			}
		}
	}
	return found
}

// transpose lays a matrix out the other way under the same shape.
func transpose(shape []int, data []float32) {
	from := slices.Clone(data)
	for i := range shape[0] {
		for j := range shape[1] {
			data[j*shape[0]+i] = from[i*shape[1]+j]
		}
	}
}

// rotate moves each of n equal parts one place on.
func rotate[T any](data []T, n int) {
	if size := len(data) / n; size > 0 {
		copy(data, slices.Concat(data[size:], data[:size]))
	}
}

// apply makes the mistake in a job whose files it writes anew into dir. It
// returns false where the mistake means nothing for the program.
func (j jobMutant) apply(job *backends.Job, dir string) (bool, error) {
	m := &mutation{job: job}
	var err error
	if m.weights, err = workloads.ReadSafetensors(job.Weights); err != nil {
		return false, err
	}
	if m.batches, err = workloads.ReadSafetensors(job.Batches); err != nil {
		return false, err
	}
	if !j.change(m) {
		return false, nil
	}
	var weights []workloads.NamedTensor
	for _, p := range job.Program.Params {
		weights = append(weights, workloads.NamedTensor{Name: p.Name, Tensor: m.weights[p.Name]})
	}
	job.Weights, job.Batches = filepath.Join(dir, "weights.safetensors"), filepath.Join(dir, "batches.safetensors")
	return true, errors.Join(
		workloads.WriteSafetensors(job.Weights, weights),
		workloads.WriteSafetensors(job.Batches, []workloads.NamedTensor{{Name: "x", Tensor: m.batches["x"]}, {Name: "y", Tensor: m.batches["y"]}}))
}

// mutantCases makes every mistake with the programs that the worker proved.
func (s *suite) mutantCases() {
	prec := s.precision()
	for _, mutant := range jobMutants {
		s.mutate(mutant.name, func(r resolved) error { return s.jobMutation(mutant, r, prec) })
	}
	s.mutate("fewer-steps", func(r resolved) error { return s.fewerSteps(r, prec) })
	s.mutate("dropout-unscaled", func(r resolved) error { return s.dropoutUnscaled(r, prec) })
	s.precisionMutants()
	for _, mutant := range s.opts.Mutants {
		s.mutate("worker/"+mutant.Name, func(r resolved) error {
			if mutant.Alters != nil && !mutant.Alters(r.Program, prec) {
				return errNothing
			}
			return s.prove(mutant.Connect, r, prec, nil)
		})
	}
}

// errNothing is a mistake that means nothing for a program.
var errNothing = errors.New("nothing to change")

// mutate makes one mistake with every proven program, or up to the first that
// finds it. It fails if no program that it means something for finds it, and
// speaks against the claims then: who could make the mistake unseen proves nothing.
func (s *suite) mutate(name string, wrong func(resolved) error, claims ...string) {
	if !s.opts.Only("mutant/" + name) {
		return
	}
	s.proveSilently(func() bool { return false })
	m := Mutation{Name: name}
	var other error
	for _, r := range s.passed {
		if s.halted() {
			return
		}
		if s.opts.FirstFinding && len(m.Killed) > 0 {
			break
		}
		err := wrong(r)
		switch {
		case errors.As(err, new(wrongError)):
			m.Killed = append(m.Killed, r.name)
		case err == nil:
			m.Survived = append(m.Survived, r.name)
		case errors.Is(err, errNothing) || errors.As(err, new(skip)):
		default:
			other = fmt.Errorf("%s: %w", r.name, err)
		}
	}
	s.report.Mutations = append(s.report.Mutations, m)
	switch {
	case other != nil:
		s.add("mutant/"+name, other)
	case len(m.Killed) > 0:
		s.add("mutant/"+name, nil)
	case len(m.Survived) > 0:
		s.add("mutant/"+name, fmt.Errorf("survives: %v prove it right", m.Survived))
	default:
		s.add("mutant/"+name, skip{"it means nothing for the programs that the worker proved"})
	}
	if s.failed("mutant/" + name) {
		s.refute(claims...)
	}
}

func (s *suite) jobMutation(mutant jobMutant, r resolved, prec workloads.Precision) error {
	dir, err := os.MkdirTemp("", "dlbench-mutant-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return s.prove(s.connect, r, prec, func(job *backends.Job) error {
		ok, err := mutant.apply(job, dir)
		if err == nil && !ok {
			return errNothing
		}
		return err
	})
}

// withoutEvidence proves r as prec while another precision is asked for, and
// leaves out what the worker says of its types: numbers alone must show it.
func (s *suite) withoutEvidence(r resolved, prec workloads.Precision, change func(*backends.Job) error) error {
	job, err := s.job(r, prec, backends.ForCheck)
	if err != nil {
		return err
	}
	golden, err := s.golden(r, job)
	if err != nil {
		return err
	}
	if err := change(&job); err != nil {
		return err
	}
	return declined(s.session(s.connect, func(c *session) error {
		if _, err := c.greet(job); err != nil {
			return err
		}
		digest, err := c.client.Check(checkSteps, job.Program.Mode == workloads.Train)
		if err != nil {
			return err
		}
		return judged(workloads.Judge(golden, digest, prec))
	}))
}

// fewerSteps runs one step less than it says.
func (s *suite) fewerSteps(r resolved, prec workloads.Precision) error {
	if r.HasDropout() {
		return errNothing
	}
	golden, job, err := s.timed(r, prec)
	if err != nil {
		return err
	}
	return s.session(s.connect, func(c *session) error {
		if _, err := c.greet(job); err != nil {
			return err
		}
		ran, err := c.client.Run("measure", 1, longSteps-1)
		if err != nil {
			return err
		}
		step := longSteps - 1
		if job.Program.Mode == workloads.Infer {
			step %= job.Program.Data.Batches
		}
		return judged(workloads.JudgeLoss(golden, step, ran.Loss, prec, false))
	})
}

// dropoutUnscaled makes what survives dropout too small, as a worker does that
// forgets the factor 1/(1-rate): the weights behind it are that much smaller.
func (s *suite) dropoutUnscaled(r resolved, prec workloads.Precision) error {
	golden, job, err := s.timed(r, prec)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "dlbench-mutant-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ok, err := jobMutant{change: shrinkBehindDropout}.apply(&job, dir)
	if err != nil || !ok {
		return errors.Join(err, errNothing)
	}
	return s.dropoutBand(s.connect, job, golden, prec)
}

func shrinkBehindDropout(m *mutation) bool {
	found := false
	ops := m.job.Program.Ops
	for _, op := range ops {
		if op.Op != workloads.OpDense || op.In[0] < 0 || ops[op.In[0]].Op != workloads.OpDropout {
			continue
		}
		keep := float32(1 - ops[op.In[0]].Attr.Rate)
		// Where a half survives, the loss of a few examples cannot tell.
		if keep > 0.2 {
			continue
		}
		w := m.weights[op.Name+".weight"].F32
		for i := range w {
			w[i] *= keep
		}
		found = true
	}
	return found
}

// timed is the job of r as it is measured, and its golden.
func (s *suite) timed(r resolved, prec workloads.Precision) (workloads.Golden, backends.Job, error) {
	job, err := s.job(r, prec, backends.ForTime)
	if err != nil {
		return workloads.Golden{}, job, err
	}
	golden, err := s.golden(r, job)
	return golden, job, err
}
