package eager

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/workloads"
)

// shippedSmall are the shipped workloads of which a step is quick.
var shippedSmall = []string{"TinyMlp", "TinyCnn", "TinyLstm", "TinyAttention", "TinyDropout", "TinySequence"}

// Once a tape has seen its shapes a step allocates nothing, so that the garbage
// collector never runs: in every mode, in full width and in 16 bits, with
// checkpoints and in micro-batches, from any placement of the data.
func TestSteadyStepAllocatesNothing(t *testing.T) {
	specs := smallSpecs()
	for _, name := range shippedSmall {
		spec, ok := workloads.Find(name)
		if !ok {
			t.Fatalf("no shipped workload %s", name)
		}
		specs[name] = spec
	}
	for name, spec := range specs {
		for _, c := range []struct {
			mode                   workloads.Mode
			prec                   workloads.Precision
			threads                int
			accumulate, checkpoint int
			data                   string
		}{
			{workloads.Train, workloads.F32, 1, 1, 0, workloads.DataResident},
			{workloads.Train, workloads.F32, 2, 1, 0, workloads.DataHost},
			{workloads.Train, workloads.F32, 2, 2, 2, workloads.DataLoader},
			{workloads.Train, workloads.BF16Mix, 1, 2, 0, workloads.DataHost},
			{workloads.Train, workloads.F16Mix, 2, 1, 2, workloads.DataResident},
			{workloads.Infer, workloads.F32, 2, 1, 0, workloads.DataResident},
			{workloads.Infer, workloads.BF16, 1, 1, 0, workloads.DataHost},
		} {
			t.Run(fmt.Sprintf("%s/%s/%s/threads=%d/accumulate=%d/checkpoint=%d/%s", name, c.mode, c.prec, c.threads, c.accumulate, c.checkpoint, c.data), func(t *testing.T) {
				set := smallSettings()
				set.Mode, set.Precision, set.Threads, set.Data = c.mode, c.prec, c.threads, c.data
				set.Accumulate, set.Checkpoint, set.Batch = c.accumulate, c.checkpoint, 64
				p := resolve(t, spec, set)
				e := engineOf[float32](t, jobOf(t, p, set, backends.ForTime))
				number := 0
				step := func() {
					if err := e.step(number % e.data.batches); err != nil {
						t.Fatal(err)
					}
					number++
				}
				for range 10 {
					step()
				}
				if n := testing.AllocsPerRun(10, step); n != 0 {
					t.Errorf("a step allocates %v times", n)
				}
				if live := e.tape.floats.Live() + e.tape.halves.Live() + e.tape.ints.Live(); live != 0 {
					t.Errorf("%d elements are held between steps", live)
				}
			})
		}
	}
}

// What is given up during the way forward is read by nobody: with poison in it the
// parameters stay the same to the last bit, and less is held.
func TestWhatIsLeftIsNotRead(t *testing.T) {
	for name, spec := range smallSpecs() {
		for _, checkpoint := range []int{0, 2} {
			for _, prec := range []workloads.Precision{workloads.F32, workloads.BF16Mix} {
				set := smallSettings()
				set.Precision, set.Checkpoint = prec, checkpoint
				job := jobOf(t, resolve(t, spec, set), set, backends.ForTime)
				plain, poisoned := engineOf[float32](t, job), engineOf[float32](t, job)
				poisoned.tape.floats.Poison = func(b []float32) { kernel.Fill(b, float32(math.NaN())) }
				poisoned.tape.halves.Poison = func(b []uint16) {
					for i := range b {
						b[i] = 0x7fff // NaN
					}
				}
				_, want := trace(t, plain, 4)
				_, got := trace(t, poisoned, 4)
				if !slices.Equal(got, want) {
					t.Errorf("%s %s, %d segments: what was given up was read", name, prec, checkpoint)
				}
			}
		}
	}
	tape := testTape(t, 1)
	x := Variable(make([]float64, 8), make([]float64, 8), 8)
	tape.Record(true)
	a := tape.Add(x, x)
	b := tape.ReLU(a)
	c := tape.GELU(b)
	for _, y := range []*Tensor[float64]{a, b, c} {
		tape.Leave(y)
	}
	if a.Data != nil || b.Data == nil || c.Data != nil {
		t.Errorf("a sum is held: %v, what ReLU and GELU read: %v, GELU's own output: %v; want only the second", a.Data != nil, b.Data != nil, c.Data != nil)
	}
}

// The collector does not run in a steady state.
func TestSteadyStepsCollectNothing(t *testing.T) {
	for name, spec := range smallSpecs() {
		set := smallSettings()
		set.Precision, set.Threads, set.Batch = workloads.F32, 2, 64
		e := engineOf[float32](t, jobOf(t, resolve(t, spec, set), set, backends.ForTime))
		trace(t, e, 10)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range 200 {
			if err := e.step(i % 3); err != nil {
				t.Fatal(err)
			}
		}
		runtime.ReadMemStats(&after)
		if n := after.NumGC - before.NumGC; n != 0 {
			t.Errorf("%s: the collector ran %d times in 200 steps, which allocated %d times", name, n, after.Mallocs-before.Mallocs)
		}
	}
}
