package backendtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// forkedSession is both ends of a session with a forked process, on the pipes
// of its parent. To the session it looks like a process of its own: what its
// parent says of its end is the end of its output, and what is written after
// that reaches nobody.
type forkedSession struct {
	parent  *parent
	process *os.Process

	mu      sync.Mutex
	pending bool   // a request was written or a reply is waited for
	bye     bool   // was said, so the process ends by itself
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
		s.pending = true
		s.mu.Unlock()
		lines, how, err := s.next()
		s.mu.Lock()
		s.rest, s.pending = lines, false
		s.over, s.how = s.over || how != "" || err != nil, how
		if err != nil {
			s.how = "its parent"
		}
		var last struct{ T string }
		s.bye = json.Unmarshal(bytes.TrimSpace(lines), &last) == nil && last.T == "bye"
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

// end ends the process, and waits until its parent says so: one that is killed
// while it waits for input may still take the next line along. If a request is
// on its way, the parent might find it in the pipe: then that is ended too.
func (s *forkedSession) end() {
	s.mu.Lock()
	pending, gone := s.pending, s.over || s.bye
	s.over = true
	s.mu.Unlock()
	defer s.process.Release()
	if pending {
		s.parent.cmd.Process.Kill()
	}
	if gone && !pending {
		return
	}
	s.process.Kill()
	if pending {
		return
	}
	stuck := time.AfterFunc(endGrace, func() { s.parent.cmd.Process.Kill() })
	defer stuck.Stop()
	for {
		if _, how, err := s.next(); how != "" || err != nil {
			return
		}
	}
}

// endGrace bounds how long a parent may take to see that its process was killed.
const endGrace = 5 * time.Second
