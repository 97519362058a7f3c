package eager

import (
	"fmt"
	"slices"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager/half"
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

	count     int      // of trainable elements
	weights   []T      // all trainable parameters, in the program's order, those that inference packs in its own (packed.go); nil in 16-bit inference
	cast      []uint16 // the same as ops read them in a 16-bit format
	grads     []T
	trainable []*Tensor[T]
	buffers   []T // running statistics
	initial   []T // weights, then buffers, as loaded; nil in inference

	scaler   *scaler // of f16-mixed, else nil
	overflow bool    // in the oracle: a gradient of this step was too large for float16

	stale  []T                       // stale weights only: the parameters of the step before
	stored func([]T)                 // disturbs what is kept from step to step; nil without noise
	asRead func([]T)                 // disturbs the parameters as ops read them; nil without noise of mixed precision
	master []T                       // the parameters as they are stored, while ops read them disturbed
	sums   func(grad []T, terms int) // disturbs gradients that are sums; nil without noise of such
	steps  int                       // made since the last reset
	loss   float64
	logits []float64 // inference: of the last step
	last   int       // its batch
}

// formatOf is how tensors are stored in a precision; 0 is full width.
func formatOf(p workloads.Precision) half.Format {
	switch p {
	case workloads.BF16, workloads.BF16Mix:
		return half.BF16
	case workloads.F16, workloads.F16Mix:
		return half.F16
	}
	return 0
}

// newEngine loads the job's files.
func newEngine[T kernel.Float](job backends.Job, o Options) (*engine[T], error) {
	dialect, err := o.epsilon()
	if err != nil {
		return nil, err
	}
	h, noise := hooksOf[T](o.Mutation), noiseOf[T](o.Noise)
	if noise != nil {
		h.value, h.grad = noise, noise
	}
	p := job.Program
	if job.For == backends.ForCheck || h.faults.noDropout {
		p = p.WithoutDropout()
	}
	var format half.Format
	if kernel.Is32[T]() && !h.faults.fullWidth {
		format = formatOf(job.Settings.Precision)
	}
	data, err := loadDataset[T](job, format)
	if err != nil {
		return nil, err
	}
	workers := pool.New(job.Settings.Threads)
	e := &engine[T]{program: p, pool: workers, tape: NewTape[T](workers), data: data, stored: noise, maskSeed: p.Data.Seed + o.Masks}
	if noise != nil && o.Noise.Mixed {
		h.inner = noise
		e.stored, e.asRead, e.sums = nil, noise, sumNoise[T](o.Noise)
	}
	e.tape.hooks, e.tape.format = h, format
	if noise != nil {
		show(noise, e.data.x, append([]int{1}, tapeShape(p.Input.Shape)...))
	}
	if job.Settings.Precision == workloads.F16Mix && p.Mode == workloads.Train || o.Scaled {
		e.scaler = newScaler()
	}
	if o.Scaled {
		e.watchOverflow()
	}
	if err := e.loadParams(job.Weights); err != nil {
		e.tape.Close()
		workers.Close()
		return nil, err
	}
	if p.Mode == workloads.Train {
		e.opt = newOptimizer[T](p.Optimizer, len(e.weights), dialect, h.faults, o.Noise.factors())
		e.grads = make([]T, len(e.weights))
		at := 0
		for _, v := range e.trainable {
			v.grad = e.grads[at : at+v.len()]
			at += v.len()
		}
		if h.faults.stale {
			e.stale = slices.Clone(e.weights)
		}
	}
	e.data.begin(job.Settings.Data)
	return e, nil
}

// loadParams reads every parameter and buffer of the program, and nothing else.
func (e *engine[T]) loadParams(path string) error {
	var buffers int
	for _, q := range e.program.Params {
		if q.Buffer {
			buffers += size(q.Shape)
		} else {
			e.count += size(q.Shape)
		}
	}
	e.weights, e.buffers = make([]T, 0, e.count), make([]T, 0, buffers)
	file, err := workloads.ReadSafetensorsInto(path, e.places())
	if err != nil {
		return err
	}
	for _, q := range e.program.Params {
		if t, ok := file[q.Name]; !ok || !slices.Equal(t.Shape, q.Shape) || t.F32 == nil {
			return fmt.Errorf("%s: parameter %s: got %s %v, expected F32 %v", path, q.Name, t.DType(), t.Shape, q.Shape)
		}
	}
	if len(file) != len(e.program.Params) {
		return fmt.Errorf("%s holds %d tensors, expected the program's %d parameters", path, len(file), len(e.program.Params))
	}
	params := map[string]*Tensor[T]{}
	train := e.program.Mode == workloads.Train
	for _, q := range e.program.Params {
		to := &e.weights
		if q.Buffer {
			to = &e.buffers
		}
		from, values, shape := len(*to), file[q.Name].F32, q.Shape
		if isFilters(shape) {
			values, shape = tapeFilters(values, shape), filtersShape(shape)
		}
		for _, v := range values {
			*to = append(*to, T(v))
		}
		t := Variable((*to)[from:len(*to):len(*to)], nil, shape...)
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
		e.showParams(e.stored, e.weights)
		e.stored(e.buffers)
	}
	if e.tape.format != 0 {
		e.storeHalf(train)
	}
	if train { // inference changes nothing
		e.initial = append(append(make([]T, 0, len(e.weights)+len(e.buffers)), e.weights...), e.buffers...)
	}
	if e.model, err = newModel(e.program, params); err == nil && !train {
		e.packWeights()
	}
	return err
}

// places are where the elements of each parameter will lie: they are read from
// their file to there, unless they are converted on the way.
func (e *engine[T]) places() map[string][]float32 {
	if !kernel.Is32[T]() {
		return nil
	}
	into := map[string][]float32{}
	weights, buffers := as32(e.weights[:cap(e.weights)]), as32(e.buffers[:cap(e.buffers)])
	for _, q := range e.program.Params {
		from := &weights
		if q.Buffer {
			from = &buffers
		}
		n := size(q.Shape)
		into[q.Name], *from = (*from)[:n:n], (*from)[n:]
	}
	return into
}

// storeHalf gives the parameters the 16-bit form that ops read. In training
// the float32 form stays as the master copy that the optimizer updates; in
// inference it goes.
func (e *engine[T]) storeHalf(train bool) {
	e.cast = make([]uint16, e.count)
	e.tape.narrow(e.cast, e.weights)
	at := 0
	for _, v := range e.trainable {
		n := v.len()
		v.half = e.cast[at : at+n : at+n]
		at += n
		if !train {
			v.Data = nil
		}
	}
	if !train {
		e.weights = nil
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
	scale := 1.0
	if e.scaler != nil {
		scale = e.scaler.scale
	}
	var finite bool
	e.loss, finite = e.gradients(number, scale)
	if e.scaler != nil {
		e.scaler.after(finite)
	}
	if finite && !skip {
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
		e.showParams(e.stored, e.weights)
		e.stored(e.buffers)
	}
}

// gradients fills grads with the gradient of the mean loss of a batch at the
// current parameters, micro-batch by micro-batch, and returns that loss. On the
// way they are multiplied by scale; the loss is not. Without a scaler finite is
// true, whatever they are.
func (e *engine[T]) gradients(number int, scale float64) (loss float64, finite bool) {
	t, f := e.tape, &e.tape.hooks.faults
	if f.stale {
		now := slices.Clone(e.weights)
		copy(e.weights, e.stale)
		defer copy(e.weights, now)
	}
	e.beginReading()
	defer e.endReading()
	for _, v := range e.trainable {
		v.written = false
	}
	t.training, e.overflow = true, false
	t.gain = T(scale)
	if f.microSum {
		t.gain *= T(e.program.Accumulate)
	}
	var total T
	for k := range e.program.Accumulate {
		b := e.data.micro(number, k, e.program.Accumulate)
		t.masks = e.masks(k)
		if f.lastMicro {
			for _, v := range e.trainable {
				v.written = false
			}
		}
		t.Begin()
		t.Record(true)
		logits := e.model.forward(t, b)
		total += e.model.loss(t, logits, b.labels, e.lossShare())
		t.Backward()
	}
	for _, v := range e.trainable {
		if !v.written {
			clear(v.grad)
		}
	}
	if e.sums != nil {
		e.disturbSums()
	}
	if t.hooks.grad != nil {
		e.showParams(t.hooks.grad, e.grads)
	}
	if e.scaler == nil {
		return float64(total), true
	}
	return float64(total), e.unscale(scale)
}

// beginReading makes the parameters as ops read them from the parameters as
// they are stored; endReading must be called after the last op.
func (e *engine[T]) beginReading() {
	if e.opt == nil && e.asRead == nil {
		return
	}
	if e.cast != nil {
		e.tape.narrow(e.cast, e.weights)
	}
	if e.asRead != nil {
		e.master = append(e.master[:0], e.weights...)
		e.showParams(e.asRead, e.weights)
	}
}

func (e *engine[T]) endReading() {
	if e.asRead != nil {
		copy(e.weights, e.master)
	}
}

// lossShare makes the sum over a micro-batch its share of the step's mean.
func (e *engine[T]) lossShare() float64 {
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
	e.beginReading()
	defer e.endReading()
	for k := range e.program.Accumulate {
		b := e.data.micro(number, k, e.program.Accumulate)
		t.masks = e.masks(k)
		t.Begin()
		logits := e.model.forward(t, b)
		values := t.read(logits, 0, logits.len())
		for _, v := range values {
			out = append(out, float64(v))
		}
		t.done(logits, values)
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
	labels := e.data.part(number*n, n).labels
	return float64(e.model.loss(e.tape, e.tape.Constant(data, n, len(data)/n), labels, e.lossShare()))
}

// reset restores what the build loaded.
func (e *engine[T]) reset() {
	if e.initial != nil {
		copy(e.weights, e.initial)
		copy(e.buffers, e.initial[len(e.weights):])
	}
	if e.stale != nil {
		e.stale = slices.Clone(e.weights)
	}
	if e.opt != nil {
		e.opt.reset()
	}
	if e.scaler != nil {
		e.scaler = newScaler()
	}
	e.steps, e.loss, e.logits = 0, 0, e.logits[:0]
}

func (e *engine[T]) close() {
	e.data.close()
	e.tape.Close()
	e.pool.Close()
}
