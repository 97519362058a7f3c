package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/harness/child"
	"github.com/dlbench/dlbench/results"
)

// runner runs trials, one after the other. Those of a group that shares its
// import are forked from one process.
type runner struct {
	Config
	parent *parent // of the group at hand; nil: there is none
}

// close ends what an interrupted group has left.
func (r *runner) close() {
	if r.parent != nil {
		r.parent.worker.Kill()
		r.parent.worker.Wait()
		r.parent = nil
	}
}

// cpu is what the group's processes have used so far and this process's account
// of its children does not hold before they are waited for.
func (r *runner) cpu() time.Duration {
	if r.parent == nil {
		return 0
	}
	return r.parent.worker.CPU()
}

// parent is a worker that imports its framework and is forked for each trial.
type parent struct {
	worker *child.Child
	client *backends.Client
	waits  int // process id of a child that waits for its hello; 0: there is none
}

// forked runs the trial in a process that is forked from its group's, which it
// starts if there is none. all is the context of the whole run, ctx that of the
// trial; more says whether the next trial is of the same group.
func (r *runner) forked(all, ctx context.Context, t *trial, more bool) {
	t.phase, t.since = "import", time.Now()
	if why := untunable(t.cell); why != "" {
		t.end(results.EndUnsupported, why)
		return
	}
	if r.parent == nil {
		s := r.spec(t.cell)
		s.Forks = true
		w, err := child.Start(all, s)
		if err != nil {
			t.notStarted(ctx, err)
			return
		}
		r.parent = &parent{worker: w, client: backends.NewClient(w.Stdout, w.Stdin)}
	}
	p := r.parent
	t.worker, t.client = p.worker, p.client
	stop := context.AfterFunc(ctx, p.worker.Kill)
	pid, err := p.take()
	if err == nil {
		t.witness(pid, r.CPUs)
		err = t.phases()
	}
	exit, alive, err := p.finish(err, more)
	// The limit may come in when all is well already: then the record stands, and
	// the next trial has a new parent.
	if killed := !stop(); killed || !alive {
		r.close()
	}
	t.classify(ctx, err, exit)
}

// take returns the process of the trial: the one that waits, or a new one.
func (p *parent) take() (pid int, err error) {
	if p.waits == 0 {
		if err := p.fork(); err != nil {
			return 0, err
		}
	}
	pid, p.waits = p.waits, 0
	return pid, nil
}

// fork has the worker fork. The process id is the worker's word, and all that
// is read of the trial's process rests on it.
func (p *parent) fork() error {
	pid, err := p.client.Fork()
	if err != nil {
		return err
	}
	if tree := p.worker.Processes(); tree != nil && (pid == p.worker.PID() || !slices.Contains(tree, pid)) {
		return &backends.ProtocolError{Message: "forked: the process id is of no process that the worker forked", Quote: fmt.Sprint(pid)}
	}
	p.waits = pid
	return nil
}

// finish ends the trial's process, and the parent too unless there is more to
// come and all is well. It returns how the process ended, whether the parent
// lives, and what went wrong with the trial, nil where nothing did.
//
// A process that said bye may still end badly. Its parent tells so in place of
// its next reply, so the next fork is asked for here, before the trial is
// closed: a good answer vouches for the end of this process. The new one does
// nothing but wait for its hello.
func (p *parent) finish(err error, more bool) (child.Exit, bool, error) {
	bad := err // what is wrong with the process
	if refused(err) {
		bad = p.client.Bye() // the process is well, only this cell is not for it
	}
	if bad == nil {
		if bad = p.next(more); bad == nil && more {
			exit := child.Exit{Left: p.worker.EndOrphans(), Stderr: p.worker.Cut()}
			return exit, true, err
		}
	}
	if bad == nil {
		return p.worker.Wait(), false, err
	}
	p.worker.Kill()
	exit := p.worker.Wait()
	var said *backends.WorkerError
	if errors.As(bad, &said) {
		status, signal, ended := said.ForkedEnd()
		switch {
		case ended && err == nil:
			return p.worker.Forked(status, signal), false, nil // after its last reply
		case ended && !refused(err):
			return p.worker.Forked(status, signal), false, errGone
		case err == nil:
			return child.Exit{}, false, nil // the parent cannot fork again, which this trial is not to blame for
		}
	}
	if err == nil {
		err = bad
	}
	return exit, false, err
}

// next makes sure that the trial's process ended well, as finish says: by the
// fork that follows or, without one, by the worker's own end.
func (p *parent) next(more bool) error {
	if more {
		return p.fork()
	}
	p.worker.Stdin.Close()
	return p.client.Last()
}

// errGone ends a trial whose process has ended; its exit says how.
var errGone = errors.New("the forked worker has ended")

// refused reports whether the worker answered as it should and only the cell
// cannot be measured: it is unsupported, or other work.
func refused(err error) bool {
	var wrong wrongError
	var said *backends.WorkerError
	return errors.As(err, &wrong) || errors.As(err, &said) && said.Class == "unsupported"
}
