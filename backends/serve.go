package backends

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

// Main serves b on the process's standard input and output, as
// "dlbench worker NAME" does. Standard output is moved out of the library's
// reach first, and the thread grant of the hello sets GOMAXPROCS.
func Main(info Info, b Backend) error {
	out, err := TakeStdout()
	if err != nil {
		return err
	}
	defer out.Close()
	s := &server{info: info, backend: b, out: out, grant: func(n int) { runtime.GOMAXPROCS(n) }}
	return s.serve(os.Stdin)
}

// Serve is the worker's end of the protocol, shared by all Go backends: it
// answers the requests of in on out, in lock step, until bye. A request that
// fails is answered with an error and the session goes on. Serve returns an
// error if the session ended otherwise than by bye.
//
// What info does not claim (ops, precisions, features) is refused as
// unsupported before b sees it.
func Serve(in io.Reader, out io.Writer, info Info, b Backend) error {
	return (&server{info: info, backend: b, out: out}).serve(in)
}

// server is one session.
type server struct {
	info    Info
	backend Backend
	out     io.Writer
	grant   func(threads int) // nil: the process is not ours alone

	greeted bool
	tried   bool // the backend's Build was called, so Close is due
	built   bool
	job     Job
	step    int     // number of the next step
	labels  []int32 // of all batches, read when they are first asked for
}

// handlers answer the requests that are not bye.
var handlers = map[string]func(*server, []byte) (any, error){
	"hello": (*server).hello,
	"build": (*server).build,
	"check": (*server).check,
	"run":   (*server).run,
	"reset": (*server).reset,
}

func (s *server) serve(in io.Reader) (err error) {
	defer func() {
		if s.tried {
			err = errors.Join(err, s.guard(s.backend.Close))
		}
	}()
	lines := newLineReader(in)
	for {
		line, err := lines.next()
		switch {
		case errors.Is(err, errLineTooLong):
			// The rest of the line is not worth reading: the peer is broken.
			return errors.Join(err, s.refuse("request", err))
		case errors.Is(err, io.EOF):
			return fmt.Errorf("the harness went away without bye: %w", io.ErrUnexpectedEOF)
		case err != nil:
			return err
		}
		members, err := fields(line)
		if err != nil {
			if err := s.refuse("request", fmt.Errorf("request cannot be read: %w", err)); err != nil {
				return err
			}
			continue
		}
		kind := kindOf(members)
		if kind == "bye" {
			return writeLine(s.out, map[string]string{"t": "bye"})
		}
		if err := s.answer(kind, line); err != nil {
			return err
		}
	}
}

// answer replies to one request. The error is the connection's.
func (s *server) answer(kind string, line []byte) error {
	handle, ok := handlers[kind]
	if !ok {
		return s.refuse("request", fmt.Errorf("request has the unknown t %.40q", kind))
	}
	if kind != "hello" && !s.greeted {
		return s.refuse(kind, errors.New("hello must come first"))
	}
	if kind != "hello" && kind != "build" && !s.built {
		return s.refuse(kind, errors.New("nothing was built yet"))
	}
	var reply any
	err := s.guard(func() (err error) {
		reply, err = handle(s, line)
		return err
	})
	if err != nil {
		return s.refuse(kind, err)
	}
	return writeLine(s.out, reply)
}

// guard turns a panic of the library into an error; its stack goes to
// standard error, where the harness keeps the tail.
func (s *server) guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(os.Stderr, "panic: %v\n%s", p, debug.Stack())
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f()
}

// refuse answers a request with an error.
func (s *server) refuse(at string, err error) error {
	class := "failed"
	if errors.Is(err, ErrUnsupported) {
		class = "unsupported"
	}
	message := err.Error()
	if len(message) > 4000 {
		message = message[:4000] + "…"
	}
	return writeLine(s.out, &WorkerError{T: "error", Class: class, At: at, Message: message})
}

func (s *server) hello(line []byte) (any, error) {
	if s.greeted {
		return nil, errors.New("this session has begun already")
	}
	var req Hello
	if err := json.Unmarshal(line, &req); err != nil {
		return nil, err
	}
	if req.Protocol != ProtocolVersion {
		return nil, fmt.Errorf("%w: protocol %d, this worker speaks %d", ErrUnsupported, req.Protocol, ProtocolVersion)
	}
	if req.Threads < 1 {
		return nil, fmt.Errorf("threads is %d, want at least 1", req.Threads)
	}
	if s.grant != nil {
		s.grant(req.Threads)
	}
	s.greeted = true
	return &HelloReply{
		T: "hello", Protocol: ProtocolVersion, Info: s.info,
		Effective: min(runtime.GOMAXPROCS(0), runtime.NumCPU()),
	}, nil
}

func (s *server) build(line []byte) (any, error) {
	if s.built {
		return nil, errors.New("this session has built a program already")
	}
	var req struct {
		Job json.RawMessage `json:"job"`
	}
	if err := json.Unmarshal(line, &req); err != nil {
		return nil, err
	}
	if len(req.Job) == 0 {
		return nil, errors.New("build has no job")
	}
	job, err := decodeJob(req.Job)
	if err != nil {
		return nil, err
	}
	if err := claims(s.info, job); err != nil {
		return nil, err
	}
	s.tried = true
	start := time.Now()
	built, err := s.backend.Build(context.Background(), job)
	ns := time.Since(start)
	if err != nil {
		return nil, err
	}
	s.built, s.job, s.step = true, job, 0
	return &BuildReply{T: "built", NS: int64(ns), Built: built}, nil
}

func (s *server) run(line []byte) (any, error) {
	var req RunRequest
	if err := json.Unmarshal(line, &req); err != nil {
		return nil, err
	}
	if req.Blocks < 1 || req.Blocks > MaxBlocks || req.PerBlock < 1 || req.PerBlock > MaxPerBlock {
		return nil, fmt.Errorf("blocks is %d and per_block %d, want 1 to %d and 1 to %d", req.Blocks, req.PerBlock, MaxBlocks, MaxPerBlock)
	}
	batches := s.job.Program.Data.Batches
	first := s.step
	s.step += req.Blocks * req.PerBlock // a run that fails has changed the state too: a later check must reset
	ran, err := timeBlocks(s.backend, first, batches, req.PerBlock, make([]int64, req.Blocks))
	if err != nil {
		return nil, err
	}
	ran.T, ran.Phase = "ran", req.Phase
	ran.Loss, err = s.loss((s.step - 1) % batches)
	if err != nil {
		return nil, err
	}
	return &ran, nil
}

func (s *server) reset([]byte) (any, error) {
	start := time.Now()
	if err := s.backend.Reset(); err != nil {
		return nil, err
	}
	s.step = 0
	return &ResetReply{T: "reset", NS: int64(time.Since(start))}, nil
}
