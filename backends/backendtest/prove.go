package backendtest

import (
	"errors"
	"fmt"
	"maps"
	"math"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// wrongError is a worker that computed something else.
type wrongError struct{ reason string }

func (e wrongError) Error() string { return "wrong: " + e.reason }

// provePrograms holds every program that the worker claims, in every
// precision that it claims, to the oracle.
func (s *suite) provePrograms() {
	for _, r := range s.programs {
		if err := s.unclaimed(r); err != nil {
			if s.opts.Only("program/" + r.name) {
				s.add("program/"+r.name, err)
			}
			continue
		}
		asked, proven := false, false
		for _, prec := range s.sampled(r) {
			name := fmt.Sprintf("program/%s/%s", r.name, prec)
			asked = asked || s.opts.Only(name)
			if s.try(name, func() error { return s.prove(s.connect, r, prec, nil) }) {
				proven = true
				s.credit(r, prec)
			} else if s.failed(name) {
				s.refute(append(r.features(), string(prec))...)
			}
		}
		switch {
		case proven:
			s.passed = append(s.passed, r)
		case !asked:
			s.pending = append(s.pending, r)
		}
	}
}

// proveSilently proves programs that were not asked for, since other cases rest
// on them, until enough says so.
func (s *suite) proveSilently(enough func() bool) {
	for len(s.pending) > 0 && !enough() && !s.halted() {
		r := s.pending[0]
		s.pending = s.pending[1:]
		if s.prove(s.connect, r, s.precision(), nil) == nil {
			s.passed = append(s.passed, r)
		}
	}
}

// credit notes what r has proven.
func (s *suite) credit(r resolved, prec workloads.Precision) {
	ops, _ := needs(r.Program, r.settings)
	for _, claim := range append(append(ops, r.features()...), string(prec)) {
		s.report.Proven[claim] = append(s.report.Proven[claim], r.name)
	}
}

// prove builds r and holds what comes out of it to the oracle. change, if not
// nil, alters the job that is sent: the answer must then be a wrongError.
func (s *suite) prove(connect Connect, r resolved, prec workloads.Precision, change func(*backends.Job) error) error {
	job, err := s.job(r, prec, backends.ForCheck)
	if err != nil {
		return err
	}
	golden, err := s.golden(r, job)
	if err != nil {
		return err
	}
	if _, ok := golden.Budgets[prec]; !ok {
		return fmt.Errorf("the oracle has no budget for precision %s: nothing can be proven in it", prec)
	}
	sent := job
	if change != nil {
		if err := change(&sent); err != nil {
			return err
		}
	}
	err = s.session(connect, func(c *session) error {
		built, err := c.greet(sent)
		if err != nil {
			return err
		}
		if err := built.Against(job); err != nil {
			return wrongError{err.Error()}
		}
		training := job.Program.Mode == workloads.Train
		digest, err := c.client.Check(checkSteps, training)
		if err != nil {
			return err
		}
		if training {
			if err := hasGradients(job.Program, digest); err != nil {
				return err
			}
		}
		return judged(workloads.Judge(golden, digest, prec))
	})
	if err == nil && r.HasDropout() {
		err = s.proveDropout(connect, r, golden, prec)
	}
	return declined(err)
}

// declined makes a skip of a worker's answer that it cannot do what was asked.
func declined(err error) error {
	var refused *backends.WorkerError
	if errors.As(err, &refused) && refused.Class == "unsupported" {
		return skip{"the worker answers " + refused.Error()}
	}
	return err
}

// judged turns a judgement into an error.
func judged(j workloads.Judgement) error {
	switch j.Status {
	case workloads.StatusOK:
		return nil
	case workloads.StatusUnproven:
		return skip{j.Reason}
	default:
		return wrongError{j.Reason}
	}
}

// hasGradients says which gradient is missing.
func hasGradients(p workloads.Program, d workloads.Digest) error {
	for _, param := range p.Params {
		if _, ok := d.Tensors["grad/"+param.Name]; !ok && !param.Buffer {
			return wrongError{"the digest lacks grad/" + param.Name}
		}
	}
	return nil
}

// proveDropout holds the build that is timed to the band of random masks. A
// build that drops nothing lies inside it too, but then it follows the
// trajectory at rate 0 to the last digit.
func (s *suite) proveDropout(connect Connect, r resolved, golden workloads.Golden, prec workloads.Precision) error {
	job, err := s.job(r, prec, backends.ForTime)
	if err != nil {
		return err
	}
	return s.dropoutBand(connect, job, golden, prec)
}

// dropoutBand holds the losses of a build that draws masks to their band.
func (s *suite) dropoutBand(connect Connect, job backends.Job, golden workloads.Golden, prec workloads.Precision) error {
	return s.session(connect, func(c *session) error {
		if _, err := c.greet(job); err != nil {
			return err
		}
		digest, err := c.client.Check(checkSteps, false)
		if err != nil {
			return err
		}
		for step, loss := range digest.Losses {
			if err := judged(workloads.JudgeLoss(golden, step, loss, prec, true)); err != nil {
				return err
			}
		}
		if workloads.DropsNothing(golden, digest.Losses, prec) {
			return wrongError{"the timed build drops nothing: it follows the trajectory at rate 0"}
		}
		return nil
	})
}

// near compares two losses of the same computation, which a framework with
// threads may sum in another order.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-5*max(1, math.Abs(a)) }

// sameTensors says which fingerprints differ.
func sameTensors(a, b map[string]workloads.Fingerprint) error {
	if len(a) != len(b) {
		return fmt.Errorf("%d tensors, then %d", len(a), len(b))
	}
	for name := range maps.Keys(a) {
		x, y := a[name], b[name]
		if !near(x.Norm, y.Norm) || math.Abs(x.Proj-y.Proj) > 1e-5*max(1, x.Norm) {
			return fmt.Errorf("%s was %v, then %v", name, x, y)
		}
	}
	return nil
}
