package compare

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dlbench/dlbench/results"
)

// costs are what one trial's steps take, in milliseconds, and what is counted.
type costs struct{ user, system, waited, faults, switches float64 }

const slowSteps = 40

// sampled is a trial of such steps, with its system time as a kernel knows it
// that looks every tick.
func (c costs) sampled(rng *rand.Rand, round int, tick float64) results.Record {
	ns := func(ms float64) int64 { return int64(ms * slowSteps * 1e6) }
	system := c.system * slowSteps
	if tick > 0 {
		ticks := system / tick
		system = tick * math.Max(0, math.Round(ticks+math.Sqrt(ticks)*rng.NormFloat64()))
		system = math.Min(system, (c.user+c.system)*slowSteps)
	}
	r := results.Record{
		Kind: results.KindTime, End: results.EndOK, Round: round, StepsPerBlock: slowSteps, Cell: results.Cell{Threads: 1},
		BlockNS: []int64{ns(c.user + c.system + c.waited)},
		Usage: &results.Usage{
			WallNS: ns(c.user + c.system + c.waited), CPUNS: ns(c.user + c.system), SysNS: new(int64(system * 1e6)),
			MinorFaults: new(int64(c.faults * slowSteps)), Voluntary: new(int64(0)), Involuntary: new(int64(c.switches * slowSteps)),
		},
	}
	return r
}

func lognormal(rng *rand.Rand, median, cv float64) float64 {
	return median * math.Exp(cv*rng.NormFloat64())
}

// slowWorld is a kind of cell: what a trial of it costs, and the cause that must
// be found; "" where nothing may be said.
type slowWorld struct {
	name  string
	cause string
	draw  func(rng *rand.Rand, round int) costs
}

func slowWorlds() []slowWorld {
	quiet := func(rng *rand.Rand) costs {
		return costs{user: lognormal(rng, 11, 0.015), system: lognormal(rng, 0.3, 0.1), waited: 0.05, faults: lognormal(rng, 150, 0.2), switches: 0.1 * rng.Float64()}
	}
	return []slowWorld{
		{"quiet", "", func(rng *rand.Rand, _ int) costs { return quiet(rng) }},
		{"noise of 10 %, as many faults as it likes that cost nothing to speak of", "", func(rng *rand.Rand, _ int) costs {
			c := quiet(rng)
			c.user, c.faults = lognormal(rng, 11, 0.10), lognormal(rng, 20, 1)
			return c
		}},
		{"noise of 10 %, much system time, always as many faults", "", func(rng *rand.Rand, _ int) costs {
			return costs{user: lognormal(rng, 11, 0.10), system: 3, faults: 3000, switches: rng.Float64()}
		}},
		{"a slow clock lengthens all alike", "", func(rng *rand.Rand, round int) costs {
			c := quiet(rng)
			c.system, c.faults = 1.5, 1500
			if round%4 == 0 {
				c.user, c.system = 1.3*c.user, 1.3*c.system
			}
			return c
		}},
		{"slow by itself, with a few more faults", "", func(rng *rand.Rand, round int) costs {
			c := quiet(rng)
			if round%4 == 0 {
				c.user, c.faults = 1.3*c.user, 1.3*c.faults
			}
			return c
		}},
		{"waits of its own will", "", func(rng *rand.Rand, round int) costs {
			c := quiet(rng)
			c.switches = 0
			if round%4 == 0 {
				c.waited += 3
			}
			return c
		}},
		{"few trials fault", SlowPageFaults, func(rng *rand.Rand, round int) costs {
			c := quiet(rng)
			if round%4 == 0 {
				c.faults += 2000
				c.system += 2 + 0.2*rng.Float64()
			}
			return c
		}},
		{"every other trial faults", SlowPageFaults, func(rng *rand.Rand, round int) costs {
			c := quiet(rng)
			if rng.IntN(2) == 0 {
				c.faults += 2000
				c.system += 2
			}
			return c
		}},
		{"faults in all amounts", SlowPageFaults, func(rng *rand.Rand, _ int) costs {
			c := quiet(rng)
			f := 2500 * rng.Float64()
			c.faults += f
			c.system += f / 1000
			return c
		}},
		{"the kernel works on something else", SlowSystem, func(rng *rand.Rand, round int) costs {
			c := quiet(rng)
			if round%4 == 0 {
				c.system += 2
			}
			return c
		}},
		{"others take the CPU", SlowWaiting, func(rng *rand.Rand, round int) costs {
			c := quiet(rng)
			if round%4 == 0 {
				c.waited += 2
				c.switches += 0.5
			}
			return c
		}},
	}
}

// Noise is explained by nothing, and a real cause is found, with its own name.
func TestSlowdownsSimulated(t *testing.T) {
	const cells = 1000
	for _, w := range slowWorlds() {
		for _, tick := range []float64{0, 4} {
			for _, trials := range []int{7, 12, 20} {
				rng := rand.New(rand.NewPCG(9, uint64(trials)))
				right, wrong := 0, 0
				for range cells {
					var list []results.Record
					for round := 1; round <= trials; round++ {
						list = append(list, w.draw(rng, round).sampled(rng, round, tick))
					}
					found, other := false, false
					for _, s := range slowdowns(list) {
						found = found || s.Cause == w.cause
						other = other || s.Cause != w.cause
					}
					if found {
						right++
					}
					if other {
						wrong++
					}
				}
				if wrong > cells/100 {
					t.Errorf("%s, %d trials, ticks of %g ms: %d of %d cells have a false remark", w.name, trials, tick, wrong, cells)
				}
				if w.cause != "" && right < cells*85/100 {
					t.Errorf("%s, %d trials, ticks of %g ms: found in %d of %d cells", w.name, trials, tick, right, cells)
				}
			}
		}
	}
}

// Eight processes as they were measured (PyTorch, mnist-cnn, glibc's malloc).
func TestSlowdownsMeasured(t *testing.T) {
	step := []float64{11.3, 11.8, 11.9, 12.2, 12.3, 12.4, 14.1, 14.5}
	faults := []float64{156, 1320, 255, 1303, 996, 1006, 2046, 2153}
	system := []float64{.17, 1.3, .29, 1.1, 1.1, .96, 1.8, 2.3}
	var list []results.Record
	for i := range step {
		list = append(list, costs{user: step[i] - system[i], system: system[i], faults: faults[i]}.sampled(nil, i+1, 0))
	}
	got := slowdowns(list)
	if len(got) != 1 {
		t.Fatalf("%+v", got)
	}
	s := got[0]
	near := func(got, want float64) bool { return math.Abs(got-want) < 1e-6*want }
	if s.Cause != SlowPageFaults || s.Explained != 1 || s.Trials != 8 || s.Round != 8 ||
		!near(s.Extra, 2.25e6) || !near(s.Part, 1.2e6) || s.Events != 2153 || s.Usual != (1006+1303)/2. ||
		s.Correlation == nil || math.Abs(*s.Correlation-0.690) > 0.001 {
		t.Errorf("%+v, correlation %v", s, *s.Correlation)
	}
	if more := slowdowns(list[:5]); more != nil {
		t.Errorf("%d trials explain %+v", 5, more)
	}
	for i := range list {
		list[i].Usage.MinorFaults = nil
	}
	if none := slowdowns(list); none != nil {
		t.Errorf("without figures: %+v", none)
	}
}

// Slowdowns stand beside intervals of speed, and not beside those of memory.
func TestSlowdownsOfASummary(t *testing.T) {
	cell := results.Cell{Workload: "W", Mode: "train", Precision: "f32", Device: "cpu", Batch: 1, Threads: 1, Backend: "b"}
	run := results.Run{Meta: results.Meta{Cells: []results.Cell{cell}}}
	for round := 1; round <= 8; round++ {
		c := costs{user: 10, system: 0.2, faults: 100}
		if round == 5 {
			c = costs{user: 10, system: 3, faults: 4000}
		}
		r := c.sampled(nil, round, 0)
		r.Cell, r.Attempt, r.Work.Examples = cell, 1, 1
		run.Records = append(run.Records, r)
	}
	for name, want := range map[string]int{"step-time": 1, "throughput": 1, "import-time": 0, "peak-resident": 0} {
		m, _ := results.LookupMetric(name)
		if got := Summarize(run, m)[0].Slowdowns; len(got) != want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestSpearman(t *testing.T) {
	for _, test := range []struct {
		x, y []float64
		want float64 // NaN: none
	}{
		{[]float64{1, 2, 3, 4}, []float64{10, 20, 30, 1000}, 1},
		{[]float64{1, 2, 3, 4}, []float64{4, 3, 2, 1}, -1},
		{[]float64{1, 2, 2, 4}, []float64{1, 2, 2, 4}, 1},
		{[]float64{106, 100, 86, 101, 99, 103, 97, 113, 112, 110}, []float64{7, 27, 2, 50, 28, 29, 20, 12, 6, 17}, -29. / 165},
		{[]float64{1, 1, 1}, []float64{1, 2, 3}, math.NaN()},
	} {
		got := spearman(test.x, test.y)
		if math.IsNaN(test.want) != (got == nil) || got != nil && math.Abs(*got-test.want) > 1e-12 {
			t.Errorf("%v, %v: %v, want %v", test.x, test.y, got, test.want)
		}
	}
}

func TestRanks(t *testing.T) {
	if got, want := Ranks([]float64{3, 1, 3, 2}), []float64{3.5, 1, 3.5, 2}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
