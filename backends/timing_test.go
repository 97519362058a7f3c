package backends

import (
	"context"
	"slices"
	"testing"
	"time"
)

// recorder notes the batches of each block.
type recorder struct {
	calls [][]int
	quiet bool
}

func (r *recorder) Build(context.Context, Job) (Built, error) { return Built{}, nil }
func (r *recorder) Run(batches []int) error {
	if !r.quiet {
		r.calls = append(r.calls, slices.Clone(batches))
		time.Sleep(time.Millisecond)
	}
	return nil
}
func (r *recorder) Reset() error                                { return nil }
func (r *recorder) Read(string, int) (map[string]Tensor, error) { return nil, nil }
func (r *recorder) Close() error                                { return nil }

func TestTimeBlocks(t *testing.T) {
	r := &recorder{}
	ns := make([]int64, 3)
	start := time.Now()
	ran, err := timeBlocks(r, 4, 3, 4, ns)
	own := time.Since(start)
	if err != nil {
		t.Fatal(err)
	}
	want := [][]int{{1, 2, 0, 1}, {2, 0, 1, 2}, {0, 1, 2, 0}}
	if !slices.EqualFunc(r.calls, want, slices.Equal) {
		t.Errorf("blocks from step 4 over 3 batches = %v, want %v", r.calls, want)
	}
	var sum int64
	for _, d := range ran.BlockNS {
		if d < int64(time.Millisecond) {
			t.Errorf("a block of 1 ms took %v", time.Duration(d))
		}
		sum += d
	}
	if sum != ran.WallNS || ran.WallNS > int64(own) {
		t.Errorf("sum %d, wall %d, own %d: want sum = wall <= own", sum, ran.WallNS, own)
	}
	if ran.CPUNS < 0 || *ran.SysNS > ran.CPUNS || *ran.GCNS < 0 {
		t.Errorf("counters %+v", ran)
	}
}

// CPU time and page faults are those of the timed region.
func TestTimeBlocksCounts(t *testing.T) {
	b := &burner{length: 15 * time.Millisecond}
	ran, err := timeBlocks(b, 0, 1, 1, make([]int64, 2))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := time.Duration(ran.CPUNS), 2*b.length; got < want {
		t.Errorf("two blocks that spend %v of CPU each cost %v, want at least %v", b.length, got, want)
	}
}

// burner spends CPU time, however much of it a busy machine leaves to it.

type burner struct {
	recorder
	length time.Duration
}

func (b *burner) Run([]int) error {
	var before, now usage
	readUsage(&before)
	for start := time.Now(); now.cpuNS-before.cpuNS < int64(b.length) && time.Since(start) < 10*time.Second; {
		readUsage(&now)
	}
	return nil
}

func TestLoopDoesNotAllocate(t *testing.T) {
	r := &recorder{quiet: true}
	ns := make([]int64, 1000)
	ring := make([]int, 16)
	if got := testing.AllocsPerRun(10, func() {
		if err := loop(r, time.Now(), ring, 0, 8, 8, ns); err != nil {
			t.Fatal(err)
		}
	}); got != 0 {
		t.Errorf("1000 blocks allocate %v times", got)
	}
}

// BenchmarkLoop is the cost of a block beyond its steps.
func BenchmarkLoop(b *testing.B) {
	r := &recorder{quiet: true}
	ns := make([]int64, 1)
	ring := make([]int, 16)
	for b.Loop() {
		if err := loop(r, time.Now(), ring, 0, 8, 8, ns); err != nil {
			b.Fatal(err)
		}
	}
}
