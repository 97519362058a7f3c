package backends

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Fork asks a worker that can (Entry.Forks) for a child, which is the worker of
// the session that follows, from Hello to Bye, and returns the child's process
// id. It comes before Hello; after a Bye it may come again.
//
// After a Bye an error for which ForkedEnd answers is of the child that said
// it: its parent has answered the request with it, and answers once more.
func (c *Client) Fork() (pid int, err error) {
	var reply Forked
	if err := c.ask(Fork{T: "fork"}, "forked", &reply, "pid"); err != nil {
		return 0, err
	}
	if reply.PID < 1 {
		return 0, c.broken("forked: pid is %d, want at least 1", reply.PID)
	}
	c.forks = true
	return reply.PID, nil
}

// toldEnd reports whether what came behind a reply is a parent's word on the end
// of the process that gave it. It stays to be read in place of the next reply.
func (c *Client) toldEnd() bool {
	if !c.forks {
		return false
	}
	rest, _ := c.lines.r.Peek(c.lines.r.Buffered())
	e := new(WorkerError)
	if json.Unmarshal(rest, e) != nil || e.T != "error" {
		return false
	}
	_, _, ok := e.ForkedEnd()
	return ok
}

// Last reads what a worker that forks still says when its input was closed
// after a Bye. It is nil where the worker ends without a word, as it does when
// that child ended with status 0; the session is over in any case.
func (c *Client) Last() error {
	if c.lost != nil {
		return c.lost
	}
	line, err := c.lines.next()
	switch {
	case errors.Is(err, io.EOF) && len(line) == 0:
		c.lost = fmt.Errorf("the input of the worker was closed: %w", io.ErrUnexpectedEOF)
		return nil
	case err != nil:
		return c.unread("error", line, err)
	}
	if members, err := fields(line); err != nil || kindOf(members) != "error" {
		return c.fail("a line after the end of input", line)
	}
	err = c.workerError(line)
	if c.lost == nil {
		c.lost = fmt.Errorf("the input of the worker was closed: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// The words with which the parent of a forked worker says how that ended.
const forkedEnded = "the forked worker ended with "

// ForkedEnd says how a forked worker ended whose parent answered in its place:
// with an exit status other than 0, or (status -1) by a signal such as
// "SIGSEGV". It is false for all other errors.
func (e *WorkerError) ForkedEnd() (status int, signal string, ok bool) {
	how, ok := strings.CutPrefix(e.Message, forkedEnded)
	if !ok || e.At != "fork" || e.Class != "failed" {
		return 0, "", false
	}
	if name, ok := strings.CutPrefix(how, "signal "); ok && name != "" && !strings.ContainsAny(name, " \t") {
		return -1, name, true
	}
	text, ok := strings.CutPrefix(how, "status ")
	status, err := strconv.Atoi(text)
	return status, "", ok && err == nil && status > 0
}

// ForkedEndOf makes the error with which the parent of a forked worker answers
// in its place; signal is "" where it ended by itself.
func ForkedEndOf(status int, signal string) *WorkerError {
	how := "status " + strconv.Itoa(status)
	if signal != "" {
		how = "signal " + signal
	}
	return &WorkerError{T: "error", Class: "failed", At: "fork", Message: forkedEnded + how}
}
