package child

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"github.com/dlbench/dlbench/memprof"
)

// Exit is how a worker ended.
type Exit struct {
	Code   int    // exit code; -1 when a signal ended it
	Signal string // for example "SIGKILL"; empty when it exited by itself
	// OOM says that memory ended the worker: it went over Spec.MemoryLimit, the
	// kernel killed it for memory, or it failed and said so on stderr.
	OOM    bool
	Reason string // one line on OOM, or on a lost supervisor
	// Peak is the largest resident size of the tree that the memory guard saw,
	// in bytes, 0 without a limit. It is sampled: for figures use memprof.
	Peak   int64
	Limit  int64         // Spec.MemoryLimit, bytes
	Killed bool          // Kill ended it, or the context did
	CPU    time.Duration // user and system time of the whole tree
	Stderr string        // the last Spec.StderrCap bytes
	// StderrTotal counts all bytes that were written to stderr.
	StderrTotal int64
	Left        []int // processes that could not be killed (uninterruptible sleep)
}

// OK says that the worker exited with code 0 by itself.
func (e Exit) OK() bool { return e.Code == 0 && e.Signal == "" && !e.OOM }

// String says how the worker ended, in one line: with its own last words where
// it ended by itself and badly.
func (e Exit) String() string {
	how := "exit code " + strconv.Itoa(e.Code)
	switch {
	case e.OOM:
		return "out of memory: " + e.Reason
	case e.Reason != "":
		return e.Reason
	case e.Signal != "":
		how = "killed by " + e.Signal
	case e.Code == 0:
		return how
	}
	if words := lastWords(e.Stderr); words != "" {
		how += ": " + words
	}
	return how
}

// Memory says how much memory the worker's processes were seen to hold, and
// what they could have had; empty without a limit.
func (e Exit) Memory() string {
	limit := "the memory limit is " + memprof.Figure{Bytes: e.Limit}.String()
	switch {
	case e.Limit == 0:
		return ""
	case e.Peak == 0:
		return limit
	}
	return fmt.Sprintf("the process tree held up to %s, %s", memprof.Figure{Bytes: e.Peak}, limit)
}

// findComplaint classes an end as one for lack of memory where stderr says so.
func (e *Exit) findComplaint() {
	if e.OOM || e.OK() {
		return
	}
	if line := memoryComplaint(e.Stderr); line != "" {
		e.OOM, e.Reason = true, line
	}
}

// complaints are what runtimes write before they give up for lack of memory.
var complaints = [][]byte{
	[]byte("fatal error: runtime: out of memory"),
	[]byte("cannot allocate memory"),
	[]byte("Cannot allocate memory"),
	[]byte("MemoryError"),
	[]byte("std::bad_alloc"),
	[]byte("OutOfMemoryError"),
	[]byte("CUDA out of memory"),
	[]byte("DefaultCPUAllocator: can't allocate memory"),
	[]byte("OOM when allocating"),
	[]byte("RESOURCE_EXHAUSTED"),
}

// memoryComplaint returns the line of stderr that says memory ran out.
func memoryComplaint(stderr string) string {
	for line := range bytes.Lines([]byte(stderr)) {
		for _, c := range complaints {
			if bytes.Contains(line, c) {
				return oneLine(string(line), wordsCap)
			}
		}
	}
	return ""
}
