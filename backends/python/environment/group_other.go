//go:build !unix

package environment

import (
	"os"
	"syscall"
)

func tied() *syscall.SysProcAttr { return nil }

func endGroup(p *os.Process) error { return p.Kill() }
