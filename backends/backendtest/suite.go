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
	// Golden computes the right answer, with a budget for each of the precisions;
	// package oracle has one.
	Golden func(ctx context.Context, p workloads.Program, weights, batches, dialect string, steps int, precisions ...workloads.Precision) (workloads.Golden, error)
	// Correct computes how many examples each step's batch has right, at least and
	// at most, as package oracle does; nil: such counts are not held to anything.
	Correct func(ctx context.Context, p workloads.Program, weights, batches, dialect string, steps int) (least, most []int, err error)
	// Cache is where parameters and batches are written.
	Cache workloads.Cache
	// Timeout bounds one session; 0 is a minute. After the second session that
	// reached it the suite stops.
	Timeout time.Duration
	// Forked, if set, begins sessions with the same worker that need no process of
	// their own, as Forks does; and the worker's forking is a case then.
	Forked Connect
	// Mutants are workers with a deliberate mistake each.
	Mutants []Mutant
	// FirstFinding makes a quick pass: it tries precisions of fewer bits than float32
	// on as many programs as have every op in them, and it ends a mistake with the
	// first program that finds it. Without it every proven program is tried in every
	// precision and with every mistake, and the report counts those that find it.
	FirstFinding bool
	// Only, if set, picks the cases to run by name; what they rest on (programs
	// that the worker can build) is proven without being listed.
	Only func(name string) bool
	// Done, if set, is told of each result as it comes.
	Done func(Result)

	all bool // Only was not set
}

// Mutant is a worker that must be called wrong wherever Alters is true.
type Mutant struct {
	Name    string
	Connect Connect
	Alters  func(p workloads.Program, prec workloads.Precision) bool
}

// Run holds the workers that connect starts to the suite. Case names are
// "protocol/...", "fork/...", "state/...", "clock/...", "program/NAME/PRECISION",
// "learn/NAME" and "mutant/...". A program runs in every precision that the worker
// claims and that its mode has.
func Run(ctx context.Context, connect Connect, opts Options) Report {
	opts.Timeout = cmp.Or(opts.Timeout, time.Minute)
	if opts.Only == nil {
		opts.Only = func(string) bool { return true }
		opts.all = true
	}
	s := &suite{ctx: ctx, fresh: connect, connect: connect, opts: opts, goldens: map[string]workloads.Golden{}, covers: map[workloads.Precision][]string{}}
	s.report.Proven = map[string][]string{}
	if err := s.hello(); err != nil || opts.Only("protocol/hello") {
		if !s.add("protocol/hello", err) {
			return s.report
		}
	}
	if opts.Forked != nil && s.forkCases() {
		s.connect = opts.Forked
	}
	list := programs()
	if !s.trains() {
		list = inferring(list)
	}
	for _, p := range list {
		r, err := p.resolve(p.settings)
		if err != nil {
			s.add("program/"+p.name, fmt.Errorf("the suite's own program: %w", err))
			continue
		}
		s.programs = append(s.programs, resolved{program: p, Program: r})
	}
	s.provePrograms()
	if base, err := s.base(); err == nil {
		s.protocolCases(base)
		s.stateCases(base)
		s.scaleCase()
		s.learnCases()
		s.mutantCases()
	} else if opts.all && !s.halted() {
		s.add("protocol/base", err)
	}
	if opts.all {
		s.unprovenClaims()
	}
	s.report.Stopped = s.whyHalted()
	return s.report
}

// maxTimeouts is how many sessions may hang before the rest is not tried: each
// costs a whole Timeout.
const maxTimeouts = 2

// errHalted is the result of a session that was not started.
var errHalted = errors.New("not run")

// halted reports whether no more cases are to be run.
func (s *suite) halted() bool { return s.ctx.Err() != nil || s.timeouts >= maxTimeouts }

func (s *suite) whyHalted() string {
	switch {
	case s.timeouts >= maxTimeouts:
		return fmt.Sprintf("stopped after %d sessions without an answer within %v: the cases that follow were not run", s.timeouts, s.opts.Timeout)
	case s.ctx.Err() != nil:
		return "interrupted: the cases that follow were not run"
	}
	return ""
}

// suite is one pass over a worker.
type suite struct {
	ctx      context.Context
	fresh    Connect // a process of its own for each session
	connect  Connect // may share the import of a framework
	opts     Options
	info     backends.HelloReply
	programs []resolved
	passed   []resolved // programs that the worker proved in f32 or, without it, in its first precision
	pending  []resolved // programs that were not asked for
	goldens  map[string]workloads.Golden
	covers   map[workloads.Precision][]string // see covering
	timeouts int                              // sessions that reached the timeout
	report   Report
}

// resolved is a program of the suite, resolved with its settings.
type resolved struct {
	program
	workloads.Program
}

// hostData is what a worker can do that no hello claims: data on the host.
const hostData = "host"

// features are those that r shows a worker to have.
func (r resolved) features() []string {
	_, features := needs(r.Program, r.settings)
	if r.settings.Data == workloads.DataHost {
		features = append(features, hostData)
	}
	return features
}

// skip is an error that makes a case skipped.
type skip struct{ reason string }

func (s skip) Error() string { return s.reason }

// try runs a case, if it is one of those that are wanted, and reports whether
// it passed.
func (s *suite) try(name string, f func() error) bool {
	if s.halted() || !s.opts.Only(name) {
		return false
	}
	err := f()
	if s.ctx.Err() != nil {
		return false // what it says is about the interrupt
	}
	return s.add(name, err)
}

// add records a case.
func (s *suite) add(name string, err error) bool {
	r := Result{Name: name, Status: Pass}
	if err != nil {
		// Of joined errors the first is the cause.
		r.Status = Fail
		var session *sessionError
		if errors.As(err, &session) {
			r.Stderr = session.stderr
		}
		r.Reason, _, _ = strings.Cut(err.Error(), "\n")
		if errors.As(err, new(skip)) {
			r.Status, r.Stderr = Skip, nil
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
	return s.session(s.fresh, func(c *session) (err error) {
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
			if known := []string{"checkpoint", "accumulate", "loader"}; !slices.Contains(known, f) {
				return fmt.Errorf("the worker claims feature %q, known are %s", f, strings.Join(known, ", "))
			}
		}
		return nil
	})
}

// trains reports whether the worker claims an optimizer; without one it infers only.
func (s *suite) trains() bool {
	return slices.Contains(s.info.Ops, workloads.OptSGD) || slices.Contains(s.info.Ops, workloads.OptAdam)
}

// missing names the first thing that r needs and the worker does not claim, ""
// if there is none.
func (s *suite) missing(r resolved) string {
	ops, features := needs(r.Program, r.settings)
	for _, op := range ops {
		if !slices.Contains(s.info.Ops, op) {
			return op
		}
	}
	for _, f := range features {
		if !slices.Contains(s.info.Features, f) {
			return f
		}
	}
	return ""
}

// unclaimed returns a skip where the worker does not claim what r needs.
func (s *suite) unclaimed(r resolved) error {
	if what := s.missing(r); what != "" {
		return skip{"the worker does not claim " + what}
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
	p, err := r.resolve(settings)
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

// golden is the right answer to job, computed once per program with the budgets
// of all precisions that the worker claims.
func (s *suite) golden(r resolved, job backends.Job) (workloads.Golden, error) {
	if g, ok := s.goldens[r.name]; ok {
		return g, nil
	}
	g, err := s.opts.Golden(s.ctx, job.Program, job.Weights, job.Batches, s.dialect(r), longSteps, s.precisionsOf(r)...)
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
		if s.halted() {
			return // it may have been proven by what was not run
		}
		if len(s.report.Proven[claim]) == 0 {
			s.report.Unproven = append(s.report.Unproven, claim)
			s.add("claim/"+claim, errors.New("the worker claims it and proved no program with it"))
		}
	}
}
