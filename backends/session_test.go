package backends_test

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// toy is a backend whose state is the list of steps it took: its loss after
// running batch b as step s is 100s + b, so a test can read from the loss
// which steps ran on which batches.
type toy struct {
	step   int
	last   float64
	pace   time.Duration // of one step
	onRun  func() error
	closed int
	logits func(step, batch int) []float64 // nil: the same always
}

func (t *toy) Build(_ context.Context, job backends.Job) (backends.Built, error) {
	if job.Weights == "panic" {
		panic("no such file")
	}
	return backends.Built{Params: 2, DTypes: map[string]string{"params": "f32", "activations": "f32"}, Accumulated: 1}, nil
}

func (t *toy) Run(batches []int) error {
	if t.onRun != nil {
		if err := t.onRun(); err != nil {
			return err
		}
	}
	for _, b := range batches {
		if t.pace > 0 {
			time.Sleep(t.pace)
		}
		t.last = float64(100*t.step + b)
		t.step++
	}
	return nil
}

func (t *toy) Reset() error { t.step = 0; return nil }

func (t *toy) Read(what string, batch int) (map[string]backends.Tensor, error) {
	switch what {
	case "loss":
		return map[string]backends.Tensor{"loss": {Shape: []int{1}, Data: []float64{t.last}}}, nil
	case "logits":
		if t.logits != nil {
			return map[string]backends.Tensor{"logits": {Shape: []int{1, 2}, Data: t.logits(t.step, batch)}}, nil
		}
		return map[string]backends.Tensor{"logits": {Shape: []int{1, 2}, Data: []float64{3, 4}}}, nil
	case "grads", "params":
		return map[string]backends.Tensor{"fc.weight": {Shape: []int{2}, Data: []float64{float64(t.step), 0}}}, nil
	}
	return nil, fmt.Errorf("no %s here", what)
}

func (t *toy) Close() error { t.closed++; return nil }

func toyInfo() backends.Info {
	return backends.Info{
		Name: "toy", Kind: "eager", Versions: map[string]string{"toy": "1"},
		Ops:        []string{workloads.OpDense, workloads.LossSoftmax, workloads.OptSGD},
		Precisions: []workloads.Precision{workloads.F32},
		Features:   []string{}, Dialect: map[string]string{}, Threads: "GOMAXPROCS",
		Lacks: map[workloads.Precision]string{workloads.F16Mix: "toys have no halves"},
	}
}

// toyJob is a valid job over three batches.
func toyJob() backends.Job {
	return backends.Job{
		Program: workloads.Program{
			Schema: 1, Name: "Toy", Hash: "sha256:00", Mode: workloads.Train, Batch: 1, Accumulate: 1,
			Input:     workloads.Input{Kind: "vector", Shape: []int{1}},
			Data:      workloads.Data{Generator: "toy", Classes: 2, Batches: 3, Seed: 1},
			Ops:       []workloads.Op{{Op: workloads.OpDense, Name: "fc", In: []int{-1}, Shape: []int{2}, Attr: workloads.Attr{Units: 2}}},
			Params:    []workloads.Param{{Name: "fc.weight", Shape: []int{2, 1}}},
			Loss:      workloads.Op{Op: workloads.LossSoftmax, Attr: workloads.Attr{Reduction: "mean"}},
			Optimizer: workloads.Op{Op: workloads.OptSGD, Attr: workloads.Attr{Rate: 0.1}},
		},
		Settings: workloads.Settings{Mode: workloads.Train, Precision: workloads.F32, Device: "cpu", Data: "resident", Batch: 1, Accumulate: 1, Threads: 1},
		Weights:  "w.safetensors", Batches: "b.safetensors", For: backends.ForCheck,
	}
}

// start serves b in a goroutine and returns a client that has not said hello.
// done waits for Serve to return.
func start(t *testing.T, b backends.Backend) (c *backends.Client, done func() error) {
	t.Helper()
	requests, toWorker := io.Pipe()
	fromWorker, replies := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := backends.Serve(requests, replies, toyInfo(), b)
		replies.Close()
		ended <- err
	}()
	t.Cleanup(func() { toWorker.Close(); fromWorker.Close() })
	c = backends.NewClient(fromWorker, toWorker)
	// These tests are about everything but the clock, and the machine may be busy.
	c.MaxGap = time.Minute
	return c, func() error {
		toWorker.Close()
		return <-ended
	}
}
