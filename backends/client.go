package backends

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"time"

	"github.com/dlbench/dlbench/workloads"
)

// Client is the harness's end of the protocol: one request, its reply, over
// the standard input and output of a worker that someone else started and
// will stop. It is used from one goroutine.
//
// Errors are a *WorkerError where the worker answered with one, a
// *ProtocolError where its reply breaks PROTOCOL.md, and wrap
// io.ErrUnexpectedEOF where the worker closed its output. After the last two
// the session is lost and every later call returns the same error.
type Client struct {
	w     io.Writer
	lines *lineReader
	lost  error
	forks bool // a Fork was answered

	// MaxGap and MaxGapShare bound how far the sum of a measured run's samples
	// may stay below the client's own clock: the larger of the two is granted.
	MaxGap      time.Duration // 5 ms
	MaxGapShare float64       // 0.02
	// Account, if set, asks the system what it counts for the two ends: the
	// second witness, which no load of the host can confuse.
	Account func() Account
	CPUs    int // granted to the worker
}

// Account is what the system has counted for the two ends of a session until
// now.
type Account struct {
	// Waiting is how long threads of both ends were ready without a CPU. What it
	// grew during a run is granted on top of the gap, up to 250 ms: on a busy host
	// an honest worker is woken late, and so is the client.
	Waiting time.Duration
	// CPU is the time that the worker's process spent on CPUs, 0 where it cannot
	// be read. Work that was really done takes CPU time whenever it is done, so a
	// worker cannot claim less time than its granted CPUs needed for it.
	CPU time.Duration
}

// NewClient returns a client that reads replies from r and writes requests to w.
func NewClient(r io.Reader, w io.Writer) *Client {
	return &Client{w: w, lines: newLineReader(r), MaxGap: 5 * time.Millisecond, MaxGapShare: 0.02}
}

// Hello opens the session. T and Protocol are filled in. An unknown key goes
// along, so that a worker that is strict about the envelope is found at once.
func (c *Client) Hello(h Hello) (HelloReply, error) {
	h.T, h.Protocol = "hello", ProtocolVersion
	var reply HelloReply
	line, err := json.Marshal(h)
	if err != nil {
		return reply, err
	}
	sum := fnv.New32a()
	io.WriteString(sum, h.Trial)
	grease := fmt.Sprintf(`,"grease-%02x":0}`, sum.Sum32()&0xff)
	line = append(line[:len(line)-1], grease...)
	err = c.ask(json.RawMessage(line), "hello", &reply, "protocol", "name", "ops", "precisions", "effective_threads")
	if err != nil {
		return reply, err
	}
	switch {
	case reply.Protocol != ProtocolVersion:
		err = c.broken("hello: protocol is %d, want %d", reply.Protocol, ProtocolVersion)
	case reply.Name == "":
		err = c.broken("hello: name is empty")
	case reply.Effective < 1:
		err = c.broken("hello: effective_threads is %d, want at least 1", reply.Effective)
	}
	return reply, err
}

// Build asks for a program. What the reply says of the build is for
// Built.Against to judge.
func (c *Client) Build(job Job) (BuildReply, error) {
	var reply BuildReply
	err := c.ask(BuildRequest{T: "build", Job: job}, "built", &reply, "ns", "params", "dtypes")
	if err != nil {
		return reply, err
	}
	switch {
	case reply.NS < 1:
		err = c.broken("built: ns is %d, want at least 1", reply.NS)
	case reply.Params < 0 || reply.Segments < 0 || reply.Accumulated < 0:
		err = c.broken("built: params, segments and accumulated must not be negative")
	}
	return reply, err
}

// Check asks for steps steps from the initial state and returns their digest.
func (c *Client) Check(steps int, grads bool) (workloads.Digest, error) {
	reply, err := c.check(CheckRequest{T: "check", Steps: steps, Grads: grads})
	return reply.Digest, err
}

// Learn is Check that also asks how many examples of its batch each step has
// right: correct is nil where the worker does not tell. A step has so many
// examples.
func (c *Client) Learn(steps, examples int) (digest workloads.Digest, correct []int, err error) {
	reply, err := c.check(CheckRequest{T: "check", Steps: steps, Correct: true})
	if err != nil || reply.Correct == nil {
		return reply.Digest, nil, err
	}
	if len(reply.Correct) != steps {
		return workloads.Digest{}, nil, c.broken("checked: correct has %d counts, want %d", len(reply.Correct), steps)
	}
	for i, n := range reply.Correct {
		if n < 0 || n > examples {
			return workloads.Digest{}, nil, c.broken("checked: correct[%d] is %d, want 0 to %d", i, n, examples)
		}
	}
	return reply.Digest, reply.Correct, nil
}

func (c *Client) check(request CheckRequest) (CheckReply, error) {
	var reply CheckReply
	if err := c.ask(request, "checked", &reply, "losses", "tensors"); err != nil {
		return CheckReply{}, err
	}
	if len(reply.Losses) != request.Steps {
		return CheckReply{}, c.broken("checked: %d losses, want %d", len(reply.Losses), request.Steps)
	}
	for name, f := range reply.Tensors {
		if f.Norm < 0 {
			return CheckReply{}, c.broken("checked: norm of %.60q is %v, want at least 0", name, f.Norm)
		}
	}
	return reply, nil
}

// Run asks for blocks x perBlock timed steps. A reply whose clock disagrees
// with the client's, which starts before the request is written and stops
// when the reply was read, is a *ProtocolError that names both. In phases other
// than PhaseMeasure, whose times are no samples, the worker's clock must only
// not exceed the client's.
func (c *Client) Run(phase string, blocks, perBlock int) (Ran, error) {
	var reply Ran
	before := c.account()
	own, err := c.timed(RunRequest{T: "run", Phase: phase, Blocks: blocks, PerBlock: perBlock}, "ran", &reply,
		"phase", "block_ns", "wall_ns", "cpu_ns", "loss")
	if err != nil {
		return Ran{}, err
	}
	if err := c.checkRan(reply, own, phase, blocks); err != nil {
		return Ran{}, err
	}
	if phase == PhaseMeasure {
		after := c.account()
		grown := Account{Waiting: max(0, after.Waiting-before.Waiting), CPU: max(0, after.CPU-before.CPU)}
		if err := c.checkClocks(reply, own, grown); err != nil {
			return Ran{}, err
		}
	}
	return reply, nil
}

func (c *Client) account() Account {
	if c.Account == nil {
		return Account{}
	}
	return c.Account()
}

// Reset asks for the state after build.
func (c *Client) Reset() (ResetReply, error) {
	var reply ResetReply
	err := c.ask(map[string]string{"t": "reset"}, "reset", &reply, "ns")
	if err == nil && reply.NS < 0 {
		err = c.broken("reset: ns is %d, want at least 0", reply.NS)
	}
	return reply, err
}

// Bye ends the session; the worker exits with status 0 after its reply.
func (c *Client) Bye() error {
	var reply struct {
		T string `json:"t"`
	}
	return c.ask(map[string]string{"t": "bye"}, "bye", &reply)
}

// ask sends a request and decodes the reply named want into reply.
func (c *Client) ask(request any, want string, reply any, required ...string) error {
	_, err := c.timed(request, want, reply, required...)
	return err
}

// timed is ask with the time from before the request was written until the
// reply line was read.
func (c *Client) timed(request any, want string, reply any, required ...string) (time.Duration, error) {
	if c.lost != nil {
		return 0, c.lost
	}
	line, err := json.Marshal(request)
	if err != nil {
		return 0, err
	}
	if len(line) > MaxLine {
		return 0, fmt.Errorf("request of %d bytes: %w", len(line), errLineTooLong)
	}
	line = append(line, '\n')
	start := time.Now()
	if _, err := c.w.Write(line); err != nil {
		return 0, c.gone(want, err)
	}
	line, err = c.lines.next()
	own := time.Since(start)
	if err != nil {
		return 0, c.unread(want, line, err)
	}
	if c.lines.r.Buffered() > 0 && !c.toldEnd() {
		rest, _ := c.lines.r.Peek(min(c.lines.r.Buffered(), quoted))
		return 0, c.fail("more output than the one reply", rest)
	}
	return own, c.decode(line, want, reply, required)
}

// unread explains why no reply line could be read.
func (c *Client) unread(want string, line []byte, err error) error {
	switch {
	case errors.Is(err, errLineTooLong):
		return c.fail(fmt.Sprintf("reply to be %q: %v", want, err), line)
	case errors.Is(err, io.EOF) && len(line) > 0:
		torn := &ProtocolError{Message: fmt.Sprintf("output ended within the reply to be %q", want), Quote: quote(line)}
		c.lost = fmt.Errorf("%w: %w", torn, io.ErrUnexpectedEOF)
		return c.lost
	default:
		return c.gone(want, err)
	}
}

// gone records that the other end of the pipe is closed.
func (c *Client) gone(want string, err error) error {
	c.lost = fmt.Errorf("worker closed its end before the reply %q: %w", want, io.ErrUnexpectedEOF)
	if !errors.Is(err, io.EOF) {
		c.lost = fmt.Errorf("%w (%v)", c.lost, err)
	}
	return c.lost
}

// fail records that the worker broke the protocol.
func (c *Client) fail(message string, line []byte) error {
	c.lost = &ProtocolError{Message: message, Quote: quote(line)}
	return c.lost
}

// broken is fail for a line that could be read but says something impossible.
func (c *Client) broken(format string, args ...any) error {
	return c.fail(fmt.Sprintf(format, args...), bytes.TrimSuffix(c.lines.line, []byte("\n")))
}
