//go:build unix

package child

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// File descriptors of a supervisor, besides the worker's three.
const (
	controlFD = 3
	statusFD  = 4
)

// Supervise is the supervisor's whole life: it takes its order from the
// control pipe, starts the worker, reports its process id, guards its memory,
// kills the tree when the worker has ended or the control pipe closes, and
// reports the end. The result is the process's exit code. A program that uses
// Start must call it, on its main goroutine and before any other work, when its
// first argument is SuperviseCommand.
func Supervise(args []string) int {
	// The worker inherits the affinity of this thread and dies with it.
	runtime.LockOSThread()
	if os.Getenv(supervisorEnv) == "" || len(args) != 0 {
		fmt.Fprintf(os.Stderr, "error: %q is started by dlbench itself, not by hand\n", SuperviseCommand)
		return 2
	}
	syscall.CloseOnExec(controlFD)
	syscall.CloseOnExec(statusFD)
	control, status := os.NewFile(controlFD, "control"), json.NewEncoder(os.NewFile(statusFD, "status"))
	// Only the harness decides when a worker ends. Notify, not Ignore: the
	// worker would inherit ignored signals.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	var o order
	dec := json.NewDecoder(control)
	if err := dec.Decode(&o); err != nil {
		return 2
	}
	v := &supervisor{order: o}
	if err := v.start(); err != nil {
		status.Encode(report{Error: err.Error()})
		return 1
	}
	if status.Encode(report{PID: v.pid}) != nil {
		go v.killTree()
	}
	go func() {
		io.Copy(io.Discard, control) // ends when the harness closes it or dies
		v.killTree()
	}()
	if o.MemoryLimit > 0 {
		go v.guard()
	}
	status.Encode(v.reap())
	return 0
}

// supervisor owns one worker.
type supervisor struct {
	order order
	pid   int

	mu   sync.Mutex // of the fields below
	oom  string     // why memory ended the worker
	peak int64      // largest resident size that the guard saw, bytes
}

// start starts the worker and lets go of its pipes.
func (v *supervisor) start() error {
	restore, err := prepare(v.order)
	if err != nil {
		return err
	}
	v.pid, err = syscall.ForkExec(v.order.Path, v.order.Argv, &syscall.ProcAttr{
		Dir: v.order.Dir, Env: v.order.Env, Files: []uintptr{0, 1, 2}, Sys: workerAttr(),
	})
	restore()
	if err != nil {
		return err
	}
	// The ends of the worker's pipes must be its own, so that their other ends
	// learn of its death.
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	for _, fd := range []int{0, 1} {
		if err := dup(int(null.Fd()), fd); err != nil {
			return err
		}
	}
	return nil
}

// reap collects every descendant until none is left, kills those that outlive
// the worker, and says how the worker ended.
func (v *supervisor) reap() report {
	oomKills := kernelOOMKills()
	var end report
	for {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			break // ECHILD: all are gone
		}
		if pid != v.pid {
			continue
		}
		end.Code = ws.ExitStatus()
		if ws.Signaled() {
			end.Code, end.Signal = -1, signalName(ws.Signal())
		}
		go v.killTree()
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	end.Peak, end.Reason = v.peak, v.oom
	if end.Reason == "" && end.Signal == "SIGKILL" && kernelOOMKills() > oomKills {
		end.Reason = oomKilled
	}
	end.OOM = end.Reason != ""
	var ru syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_CHILDREN, &ru) == nil {
		end.CPUNS = ru.Utime.Nano() + ru.Stime.Nano()
	}
	return end
}

// killTree sends SIGKILL to everything below this process until the process
// ends, which it does as soon as reap has no child left. Once is not enough: a
// process may fork between the walk and the signal.
func (v *supervisor) killTree() {
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		v.signalTree(syscall.SIGKILL)
		time.Sleep(pause)
	}
}
