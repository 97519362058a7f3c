//go:build unix && !linux

package environment

import (
	"os"
	"syscall"
)

// tied puts a command into a group of its own, out of reach of the terminal's
// Ctrl-C.
func tied() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// endGroup ends a command and what it started. Its files are thrown away, so
// there is nothing that it should still put in order.
func endGroup(p *os.Process) error { return syscall.Kill(-p.Pid, syscall.SIGKILL) }
