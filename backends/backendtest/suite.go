// Package backendtest is the compliance suite of workers: it holds any command
// that speaks PROTOCOL.md, and any Backend of ours, to the page and to the
// oracle, and shows that the proof would have found deliberate mistakes.
package backendtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// Options say what the suite works with.
type Options struct {
	// Golden computes the right answer; package oracle has one.
	Golden func(ctx context.Context, p workloads.Program, weights, batches, dialect string, steps int) (workloads.Golden, error)
	// Cache is where parameters and batches are written.
	Cache workloads.Cache
	// Timeout bounds one session; 0 is a minute.
	Timeout time.Duration
	// Mutants are workers with a deliberate mistake each.
	Mutants []Mutant
	// Done, if set, is told of each result as it comes.
	Done func(Result)
}

// Mutant is a worker that must be called wrong wherever Alters is true.
type Mutant struct {
	Name    string
	Connect Connect
	Alters  func(p workloads.Program, prec workloads.Precision) bool
}

// Run holds the workers that connect starts to the suite. Case names are
// "protocol/...", "state/...", "clock/...", "program/NAME/PRECISION" and
// "mutant/...".
func Run(ctx context.Context, connect Connect, opts Options) Report {
	opts.Timeout = cmp.Or(opts.Timeout, time.Minute)
	s := &suite{ctx: ctx, connect: connect, opts: opts, goldens: map[string]workloads.Golden{}}
	s.report.Proven = map[string][]string{}
	if !s.try("protocol/hello", s.hello) {
		return s.report
	}
	for _, p := range programs() {
		r, err := p.spec.Resolve(p.settings)
		if err != nil {
			s.add("program/"+p.name, fmt.Errorf("the suite's own program: %w", err))
			continue
		}
		s.programs = append(s.programs, resolved{program: p, Program: r})
	}
	s.provePrograms()
	base, err := s.base()
	if err != nil {
		s.add("protocol/base", err)
		return s.report
	}
	s.protocolCases(base)
	s.stateCases(base)
	s.mutantCases()
	s.unprovenClaims()
	return s.report
}

// suite is one pass over a worker.
type suite struct {
	ctx      context.Context
	connect  Connect
	opts     Options
	info     backends.HelloReply
	programs []resolved
	passed   []resolved // programs that the worker proved in f32 or, without it, in its first precision
	goldens  map[string]workloads.Golden
	report   Report
}

// resolved is a program of the suite, resolved with its settings.
type resolved struct {
	program
	workloads.Program
}

// skip is an error that makes a case skipped.
type skip struct{ reason string }

func (s skip) Error() string { return s.reason }

// try runs a case and reports whether it passed.
func (s *suite) try(name string, f func() error) bool {
	if err := s.ctx.Err(); err != nil {
		return s.add(name, err)
	}
	return s.add(name, f())
}

// add records a case.
func (s *suite) add(name string, err error) bool {
	r := Result{Name: name, Status: Pass}
	if err != nil {
		// Of joined errors the first is the cause.
		r.Status = Fail
		r.Reason, _, _ = strings.Cut(err.Error(), "\n")
		if errors.As(err, new(skip)) {
			r.Status = Skip
		}
	}
	s.report.Results = append(s.report.Results, r)
	if s.opts.Done != nil {
		s.opts.Done(r)
	}
	return err == nil
}

// hello asks the worker what it is.
func (s *suite) hello() error {
	return s.session(s.connect, func(c *session) (err error) {
		if s.info, err = c.client.Hello(greeting); err != nil {
			return err
		}
		s.report.Worker = s.info
		if len(s.info.Ops) == 0 || len(s.info.Precisions) == 0 {
			return errors.New("the worker claims no ops or no precisions")
		}
		known := []string{
			workloads.OpDense, workloads.OpConv2D, workloads.OpMaxPool2D, workloads.OpAvgPool, workloads.OpBatchNorm, workloads.OpLayerNorm,
			workloads.OpReLU, workloads.OpGELU, workloads.OpSigmoid, workloads.OpFlatten, workloads.OpEmbedding, workloads.OpLSTM,
			workloads.OpAttention, workloads.OpDropout, workloads.OpAdd, workloads.OpLastStep,
			workloads.LossSoftmax, workloads.LossSigmoid, workloads.OptSGD, workloads.OptAdam,
		}
		for _, op := range s.info.Ops {
			if !slices.Contains(known, op) {
				return fmt.Errorf("the worker claims %q, which is no op, loss or optimizer of PROTOCOL.md", op)
			}
		}
		for _, p := range s.info.Precisions {
			if !slices.Contains(workloads.Precisions, p) {
				return fmt.Errorf("the worker claims precision %q, known are %v", p, workloads.Precisions)
			}
		}
		for _, f := range s.info.Features {
			if f != "checkpoint" && f != "accumulate" {
				return fmt.Errorf("the worker claims feature %q, known are checkpoint and accumulate", f)
			}
		}
		return nil
	})
}

// unclaimed returns a skip where the worker does not claim what r needs.
func (s *suite) unclaimed(r resolved) error {
	ops, features := needs(r.Program, r.settings)
	for _, op := range ops {
		if !slices.Contains(s.info.Ops, op) {
			return skip{"the worker does not claim " + op}
		}
	}
	for _, f := range features {
		if !slices.Contains(s.info.Features, f) {
			return skip{"the worker does not claim " + f}
		}
	}
	return nil
}

// dialect is what the oracle must follow for r: only Adam has one.
func (s *suite) dialect(r resolved) string {
	if v := s.info.Dialect["adam-epsilon"]; v != "" && v != "corrected" && r.Optimizer.Op == workloads.OptAdam {
		return "adam-epsilon=" + v
	}
	return ""
}

// job writes the files of r and makes its job.
func (s *suite) job(r resolved, prec workloads.Precision, purpose backends.Purpose) (backends.Job, error) {
	settings := r.settings
	settings.Precision = prec
	p, err := r.spec.Resolve(settings)
	if err != nil {
		return backends.Job{}, skip{err.Error()}
	}
	weights, err := s.opts.Cache.Weights(p)
	if err != nil {
		return backends.Job{}, err
	}
	batches, err := s.opts.Cache.Batches(p, "")
	if err != nil {
		return backends.Job{}, err
	}
	return backends.Job{Program: p, Settings: settings, Weights: weights, Batches: batches, For: purpose}, nil
}

// golden is the right answer to job, computed once per program.
func (s *suite) golden(r resolved, job backends.Job) (workloads.Golden, error) {
	if g, ok := s.goldens[r.name]; ok {
		return g, nil
	}
	g, err := s.opts.Golden(s.ctx, job.Program, job.Weights, job.Batches, s.dialect(r), longSteps)
	if err != nil {
		return g, fmt.Errorf("oracle: %w", err)
	}
	s.goldens[r.name] = g
	return g, nil
}

// unprovenClaims fails every claim that no program could prove.
func (s *suite) unprovenClaims() {
	claims := slices.Concat(s.info.Ops, s.info.Features)
	for _, p := range s.info.Precisions {
		claims = append(claims, string(p))
	}
	for _, claim := range claims {
		if len(s.report.Proven[claim]) == 0 {
			s.report.Unproven = append(s.report.Unproven, claim)
			s.add("claim/"+claim, errors.New("the worker claims it and proved no program with it"))
		}
	}
}
