package backendtest

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// segments is a standard error that sessions write to one after the other. It
// is cut by marks in the stream itself: whatever a process wrote before it
// ended lies in front of the mark that follows, however late it is read.
type segments struct {
	w    *os.File // its write end
	done chan struct{}

	mu   sync.Mutex
	tail tail
	last string // segment, of its end what tail keeps
	cuts int
}

// newSegments passes what is written on to also, which may be nil.
func newSegments(also io.Writer) (*segments, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s := &segments{w: w, done: make(chan struct{})}
	var to io.Writer = s
	if also != nil {
		to = io.MultiWriter(s, also)
	}
	go func() {
		defer close(s.done)
		io.Copy(to, r)
		r.Close()
	}()
	return s, nil
}

// mark ends the segment at hand. With -v people see it.
func (s *segments) mark() string { return fmt.Sprintf("---- end of session %d ----\n", s.cuts+1) }

// Write takes what was read from the pipe.
func (s *segments) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tail.Write(p)
	if before, after, ok := strings.Cut(s.tail.String(), s.mark()); ok {
		s.last, s.tail.data = before, []byte(after)
		s.cuts++
	}
	return len(p), nil
}

// cut returns the end of what was written since the last cut.
func (s *segments) cut() string {
	s.mu.Lock()
	mark, n := s.mark(), s.cuts
	s.mu.Unlock()
	_, err := io.WriteString(s.w, mark)
	// Only a process that writes without end takes as long as a second.
	for deadline := time.Now().Add(time.Second); ; time.Sleep(100 * time.Microsecond) {
		s.mu.Lock()
		text, cut := s.tail.String(), s.cuts > n
		if cut {
			text = s.last
		}
		s.mu.Unlock()
		if cut || err != nil || time.Now().After(deadline) {
			return text
		}
	}
}

// close returns when all that was written is read, or after a second if a
// process that outlives its parent holds the pipe.
func (s *segments) close() {
	s.w.Close()
	select {
	case <-s.done:
	case <-time.After(time.Second):
	}
}
