package fake

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// lossy changes the loss on its way out.
type lossy struct{ backends.Backend }

func wrongLoss(w *worker) (backends.Backend, error) { return lossy{w.backend}, nil }

func (b lossy) Read(what string, batch int) (map[string]backends.Tensor, error) {
	read, err := b.Backend.Read(what, batch)
	if err != nil || what != "loss" {
		return read, err
	}
	read = maps.Clone(read)
	t := read["loss"]
	t.Data = []float64{t.Data[0] * 1.01}
	read["loss"] = t
	return read, nil
}

// transposer hands the backend a file of weights in which every matrix lies
// transposed: the mistake of a wrong layout, which no norm of the parameters shows.
type transposer struct {
	backends.Backend
	dir string
}

func transposedWeight(w *worker) (backends.Backend, error) {
	return &transposer{Backend: w.backend}, nil
}

func (b *transposer) Build(ctx context.Context, job backends.Job) (backends.Built, error) {
	path, err := rewriteWeights(job, func(p workloads.Param, data []float32) {
		if len(p.Shape) != 2 {
			return
		}
		rows, cols := p.Shape[0], p.Shape[1]
		from := slices.Clone(data)
		for i := range rows {
			for j := range cols {
				data[j*rows+i] = from[i*cols+j]
			}
		}
	})
	if err != nil {
		return backends.Built{}, err
	}
	b.dir = filepath.Dir(path)
	job.Weights = path
	return b.Backend.Build(ctx, job)
}

func (b *transposer) Close() error {
	if b.dir != "" {
		os.RemoveAll(b.dir)
	}
	return b.Backend.Close()
}

// rewriteWeights copies a job's weights into a new temporary folder, changed.
func rewriteWeights(job backends.Job, change func(workloads.Param, []float32)) (string, error) {
	tensors, err := workloads.ReadSafetensors(job.Weights)
	if err != nil {
		return "", err
	}
	var out []workloads.NamedTensor
	for _, p := range job.Program.Params {
		t, ok := tensors[p.Name]
		if !ok {
			return "", fmt.Errorf("%s: no tensor %q", job.Weights, p.Name)
		}
		change(p, t.F32)
		out = append(out, workloads.NamedTensor{Name: p.Name, Tensor: t})
	}
	dir, err := os.MkdirTemp("", "dlbench-fake-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "weights.safetensors")
	return path, workloads.WriteSafetensors(path, out)
}

// deferred runs its steps in a goroutine of their own: Run returns at once, as
// a framework does whose worker forgot to synchronise, and Read waits.
type deferred struct {
	backends.Backend
	idle chan error // holds one value while no step is running
}

func neverSync(w *worker) (backends.Backend, error) {
	b := &deferred{Backend: w.backend, idle: make(chan error, 1)}
	b.idle <- nil
	return b, nil
}

func (b *deferred) Run(batches []int) error {
	batches = slices.Clone(batches)
	before := b.idle
	after := make(chan error, 1)
	b.idle = after
	go func() {
		err := <-before
		if err == nil {
			err = b.Backend.Run(batches)
		}
		after <- err
	}()
	return nil
}

// wait returns when all steps are done.
func (b *deferred) wait() error {
	err := <-b.idle
	b.idle <- err
	return err
}

func (b *deferred) Reset() error {
	if err := b.wait(); err != nil {
		return err
	}
	return b.Backend.Reset()
}

func (b *deferred) Read(what string, batch int) (map[string]backends.Tensor, error) {
	if err := b.wait(); err != nil {
		return nil, err
	}
	return b.Backend.Read(what, batch)
}

func (b *deferred) Close() error {
	b.wait()
	return b.Backend.Close()
}

// hooked runs after every block of steps, or before it.
type hooked struct {
	backends.Backend
	before func() error
	after  func(steps int, took time.Duration)
}

func (b *hooked) Run(batches []int) error {
	if b.before != nil {
		if err := b.before(); err != nil {
			return err
		}
	}
	if b.after == nil {
		return b.Backend.Run(batches)
	}
	start := time.Now()
	if err := b.Backend.Run(batches); err != nil {
		return err
	}
	b.after(len(batches), time.Since(start))
	return nil
}

// spin burns one thread for d.
func spin(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
	}
}

func slower(w *worker) (backends.Backend, error) {
	number, workload, one := strings.Cut(w.arg, "/")
	percent, err := strconv.ParseFloat(number, 64)
	if err != nil || !(percent >= 0 && percent <= 10_000) || one && workload == "" {
		return nil, fmt.Errorf("argument %q: expected percent, for example 10, or 10/WORKLOAD", w.arg)
	}
	b := &named{hooked: hooked{Backend: w.backend}}
	b.after = func(_ int, took time.Duration) {
		if !one || b.workload == workload {
			spin(time.Duration(float64(took) * percent / 100))
		}
	}
	return b, nil
}

// named is hooked, and knows which workload it was given.
type named struct {
	hooked
	workload string
}

func (b *named) Build(ctx context.Context, job backends.Job) (backends.Built, error) {
	b.workload = job.Program.Name
	return b.hooked.Build(ctx, job)
}

// busy burns threads that were not granted while a block runs.
func busy(w *worker) (backends.Backend, error) {
	n, err := strconv.Atoi(w.arg)
	if err != nil || n < 1 || n > 64 {
		return nil, fmt.Errorf("argument %q: expected 1 to 64 threads", w.arg)
	}
	return &burner{Backend: w.backend, threads: n}, nil
}
