package eager

import (
	"fmt"
	"slices"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/workloads"
)

// dataset holds all batches. On a CPU they are resident in either placement;
// with placement host each step first copies its batch, as a device would ask.
type dataset[T kernel.Float] struct {
	batches  int
	examples int // per batch
	width    int // elements of one example
	x        []T
	tokens   []int32
	labels   []int32

	staged       bool // copy before use
	stagedX      []T
	stagedTokens []int32
	stagedLabels []int32
}

// loadDataset reads the job's batches and holds them to the program.
func loadDataset[T kernel.Float](job backends.Job) (d dataset[T], err error) {
	p := job.Program
	file, err := workloads.ReadSafetensors(job.Batches)
	if err != nil {
		return d, err
	}
	x, y := file["x"], file["y"]
	d = dataset[T]{batches: p.Data.Batches, examples: p.Batch, width: size(p.Input.Shape), labels: y.I32, tokens: x.I32, staged: job.Settings.Data == workloads.DataHost}
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
	return d, nil
}

// micro is part k of parts of a batch.
func (d *dataset[T]) micro(number, k, parts int) batch[T] {
	n := d.examples / parts
	from := number*d.examples + k*n
	b := batch[T]{n: n, labels: d.labels[from:][:n]}
	if d.tokens != nil {
		b.tokens = d.tokens[from*d.width:][:n*d.width]
	} else {
		b.x = d.x[from*d.width:][:n*d.width]
	}
	if d.staged {
		d.stagedX = append(d.stagedX[:0], b.x...)
		d.stagedTokens = append(d.stagedTokens[:0], b.tokens...)
		d.stagedLabels = append(d.stagedLabels[:0], b.labels...)
		b = batch[T]{n: n, x: d.stagedX, tokens: d.stagedTokens, labels: d.stagedLabels}
	}
	return b
}
