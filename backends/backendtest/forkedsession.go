package backendtest

import (
	"errors"
	"io"
	"os"
	"sync"
)

// forkedSession is both ends of a session with a forked process, on the pipes
// of its parent. To the session it looks like a process of its own: what its
// parent says of its end is the end of its output, and what is written after
// that reaches nobody.
type forkedSession struct {
	parent  *parent
	process *os.Process

	mu      sync.Mutex
	pending bool   // a request was written, and nothing read since
	over    bool   // nothing comes any more
	how     string // the process ended; "" for status 0
	rest    []byte // of what was read from the pipe
}

func newForkedSession(p *parent, process *os.Process) *forkedSession {
	return &forkedSession{parent: p, process: process}
}

func (s *forkedSession) conn() *Conn {
	var stderr string
	kill := sync.OnceFunc(func() {
		s.end()
		stderr = s.parent.stderr.cut()
	})
	return &Conn{In: s, Out: s, Wait: s.wait, Kill: kill, Stderr: func() string { kill(); return stderr }}
}

var errSessionOver = errors.New("the worker has ended")

func (s *forkedSession) Write(p []byte) (int, error) {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return 0, errSessionOver
	}
	s.pending = true
	s.mu.Unlock()
	return s.parent.in.Write(p)
}

// Close does nothing: the input is the parent's. A session that needs its end
// has a process of its own.
func (s *forkedSession) Close() error { return nil }

// Read returns all that has come, so that a reader sees what should not have.
func (s *forkedSession) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.rest) == 0 && !s.over {
		s.mu.Unlock()
		lines, how, err := s.next()
		s.mu.Lock()
		s.rest, s.pending = lines, false
		s.over, s.how = s.over || how != "" || err != nil, how
		if err != nil {
			s.how = "its parent"
		}
	}
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// next waits for a line and returns all that have come by then, up to the
// parent's word on the end of the process: that is how.
func (s *forkedSession) next() (lines []byte, how string, err error) {
	for {
		line, err := s.parent.lines.ReadBytes('\n')
		if how, end := endOf(line); end {
			s.parent.told = true
			return lines, how, nil
		}
		lines = append(lines, line...)
		if err != nil || s.parent.lines.Buffered() == 0 {
			return lines, "", err
		}
	}
}

// wait says how the process ended that closed its output.
func (s *forkedSession) wait() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.how != "" {
		return errors.New(s.how)
	}
	return nil
}

// end ends the process. If a request is on its way, it may lie in the pipe
// where the parent would find it: then that is ended too.
func (s *forkedSession) end() {
	s.mu.Lock()
	pending, over := s.pending, s.over
	s.over = true
	s.mu.Unlock()
	if pending {
		s.parent.cmd.Process.Kill()
	}
	if !over || pending {
		s.process.Kill()
	}
	s.process.Release()
}
