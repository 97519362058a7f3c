package environment

import (
	"os"
	"syscall"
)

// tied puts a command into a group of its own, out of reach of the terminal's
// Ctrl-C, and lets it die with the thread that started it, however that ends.
func tied() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// endGroup ends a command and what it started. Its files are thrown away, so
// there is nothing that it should still put in order.
func endGroup(p *os.Process) error { return syscall.Kill(-p.Pid, syscall.SIGKILL) }
