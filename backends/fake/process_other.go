//go:build !unix

package fake

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"sync/atomic"
)

func ignoreSignals() { signal.Ignore(os.Interrupt) }

func ownSession(*exec.Cmd) {}

// touch allocates size bytes and writes to every page.
func touch(size int) (free func() error, err error) {
	memory := make([]byte, size)
	for i := 0; i < size; i += os.Getpagesize() {
		memory[i] = 1
	}
	held = append(held, memory)
	return func() error { held = nil; return nil }, nil
}

var held [][]byte

// burn keeps one thread busy.
func burn(stop *atomic.Bool) {
	for !stop.Load() {
	}
}

// signalOf: processes of this system end with a status only.
func signalOf(*os.ProcessState) string { return "" }

// killParent is for systems where the parent can be found.
func killParent() error { return errors.ErrUnsupported }
