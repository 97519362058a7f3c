package backendtest

import (
	"errors"
	"fmt"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// learnPrograms are held to the oracle's counts of correct answers, as far as
// the worker has proven them: a plain model, one logit, one whose forward pass
// moves running statistics, one that drops, and micro-batches.
var learnPrograms = []string{"dense", "sigmoid-cross-entropy", "batchnorm-image", "dropout", "accumulate"}

// learnCases hold counts of correct answers to the oracle.
func (s *suite) learnCases() {
	if s.opts.Correct == nil || !s.trains() {
		return
	}
	for _, name := range learnPrograms {
		if !s.opts.Only("learn/" + name) {
			continue
		}
		if r, ok := s.find(name); ok {
			s.try("learn/"+name, func() error { return s.learn(r) })
		}
	}
}

// learn asks for the counts of more than one epoch, and for the same check
// without them: who asks must not change what is computed.
func (s *suite) learn(r resolved) error {
	job, err := s.job(r, s.precision(), backends.ForCheck)
	if err != nil {
		return err
	}
	least, most, err := s.opts.Correct(s.ctx, job.Program, job.Weights, job.Batches, s.dialect(r), longSteps)
	if err != nil {
		return err
	}
	return s.session(s.connect, func(c *session) error {
		if _, err := c.greet(job); err != nil {
			return err
		}
		plain, err := c.client.Check(longSteps, false)
		if err != nil {
			return err
		}
		learned, correct, err := c.client.Learn(longSteps, int(job.Program.Work.Examples))
		var refused *backends.WorkerError
		switch {
		case errors.As(err, &refused):
			return fmt.Errorf("a check that asks for correct answers: %w", err)
		case err != nil:
			return err
		case correct == nil:
			return skip{"the worker does not count correct answers"}
		}
		for step, n := range correct {
			if n < least[step] || n > most[step] {
				return wrongError{fmt.Sprintf("%d of %d examples are right before step %d, expected %s; all counts are %v",
					n, job.Program.Work.Examples, step, span(least[step], most[step]), correct)}
			}
		}
		return unchanged(plain, learned)
	})
}

func span(low, high int) string {
	if low == high {
		return fmt.Sprint(low)
	}
	return fmt.Sprintf("%d to %d", low, high)
}

// unchanged says how a check that counted differs from one that did not.
func unchanged(plain, learned workloads.Digest) error {
	for step, loss := range plain.Losses {
		if !near(loss, learned.Losses[step]) {
			return wrongError{fmt.Sprintf("counting correct answers changes the loss of step %d: %v, without it %v", step, learned.Losses[step], loss)}
		}
	}
	if err := sameTensors(plain.Tensors, learned.Tensors); err != nil {
		return wrongError{fmt.Sprintf("counting correct answers changes what is computed: %v", err)}
	}
	return nil
}
