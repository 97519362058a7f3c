package forecast

import (
	"cmp"
	"math"
	"slices"

	"github.com/dlbench/dlbench/harness"
	"github.com/dlbench/dlbench/results"
)

// Basis says what a figure rests on.
type Basis string

// What figures rest on, the best first.
const (
	Measured  Basis = "measured here" // by earlier trials of the cell on this host
	Shipped   Basis = "reference"     // by trials on the reference host, scaled to this one
	Estimated Basis = "estimated"     // from the trials of other cells of the backend, or of it in another version
	Unknown   Basis = "unknown"       // nothing is known of the backend on such a device in such a mode
)

// Sources is what a forecast may rest on.
type Sources struct {
	Here      Known
	Reference Known
	Canary    float64 // seconds that the canary kernel takes here at its fastest; 0: not known
}

// Cell is what the trials of one cell will take. Times are in seconds, memory in bytes.
type Cell struct {
	Cell   results.Cell `json:"-"`
	Name   string       `json:"cell"`
	Steps  [2]int       `json:"steps_per_trial"` // if steady at once, and if never
	FLOPs  int64        `json:"model_flops_per_step"`
	Bytes  int64        `json:"counted_bytes"` // of its tensors
	Rests  Basis        `json:"rests_on"`
	Shares bool         `json:"shares"`             // its check and timed trials can share an import
	Ends   string       `json:"ends,omitempty"`     // how its check trial will end unless ok; then it has no other trials
	Peak   int64        `json:"peak_bytes"`         // of its worker; 0: not known
	Above  int64        `json:"above_import_bytes"` // by how much its worker grows after the import; 0: not known
	// Seconds by form of trial. Where workers are shared, import is no part of it.
	Seconds map[Form]float64 `json:"seconds"`
}

// Backend is what a backend's cells take together.
type Backend struct {
	Name   string  `json:"backend"`
	Cells  int     `json:"cells"`
	Rests  Basis   `json:"rests_on"`
	Import float64 `json:"import_seconds"`
	Peak   int64   `json:"peak_bytes"`
	Fresh  Span    `json:"fresh_seconds"`
	Shared Span    `json:"shared_seconds"`
}

// Span is from the least number of rounds to the most.
type Span struct {
	Min float64 `json:"min"`
	Max float64 `json:"max"`
}

func (s Span) plus(o Span) Span { return Span{s.Min + o.Min, s.Max + o.Max} }

// Forecast is what a suite will take.
type Forecast struct {
	Suite    string    `json:"suite"`
	Cells    []Cell    `json:"cells"`
	Backends []Backend `json:"backends"`
	// Fresh has a process for each trial, Shared one import per backend and pass.
	Fresh  Span  `json:"fresh_seconds"`
	Shared Span  `json:"shared_seconds"`
	Peak   int64 `json:"peak_bytes"` // of the largest worker
	// Between is the time from the end of a trial to the start of the next.
	Between float64 `json:"between_seconds"`
	// MemoryTrials is how many each cell has at least: those of compilers have two.
	MemoryTrials int `json:"memory_trials"`
}

// Of forecasts a plan.
func Of(plan harness.Plan, src Sources) Forecast {
	r := newResolver(src)
	f := Forecast{Suite: plan.Suite.Name, Between: cmp.Or(src.Here.Between, src.Reference.Between), MemoryTrials: max(1, plan.Suite.Rounds.Memory)}
	var known []sum // the imports of each backend's cells
	for _, c := range plan.Cells {
		cell, imports := r.cell(c)
		f.Cells = append(f.Cells, cell)
		f.Peak = max(f.Peak, cell.Peak)
		i := slices.IndexFunc(f.Backends, func(b Backend) bool { return b.Name == c.Name.Backend })
		if i < 0 {
			f.Backends = append(f.Backends, Backend{Name: c.Name.Backend, Rests: cell.Rests})
			i = len(f.Backends) - 1
			known = append(known, sum{})
		}
		b := &f.Backends[i]
		b.Cells++
		if imports > 0 {
			known[i].add(imports)
			b.Import = known[i].mean()
		}
		b.Peak = max(b.Peak, cell.Peak)
		b.Rests = worse(b.Rests, cell.Rests)
	}
	rounds := plan.Suite.Rounds
	for i := range f.Backends {
		b := &f.Backends[i]
		b.Fresh = Span{f.of(*b, rounds.Min, false), f.of(*b, rounds.Max, false)}
		b.Shared = Span{f.of(*b, rounds.Min, true), f.of(*b, rounds.Max, true)}
		f.Fresh, f.Shared = f.Fresh.plus(b.Fresh), f.Shared.plus(b.Shared)
	}
	// No round begins that would pass the suite's limit, once the least are done.
	if limit := plan.Suite.Limits.Suite.Seconds(); limit > 0 {
		f.Fresh.Max = min(f.Fresh.Max, max(f.Fresh.Min, limit))
		f.Shared.Max = min(f.Shared.Max, max(f.Shared.Min, limit))
	}
	return f
}

// of is what the trials of a backend take with so many rounds.
func (f Forecast) of(b Backend, rounds int, shared bool) float64 {
	var total float64
	checks, timed := map[launch]bool{}, map[launch]bool{} // with a shared import
	for _, c := range f.Cells {
		if c.Cell.Backend != b.Name {
			continue
		}
		share := shared && c.Shares
		total += c.Seconds[form(Check, share)] + f.Between
		checks[launchOf(c.Cell)] = checks[launchOf(c.Cell)] || share
		if c.Ends == "" {
			total += float64(f.MemoryTrials)*c.Seconds[Memory] + float64(rounds)*c.Seconds[form(Time, share)] + float64(f.MemoryTrials+rounds)*f.Between
			timed[launchOf(c.Cell)] = timed[launchOf(c.Cell)] || share
		}
	}
	count := func(launches map[launch]bool) (n int) {
		for _, shares := range launches {
			if shares {
				n++
			}
		}
		return n
	}
	return total + b.Import*float64(count(checks)+rounds*count(timed))
}

func form(f Form, shared bool) Form {
	if shared {
		return f + "-shared"
	}
	return f
}

func worse(a, b Basis) Basis {
	order := []Basis{Measured, Shipped, Estimated, Unknown}
	return order[max(slices.Index(order, a), slices.Index(order, b))]
}

// resolver finds the cost of cells in the sources.
type resolver struct {
	src     Sources
	overall float64 // time here over time on the reference host
}

func newResolver(src Sources) *resolver {
	r := &resolver{src: src, overall: 1}
	if src.Canary > 0 && src.Reference.Canary > 0 {
		r.overall = src.Canary / src.Reference.Canary
	}
	if ratio, ok := r.compared(func(results.Cell) bool { return true }); ok {
		r.overall = ratio
	}
	return r
}

// compared is how much longer trials take here than on the reference host, by
// the cells that both know: the geometric mean.
func (r *resolver) compared(which func(results.Cell) bool) (float64, bool) {
	var logs sum
	for _, here := range r.src.Here.Costs {
		if !which(here.Cell) {
			continue
		}
		there, ok := r.src.Reference.find(here.Cell)
		if !ok {
			continue
		}
		a, b := here.Trials[Time], there.Trials[Time]
		if x, y := a.Build+a.First+a.Check+a.Step, b.Build+b.First+b.Check+b.Step; x > 0 && y > 0 {
			logs.add(math.Log(x / y))
		}
	}
	return math.Exp(logs.mean()), logs.n > 0
}

// scale is how much longer a backend's trials take here than on the reference host.
func (r *resolver) scale(backend string) float64 {
	if ratio, ok := r.compared(func(c results.Cell) bool { return c.Backend == backend }); ok {
		return ratio
	}
	return r.overall
}

// cost finds what is known of a cell.
func (r *resolver) cost(c harness.Cell) (Cost, Basis) {
	if cost, ok := r.src.Here.find(c.Name); ok {
		return cost, Measured
	}
	if cost, ok := r.src.Reference.find(c.Name); ok {
		return cost.scaled(r.scale(c.Name.Backend)), Shipped
	}
	want := Cost{Cell: c.Name, Work: c.Work, Calls: callsOf(layers(c), c.Name.Mode == "train")}
	for _, same := range []func(string) bool{
		func(b string) bool { return b == c.Name.Backend },
		func(b string) bool { return base(b) == base(c.Name.Backend) },
	} {
		if cost, ok := estimate(want, r.pool(same)); ok {
			return cost, Estimated
		}
	}
	return want, Unknown
}

// pool is all that is known of some backends, as it would be here.
func (r *resolver) pool(which func(backend string) bool) []Cost {
	var all []Cost
	for _, c := range r.src.Here.Costs {
		if which(c.Cell.Backend) {
			all = append(all, c)
		}
	}
	for _, c := range r.src.Reference.Costs {
		if _, here := r.src.Here.find(c.Cell); !here && which(c.Cell.Backend) {
			all = append(all, c.scaled(r.scale(c.Cell.Backend)))
		}
	}
	return all
}

func (c Cost) scaled(ratio float64) Cost {
	trials := map[Form]Trial{}
	for f, t := range c.Trials {
		trials[f] = t.scaled(ratio)
	}
	c.Trials = trials
	return c
}

// cell forecasts one cell; it also returns the seconds that the import of its
// backend takes.
func (r *resolver) cell(c harness.Cell) (Cell, float64) {
	cost, basis := r.cost(c)
	least := 1 + c.Steps.Check + c.Steps.Measured()
	out := Cell{
		Cell: c.Name, Name: c.Name.Name(), Steps: [2]int{least, least + c.Steps.WarmupMax},
		FLOPs: c.Work.ModelFLOPs, Bytes: harness.CountedBytes(c), Shares: harness.CanShare(c),
		Rests: basis, Ends: cost.Ends, Peak: cost.Peak, Above: cost.above(), Seconds: map[Form]float64{},
	}
	forms := []Form{Check, Memory, Time}
	if out.Shares {
		forms = append(forms, CheckShared, TimeShared)
	}
	for _, f := range forms {
		if t, ok := cost.trial(f); ok {
			if f == Check || f == CheckShared {
				t.Learn = cmp.Or(t.Learn, cost.learn(c))
			}
			out.Seconds[f] = t.seconds(c.Steps)
		}
	}
	return out, cost.imported()
}

// trial is what is known of a form, from another form if need be: all begin
// alike, and a shared import is no part of the trial.
func (c Cost) trial(f Form) (Trial, bool) {
	if t, ok := c.Trials[f]; ok {
		return t, true
	}
	for _, other := range [][2]Form{
		{TimeShared, Time}, {CheckShared, Check}, {Time, TimeShared}, {Check, CheckShared},
		{Check, Time}, {Check, TimeShared}, {Memory, Time}, {Memory, TimeShared}, {Time, Memory},
	} {
		t, ok := c.Trials[other[1]]
		if f != other[0] || !ok {
			continue
		}
		switch f {
		case TimeShared, CheckShared:
			t.Import = 0
		default:
			t.Import = c.imported()
		}
		switch f {
		case Check:
			t.First, t.WarmupBlocks, t.Step = 0, 0, 0
		case Memory:
			t.Check, t.WarmupBlocks = 0, 0
		}
		return t, true
	}
	return Trial{}, false
}

// learn is what the learning curve of a check trial takes where none was seen: so
// many steps, each with a forward pass more to count the correct answers, as long
// as there is time for them. A cell that ends early has none.
func (c Cost) learn(cell harness.Cell) float64 {
	const withForward = 4. / 3 // of a step: a training step is about three forward passes
	step := 0.0
	for _, f := range []Form{Time, TimeShared, Memory} {
		step = cmp.Or(step, c.Trials[f].Step)
	}
	if c.Ends != "" {
		return 0
	}
	return min(harness.CurveBudget.Seconds(), withForward*step*float64(harness.CurveSteps(cell)))
}

// imported is the import of the cell's trials, in seconds.
func (c Cost) imported() float64 {
	var all sum
	for _, f := range []Form{Check, Memory, Time} {
		if t := c.Trials[f]; t.Import > 0 {
			all.add(t.Import)
		}
	}
	return all.mean()
}

// layers are those of the cell's program, as results name them.
func layers(c harness.Cell) []results.Layer {
	var out []results.Layer
	for _, l := range c.Program.Layers() {
		out = append(out, results.Layer(l))
	}
	return out
}

// Scale is how much longer trials take here than on the reference host, over
// all backends.
func (s Sources) Scale() float64 { return newResolver(s).overall }
