package backendtest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"

	"github.com/dlbench/dlbench/backends"
)

// ErrNoFork is wrapped by the error of Connect where the worker refuses to fork.
var ErrNoFork = errors.New("the worker does not fork")

// Forks starts a worker once and forks it for every session (PROTOCOL.md), so
// that a framework which takes seconds to load is loaded once. It serves one
// session at a time. A worker that does not stand ready for the next session is
// replaced by a new one.
type Forks struct {
	argv, env []string
	stderr    io.Writer
	parent    *parent // nil: none is running
}

// NewForks takes what Command takes. Close ends what Connect starts.
func NewForks(argv []string, stderr io.Writer, env ...string) *Forks {
	return &Forks{argv: argv, env: environment(env), stderr: stderr}
}

// Close ends the worker.
func (f *Forks) Close() {
	if f.parent != nil {
		f.parent.kill()
		f.parent = nil
	}
}

// Connect is a Connect: it forks the worker for a session. The session's Kill
// ends the forked process, and the worker only if it may be out of step.
func (f *Forks) Connect(ctx context.Context) (*Conn, error) {
	for fresh := f.parent == nil; ; fresh = true {
		if fresh {
			f.Close()
			p, err := startParent(f.argv, f.env, f.stderr)
			if err != nil {
				return nil, err
			}
			f.parent = p
		}
		conn, err := f.parent.fork(ctx)
		if err == nil {
			return conn, nil
		}
		f.Close()
		if fresh || ctx.Err() != nil {
			return nil, err
		}
	}
}

// parent is a running worker that is forked.
type parent struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *os.File
	lines  *bufio.Reader
	stderr *segments
	wait   func() error
	told   bool // how the last session's process ended was read, or there was none
}

func startParent(argv, env []string, stderr io.Writer) (*parent, error) {
	p := &parent{cmd: exec.Command(argv[0], argv[1:]...), told: true}
	p.cmd.Env = env
	p.wait = sync.OnceValue(p.cmd.Wait)
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, private, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer private.Close()
	p.out, p.lines, p.cmd.Stdout = out, bufio.NewReader(out), private
	if p.stderr, err = newSegments(stderr); err != nil {
		out.Close()
		return nil, err
	}
	p.cmd.Stderr = p.stderr.w
	if err := p.cmd.Start(); err != nil {
		out.Close()
		p.stderr.close()
		return nil, err
	}
	return p, nil
}

// kill ends the worker. A forked process ends with its input.
func (p *parent) kill() {
	p.cmd.Process.Kill()
	p.in.Close()
	p.wait()
	p.out.Close()
	p.stderr.close()
}

// fork begins a session.
func (p *parent) fork(ctx context.Context) (*Conn, error) {
	stop := context.AfterFunc(ctx, func() { p.cmd.Process.Kill() })
	defer stop()
	if _, err := io.WriteString(p.in, "{\"t\":\"fork\"}\n"); err != nil {
		return nil, p.gone()
	}
	for {
		line, err := p.lines.ReadBytes('\n')
		if err != nil {
			return nil, p.gone()
		}
		if _, end := endOf(line); end && !p.told {
			p.told = true // of the session before
			continue
		}
		return p.forked(line)
	}
}

// forked reads the reply to a fork.
func (p *parent) forked(line []byte) (*Conn, error) {
	var reply struct {
		T              string
		PID            int
		Class, Message string
	}
	if err := json.Unmarshal(line, &reply); err != nil {
		return nil, fmt.Errorf("want one JSON object as the reply to a fork, got %.100q: %w", line, err)
	}
	switch {
	case reply.T == "error":
		return nil, fmt.Errorf("%w: it answers %s: %s", ErrNoFork, reply.Class, shorten(reply.Message, 200))
	case reply.T != "forked" || reply.PID < 1:
		return nil, fmt.Errorf(`want the reply "forked" with a pid to a fork, got %.100q`, line)
	}
	process, err := os.FindProcess(reply.PID)
	if err != nil {
		return nil, fmt.Errorf("the forked process %d: %w", reply.PID, err)
	}
	p.told = false
	return newForkedSession(p, process).conn(), nil
}

// gone says how the worker ended that no longer answers.
func (p *parent) gone() error {
	p.cmd.Process.Kill() // it may have closed its ends alone
	how := "status 0"
	if err := p.wait(); err != nil {
		how = err.Error()
	}
	return fmt.Errorf(`the worker closed its end before the reply "forked"; it ended with %s`, how)
}

// endOf reads a parent's word on how its child ended.
func endOf(line []byte) (how string, ok bool) {
	var e backends.WorkerError
	if json.Unmarshal(line, &e) != nil || e.T != "error" {
		return "", false
	}
	status, signal, ok := e.ForkedEnd()
	if signal != "" {
		return "signal " + signal, ok
	}
	return fmt.Sprintf("exit status %d", status), ok
}
