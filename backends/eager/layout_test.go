package eager

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dlbench/dlbench/workloads"
)

// Weights and images lie where the definition says, and come back as they were.
func TestLayouts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		f, c, k, h, w := 1+r.IntN(40), 1+r.IntN(40), 1+r.IntN(4), 1+r.IntN(9), 1+r.IntN(9)
		shape := []int{f, c, k, k}
		program := variable(r, shape...).Data
		tape := tapeFilters(program, shape)
		for i := range program {
			x, y, ch, filter := i%k, i/k%k, i/(k*k)%c, i/(k*k*c)
			if got := tape[((y*k+x)*c+ch)*f+filter]; got != program[i] {
				t.Fatalf("filters %v: element %d,%d,%d,%d is %v, want %v", shape, filter, ch, y, x, got, program[i])
			}
		}
		if !slices.Equal(programFilters(tape, shape), program) {
			t.Fatalf("filters %v come back changed", shape)
		}
		images := variable(r, 3, c, h, w).Data
		moved := make([]float64, len(images))
		tapeImages(moved, images, []int{c, h, w})
		for i, v := range images {
			x, ch, n := i%(h*w), i/(h*w)%c, i/(h*w*c)
			if moved[(n*h*w+x)*c+ch] != v {
				t.Fatalf("image %dx%dx%d: channel %d of pixel %d is %v, want %v", c, h, w, ch, x, moved[(n*h*w+x)*c+ch], v)
			}
		}
		tp := testTape(t, 1)
		if back := tp.Flatten(tp.Constant(moved, 3, h, w, c)); !slices.Equal(back.Data, images) {
			t.Fatalf("image %dx%dx%d: flattened it is not in the program's order", c, h, w)
		}
	}
}

// The tape's images and weights are not the program's, and yet what is read is.
func TestReadGivesTheProgramsLayout(t *testing.T) {
	set := smallSettings()
	p := resolve(t, smallSpecs()["cnn"], set)
	job := jobOf(t, p, set, "check")
	file, err := workloads.ReadSafetensors(job.Weights)
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range engineOf[float64](t, job).readParams() {
		for i, want := range file[name].F32 {
			if got.Data[i] != float64(want) {
				t.Fatalf("%s: element %d is %v, loaded was %v", name, i, got.Data[i], want)
			}
		}
	}
}
