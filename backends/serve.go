package backends

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/dlbench/dlbench/workloads"
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
	step    int // number of the next step
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

func (s *server) check(line []byte) (any, error) {
	var req CheckRequest
	if err := json.Unmarshal(line, &req); err != nil {
		return nil, err
	}
	training := s.job.Program.Mode == workloads.Train
	switch {
	case req.Steps < 1 || req.Steps > MaxSteps:
		return nil, fmt.Errorf("steps is %d, want 1 to %d", req.Steps, MaxSteps)
	case req.Grads && (s.job.For != ForCheck || !training):
		return nil, errors.New(`gradients need a training program built for "check"`)
	}
	if s.step != 0 {
		if err := s.backend.Reset(); err != nil {
			return nil, err
		}
		s.step = 0
	}
	reply := &CheckReply{T: "checked", Digest: workloads.Digest{Tensors: map[string]workloads.Fingerprint{}}}
	if err := s.digest(reply.Tensors, "logits", "", 0); err != nil {
		return nil, err
	}
	if req.Grads {
		if err := s.digest(reply.Tensors, "grads", "grad/", 0); err != nil {
			return nil, err
		}
	}
	batch := make([]int, 1)
	for range req.Steps {
		batch[0] = s.step % s.job.Program.Data.Batches
		if err := s.backend.Run(batch); err != nil {
			return nil, fmt.Errorf("step %d: %w", s.step, err)
		}
		loss, err := s.loss(batch[0])
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", s.step, err)
		}
		reply.Losses = append(reply.Losses, loss)
		s.step++
	}
	if training {
		if err := s.digest(reply.Tensors, "params", "param/", 0); err != nil {
			return nil, err
		}
	}
	return reply, nil
}

// digest adds the fingerprints of what Read returns to out, under prefix.
func (s *server) digest(out map[string]workloads.Fingerprint, what, prefix string, batch int) error {
	tensors, err := s.backend.Read(what, batch)
	if err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	for name, t := range tensors {
		f := workloads.FingerprintOf(t.Data)
		if !finite(f.Norm) || !finite(f.Proj) {
			return fmt.Errorf("%s%s holds values that are not finite", prefix, name)
		}
		out[prefix+name] = f
	}
	return nil
}

// loss reads the loss of the last step that ran.
func (s *server) loss(batch int) (float64, error) {
	read, err := s.backend.Read("loss", batch)
	if err != nil {
		return 0, fmt.Errorf("read loss: %w", err)
	}
	t := read["loss"]
	if len(t.Data) != 1 {
		return 0, fmt.Errorf("read loss: got %d values, want 1", len(t.Data))
	}
	if !finite(t.Data[0]) {
		return 0, fmt.Errorf("loss is %v", t.Data[0])
	}
	return t.Data[0], nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

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
