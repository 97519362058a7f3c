package backendtest

import (
	"errors"
	"fmt"
	"time"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// stateCases hold step number, reset and clock to the page.
func (s *suite) stateCases(base resolved) {
	job, err := s.job(base, s.precision(), backends.ForTime)
	if err != nil {
		s.add("state/job", err)
		return
	}
	golden, err := s.golden(base, job)
	if err != nil {
		s.add("state/golden", err)
		return
	}
	for _, tt := range []struct {
		name string
		f    func(c *session, job backends.Job, g workloads.Golden) error
	}{
		{"state/step-number", s.stepNumber},
		{"state/reset", s.resetRestores},
		{"state/check-resets", s.checkResets},
		{"state/per-block", s.perBlock},
		{"state/second-program", s.errorKeepsState},
		{"clock/counters", s.counters},
	} {
		s.try(tt.name, func() error {
			return s.session(s.connect, func(c *session) error {
				if _, err := c.greet(job); err != nil {
					return err
				}
				return tt.f(c, job, golden)
			})
		})
	}
	s.try("clock/honest", func() error { return s.honestClock(job) })
}

// at holds the loss of a step to the golden.
func (s *suite) at(g workloads.Golden, job backends.Job, step int, loss float64) error {
	if job.Program.Mode == workloads.Infer {
		step %= job.Program.Data.Batches // without updates a loss depends on its batch alone
	}
	if err := judged(workloads.JudgeLoss(g, step, loss, job.Settings.Precision, false)); err != nil {
		return fmt.Errorf("the loss %v is not that of step %d: %w", loss, step, err)
	}
	return nil
}

// stepNumber: a check leaves the step number at its steps, and runs go on from it.
func (s *suite) stepNumber(c *session, job backends.Job, g workloads.Golden) error {
	if _, err := c.client.Check(checkSteps, false); err != nil {
		return err
	}
	for step := checkSteps; step < longSteps; step++ {
		ran, err := c.client.Run("warm-up", 1, 1)
		if err != nil {
			return err
		}
		if err := s.at(g, job, step, ran.Loss); err != nil {
			return err
		}
	}
	return nil
}

// perBlock: the loss after blocks x per_block steps is that of the last one.
func (s *suite) perBlock(c *session, job backends.Job, g workloads.Golden) error {
	for _, shape := range [][2]int{{1, longSteps}, {longSteps, 1}, {2, 3}, {4, 2}} {
		if _, err := c.client.Reset(); err != nil {
			return err
		}
		ran, err := c.client.Run("measure", shape[0], shape[1])
		if err != nil {
			return err
		}
		if err := s.at(g, job, shape[0]*shape[1]-1, ran.Loss); err != nil {
			return fmt.Errorf("%d blocks of %d steps: %w", shape[0], shape[1], err)
		}
	}
	return nil
}

// resetRestores: after a reset the same steps have the same losses.
func (s *suite) resetRestores(c *session, job backends.Job, g workloads.Golden) error {
	var first []float64
	for round := range 3 {
		for step := range longSteps {
			ran, err := c.client.Run("measure", 1, 1)
			if err != nil {
				return err
			}
			if round == 0 {
				first = append(first, ran.Loss)
			} else if !near(first[step], ran.Loss) {
				return fmt.Errorf("after reset step %d has loss %v, before it had %v", step, ran.Loss, first[step])
			}
			if err := s.at(g, job, step, ran.Loss); err != nil {
				return err
			}
		}
		if _, err := c.client.Reset(); err != nil {
			return err
		}
	}
	return nil
}

// checkResets: a check starts from the initial state whatever ran before it.
func (s *suite) checkResets(c *session, job backends.Job, g workloads.Golden) error {
	before, err := c.client.Check(checkSteps, false)
	if err != nil {
		return err
	}
	if _, err := c.client.Run("warm-up", 2, 2); err != nil {
		return err
	}
	after, err := c.client.Check(checkSteps, false)
	if err != nil {
		return err
	}
	if err := sameTensors(before.Tensors, after.Tensors); err != nil {
		return fmt.Errorf("a check after four steps differs: %w", err)
	}
	return judged(workloads.Judge(g, after, job.Settings.Precision))
}

// errorKeepsState: a refused build does not disturb the program that is there.
func (s *suite) errorKeepsState(c *session, job backends.Job, g workloads.Golden) error {
	var refused *backends.WorkerError
	if _, err := c.client.Build(job); !errors.As(err, &refused) {
		return fmt.Errorf("a second build was answered with %v, want an error", err)
	}
	ran, err := c.client.Run("first", 1, 1)
	if err != nil {
		return err
	}
	return s.at(g, job, 0, ran.Loss)
}

// counters: CPU time is that of the run, on the granted thread.
func (s *suite) counters(c *session, _ backends.Job, _ workloads.Golden) error {
	if _, err := s.longRun(c); err != nil {
		return err
	}
	ran, err := c.client.Run("measure", 1, 1)
	if err != nil {
		return err
	}
	if grant := time.Duration(ran.WallNS) + 50*time.Millisecond; time.Duration(ran.CPUNS) > 4*grant {
		return fmt.Errorf("a step of %v cost %v of CPU on one thread", time.Duration(ran.WallNS), time.Duration(ran.CPUNS))
	}
	return nil
}

// longRun finds a block that takes at least 60 ms, for which a dishonest clock
// cannot hide in the 5 ms that are granted, and returns its steps.
func (s *suite) longRun(c *session) (int, error) {
	for steps := 1; ; steps *= 2 {
		begin := time.Now()
		if _, err := c.client.Run("warm-up", 1, steps); err != nil {
			return 0, err
		}
		if time.Since(begin) > 60*time.Millisecond || 2*steps > backends.MaxPerBlock {
			return steps, nil
		}
	}
}

// honestClock: the worker's clock agrees with ours. A busy machine may delay
// us, which is not the worker's fault, so one run of three must agree. A client
// that found a breach is lost, so each try is a session of its own.
func (s *suite) honestClock(job backends.Job) error {
	steps := 0
	err := s.session(s.connect, func(c *session) (err error) {
		if _, err := c.greet(job); err != nil {
			return err
		}
		steps, err = s.longRun(c)
		return err
	})
	for try := 0; steps > 0 && try < 3; try++ {
		err = s.session(s.connect, func(c *session) error {
			if _, err := c.greet(job); err != nil {
				return err
			}
			if _, err := c.client.Run("first", 1, 1); err != nil {
				return err
			}
			c.client.MaxGap = 5 * time.Millisecond
			_, err := c.client.Run("measure", 2, steps)
			return err
		})
		if err == nil {
			return nil
		}
	}
	return err
}
