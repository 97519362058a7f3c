package backendtest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// precisionsOf lists the precisions that the worker claims and that the mode of
// r has: mixed ones in training, those of 16 and 8 bits in inference.
func (s *suite) precisionsOf(r resolved) []workloads.Precision {
	return slices.DeleteFunc(slices.Clone(s.info.Precisions), func(p workloads.Precision) bool { return !fits(r, p) })
}

// sampled lists the precisions in which r is proven. A quick pass proves those of
// fewer bits on as few programs as have every op, loss, optimizer and feature
// between them: a framework computes an op in bfloat16 by the same kernel in whatever
// model it stands. What a program was altered for is always tried.
func (s *suite) sampled(r resolved) []workloads.Precision {
	all := s.precisionsOf(r)
	if !s.opts.FirstFinding {
		return all
	}
	return slices.DeleteFunc(all, func(p workloads.Precision) bool {
		return slices.Contains(reduced, p) && r.alter == nil && !slices.Contains(s.covering(p), r.name)
	})
}

// covering names programs that have between them everything that any program has
// that the worker can build in a precision; each in turn is the one that adds most.
func (s *suite) covering(p workloads.Precision) []string {
	if names, ok := s.covers[p]; ok {
		return names
	}
	parts := func(r resolved) []string {
		ops, _ := needs(r.Program, r.settings)
		return append(ops, r.features()...)
	}
	var candidates []resolved
	open := map[string]bool{}
	for _, r := range s.programs {
		if fits(r, p) && s.unclaimed(r) == nil {
			candidates = append(candidates, r)
			for _, part := range parts(r) {
				open[part] = true
			}
		}
	}
	adds := func(r resolved) (n int) {
		for _, part := range parts(r) {
			if open[part] {
				n++
			}
		}
		return n
	}
	names := []string{}
	for len(open) > 0 {
		best := candidates[0]
		for _, r := range candidates[1:] {
			if adds(r) > adds(best) {
				best = r
			}
		}
		names = append(names, best.name)
		for _, part := range parts(best) {
			delete(open, part)
		}
	}
	s.covers[p] = names
	return names
}

func fits(r resolved, p workloads.Precision) bool {
	settings := r.settings
	settings.Precision = p
	return settings.Validate() == nil
}

// reduced are the precisions that compute with fewer bits than float32 has.
var reduced = []workloads.Precision{
	workloads.TF32, workloads.BF16Mix, workloads.F16Mix, workloads.BF16, workloads.F16, workloads.Int8,
}

// in asks for another precision.
func in(p workloads.Precision) func(*backends.Job) error {
	return func(job *backends.Job) error { job.Settings.Precision = p; return nil }
}

// precisionMutants are the mistakes of a worker that does not apply what it
// claims: the precision, the scale of the loss, the mean over micro-batches, the
// segments. Each is made in the job that is sent and must be found wherever the
// worker claims the thing.
func (s *suite) precisionMutants() {
	has := func(p workloads.Precision) bool { return slices.Contains(s.info.Precisions, p) }
	if has(workloads.F32) && has(workloads.F64) {
		s.mutate("f32-for-f64", func(r resolved) error { return s.withoutEvidence(r, workloads.F64, in(workloads.F32)) }, string(workloads.F64))
		s.mutate("f64-for-f32", func(r resolved) error { return s.withoutEvidence(r, workloads.F32, in(workloads.F64)) }, string(workloads.F32))
	}
	for _, prec := range reduced {
		if !has(prec) || !has(workloads.F32) {
			continue
		}
		// The numbers alone must show it, and so must what the worker says of its
		// types: a trial looks at both.
		s.mutate(fmt.Sprintf("f32-for-%s", prec), func(r resolved) error { return s.withoutEvidence(r, prec, in(workloads.F32)) }, string(prec))
		s.mutate(fmt.Sprintf("f32-for-%s-by-evidence", prec), func(r resolved) error { return s.evidenceAlone(r, prec, in(workloads.F32)) }, string(prec))
		s.mutate(fmt.Sprintf("%s-for-f32", prec), func(r resolved) error { return s.withoutEvidence(r, workloads.F32, in(prec)) }, string(prec))
	}
	if has(workloads.F16Mix) {
		s.mutate("scale-forgotten", s.scaleForgotten, string(workloads.F16Mix))
	}
	for _, prec := range []workloads.Precision{s.precision(), workloads.BF16Mix, workloads.F16Mix} {
		name := "accumulation-summed"
		if prec != s.precision() {
			name += "-in-" + string(prec)
		}
		if has(prec) {
			s.mutate(name, func(r resolved) error { return s.accumulationSummed(r, prec) }, "accumulate")
		}
	}
	s.mutate("segments-kept", s.segmentsKept, "checkpoint")
}

// evidenceAlone builds r with another precision than prec and looks at nothing
// but what the worker says of the build.
func (s *suite) evidenceAlone(r resolved, prec workloads.Precision, change func(*backends.Job) error) error {
	job, err := s.job(r, prec, backends.ForCheck)
	if err != nil {
		return err
	}
	sent := job
	if err := change(&sent); err != nil {
		return err
	}
	return declined(s.session(s.connect, func(c *session) error {
		built, err := c.greet(sent)
		if err != nil {
			return err
		}
		if err := built.Against(job); err != nil {
			return wrongError{err.Error()}
		}
		return nil
	}))
}

// scaleForgotten updates parameters with gradients that the scale of the loss is
// still in. Adam's steps do not depend on it, so this is about descent.
func (s *suite) scaleForgotten(r resolved) error {
	if r.Optimizer.Op != workloads.OptSGD || r.Mode != workloads.Train {
		return errNothing
	}
	err := s.prove(s.connect, r, workloads.F16Mix, func(job *backends.Job) error {
		job.Program.Optimizer.Attr.Rate *= workloads.InitialLossScale
		return nil
	})
	// Steps a thousand times too long may lead to what is no number, which the
	// worker says itself.
	var refused *backends.WorkerError
	if errors.As(err, &refused) && refused.Class == "failed" {
		return wrongError{refused.Message}
	}
	return err
}

// accumulationSummed adds the gradients of micro-batches up where their mean is due.
func (s *suite) accumulationSummed(r resolved, prec workloads.Precision) error {
	if r.settings.Accumulate < 2 || r.Optimizer.Op != workloads.OptSGD {
		return errNothing
	}
	return s.prove(s.connect, r, prec, func(job *backends.Job) error {
		job.Program.Optimizer.Attr.Rate *= float64(r.settings.Accumulate)
		return nil
	})
}

// segmentsKept keeps the activations that the job wants computed again: nothing
// but the evidence tells.
func (s *suite) segmentsKept(r resolved) error {
	if r.settings.Checkpoint == 0 {
		return errNothing
	}
	return s.prove(s.connect, r, s.precision(), func(job *backends.Job) error {
		job.Program.Segments, job.Settings.Checkpoint = nil, 0
		return nil
	})
}

// scaleCase holds the trajectory of a program that overflows, with the steps that
// make no update, to the oracle, and a reset to giving the first scale back.
func (s *suite) scaleCase() {
	const name = "state/loss-scale"
	if !slices.Contains(s.info.Precisions, workloads.F16Mix) || !s.opts.Only(name) {
		return
	}
	r, ok := s.find(overflow)
	if !ok {
		return // it fails, or rests on what the worker does not claim
	}
	s.try(name, func() error {
		job, err := s.job(r, workloads.F16Mix, backends.ForTime)
		if err != nil {
			return err
		}
		golden, err := s.golden(r, job)
		if err != nil {
			return err
		}
		return declined(s.session(s.connect, func(c *session) error {
			if _, err := c.greet(job); err != nil {
				return err
			}
			return s.resetRestores(c, job, golden)
		}))
	})
	if s.failed(name) {
		s.refute(string(workloads.F16Mix))
	}
}

// find returns a program that the worker has proven; one that was not asked for is
// proven now.
func (s *suite) find(name string) (resolved, bool) {
	named := func(r resolved) bool { return r.name == name }
	if i := slices.IndexFunc(s.pending, named); i >= 0 && !s.halted() {
		r := s.pending[i]
		s.pending = slices.Delete(s.pending, i, i+1)
		if s.prove(s.connect, r, s.precision(), nil) == nil {
			s.passed = append(s.passed, r)
		}
	}
	if i := slices.IndexFunc(s.passed, named); i >= 0 {
		return s.passed[i], true
	}
	return resolved{}, false
}

// failed reports whether the last case is the one of that name, and failed.
func (s *suite) failed(name string) bool {
	n := len(s.report.Results)
	return n > 0 && s.report.Results[n-1].Name == name && s.report.Results[n-1].Status == Fail
}

// refute notes claims that a failed case speaks against.
func (s *suite) refute(claims ...string) {
	for _, claim := range claims {
		if !slices.Contains(s.report.Refuted, claim) {
			s.report.Refuted = append(s.report.Refuted, claim)
		}
	}
}
