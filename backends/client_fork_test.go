package backends_test

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/backends"
)

func line(v any) string {
	text, _ := json.Marshal(v)
	return string(text) + "\n"
}

func TestFork(t *testing.T) {
	for _, tt := range []struct {
		name, reply string
		pid         int
		says        string
	}{
		{"a child", `{"t":"forked","pid":4711,"new":1}`, 4711, ""},
		{"no process id", `{"t":"forked"}`, 0, "pid is missing"},
		{"process id 0", `{"t":"forked","pid":0}`, 0, "pid is 0"},
		{"unknown to the worker", `{"t":"error","class":"failed","at":"request","message":"unknown request"}`, 0, "failed: request: unknown request"},
		{"the session itself", `{"t":"hello","protocol":1}`, 0, `want "forked"`},
	} {
		var sent strings.Builder
		pid, err := backends.NewClient(strings.NewReader(tt.reply+"\n"), &sent).Fork()
		if pid != tt.pid || (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %d, %v; want %d, %q", tt.name, pid, err, tt.pid, tt.says)
		}
		if sent.String() != `{"t":"fork"}`+"\n" {
			t.Errorf("%s: sent %q", tt.name, sent.String())
		}
	}
}

// What the parent says after the last child's bye.
func TestLast(t *testing.T) {
	killed := backends.ForkedEndOf(-1, "SIGKILL")
	for _, tt := range []struct {
		name, rest string
		says       string // "": nothing went wrong
		end        bool   // of the child, not a breach
	}{
		{"silence", "", "", false},
		{"the child was killed", line(killed), killed.Error(), true},
		{"a reply", `{"t":"bye"}` + "\n", "a line after the end of input", false},
		{"noise", "done.\n", "a line after the end of input", false},
		{"torn", `{"t":"err`, "ended within", false},
		{"no such class", `{"t":"error","class":"odd","message":""}` + "\n", `class is "odd"`, false},
	} {
		c := canned(tt.rest)
		err := c.Last()
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.says)
		}
		if said := new(backends.WorkerError); errors.As(err, &said) != tt.end {
			t.Errorf("%s: %v as an error of the worker: want %v", tt.name, err, tt.end)
		}
		if err := c.Bye(); err == nil {
			t.Errorf("%s: the session goes on after its end", tt.name)
		}
	}
	r, w := io.Pipe()
	w.CloseWithError(errors.New("read failed"))
	if err := backends.NewClient(r, io.Discard).Last(); err == nil {
		t.Error("an output that cannot be read passed for its end")
	}
}

// A process may end so soon after a reply that its parent's word on that is read
// with it: it is no second reply, and answers the next request.
func TestEndBehindAReply(t *testing.T) {
	end := line(backends.ForkedEndOf(-1, "SIGSEGV"))
	forked, bye := `{"t":"forked","pid":7}`+"\n", `{"t":"bye"}`+"\n"
	for _, tt := range []struct {
		name, replies string
		asks          bool // for a fork first
		says          string
	}{
		{"the end", bye + end, true, ""},
		{"the end and more", bye + end + bye, true, "more output"},
		{"another error", bye + `{"t":"error","class":"failed","message":"x"}` + "\n", true, "more output"},
		{"a reply", bye + bye, true, "more output"},
		{"of a worker that was not forked", bye + end, false, "more output"},
	} {
		r, w := io.Pipe()
		c := backends.NewClient(r, io.Discard)
		go func() {
			if tt.asks {
				io.WriteString(w, forked)
			}
			io.WriteString(w, tt.replies)
		}()
		if tt.asks {
			if _, err := c.Fork(); err != nil {
				t.Fatal(err)
			}
		}
		err := c.Bye()
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.says)
		}
		if err == nil {
			var said *backends.WorkerError
			if _, err := c.Fork(); !errors.As(err, &said) || said.Message != backends.ForkedEndOf(-1, "SIGSEGV").Message {
				t.Errorf("%s: then %v", tt.name, err)
			}
		}
	}
}

func TestForkedEnd(t *testing.T) {
	for _, tt := range []struct {
		e      backends.WorkerError
		status int
		signal string
		ok     bool
	}{
		{*backends.ForkedEndOf(-1, "SIGSEGV"), -1, "SIGSEGV", true},
		{*backends.ForkedEndOf(7, ""), 7, "", true},
		{backends.WorkerError{Class: "failed", At: "fork", Message: "the forked worker ended with status 0"}, 0, "", false},
		{backends.WorkerError{Class: "failed", At: "fork", Message: "the forked worker ended with signal "}, 0, "", false},
		{backends.WorkerError{Class: "failed", At: "fork", Message: "the forked worker ended with pride"}, 0, "", false},
		{backends.WorkerError{Class: "failed", At: "fork", Message: "No module named torch"}, 0, "", false},
		{backends.WorkerError{Class: "failed", At: "build", Message: "the forked worker ended with status 1"}, 0, "", false},
		{backends.WorkerError{Class: "oom", At: "fork", Message: "the forked worker ended with status 1"}, 0, "", false},
	} {
		status, signal, ok := tt.e.ForkedEnd()
		if ok != tt.ok || ok && (status != tt.status || signal != tt.signal) {
			t.Errorf("%v: %d, %q, %v; want %d, %q, %v", &tt.e, status, signal, ok, tt.status, tt.signal, tt.ok)
		}
	}
}
