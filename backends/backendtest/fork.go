package backendtest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dlbench/dlbench/backends"
)

const forkLine = `{"t":"fork"}`

// forkCases hold a worker that offers to fork to what PROTOCOL.md says of it,
// and report whether sessions may rest on it.
func (s *suite) forkCases() bool {
	cases := []struct {
		name string
		f    func(c *session) error
	}{
		{"fork/sessions", forkSessions},
		{"fork/killed", forkKilled},
		{"fork/out-of-order", forkOutOfOrder},
	}
	sound := true
	for _, tt := range cases {
		passed := s.try(tt.name, func() error { return s.session(s.fresh, tt.f) })
		sound = sound && (passed || !s.opts.Only(tt.name))
	}
	return sound
}

// fork asks for a process and returns its id.
func (c *session) fork() (int, error) {
	reply, err := c.raw(forkLine)
	if err != nil {
		return 0, err
	}
	pid, _ := reply["pid"].(float64)
	if reply["t"] != "forked" || pid < 1 || pid != float64(int(pid)) {
		return 0, fmt.Errorf(`want the reply "forked" with a pid to %s, got %s`, forkLine, describe(reply))
	}
	return int(pid), nil
}

// forkSessions: process after process serves a session; at the end of input
// their parent ends with status 0 and has nothing to say.
func forkSessions(c *session) error {
	last := 0
	for range 3 {
		pid, err := c.fork()
		if err != nil {
			return err
		}
		if pid == last {
			return fmt.Errorf("want a new process for each fork, pid %d came twice", pid)
		}
		last = pid
		if err := errors.Join(c.want(helloLine, "hello"), c.want(`{"t":"bye"}`, "bye")); err != nil {
			return err
		}
	}
	return c.parentEnds()
}

// parentEnds closes the input of a worker whose forked processes have ended.
func (c *session) parentEnds() error {
	c.In.Close()
	begin := time.Now()
	if c.lines.Scan() {
		return fmt.Errorf("want no output when the input ends after a bye, got %.100q", c.lines.Bytes())
	}
	if err := c.Wait(); err != nil {
		return fmt.Errorf("want status 0 at the end of input, the worker ended with %w", err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		return fmt.Errorf("want the worker to end at once at the end of input, it stayed for %v", took)
	}
	return nil
}

// forkKilled: a parent answers for a process that ended without bye, names the
// signal, and can be forked again.
func forkKilled(c *session) error {
	pid, err := c.fork()
	if err != nil {
		return err
	}
	if err := c.want(helloLine, "hello"); err != nil {
		return err
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	if err := process.Kill(); err != nil {
		return fmt.Errorf("the forked process %d, by its own word: %w", pid, err)
	}
	if !c.lines.Scan() {
		return fmt.Errorf("want an error line when the forked process was killed; the worker closed its output: %w", io.ErrUnexpectedEOF)
	}
	want := backends.ForkedEndOf(-1, "SIGKILL")
	if how, ok := endOf(c.lines.Bytes()); !ok || how != "signal SIGKILL" {
		return fmt.Errorf("want an error of class %q at %q with the message %q when the forked process was killed, got %.200q",
			want.Class, want.At, want.Message, c.lines.Bytes())
	}
	if _, err := c.fork(); err != nil {
		return fmt.Errorf("after the forked process was killed: %w", err)
	}
	return errors.Join(c.want(helloLine, "hello"), c.want(`{"t":"bye"}`, "bye"), c.parentEnds())
}

// forkOutOfOrder: in a session, forked or not, a fork comes too late.
func forkOutOfOrder(c *session) error {
	if _, err := c.fork(); err != nil {
		return err
	}
	const why = "a fork must come first"
	return errors.Join(c.refuse(forkLine, "failed", why), c.want(helloLine, "hello"), c.refuse(forkLine, "failed", why),
		c.want(`{"t":"bye"}`, "bye"), c.parentEnds())
}
