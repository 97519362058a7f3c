package fake

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/dlbench/dlbench/backends"
)

// forkedEnv marks the process that stands for a forked worker.
const forkedEnv = "DLBENCH_FAKE_FORKED"

// forked is whether this process stands for a forked worker.
var forked bool

// Main is Run for a process of its own, which may be asked to fork. A Go
// program cannot: in place of it the program is started anew with the same
// arguments on the same descriptors, which the other end cannot tell from a
// fork. out is what backends.TakeStdout returned.
func Main(name string, in, out *os.File, info backends.Info, newBackend func(mutant string) (backends.Backend, error)) error {
	if os.Getenv(forkedEnv) != "" {
		forked = true
		os.Unsetenv(forkedEnv) // what this process starts was not forked
		if _, err := fmt.Fprintf(out, "{\"t\":\"forked\",\"pid\":%d}\n", os.Getpid()); err != nil {
			return err
		}
		return Run(name, in, out, info, newBackend)
	}
	// Lock step keeps the reader from what is meant for a child.
	lines := bufio.NewReader(in)
	for children := 0; ; children++ {
		line, err := lines.ReadBytes('\n')
		if err != nil && children > 0 {
			return nil // the end of input
		}
		var request struct{ T string }
		if json.Unmarshal(line, &request) != nil || request.T != "fork" {
			return Run(name, io.MultiReader(bytes.NewReader(line), lines), out, info, newBackend)
		}
		if err := fork(in, out); err != nil {
			return err
		}
	}
}

// fork starts the process that stands for the forked worker, waits for it, and
// says how it ended unless that was well.
func fork(in, out *os.File) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Env = append(os.Environ(), forkedEnv+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, os.Stderr
	err = cmd.Run()
	if err == nil {
		return nil
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	line, err := json.Marshal(backends.ForkedEndOf(exit.ExitCode(), signalOf(exit.ProcessState)))
	if err != nil {
		return err
	}
	_, err = out.Write(append(line, '\n'))
	return err
}
