package eager

import (
	"fmt"
	"slices"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager/half"
	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/workloads"
)

// dataset holds all batches. On a CPU they are resident in any placement; with
// placement host each step first copies its batch, as a device would ask, and
// with placement loader a pipeline gathers it ahead. In a 16-bit format resident
// batches are in it from the beginning, and others are rounded as they are copied.
type dataset[T kernel.Float] struct {
	batches  int
	examples int // per batch
	width    int // elements of one example
	x        []T
	half     []uint16 // instead of x where the batches are resident in a 16-bit format
	tokens   []int32
	labels   []int32

	format half.Format // 0: full width
	image  []int       // [C,H,W] of examples that are still to be reordered for the tape; nil: none
	staged *stage[T]   // copy before use; nil: use in place
	loader *loader[T]  // gather ahead; nil: do not
}

// loadDataset reads the job's batches and holds them to the program.
func loadDataset[T kernel.Float](job backends.Job, format half.Format) (d dataset[T], err error) {
	p := job.Program
	file, err := workloads.ReadSafetensors(job.Batches)
	if err != nil {
		return d, err
	}
	x, y := file["x"], file["y"]
	d = dataset[T]{batches: p.Data.Batches, examples: p.Batch, width: size(p.Input.Shape), labels: y.I32, tokens: x.I32, format: format}
	wantX, wantY := append([]int{p.Data.Batches, p.Batch}, p.Input.Shape...), []int{p.Data.Batches, p.Batch}
	isTokens := p.Input.Kind == workloads.KindTokens
	switch {
	case !slices.Equal(x.Shape, wantX) || isTokens != (x.I32 != nil):
		return d, fmt.Errorf("%s: x is %s %v, expected %v of the input kind %s", job.Batches, x.DType(), x.Shape, wantX, p.Input.Kind)
	case !slices.Equal(y.Shape, wantY) || y.I32 == nil:
		return d, fmt.Errorf("%s: y is %s %v, expected I32 %v", job.Batches, y.DType(), y.Shape, wantY)
	}
	for i, id := range d.tokens {
		if id < 0 || int(id) >= p.Input.Vocab {
			return d, fmt.Errorf("%s: token %d of x is %d, expected 0 to %d", job.Batches, i, id, p.Input.Vocab-1)
		}
	}
	classes := int32(2)
	if p.Loss.Op == workloads.LossSoftmax {
		classes = int32(p.Ops[len(p.Ops)-1].Shape[0])
	}
	for i, c := range d.labels {
		if c < 0 || c >= classes {
			return d, fmt.Errorf("%s: label %d is %d, expected 0 to %d", job.Batches, i, c, classes-1)
		}
	}
	if !isTokens {
		if same, ok := any(x.F32).([]T); ok {
			d.x = same
		} else {
			d.x = make([]T, len(x.F32))
			for i, v := range x.F32 {
				d.x[i] = T(v)
			}
		}
	}
	if p.Input.Kind == workloads.KindImage && p.Input.Shape[0] > 1 {
		d.image = p.Input.Shape
		if job.Settings.Data == workloads.DataResident {
			planes := d.x
			d.x = make([]T, len(planes))
			tapeImages(d.x, planes, d.image)
			d.image = nil
		}
	}
	if d.format != 0 && job.Settings.Data == workloads.DataResident && !isTokens {
		d.half = make([]uint16, len(d.x))
		d.format.Narrow(d.half, as32(d.x))
		d.x = nil
	}
	if job.Settings.Data == workloads.DataHost {
		d.staged = &stage[T]{}
	}
	return d, nil
}

// begin starts the pipeline of placement loader.
func (d *dataset[T]) begin(data string) {
	if data == workloads.DataLoader {
		d.loader = newLoader(d)
	}
}

// close ends it.
func (d *dataset[T]) close() {
	if d.loader != nil {
		d.loader.close()
	}
}

// micro is part k of parts of a batch.
func (d *dataset[T]) micro(number, k, parts int) batch[T] {
	if d.loader != nil {
		return d.loader.micro(number, k, parts)
	}
	n := d.examples / parts
	b := d.part(number*d.examples+k*n, n)
	if d.staged != nil {
		d.staged.begin()
		d.staged.add(b, d)
		b = d.staged.batch(n)
	}
	return b
}

// part is n examples from one on, as they lie.
func (d *dataset[T]) part(from, n int) batch[T] {
	b := batch[T]{n: n, labels: d.labels[from:][:n]}
	switch {
	case d.tokens != nil:
		b.tokens = d.tokens[from*d.width:][:n*d.width]
	case d.half != nil:
		b.half = d.half[from*d.width:][:n*d.width]
	default:
		b.x = d.x[from*d.width:][:n*d.width]
	}
	return b
}

// part is part k of parts of a batch.
func (b batch[T]) part(k, parts int) batch[T] {
	n := b.n / parts
	return batch[T]{
		n: n, x: cut(b.x, k, parts), half: cut(b.half, k, parts),
		tokens: cut(b.tokens, k, parts), labels: cut(b.labels, k, parts),
	}
}

// cut is part k of parts; nil of nil.
func cut[E any](all []E, k, parts int) []E {
	n := len(all) / parts
	return all[k*n : (k+1)*n : (k+1)*n]
}

// stage is where examples are copied to.
type stage[T kernel.Float] struct {
	x      []T
	half   []uint16
	tokens []int32
	labels []int32
	images []T // scratch
}

// begin forgets what is there.
func (s *stage[T]) begin() {
	s.x, s.half, s.tokens, s.labels = s.x[:0], s.half[:0], s.tokens[:0], s.labels[:0]
}

// add copies examples of d to the end: images reordered for the tape, rounded to a
// 16-bit format if there is one.
func (s *stage[T]) add(b batch[T], d *dataset[T]) {
	s.tokens = append(s.tokens, b.tokens...)
	s.labels = append(s.labels, b.labels...)
	x := b.x
	if d.image != nil {
		s.images = slices.Grow(s.images[:0], len(x))[:len(x)]
		tapeImages(s.images, x, d.image)
		x = s.images
	}
	if d.format == 0 {
		s.x = append(s.x, x...)
		return
	}
	at := len(s.half)
	s.half = slices.Grow(s.half, len(x))[:at+len(x)]
	d.format.Narrow(s.half[at:], as32(x))
}

// batch is all n examples that were added.
func (s *stage[T]) batch(n int) batch[T] {
	b := batch[T]{n: n, labels: s.labels}
	switch {
	case len(s.tokens) > 0:
		b.tokens = s.tokens
	case len(s.half) > 0:
		b.half = s.half
	default:
		b.x = s.x
	}
	return b
}
