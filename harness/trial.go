package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/harness/child"
	"github.com/dlbench/dlbench/harness/host"
	"github.com/dlbench/dlbench/memprof"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/workloads"
)

// trial runs one cell in one child process: a fresh one, or one that is forked.
// Whatever happens, it returns a record; its End says how the trial ended.
func (r *runner) trial(ctx context.Context, cell Cell, kind string, at place) results.Record {
	t := &trial{
		cell: cell,
		rec: results.Record{
			Schema: results.Schema, Kind: kind, Round: at.round, Attempt: at.attempt, Order: at.order,
			Cell: cell.Name, Work: cell.Work, End: results.EndOK, Shared: at.shared,
		},
	}
	disturbed := host.Disturbances(r.CPUs, r.cpu)
	t.rec.Start = time.Now().UTC().Format(time.RFC3339Nano)
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, time.Duration(r.Limits.TrialNS))
	defer cancel()
	t.deadline, _ = limited.Deadline()
	if at.shared {
		r.forked(ctx, limited, t, at.more)
	} else {
		t.run(limited, r.Config)
	}
	t.rec.WallNS = time.Since(began).Nanoseconds()
	d, on := disturbed.Stop(), t.device.end()
	switch {
	case kind == results.KindTime:
		d.GPU = on
		t.rec.Disturb = &d
	case on != nil:
		t.rec.Disturb = &results.Disturbance{GPU: on}
	}
	return t.rec
}

// trial is one trial in progress.
type trial struct {
	cell   Cell
	rec    results.Record
	worker *child.Child
	pid    int // of the process that does the trial's work: worker's, or of one forked from it
	client *backends.Client
	device *device
	phase  string
	since  time.Time

	deadline time.Time // of the trial
	lost     bool      // what ends the trial is its learning curve: the proof stands
	late     string    // why that is a timeout, if it is one
}

// run starts the worker, leads it through the phases and classes the end.
func (t *trial) run(ctx context.Context, c Config) {
	t.phase = "import"
	device, why := c.device(t.cell)
	if why = cmp.Or(why, untunable(t.cell)); why != "" {
		t.end(results.EndUnsupported, why)
		return
	}
	t.device = device
	t.device.begin(t.rec.Kind)
	t.since = time.Now()
	s := c.spec(t.cell)
	s.Env = append(s.Env, t.device.env(t.rec.Kind)...)
	w, err := child.Start(ctx, s)
	if err != nil {
		t.notStarted(ctx, err)
		return
	}
	t.worker = w
	t.client = backends.NewClient(w.Stdout, w.Stdin)
	t.witness(w.PID(), c.CPUs)
	err = t.phases()
	if err != nil {
		w.Kill()
	}
	exit := w.Wait()
	t.classify(ctx, err, exit)
}

// spec is how a worker of the cell is started.
func (c Config) spec(cell Cell) child.Spec {
	return child.Spec{
		Argv:        cell.Entry.Argv,
		Env:         environment(cell, c.Env),
		Dir:         c.Dir,
		MemoryLimit: c.Limits.MemoryBytes,
		CPUs:        c.CPUs,
	}
}

// notStarted classes a trial whose worker could not be started.
func (t *trial) notStarted(ctx context.Context, err error) {
	if !t.cutOff(ctx) {
		t.end(results.EndCrashed, "the worker could not be started: "+err.Error())
	}
}

// witness has the system's account of the trial's process stand beside what the
// worker says.
func (t *trial) witness(pid int, cpus []int) {
	t.pid = pid
	t.client.Account, t.client.CPUs = account(pid), max(1, len(cpus))
}

// phases is the script of a trial. Between a reply and the next request the
// worker is blocked in a read, so every border can read and reset its peak.
func (t *trial) phases() error {
	hello, err := t.client.Hello(backends.Hello{
		T: "hello", Protocol: backends.ProtocolVersion,
		Trial:   fmt.Sprintf("r%d-a%d-o%d", t.rec.Round, t.rec.Attempt, t.rec.Order),
		Threads: t.cell.Settings.Threads, Device: t.cell.Settings.Device,
	})
	if err != nil {
		return err
	}
	t.rec.Worker = results.Worker{
		Kind: hello.Kind, Versions: hello.Versions, Dialect: hello.Dialect, Kernels: hello.Kernels,
		Threads: hello.Effective, FlushDenormals: hello.FlushDenormals,
	}
	switch t.rec.Kind {
	case results.KindCheck:
		return t.check()
	case results.KindMemory:
		return t.memory()
	}
	return t.time()
}

// check proves gradients, parameters and losses in a build of its own, with
// dropout at rate 0, and then sees how the model learns.
func (t *trial) check() error {
	t.border("build", 0)
	if err := t.build(backends.ForCheck); err != nil {
		return err
	}
	t.border("check", 0)
	train := t.cell.Settings.Mode == workloads.Train
	if err := t.prove(train, false); err != nil {
		return err
	}
	judged := time.Since(t.since)
	if !train {
		t.border("", t.cell.Steps.Check)
		return t.client.Bye()
	}
	t.border("learn", t.cell.Steps.Check)
	steps, err := t.learn(judged)
	if err != nil {
		t.lost = true
		return err
	}
	t.border("", steps)
	return t.client.Bye()
}

// time is the measured trial. The first step comes before the check, so that
// what a framework compiles at its first step is seen there and not hidden in
// the check; the state is reset after it, and again after the warm-up.
func (t *trial) time() error {
	s := t.cell.Steps
	t.border("build", 0)
	if err := t.build(backends.ForTime); err != nil {
		return err
	}
	t.border("first", 0)
	if _, err := t.ask("first", 1, 1); err != nil {
		return err
	}
	t.border("check", 1)
	if _, err := t.client.Reset(); err != nil {
		return err
	}
	if err := t.prove(false, t.hasDropout()); err != nil {
		return err
	}
	t.border("warm-up", s.Check)
	if err := t.warmUp(); err != nil {
		return err
	}
	if _, err := t.client.Reset(); err != nil {
		return err
	}
	t.border("measure", t.rec.Steady.Steps)
	ran, err := t.ask(backends.PhaseMeasure, s.Blocks, s.PerBlock)
	if err != nil {
		return err
	}
	t.border("", s.Measured())
	t.rec.BlockNS, t.rec.StepsPerBlock = ran.BlockNS, s.PerBlock
	t.rec.Usage = &results.Usage{
		WallNS: ran.WallNS, CPUNS: ran.CPUNS, SysNS: ran.SysNS, MinorFaults: ran.MinorFaults,
		Voluntary: ran.Voluntary, Involuntary: ran.Involuntary, GCNS: ran.GCNS,
	}
	t.rec.Loss = &ran.Loss
	t.proveLast(ran.Loss)
	return t.client.Bye()
}

func (t *trial) build(purpose backends.Purpose) error {
	job := backends.Job{
		Program: t.cell.Program, Settings: t.cell.Settings,
		Weights: t.cell.Weights, Batches: t.cell.Batches, For: purpose,
	}
	reply, err := t.client.Build(job)
	if err != nil {
		return err
	}
	t.rec.Worker.DTypes, t.rec.Worker.Params, t.rec.Worker.Segments = reply.DTypes, reply.Params, reply.Segments
	t.rec.Worker.TF32 = reply.TF32
	if err := reply.Against(job); err != nil {
		return wrongError{results.Check{Status: workloads.StatusWrong, Worst: "build", Reason: err.Error()}}
	}
	return nil
}

// ask runs steps and keeps what the reply says of the worker: the state of the
// compile cache is that of the first steps, which compiled or did not have to.
func (t *trial) ask(phase string, blocks, perBlock int) (backends.Ran, error) {
	ran, err := t.client.Run(phase, blocks, perBlock)
	if err == nil && t.rec.Worker.CompileCache == "" {
		t.rec.Worker.CompileCache = ran.CompileCache
	}
	return ran, err
}

// warmUp runs windows of blocks until the rule says steady or the cap on steps
// is reached.
func (t *trial) warmUp() error {
	s := t.cell.Steps
	t.rec.Steady = &results.Steady{}
	var blocks []int64
	for most := max(1, s.WarmupMax/s.PerBlock); len(blocks) < most; {
		ran, err := t.ask("warm-up", min(steadyWindow, most-len(blocks)), s.PerBlock)
		if err != nil {
			return err
		}
		blocks = append(blocks, ran.BlockNS...)
		t.rec.Steady.Steps = len(blocks) * s.PerBlock
		if steady(blocks) {
			t.rec.Steady.Reached = true
			return nil
		}
	}
	return nil
}

// forkedPeak is why a forked worker has no resident peak.
const forkedPeak = "the worker was forked: of what its parent had mapped, only what it touched itself counts as resident"

// border closes the current phase, with its wall time and its peak, and opens
// the next one; steps is the number of steps that the closed phase took. After
// the last phase next is "": what still goes wrong then counts as that phase's.
func (t *trial) border(next string, steps int) {
	now := time.Now()
	p := results.Phase{Name: t.phase, WallNS: now.Sub(t.since).Nanoseconds(), Steps: steps}
	if t.rec.Shared {
		p.HWMWhy = forkedPeak
	} else if peak, err := memprof.ReadPeak(t.pid); err != nil {
		p.HWMWhy = err.Error()
	} else if err := memprof.ResetPeak(t.pid); err != nil {
		p.HWMWhy = "the peak could not be reset: " + err.Error()
	} else {
		p.HWM = &peak
	}
	if p.Name != "import" || !t.rec.Shared { // a forked worker imports nothing
		t.rec.Phases = append(t.rec.Phases, p)
	}
	t.device.enter(t.rec.Kind, next)
	t.phase, t.since = cmp.Or(next, t.phase), time.Now()
}

func (t *trial) end(class, reason string) {
	t.rec.End, t.rec.Reason, t.rec.Phase = class, reason, t.phase
}

// cutOff reports whether ctx has ended, and classes the trial by why: then the
// worker is not to blame for what it could not finish.
func (t *trial) cutOff(ctx context.Context) bool {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		t.end(results.EndTimeout, fmt.Sprintf("no reply in %s within the trial's limit; the process tree was killed", t.phase))
	case ctx.Err() != nil:
		t.end(results.EndInterrupted, "the run was interrupted")
	default:
		return false
	}
	return true
}

// words are what a worker answered in place of a reply, in one line. What goes
// wrong before its hello is done goes wrong in its import.
func words(e *backends.WorkerError) string {
	at := e.At
	if at == "hello" || at == "fork" {
		at = "import"
	}
	said := strings.TrimPrefix(strings.Join(strings.Fields(e.Message), " "), "unsupported: ")
	if at == "" {
		return said
	}
	return at + ": " + said
}

// outOfMemory is the reason of an end for lack of memory, with the limit.
func outOfMemory(reason string, exit child.Exit) string {
	if memory := exit.Memory(); memory != "" && !strings.Contains(reason, "the memory limit is") {
		return reason + "; " + memory
	}
	return reason
}

// classify turns the way a trial stopped into its class. What the supervisor
// did (limit, memory, interrupt) outranks what the pipe then said.
func (t *trial) classify(ctx context.Context, err error, exit child.Exit) {
	var wrong wrongError
	var said *backends.WorkerError
	var broken *backends.ProtocolError
	// A worker can also be killed after its last reply, while it exits.
	stopped := err != nil || exit.Killed && !exit.OK()
	switch {
	case exit.OOM:
		t.end(results.EndOOM, outOfMemory(exit.Reason, exit))
	case stopped && t.cutOff(ctx):
	case errors.As(err, &wrong):
		t.rec.Check = &wrong.Check
		t.end(results.EndWrong, wrong.Reason)
	case errors.As(err, &said) && said.Class == "unsupported":
		t.end(results.EndUnsupported, words(said))
	case errors.As(err, &said) && said.Class == "oom":
		t.end(results.EndOOM, outOfMemory(words(said), exit))
	case errors.As(err, &said):
		t.end(results.EndCrashed, words(said))
	case errors.As(err, &broken):
		t.end(results.EndProtocol, broken.Error())
	case err != nil:
		t.end(results.EndCrashed, exit.String())
	case exit.Code != 0 || exit.Signal != "":
		t.end(results.EndCrashed, "after the last reply: "+exit.String())
	}
	if t.rec.End == results.EndOK {
		return
	}
	if t.lost && t.rec.End != results.EndInterrupted && len(exit.Left) == 0 {
		t.keepProof()
		return
	}
	if len(exit.Left) > 0 {
		t.rec.Reason += fmt.Sprintf("; processes %v could not be killed and disturb what follows", exit.Left)
	}
	t.rec.Stderr = exit.Stderr
	if t.rec.End == results.EndCrashed && said == nil { // else the signal is our own
		t.rec.Signal = exit.Signal
	}
}
