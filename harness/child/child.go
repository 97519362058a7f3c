// Package child starts one worker process and owns its whole life: its pipes,
// its CPUs, its memory limit, its end, and the end of everything it started.
//
// Between the harness and the worker stands a supervisor: this same binary in
// the hidden mode that Supervise implements.
//
//	harness ──control, status──▶ supervisor ──▶ worker ──▶ its children
//	   └────────── stdin, stdout, stderr ──────────┘
//
// The supervisor is a child subreaper: whatever the worker's descendants do
// (fork twice, setsid, ignore signals), they stay below it, so that walking the
// process tree finds them all and none outlives the trial. It holds the read
// end of a pipe whose other end only the harness holds; when the harness dies,
// even by SIGKILL, the pipe closes and the supervisor kills the tree. When the
// supervisor itself is killed, the worker dies by its parent-death signal, and
// the harness finds the rest by a marker in their environment. The worker's own
// pipes bypass the supervisor, so it costs no time on the protocol's path.
package child

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dlbench/dlbench/memprof"
)

// Spec says what to start and within which bounds.
type Spec struct {
	Argv []string // the worker; Argv[0] is looked up in PATH when it has no slash
	Env  []string // the worker's whole environment, "key=value"
	Dir  string   // working directory; empty: the harness's
	// MemoryLimit bounds the resident bytes of the worker and its descendants;
	// 0: no limit.
	MemoryLimit int64
	// CPUs is the affinity mask of the worker and its descendants; empty: the
	// harness's own.
	CPUs []int
	// StderrCap is how many of the last bytes on stderr are kept; 0: 64 KiB.
	StderrCap int
	// Forks says that the worker forks a process for each trial (forks.go): the
	// limits are then of one such process with what is below it, and of the
	// worker itself while it has none.
	Forks bool
	// Supervisor starts Supervise; nil: this executable with the one argument
	// SuperviseCommand.
	Supervisor []string
}

// SuperviseCommand is the argument with which a binary that uses this package
// must call Supervise, before it does anything slow.
const SuperviseCommand = "supervise"

// marker is the environment variable that names a trial in all its processes.
const marker = "DLBENCH_CHILD"

// supervisorEnv is set in the supervisor only. A binary that ignores
// SuperviseCommand would start itself without end; Start refuses under it.
const supervisorEnv = "DLBENCH_SUPERVISOR"

// startGrace bounds the time until the worker's exec.
const startGrace = 30 * time.Second

// How long the harness waits for the supervisor to clear the tree before it
// does so itself. A process in uninterruptible sleep outlasts both.
const killGrace = 1500 * time.Millisecond

// Child is a started worker. All methods may be called from any goroutine.
type Child struct {
	// Stdin is the worker's standard input; closing it is its end of file.
	Stdin io.WriteCloser
	// Stdout is the worker's standard output. A blocked Read returns when the
	// tree is dead or Kill was called.
	Stdout io.Reader

	pid        int
	supervisor *exec.Cmd
	mark       string
	limit      int64 // Spec.MemoryLimit
	stdin      *os.File
	stdout     *os.File
	control    *os.File // write end: closing it kills the tree
	stderr     *ring
	cuts       cuts
	forks      bool
	oomKills   int // by the kernel, when the trial at hand began
	killed     atomic.Bool
	killOnce   sync.Once
	done       chan struct{} // closed when exit is final
	exit       Exit
}

var serial atomic.Int64

// Start starts the worker under a supervisor and returns when its exec has
// succeeded. The end of ctx kills the tree. Every started Child must be waited
// for with Wait.
func Start(ctx context.Context, s Spec) (*Child, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if os.Getenv(supervisorEnv) != "" {
		return nil, fmt.Errorf("%s does not call child.Supervise for the argument %q", os.Args[0], SuperviseCommand)
	}
	order, err := newOrder(s)
	if err != nil {
		return nil, err
	}
	c, pipes, err := launch(s, order)
	if err != nil {
		return nil, err
	}
	stderrDone := make(chan struct{})
	go func() {
		defer close(stderrDone)
		c.stderr.drain(pipes.stderr)
	}()
	reports := json.NewDecoder(pipes.status)
	var first report
	pipes.status.SetReadDeadline(time.Now().Add(startGrace))
	err = reports.Decode(&first)
	pipes.status.SetReadDeadline(time.Time{})
	if err == nil && first.Error != "" {
		err = errors.New(first.Error)
	}
	if err != nil {
		c.Kill()
		if first.Error == "" {
			c.supervisor.Process.Kill()
		}
		c.supervisor.Wait()
		pipes.status.Close()
		c.cuts.close()
		pipes.stderr.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		<-stderrDone
		pipes.stderr.Close()
		c.closeOwn()
		c.stdout.Close()
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("supervisor ended at once (does %s call child.Supervise?): %s",
				c.supervisor.Path, firstLine(c.stderr.String()))
		}
		return nil, fmt.Errorf("start %s: %w", s.Argv[0], err)
	}
	c.pid = first.PID
	stop := context.AfterFunc(ctx, c.Kill)
	go func() {
		defer close(c.done)
		defer stop()
		c.finish(reports, pipes, stderrDone)
	}()
	return c, nil
}

// parentEnds are the harness's read ends, besides stdout.
type parentEnds struct{ status, stderr *os.File }

// launch makes the pipes and starts the supervisor.
func launch(s Spec, order order) (*Child, parentEnds, error) {
	argv := s.Supervisor
	if argv == nil {
		self, err := os.Executable()
		if err != nil {
			return nil, parentEnds{}, err
		}
		argv = []string{self, SuperviseCommand}
	}
	// Pairs of read end, write end.
	var files [5][2]*os.File
	closeAll := func() {
		for _, f := range files {
			f[0].Close()
			f[1].Close()
		}
	}
	for i := range files {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll()
			return nil, parentEnds{}, fmt.Errorf("start %s: %w", s.Argv[0], err)
		}
		files[i] = [2]*os.File{r, w}
	}
	stdin, stdout, stderr, control, status := files[0], files[1], files[2], files[3], files[4]
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin[0], stdout[1], stderr[1]
	cmd.ExtraFiles = []*os.File{control[0], status[1]} // 3 and 4
	// One scheduler thread is enough to wait; the worker has its own Env.
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", supervisorEnv+"=1")
	cmd.SysProcAttr = ownGroup()
	if err := cmd.Start(); err != nil {
		closeAll()
		return nil, parentEnds{}, fmt.Errorf("start supervisor: %w", err)
	}
	for _, f := range []*os.File{stdin[0], stdout[1], control[0], status[1]} {
		f.Close()
	}
	c := &Child{
		supervisor: cmd, mark: order.Mark, limit: s.MemoryLimit, stdin: stdin[1], stdout: stdout[0], control: control[1],
		stderr: newRing(s.StderrCap), done: make(chan struct{}), forks: s.Forks, oomKills: kernelOOMKills(),
	}
	c.Stdin, c.Stdout = stdin[1], stdoutReader{c}
	if s.Forks {
		c.cuts.begin(order.Mark, stderr[1])
	} else {
		stderr[1].Close()
	}
	// The order may be larger than the pipe's buffer; a supervisor that died
	// makes the write fail and the first report an end of file.
	json.NewEncoder(c.control).Encode(order)
	return c, parentEnds{status: status[0], stderr: stderr[0]}, nil
}

// stdoutReader ends with io.EOF after Kill, whoever still holds the pipe.
type stdoutReader struct{ c *Child }

func (r stdoutReader) Read(p []byte) (int, error) {
	n, err := r.c.stdout.Read(p)
	if err != nil {
		r.c.stdout.Close()
		if r.c.killed.Load() {
			err = io.EOF
		}
	}
	return n, err
}

// PID is the worker's own process, not the supervisor's: read its VmHWM.
func (c *Child) PID() int { return c.pid }

// Root is the supervisor: the worker and all that it started are below it.
func (c *Child) Root() int { return c.supervisor.Process.Pid }

// Processes returns the worker and everything below it that lives now, orphans
// included, for memprof.NewTimeline; nil where the tree cannot be read.
func (c *Child) Processes() []int {
	pids, err := memprof.Descendants(c.Root())
	if err != nil {
		return nil
	}
	return pids
}

// Done is closed when the worker has ended and its tree is gone.
func (c *Child) Done() <-chan struct{} { return c.done }

// Stderr returns the tail of what the worker wrote to stderr so far, since the
// last Cut.
func (c *Child) Stderr() string { return c.cuts.last(c.stderr.String()) }

// Kill ends the worker and everything it started with SIGKILL and unblocks
// reads of Stdout. It returns at once; Wait returns when they are gone.
func (c *Child) Kill() {
	c.killOnce.Do(func() {
		select {
		case <-c.done:
			return // it ended by itself
		default:
		}
		c.killed.Store(true)
		c.control.Close()
		c.stdout.SetReadDeadline(time.Now())
		c.stdin.Close()
	})
}

// Wait returns how the worker ended, once it and all its descendants are gone.
// A worker that lives on keeps Wait waiting: call Kill, or end the context.
func (c *Child) Wait() Exit {
	<-c.done
	return c.exit
}

// finish collects the end: the supervisor's last report, its exit, stderr.
func (c *Child) finish(reports *json.Decoder, pipes parentEnds, stderrDone chan struct{}) {
	last, err := c.lastReport(reports, pipes.status)
	pipes.status.Close()
	if err != nil {
		c.exit = Exit{Code: -1, Signal: "SIGKILL", Reason: "the supervisor was lost: " + err.Error()}
		c.exit.Left = c.sweep()
	} else {
		c.exit = Exit{Code: last.Code, Signal: last.Signal, OOM: last.OOM, Reason: last.Reason,
			Peak: last.Peak, CPU: time.Duration(last.CPUNS)}
		if c.forks && !last.OOM {
			c.exit.Peak = 0 // it may be an earlier trial's
		}
	}
	c.supervisor.Wait()
	c.cuts.close()
	// All writers are gone, unless a process could not be killed.
	pipes.stderr.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	<-stderrDone
	pipes.stderr.Close()
	c.exit.Killed, c.exit.Limit = c.killed.Load(), c.limit
	c.exit.Stderr, c.exit.StderrTotal = c.Stderr(), c.stderr.total()
	// Kill may come in while the worker is on its way out by itself.
	if ours := c.exit.Killed && c.exit.Signal == "SIGKILL"; !ours {
		c.exit.findComplaint()
	}
	c.closeOwn()
}

// lastReport waits for the supervisor's account. After Kill it waits no longer
// than killGrace: then the supervisor is stuck or lost and is killed too.
func (c *Child) lastReport(reports *json.Decoder, status *os.File) (report, error) {
	type result struct {
		report
		err error
	}
	got := make(chan result, 1)
	go func() {
		var r result
		r.err = reports.Decode(&r.report)
		got <- r
	}()
	poll := time.NewTicker(100 * time.Millisecond)
	defer poll.Stop()
	var deadline time.Time
	for {
		select {
		case r := <-got:
			return r.report, r.err
		case now := <-poll.C:
			switch {
			case !c.killed.Load():
			case deadline.IsZero():
				deadline = now.Add(killGrace)
			case now.After(deadline):
				c.supervisor.Process.Kill()
				status.SetReadDeadline(now)
				<-got
				return report{}, errors.New("it did not clear its process tree in time")
			}
		}
	}
}

// closeOwn closes the harness's ends. Stdout stays readable: what the worker
// wrote before its end is still in the pipe, and the end of file after it.
func (c *Child) closeOwn() {
	c.control.Close()
	c.stdin.Close()
}

// newOrder checks the spec and resolves what only the harness's side can.
func newOrder(s Spec) (order, error) {
	if len(s.Argv) == 0 || s.Argv[0] == "" {
		return order{}, errors.New("start worker: no command")
	}
	if s.MemoryLimit < 0 {
		return order{}, fmt.Errorf("start %s: memory limit %d is negative", s.Argv[0], s.MemoryLimit)
	}
	path, err := exec.LookPath(s.Argv[0])
	if err == nil {
		path, err = filepath.Abs(path) // Dir must not change what is started
	}
	if err != nil {
		return order{}, fmt.Errorf("start %s: %w", s.Argv[0], err)
	}
	mark := fmt.Sprintf("%d-%d-%d", os.Getpid(), time.Now().UnixNano(), serial.Add(1))
	return order{
		Path: path, Argv: s.Argv, Env: append(s.Env[:len(s.Env):len(s.Env)], marker+"="+mark), Dir: s.Dir,
		MemoryLimit: s.MemoryLimit, CPUs: s.CPUs, Mark: mark, Forks: s.Forks,
	}, nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
