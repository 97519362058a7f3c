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
}

// Connect starts a worker anew: a session builds one program.
type Connect func(ctx context.Context) (*Conn, error)

// Command starts argv as a process, with the environment of this one.
// Its standard error goes to stderr, which may be nil.
func Command(argv []string, stderr io.Writer) Connect {
	return func(ctx context.Context) (*Conn, error) {
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Stderr = stderr
		cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "OMP_NUM_THREADS=1", "MKL_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1")
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
		return &Conn{In: in, Out: out, Wait: wait, Kill: func() {
			cmd.Process.Kill()
			in.Close()
			wait()
			out.Close()
		}}, nil
	}
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
	ctx, cancel := context.WithTimeout(s.ctx, s.opts.Timeout)
	defer cancel()
	conn, err := connect(ctx)
	if err != nil {
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
	if ctx.Err() != nil && s.ctx.Err() == nil {
		return fmt.Errorf("no answer within %v", s.opts.Timeout)
	}
	return err
}

// raw sends a line as it is and returns the reply's keys.
func (s *session) raw(line string) (map[string]any, error) {
	if _, err := io.WriteString(s.In, line+"\n"); err != nil {
		return nil, fmt.Errorf("the worker no longer reads: %w", err)
	}
	if !s.lines.Scan() {
		return nil, fmt.Errorf("no reply to %s: %w", short(line), errors.Join(s.lines.Err(), io.ErrUnexpectedEOF))
	}
	var reply map[string]any
	if err := json.Unmarshal(s.lines.Bytes(), &reply); err != nil {
		return nil, fmt.Errorf("reply %.100q to %s is not JSON: %w", s.lines.Bytes(), short(line), err)
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
		return fmt.Errorf("%s was answered with %.200s, want t %q", short(line), compact(reply), t)
	}
	return nil
}

// refuse sends a line and demands an error reply, of that class unless it is "".
func (s *session) refuse(line, class string) error {
	reply, err := s.raw(line)
	if err != nil {
		return err
	}
	if reply["t"] != "error" {
		return fmt.Errorf("%s was answered with %.200s, want an error %s", short(line), compact(reply), class)
	}
	got, _ := reply["class"].(string)
	if class != "" && got != class {
		return fmt.Errorf("%s was answered with class %q, want %q: %v", short(line), got, class, reply["message"])
	}
	return nil
}

// short names a request in a message: a job is too long to be shown.
func short(line string) string {
	if len(line) > 100 {
		return strconv.Quote(line[:20] + "…")
	}
	return strconv.Quote(line)
}

func compact(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
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
