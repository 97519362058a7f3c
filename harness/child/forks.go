package child

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// A worker that forks lives for several trials, each in a process that it
// forked and waits for. What the harness must know of one trial alone is told
// apart here: what was written to stderr, how the process ended, what it left
// behind, and CPU time that the harness has not been credited with yet.

// cuts divide the stderr of a worker that forks by marks in the stream itself:
// whatever a process wrote before it ended lies in front of a mark that is
// written after its end, however late it is read.
type cuts struct {
	mark string // that begins each cut
	mu   sync.Mutex
	w    *os.File // write end of the worker's stderr; nil once closed, and for a worker that does not fork
	n    int
}

func (c *cuts) begin(mark string, w *os.File) { c.mark, c.w = "\x00"+marker+"="+mark+" ", w }

func (c *cuts) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.w != nil {
		c.w.Close() // else stderr would never end
		c.w = nil
	}
}

// last is what stands behind the last cut.
func (c *cuts) last(stderr string) string {
	if c.mark == "" {
		return stderr
	}
	if i := strings.LastIndex(stderr, c.mark); i >= 0 {
		_, stderr, _ = strings.Cut(stderr[i:], "\n")
	}
	return stderr
}

// cutGrace bounds the wait for stderr to be read up to a cut. Only a process
// that writes without end takes as long.
const cutGrace = time.Second

// Cut ends the account of one trial of a worker that forks. Its process must
// have ended. It returns what was written to stderr since the last Cut: of
// that, up to Spec.StderrCap bytes.
func (c *Child) Cut() string {
	c.oomKills = kernelOOMKills()
	c.cuts.mu.Lock()
	defer c.cuts.mu.Unlock()
	if c.cuts.w == nil {
		return ""
	}
	c.cuts.n++
	mark := fmt.Sprintf("%s%d\n", c.cuts.mark, c.cuts.n)
	if _, err := c.cuts.w.WriteString(mark); err != nil {
		return c.Stderr()
	}
	for deadline := time.Now().Add(cutGrace); ; time.Sleep(100 * time.Microsecond) {
		all := c.stderr.String()
		if before, _, ok := strings.Cut(all, mark); ok || time.Now().After(deadline) {
			return c.cuts.last(before)
		}
	}
}

// Forked is how a process ended that the worker forked, by the worker's own
// account: by a signal, or with a code other than 0. It is called in place of
// Wait and waits as that does, for what ended the worker for memory ended the
// forked process too.
func (c *Child) Forked(code int, signal string) Exit {
	e := c.Wait()
	e.Code, e.Signal, e.Killed = code, signal, false
	if signal == "SIGKILL" && !e.OOM && kernelOOMKills() > c.oomKills {
		e.OOM, e.Reason = true, oomKilled
	}
	e.findComplaint()
	return e
}

// oomKilled is the reason of an end by the kernel's choice.
const oomKilled = "the kernel's out-of-memory killer ended a process"
