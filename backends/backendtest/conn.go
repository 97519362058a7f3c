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
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dlbench/dlbench/backends"
)

// Conn is one running worker.
type Conn struct {
	In   io.WriteCloser // its standard input
	Out  io.Reader      // its standard output
	Wait func() error   // waits for its end; nil if its status was 0
	Kill func()         // ends it; may be called at any time, more than once

	// Stderr is the end of what it wrote there, complete after Wait; it may be nil.
	Stderr func() string
}

// Connect starts a worker anew: a session builds one program.
type Connect func(ctx context.Context) (*Conn, error)

// Command starts argv as a process. env is its whole environment; without any it
// has that of this process and is granted one thread. What it writes to standard
// error goes to stderr too, which may be nil.
func Command(argv []string, stderr io.Writer, env ...string) Connect {
	return func(ctx context.Context) (*Conn, error) {
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		end := new(tail)
		cmd.Stderr = end
		if stderr != nil {
			cmd.Stderr = io.MultiWriter(end, stderr)
		}
		// A child of the worker may hold its standard error for longer than we wait.
		cmd.WaitDelay = time.Second
		cmd.Env = environment(env)
		in, err := cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		// A pipe of our own: Wait must not close it while replies are unread.
		out, private, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		cmd.Stdout = private
		err = cmd.Start()
		private.Close()
		if err != nil {
			out.Close()
			return nil, err
		}
		wait := sync.OnceValue(cmd.Wait)
		return &Conn{In: in, Out: out, Wait: wait, Stderr: end.String, Kill: func() {
			cmd.Process.Kill()
			in.Close()
			wait()
			out.Close()
		}}, nil
	}
}

func environment(env []string) []string {
	if len(env) > 0 {
		return env
	}
	return append(os.Environ(), "GOMAXPROCS=1", "OMP_NUM_THREADS=1", "MKL_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1")
}

// Served runs a backend in this process, behind the same protocol.
func Served(info backends.Info, newBackend func() backends.Backend) Connect {
	return func(context.Context) (*Conn, error) {
		requests, toWorker := io.Pipe()
		fromWorker, replies := io.Pipe()
		ended := make(chan error, 1)
		go func() {
			err := backends.Serve(requests, replies, info, newBackend())
			requests.Close()
			replies.Close()
			ended <- err
		}()
		return &Conn{In: toWorker, Out: fromWorker, Wait: sync.OnceValue(func() error { return <-ended }), Kill: func() {
			toWorker.Close()
			fromWorker.Close()
		}}, nil
	}
}

// session is one worker in use by one case. client and raw read the same
// stream: lock step leaves nothing between them.
type session struct {
	*Conn
	client *backends.Client
	lines  *bufio.Scanner
}

// session runs f with a new worker and ends it, after at most the timeout.
func (s *suite) session(connect Connect, f func(*session) error) error {
	if s.halted() {
		return errHalted
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.opts.Timeout)
	defer cancel()
	conn, err := connect(ctx)
	if err != nil {
		if ctx.Err() != nil && s.ctx.Err() == nil {
			s.timeouts++
		}
		return fmt.Errorf("start: %w", err)
	}
	defer conn.Kill()
	stop := context.AfterFunc(ctx, conn.Kill)
	defer stop()
	client := backends.NewClient(conn.Out, conn.In)
	client.MaxGap = time.Minute // the case "clock" is about clocks, the others are not
	lines := bufio.NewScanner(conn.Out)
	lines.Buffer(nil, backends.MaxLine+1)
	err = f(&session{Conn: conn, client: client, lines: lines})
	switch {
	case ctx.Err() != nil && s.ctx.Err() == nil:
		s.timeouts++
		err = fmt.Errorf("no answer within %v", s.opts.Timeout)
	case errors.Is(err, io.ErrUnexpectedEOF):
		// Of joined errors the first is the cause.
		cause, _, _ := strings.Cut(err.Error(), "\n")
		err = fmt.Errorf("%s; it %s", strings.TrimSuffix(cause, ": "+io.ErrUnexpectedEOF.Error()), ending(conn))
	}
	if err == nil || conn.Stderr == nil {
		return err
	}
	conn.Kill()
	return &sessionError{error: err, stderr: lastLines(conn.Stderr(), stderrLines)}
}

// sessionError is a failure with what the worker said about it on standard error.
type sessionError struct {
	error
	stderr []string
}

func (e *sessionError) Unwrap() error { return e.error }

// ending says how a worker ended that closed its output, in words for people.
func ending(conn *Conn) string {
	ended := make(chan error, 1)
	go func() { ended <- conn.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			return "ended with " + err.Error() // "exit status 1", "signal: killed"
		}
		return "ended with status 0"
	case <-time.After(2 * time.Second):
		return "still runs"
	}
}

// raw sends a line as it is and returns the reply's keys.
func (s *session) raw(line string) (map[string]any, error) {
	if _, err := io.WriteString(s.In, line+"\n"); err != nil {
		return nil, fmt.Errorf("the worker no longer reads %s (%w): %w", short(line), err, io.ErrUnexpectedEOF)
	}
	if !s.lines.Scan() {
		if err := s.lines.Err(); err != nil {
			return nil, fmt.Errorf("no reply to %s: %w", short(line), err)
		}
		return nil, fmt.Errorf("the worker closed its output instead of a reply to %s: %w", short(line), io.ErrUnexpectedEOF)
	}
	var reply map[string]any
	if err := json.Unmarshal(s.lines.Bytes(), &reply); err != nil {
		return nil, fmt.Errorf("want one JSON object as the reply to %s, got %.100q: %w", short(line), s.lines.Bytes(), err)
	}
	return reply, nil
}

// want sends a line and demands a reply with that t.
func (s *session) want(line, t string) error {
	reply, err := s.raw(line)
	if err != nil {
		return err
	}
	if reply["t"] != t {
		return fmt.Errorf("want the reply %q to %s, got %s", t, short(line), describe(reply))
	}
	return nil
}

// refuse sends a line and demands an error reply of that class, or of any if
// it is "". why completes the sentence "must be refused: ...".
func (s *session) refuse(line, class, why string) error {
	reply, err := s.raw(line)
	if err != nil {
		return fmt.Errorf("want %s, because %s: %w", wanted(class), why, err)
	}
	if got, _ := reply["class"].(string); reply["t"] != "error" || class != "" && got != class {
		return fmt.Errorf("want %s, because %s; got %s to %s", wanted(class), why, describe(reply), short(line))
	}
	return nil
}

func wanted(class string) string {
	if class == "" {
		return "an error reply"
	}
	return fmt.Sprintf("an error reply of class %q", class)
}

// describe shows a reply in a message.
func describe(reply map[string]any) string {
	if t, ok := reply["t"].(string); ok && t != "error" {
		return fmt.Sprintf("the reply %q", shorten(t, 40))
	}
	if reply["t"] != "error" {
		text, _ := json.Marshal(reply)
		return shorten(string(text), 200)
	}
	class, ok := reply["class"].(string)
	if !ok {
		return "an error reply without a class"
	}
	message, _ := reply["message"].(string)
	return shorten(strings.TrimSuffix(fmt.Sprintf("class %q: %s", class, message), ": "), 200)
}

// short names a request in a message: a job is too long to be shown.
func short(line string) string {
	if len(line) <= 100 {
		return strconv.Quote(line)
	}
	var request struct{ T string }
	if json.Unmarshal([]byte(line), &request) == nil && request.T != "" {
		return "the " + request.T
	}
	return strconv.Quote(shorten(line, 40))
}

func shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// helloLine opens a raw session.
const helloLine = `{"t":"hello","protocol":1,"trial":"check","threads":1,"device":"cpu","grease":[null]}`

// greeting opens a session through the client.
var greeting = backends.Hello{Trial: "check", Threads: 1, Device: "cpu"}

// greet opens a session and builds job.
func (s *session) greet(job backends.Job) (backends.BuildReply, error) {
	if _, err := s.client.Hello(greeting); err != nil {
		return backends.BuildReply{}, err
	}
	return s.client.Build(job)
}
