package eager

import (
	"fmt"
	"slices"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/backends/eager/pool"
	"github.com/dlbench/dlbench/workloads"
)

// engine is one built program in element type T.
type engine[T kernel.Float] struct {
	program workloads.Program
	tape    *Tape[T]
	pool    *pool.Pool

	maskSeed uint64
	model    *model[T]
	opt      *optimizer[T] // nil in inference
	data     dataset[T]

	weights   []T // all trainable parameters, in the program's order
	grads     []T
	trainable []*Tensor[T]
	buffers   []T // running statistics
	initial   []T // weights, then buffers, as loaded

	stale  []T       // stale weights only: the parameters of the step before
	stored func([]T) // disturbs what is kept from step to step; nil without noise
	steps  int       // made since the last reset
	loss   float64
	logits []float64 // inference: of the last step
	last   int       // its batch
}

// newEngine loads the job's files.
func newEngine[T kernel.Float](job backends.Job, o Options) (*engine[T], error) {
	dialect, err := o.epsilon()
	if err != nil {
		return nil, err
	}
	h, stored := hooksOf[T](o.Mutation), noiseOf[T](o.Noise)
	if stored != nil {
		h.value, h.grad = stored, stored
	}
	p := job.Program
	if job.For == backends.ForCheck || h.faults.noDropout {
		p = p.WithoutDropout()
	}
	data, err := loadDataset[T](job)
	if err != nil {
		return nil, err
	}
	workers := pool.New(job.Settings.Threads)
	e := &engine[T]{program: p, pool: workers, tape: NewTape[T](workers), data: data, stored: stored, maskSeed: p.Data.Seed + o.Masks}
	e.tape.hooks = h
	if stored != nil {
		stored(e.data.x)
	}
	if err := e.loadParams(job.Weights); err != nil {
		workers.Close()
		return nil, err
	}
	if p.Mode == workloads.Train {
		e.opt = newOptimizer[T](p.Optimizer, len(e.weights), dialect, h.faults, o.Noise.factors())
		e.grads = make([]T, len(e.weights))
		at := 0
		for _, v := range e.trainable {
			v.grad = e.grads[at : at+len(v.Data)]
			at += len(v.Data)
		}
		if h.faults.stale {
			e.stale = slices.Clone(e.weights)
		}
	}
	return e, nil
}

// loadParams reads every parameter and buffer of the program, and nothing else.
func (e *engine[T]) loadParams(path string) error {
	file, err := workloads.ReadSafetensors(path)
	if err != nil {
		return err
	}
	var weights, buffers int
	for _, q := range e.program.Params {
		if t, ok := file[q.Name]; !ok || !slices.Equal(t.Shape, q.Shape) || t.F32 == nil {
			return fmt.Errorf("%s: parameter %s: got %s %v, expected F32 %v", path, q.Name, t.DType(), t.Shape, q.Shape)
		}
		if q.Buffer {
			buffers += size(q.Shape)
		} else {
			weights += size(q.Shape)
		}
	}
	if len(file) != len(e.program.Params) {
		return fmt.Errorf("%s holds %d tensors, expected the program's %d parameters", path, len(file), len(e.program.Params))
	}
	e.weights, e.buffers = make([]T, 0, weights), make([]T, 0, buffers)
	params := map[string]*Tensor[T]{}
	train := e.program.Mode == workloads.Train
	for _, q := range e.program.Params {
		to := &e.weights
		if q.Buffer {
			to = &e.buffers
		}
		from := len(*to)
		for _, v := range file[q.Name].F32 {
			*to = append(*to, T(v))
		}
		t := Variable((*to)[from:len(*to):len(*to)], nil, q.Shape...)
		t.needs = train && !q.Buffer
		if !q.Buffer {
			e.trainable = append(e.trainable, t)
		}
		params[q.Name] = t
		delete(file, q.Name)
	}
	if e.tape.hooks.faults.transpose {
		transposeFirstDense(e.program, params)
	}
	if e.stored != nil {
		e.stored(e.weights)
		e.stored(e.buffers)
	}
	e.initial = append(slices.Clone(e.weights), e.buffers...)
	e.model, err = newModel(e.program, params)
	return err
}

// transposeFirstDense is a mutation: the values of [units,in] are stored as [in,units].
func transposeFirstDense[T kernel.Float](p workloads.Program, params map[string]*Tensor[T]) {
	for _, op := range p.Ops {
		if op.Op != workloads.OpDense {
			continue
		}
		w := params[op.Name+".weight"]
		rows, cols := w.Shape[0], w.Shape[1]
		before := slices.Clone(w.Data)
		for i := range rows {
			for j := range cols {
				w.Data[j*rows+i] = before[i*cols+j]
			}
		}
		return
	}
}

// step trains or infers on one batch.
func (e *engine[T]) step(number int) error {
	if number < 0 || number >= e.data.batches {
		return fmt.Errorf("batch %d: expected 0 to %d", number, e.data.batches-1)
	}
	f := &e.tape.hooks.faults
	if f.batchZero {
		number = 0
	}
	e.last = number
	if e.opt == nil {
		e.logits = e.infer(number, e.logits[:0])
		e.steps++
		return nil
	}
	skip := f.skipThird && e.steps%3 == 2
	e.loss = e.gradients(number)
	if !skip {
		if e.tape.hooks.grad != nil {
			e.tape.hooks.grad(e.grads)
		}
		e.update()
	}
	e.steps++
	return nil
}

// update applies the gradients.
func (e *engine[T]) update() {
	f := &e.tape.hooks.faults
	var before []T
	if f.stale || f.twoBiases {
		before = slices.Clone(e.weights)
	}
	e.opt.step(e.tape, e.weights, e.grads)
	if f.twoBiases {
		e.moveBiasesTwice(before)
	}
	if f.stale {
		e.stale = before
	}
	if e.stored != nil {
		e.stored(e.weights)
		e.stored(e.buffers)
	}
}

// moveBiasesTwice is a mutation: a layer with two biases, of which only the sum counts.
func (e *engine[T]) moveBiasesTwice(before []T) {
	at := 0
	for _, q := range e.program.Params {
		if q.Buffer {
			continue
		}
		n := size(q.Shape)
		for _, op := range e.program.Ops {
			if op.Op == workloads.OpLSTM && q.Name == op.Name+".bias" {
				for i := at; i < at+n; i++ {
					e.weights[i] += e.weights[i] - before[i]
				}
			}
		}
		at += n
	}
}

// gradients fills grads with the gradient of the mean loss of a batch at the
// current parameters, micro-batch by micro-batch, and returns that loss.
func (e *engine[T]) gradients(number int) float64 {
	t, f := e.tape, &e.tape.hooks.faults
	if f.stale {
		now := slices.Clone(e.weights)
		copy(e.weights, e.stale)
		defer copy(e.weights, now)
	}
	for _, v := range e.trainable {
		v.written = false
	}
	t.training = true
	var loss T
	for k := range e.program.Accumulate {
		b := e.data.micro(number, k, e.program.Accumulate)
		t.masks = e.masks(k)
		if f.lastMicro {
			for _, v := range e.trainable {
				v.written = false
			}
		}
		t.Record(true)
		logits := e.model.forward(t, b)
		loss += e.model.loss(t, logits, b.labels, e.lossScale())
		t.Backward()
	}
	for _, v := range e.trainable {
		if !v.written {
			clear(v.grad)
		}
	}
	return float64(loss)
}

// lossScale makes the sum over a micro-batch its share of the step's mean.
func (e *engine[T]) lossScale() float64 {
	f := &e.tape.hooks.faults
	if f.lossSum {
		return f.lossScale
	}
	return f.lossScale / float64(e.program.Batch)
}

// masks seeds the dropout of micro-batch k of the next step.
func (e *engine[T]) masks(k int) uint64 {
	return mix(mix(e.maskSeed+uint64(e.steps)) + uint64(k))
}

// infer appends the logits of a batch to out, without a gradient or any
// change of state, in the program's mode.
func (e *engine[T]) infer(number int, out []float64) []float64 {
	t := e.tape
	t.training, t.frozen = e.program.Mode == workloads.Train, true
	defer func() { t.frozen = false }()
	for k := range e.program.Accumulate {
		b := e.data.micro(number, k, e.program.Accumulate)
		t.masks = e.masks(k)
		logits := e.model.forward(t, b)
		for _, v := range logits.Data {
			out = append(out, float64(v))
		}
		t.Free(logits)
	}
	return out
}

// lossOf is the mean loss of logits that infer returned.
func (e *engine[T]) lossOf(number int, logits []float64) float64 {
	data := make([]T, len(logits))
	for i, v := range logits {
		data[i] = T(v)
	}
	n := e.program.Batch
	labels := e.data.micro(number, 0, 1).labels
	return float64(e.model.loss(e.tape, e.tape.Constant(data, n, len(data)/n), labels, e.lossScale()))
}

// reset restores what the build loaded.
func (e *engine[T]) reset() {
	copy(e.weights, e.initial)
	copy(e.buffers, e.initial[len(e.weights):])
	if e.stale != nil {
		e.stale = slices.Clone(e.weights)
	}
	if e.opt != nil {
		e.opt.reset()
	}
	e.steps, e.loss, e.logits = 0, 0, e.logits[:0]
}

func (e *engine[T]) close() { e.pool.Close() }
