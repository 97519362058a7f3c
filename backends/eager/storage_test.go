package eager

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager/half"
	"github.com/dlbench/dlbench/backends/eager/pool"
	"github.com/dlbench/dlbench/workloads"
)

var units = map[half.Format]float64{half.BF16: 0x1p-8, half.F16: 0x1p-11} // unit roundoff

// halfTape is testTape for a 16-bit format.
func halfTape(t testing.TB, threads int, f half.Format) *Tape[float32] {
	p := pool.New(threads)
	t.Cleanup(p.Close)
	tape := NewTape[float32](p)
	t.Cleanup(tape.Close)
	tape.format, tape.training = f, true
	nan := float32(math.NaN())
	tape.floats.Poison = func(b []float32) {
		for i := range b {
			b[i] = nan
		}
	}
	tape.halves.Poison = func(b []uint16) {
		for i := range b {
			b[i] = 0x7fff // NaN in both formats
		}
	}
	return tape
}

// distance is the Euclidean distance of got from want over the norm of want, or
// over that of as many elements of 0.3, if that is larger: where want cancels to
// nothing the roundings of its terms stay.
func distance(got, want []float32) float64 {
	var d, n float64
	for i, w := range want {
		d += float64(got[i]-w) * float64(got[i]-w)
		n += float64(w) * float64(w)
	}
	return math.Sqrt(d) / max(math.Sqrt(n), 0.3*math.Sqrt(float64(len(want))))
}

// Every op in both formats stands within a few units of roundoff of itself in
// float32, forward and backward, and gives back all that it took.
func TestOpsIn16Bits(t *testing.T) {
	for name, build := range opCases[float32]() {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(10) {
				for f, unit := range units {
					run := func(tape *Tape[float32]) (out []float32, grads [][]float32) {
						vars, op := build(rand.New(rand.NewPCG(seed, 1)))
						for _, v := range vars {
							f.Round(v.Data)
						}
						tape.Record(true)
						y := op(tape)
						leave(tape, y, seed)
						values := tape.read(y, 0, y.len())
						out = slices.Clone(values)
						tape.done(y, values)
						tape.Backward()
						for _, v := range vars {
							grads = append(grads, v.grad)
						}
						return out, grads
					}
					single := NewTape[float32](pool.New(1))
					defer single.Close()
					single.training = true
					want, wantGrads := run(single)
					tape := halfTape(t, 1+int(seed%2), f)
					got, gotGrads := run(tape)
					// BatchNorm of two values and the like cancel: a few units become many.
					if d := distance(got, want); !(d < 16*unit) {
						t.Errorf("seed %d %s: the output is %.1f units off", seed, f, d/unit)
					}
					for i, g := range gotGrads {
						if d := distance(g, wantGrads[i]); !(d < 64*unit) {
							t.Errorf("seed %d %s: the gradient of variable %d is %.1f units off", seed, f, i, d/unit)
						}
						rounded := slices.Clone(g)
						if f.Round(rounded); !slices.Equal(rounded, g) {
							t.Errorf("seed %d %s: the gradient of variable %d did not pass through 16 bits", seed, f, i)
						}
					}
					if a, b := tape.floats.Live(), tape.halves.Live(); a != 0 || b != 0 {
						t.Errorf("seed %d %s: %d floats and %d halves are still held after the way back", seed, f, a, b)
					}
				}
			}
		})
	}
}

func halfSettings(prec workloads.Precision) workloads.Settings {
	set := smallSettings()
	set.Precision = prec
	return set
}

// Whole programs: gradients stand within some units of those in float32, losses
// go the same way, and parameters stay float32 while what ops read is not.
func TestProgramsIn16Bits(t *testing.T) {
	for name, spec := range smallSpecs() {
		for _, prec := range []workloads.Precision{workloads.BF16Mix, workloads.F16Mix} {
			t.Run(name+"/"+string(prec), func(t *testing.T) {
				unit := units[formatOf(prec)]
				single := engineOf[float32](t, jobOf(t, resolve(t, spec, halfSettings(workloads.F32)), halfSettings(workloads.F32), backends.ForTime))
				e := engineOf[float32](t, jobOf(t, resolve(t, spec, halfSettings(prec)), halfSettings(prec), backends.ForTime))
				want, _ := single.gradients(1, 1)
				scale := 1.0
				if e.scaler != nil {
					scale = e.scaler.scale
				}
				got, finite := e.gradients(1, scale)
				if d := math.Abs(got-want) / want; !finite || !(d < 8*unit) {
					t.Errorf("the loss is %v, in f32 %v; finite %v", got, want, finite)
				}
				if d := distance(e.grads, single.grads); !(d < 64*unit) {
					t.Errorf("the gradients are %.1f units off", d/unit)
				}
				if slices.Equal(e.grads, single.grads) {
					t.Error("the gradients are those of f32")
				}
				single.reset()
				e.reset()
				wantLoss, _ := trace(t, single, 6)
				gotLoss, _ := trace(t, e, 6)
				for i, loss := range gotLoss {
					if d := math.Abs(loss-wantLoss[i]) / wantLoss[i]; !(d < 64*unit) {
						t.Errorf("loss %d is %v, in f32 %v", i, loss, wantLoss[i])
					}
				}
				coarse := slices.Clone(e.weights)
				if e.tape.format.Round(coarse); slices.Equal(coarse, e.weights) {
					t.Error("the master copy holds numbers of 16 bits only")
				}
				if b := e.built(); b.DTypes["params"] != "f32" || b.DTypes["activations"] != e.tape.format.String() {
					t.Errorf("evidence %v", b.DTypes)
				}
			})
		}
	}
}

// In inference no float32 form of the parameters is left.
func TestInferenceIn16Bits(t *testing.T) {
	for name, spec := range smallSpecs() {
		for _, prec := range []workloads.Precision{workloads.BF16, workloads.F16} {
			unit := units[formatOf(prec)]
			set := halfSettings(prec)
			set.Mode = workloads.Infer
			b := New()
			built, err := b.Build(t.Context(), jobOf(t, resolve(t, spec, set), set, backends.ForTime))
			if err != nil {
				t.Fatal(err)
			}
			e := b.(*backend).run.(*engine[float32])
			if built.DTypes["params"] != string(prec) || built.DTypes["activations"] != string(prec) || e.weights != nil || built.Params == 0 {
				t.Errorf("%s %s: evidence %+v, %d float32 parameters", name, prec, built, len(e.weights))
			}
			if err := b.Run([]int{0}); err != nil {
				t.Fatal(err)
			}
			got := get(t, b, "loss", 0)["loss"].Data[0]
			if n := len(get(t, b, "params", 0)); n != len(e.program.Params) {
				t.Errorf("%s %s: %d parameters read, want %d", name, prec, n, len(e.program.Params))
			}
			set.Precision = workloads.F32
			single := engineOf[float32](t, jobOf(t, resolve(t, spec, set), set, backends.ForTime))
			if err := single.step(0); err != nil {
				t.Fatal(err)
			}
			want := single.lossOf(0, single.logits)
			if d := math.Abs(got-want) / want; !(d < 8*unit) || got == want {
				t.Errorf("%s %s: the loss is %v, in f32 %v", name, prec, got, want)
			}
			if b.Reset() != nil || b.Run([]int{0}) != nil || get(t, b, "loss", 0)["loss"].Data[0] != got {
				t.Errorf("%s %s: another loss after Reset", name, prec)
			}
			b.Close()
		}
	}
}

// Threads, placement, recomputation and Reset change no bit; micro-batches that
// are accumulated make another sum, and stay near.
func TestSettingsIn16Bits(t *testing.T) {
	for name, spec := range smallSpecs() {
		for _, prec := range []workloads.Precision{workloads.BF16Mix, workloads.F16Mix} {
			base := halfSettings(prec)
			base.Batch = 32
			run := func(change func(*workloads.Settings)) []float32 {
				set := base
				change(&set)
				e := engineOf[float32](t, jobOf(t, resolve(t, spec, set), set, backends.ForTime))
				first, want := trace(t, e, 3)
				e.reset()
				if second, again := trace(t, e, 3); !slices.Equal(first, second) || !slices.Equal(want, again) {
					t.Errorf("%s %s: another result after reset", name, prec)
				}
				return want
			}
			want := run(func(*workloads.Settings) {})
			for what, change := range map[string]func(*workloads.Settings){
				"2 threads":          func(s *workloads.Settings) { s.Threads = 2 },
				"3 threads and host": func(s *workloads.Settings) { s.Threads, s.Data = 3, workloads.DataHost },
				"2 segments":         func(s *workloads.Settings) { s.Checkpoint = 2 },
			} {
				if got := run(change); !slices.Equal(got, want) {
					t.Errorf("%s %s: %s change the result", name, prec, what)
				}
			}
			if name == "cnn" { // batch statistics are those of the micro-batch
				continue
			}
			got := run(func(s *workloads.Settings) { s.Accumulate = 4 })
			if d := distance(got, want); slices.Equal(got, want) || !(d < 8*units[formatOf(prec)]) {
				t.Errorf("%s %s: accumulated, the parameters are %v off", name, prec, d)
			}
		}
	}
}

// deepStack is 32 dense layers with their activations.
func deepStack() workloads.Spec {
	spec := smallSpecs()["cnn"]
	spec.Workload, spec.Optimizer = "DeepStack", sgd
	spec.Input = workloads.Input{Kind: workloads.KindVector, Shape: []int{64}}
	spec.Layers = []workloads.Layer{
		{Op: workloads.LayerGroup, Repeat: 32, Body: []workloads.Layer{layer(workloads.OpDense, "d", workloads.Attr{Units: 64, Bias: true}), layer(workloads.OpReLU, "", workloads.Attr{})}},
		layer(workloads.OpDense, "out", workloads.Attr{Units: 3, Bias: true}),
	}
	return spec
}

// What the arenas hold after some steps, in bytes: in 16 bits about half, the image
// model op by op in both, as its chains of ops run as one in float32 alone. Where no
// address space is reserved, as under the race detector, buffers lie in slabs whose gaps
// cannot meet; what is lost to that says nothing of the formats, and what is in use at
// the peak is compared.
func TestMemoryIn16Bits(t *testing.T) {
	attention, ok := workloads.Find("AttentionText")
	if !ok {
		t.Fatal("AttentionText is not shipped")
	}
	image, ok := workloads.Find("ImageCnn32px")
	if !ok {
		t.Fatal("ImageCnn32px is not shipped")
	}
	lstm, ok := workloads.Find("TextLstm")
	if !ok {
		t.Fatal("TextLstm is not shipped")
	}
	for name, c := range map[string]struct {
		spec  workloads.Spec
		batch int
	}{"stack": {deepStack(), 256}, "attention": {attention, 64}, "image": {image, 32}, "lstm": {lstm, 128}} {
		held := func(prec workloads.Precision) (made, peak int, whole bool) {
			set := halfSettings(prec)
			set.Batch = c.batch
			e := engineOf[float32](t, jobOf(t, resolve(t, c.spec, set), set, backends.ForTime))
			if name == "image" {
				e.tape.hooks.inner = func([]float32) {}
			}
			trace(t, e, 2)
			floats, halves, ints := &e.tape.floats, &e.tape.halves, &e.tape.ints
			before := floats.Made() + halves.Made()
			trace(t, e, 2)
			if now := floats.Made() + halves.Made(); now != before {
				t.Errorf("%s %s: the arenas grew from %d to %d elements in a steady state", name, prec, before, now)
			}
			if a, b := floats.Live(), halves.Live(); a != 0 || b != 0 {
				t.Errorf("%s %s: %d floats and %d halves are held between steps", name, prec, a, b)
			}
			made = 4*floats.Made() + 2*halves.Made() + 4*ints.Made()
			peak = 4*floats.Peak() + 2*halves.Peak() + 4*ints.Peak()
			return made, peak, floats.Whole() && halves.Whole()
		}
		single, singlePeak, singleWhole := held(workloads.F32)
		for _, prec := range []workloads.Precision{workloads.BF16Mix, workloads.F16Mix} {
			got, peak, whole := held(prec)
			want := single
			if !whole || !singleWhole {
				got, want = peak, singlePeak
			}
			if float64(got) > 0.6*float64(want) {
				t.Errorf("%s: %d bytes in %s, %d in f32: %.2f of it, want at most 0.6", name, got, prec, want, float64(got)/float64(want))
			}
		}
	}
}

func TestSteadyStepIn16BitsAllocatesLittle(t *testing.T) {
	for name, spec := range smallSpecs() {
		set := halfSettings(workloads.F16Mix)
		set.Batch = 64
		e := engineOf[float32](t, jobOf(t, resolve(t, spec, set), set, backends.ForTime))
		trace(t, e, 3)
		if n := testing.AllocsPerRun(10, func() { e.step(0) }); n > 900 {
			t.Errorf("%s: a step makes %v small allocations, want at most 900", name, n)
		}
	}
}

func BenchmarkStepIn16Bits(b *testing.B) {
	for _, c := range benchSpecs() {
		for _, prec := range []workloads.Precision{workloads.F32, workloads.BF16Mix, workloads.F16Mix} {
			b.Run(fmt.Sprintf("%s/%s", c.name, prec), func(b *testing.B) {
				set := halfSettings(prec)
				set.Batch = c.batch
				e := engineOf[float32](b, jobOf(b, resolve(b, c.spec, set), set, backends.ForTime))
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if err := e.step(i % 8); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// Room for pairs goes back whole, whatever its length: nothing of its last cache line
// stays held.
func TestWordsGoBackWhole(t *testing.T) {
	tape := halfTape(t, 1, half.BF16)
	for n := range 70 {
		s := tape.words(n)
		if len(s) != n {
			t.Fatalf("%d words, want %d", len(s), n)
		}
		for i := range s {
			s[i] = 1
		}
		tape.doneWords(s)
		if live := tape.halves.Live(); live != 0 {
			t.Fatalf("%d elements are held after %d words were given back", live, n)
		}
	}
}
