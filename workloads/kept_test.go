package workloads

import "testing"

// denseChain is a program of dense layers with so many units each.
func denseChain(batch, accumulate int, units ...int) Program {
	p := Program{Mode: Train, Batch: batch, Accumulate: accumulate}
	for i, n := range units {
		p.Ops = append(p.Ops, Op{Op: OpDense, In: []int{i - 1}, Shape: []int{n}})
	}
	return p
}

func TestKeptBytes(t *testing.T) {
	whole := denseChain(6, 1, 10, 20, 30, 40)
	split := denseChain(6, 3, 10, 20, 30, 40)
	segmented := denseChain(6, 1, 10, 20, 30, 40)
	segmented.Segments = []Segment{{First: 0, Last: 1}, {First: 2, Last: 2}}
	infer := denseChain(6, 1, 10, 20, 30, 40)
	infer.Mode = Infer
	branch := denseChain(1, 1, 10, 20, 30, 10)
	branch.Mode = Infer
	branch.Ops[3].In = []int{2, 0} // the first output lives on
	for _, c := range []struct {
		name string
		p    Program
		prec Precision
		want int64
	}{
		{"all outputs in training", whole, F32, 6 * 100 * 4},
		{"half as wide in mixed precision", whole, BF16Mix, 6 * 100 * 2},
		{"one micro-batch at a time", split, F32, 2 * 100 * 4},
		{"what leaves the segments, the rest, and one segment's inside", segmented, F32, 6 * (20 + 30 + 40 + 10) * 4},
		{"until the last use in inference", infer, F32, 6 * (30 + 40) * 4},
		{"a branch lives on in inference", branch, F32, (10 + 20 + 30) * 4},
	} {
		if got := c.p.KeptBytes(c.prec); got != c.want {
			t.Errorf("%s: got %d bytes, expected %d", c.name, got, c.want)
		}
	}
}

// TestKeptBytesFall: the deep stack of the checkpointing article keeps a small
// part of its activations once it is cut.
func TestKeptBytesFall(t *testing.T) {
	spec, ok := Find("CheckpointStackDeepNarrow")
	if !ok {
		t.Fatal("no workload CheckpointStackDeepNarrow")
	}
	set := DefaultSettings()
	plain, err := spec.Resolve(set)
	if err != nil {
		t.Fatal(err)
	}
	set.Checkpoint = 8
	cut, err := spec.Resolve(set)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := cut.KeptBytes(F32), plain.KeptBytes(F32); float64(a) > 0.3*float64(b) || a <= 0 {
		t.Errorf("8 segments keep %d of %d bytes: expected less than 30 %%", a, b)
	}
	if plain.KeptBytes(F32) != plain.Work.ActivationBytes {
		t.Errorf("without segments and micro-batches all %d bytes are kept, got %d", plain.Work.ActivationBytes, plain.KeptBytes(F32))
	}
}
