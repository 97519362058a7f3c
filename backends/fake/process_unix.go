//go:build unix

package fake

import (
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

func ignoreSignals() { signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP) }

// ownSession lets a child outlive its parent's process group.
func ownSession(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// touch maps size bytes outside the Go heap, so that neither the collector
// nor its growth policy blurs the figure, and writes to every page.
func touch(size int) (free func() error, err error) {
	memory, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, err
	}
	for i := 0; i < size; i += os.Getpagesize() {
		memory[i] = 1
	}
	return func() error { return unix.Munmap(memory) }, nil
}

// burn keeps one operating-system thread busy.
func burn(stop *atomic.Bool) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for !stop.Load() {
	}
}

// signalOf names the signal that ended a process, "" if none did.
func signalOf(s *os.ProcessState) string {
	if status, ok := s.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return unix.SignalName(status.Signal())
	}
	return ""
}

// killParent ends the process that waits for this one.
func killParent() error { return syscall.Kill(os.Getppid(), syscall.SIGKILL) }
