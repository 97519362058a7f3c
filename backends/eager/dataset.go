package eager

import (
	"fmt"
	"slices"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager/half"
	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/workloads"
)

// dataset holds all batches. On a CPU they are resident in either placement;
// with placement host each step first copies its batch, as a device would ask.
// In a 16-bit format resident batches are in it from the beginning, and those of
// the host are rounded as they are copied.
type dataset[T kernel.Float] struct {
	batches  int
	examples int // per batch
	width    int // elements of one example
	x        []T
	half     []uint16 // instead of x where the batches are resident in a 16-bit format
	tokens   []int32
	labels   []int32

	format       half.Format // 0: full width
	staged       bool        // copy before use
	stagedX      []T
	stagedHalf   []uint16
	stagedTokens []int32
	stagedLabels []int32
}

// loadDataset reads the job's batches and holds them to the program.
func loadDataset[T kernel.Float](job backends.Job, format half.Format) (d dataset[T], err error) {
	p := job.Program
	file, err := workloads.ReadSafetensors(job.Batches)
	if err != nil {
		return d, err
	}
	x, y := file["x"], file["y"]
	d = dataset[T]{batches: p.Data.Batches, examples: p.Batch, width: size(p.Input.Shape), labels: y.I32, tokens: x.I32, staged: job.Settings.Data == workloads.DataHost, format: format}
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
	if d.format != 0 && !d.staged && !isTokens {
		d.half = make([]uint16, len(d.x))
		d.format.Narrow(d.half, as32(d.x))
		d.x = nil
	}
	return d, nil
}

// micro is part k of parts of a batch.
func (d *dataset[T]) micro(number, k, parts int) batch[T] {
	n := d.examples / parts
	from := number*d.examples + k*n
	b := batch[T]{n: n, labels: d.labels[from:][:n]}
	switch {
	case d.tokens != nil:
		b.tokens = d.tokens[from*d.width:][:n*d.width]
	case d.half != nil:
		b.half = d.half[from*d.width:][:n*d.width]
	default:
		b.x = d.x[from*d.width:][:n*d.width]
	}
	if d.staged {
		b = d.stage(b)
	}
	return b
}

// stage copies a batch, as it is sent to a device.
func (d *dataset[T]) stage(b batch[T]) batch[T] {
	d.stagedTokens = append(d.stagedTokens[:0], b.tokens...)
	d.stagedLabels = append(d.stagedLabels[:0], b.labels...)
	to := batch[T]{n: b.n, tokens: d.stagedTokens, labels: d.stagedLabels}
	if d.format == 0 {
		d.stagedX = append(d.stagedX[:0], b.x...)
		to.x = d.stagedX
		return to
	}
	d.stagedHalf = slices.Grow(d.stagedHalf[:0], len(b.x))[:len(b.x)]
	d.format.Narrow(d.stagedHalf, as32(b.x))
	to.half = d.stagedHalf
	return to
}
