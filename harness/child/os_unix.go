//go:build unix && !linux

package child

import (
	"errors"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ownGroup keeps a terminal's signals away from the process.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// workerAttr puts the worker at the head of its own process group, which is
// all of the tree that can be killed here.
func workerAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// prepare has nothing to set: there is neither a CPU mask nor a subreaper.
func prepare(o order) (restore func(), err error) {
	if len(o.CPUs) > 0 {
		return nil, errors.New("a CPU mask can be set on linux only")
	}
	if o.MemoryLimit > 0 {
		return nil, errors.New("a memory limit can be held on linux only")
	}
	return func() {}, nil
}

func dup(from, to int) error { return unix.Dup2(from, to) }

func signalName(s syscall.Signal) string { return unix.SignalName(s) }

func (v *supervisor) signalTree(sig syscall.Signal) { syscall.Kill(-v.pid, sig) }

func (v *supervisor) guard() {}

func kernelOOMKills() int { return 0 }

// sweep kills the worker's process group, which a lost supervisor left behind.
func (c *Child) sweep() []int {
	syscall.Kill(-c.pid, syscall.SIGKILL)
	return nil
}

// EndOrphans finds none: without a subreaper they are not below the worker.
func (c *Child) EndOrphans() []int { return nil }

// CPU cannot be read of other processes here.
func (c *Child) CPU() time.Duration { return 0 }
