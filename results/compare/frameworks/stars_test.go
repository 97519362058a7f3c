package frameworks

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/resultstest"
)

// cells plans backends on workloads in a mode.
func cells(mode string, workloads []string, backends ...string) []results.Cell {
	var list []results.Cell
	for _, w := range workloads {
		for _, b := range backends {
			list = append(list, results.Cell{Workload: w, Hash: "sha256:" + strings.Repeat("0", 64), Mode: mode, Precision: "f32", Device: "cpu", Data: "resident", Batch: 8, Accumulate: 1, Threads: 1, Backend: b})
		}
	}
	return list
}

var four = []string{"Aaa", "Bbb", "Ccc", "Ddd"}

// times makes a step take that many times as long by backend, and by workload and
// backend.
func times(factors map[string]float64) func(results.Cell) float64 {
	return func(c results.Cell) float64 {
		f, ok := factors[c.Workload+"/"+c.Backend]
		if !ok {
			f = factors[c.Backend]
		}
		return 20e-3 * f
	}
}

func subject(c resultstest.Config) *Subject {
	if c.Rounds == 0 {
		c.Rounds = 13
	}
	c.Seed, c.Memory = 7, true
	run := resultstest.Run(c)
	run.Meta.Policy.MaxRounds, run.Meta.Policy.Until = c.Rounds, "max"
	return New(run)
}

func rowOf(s *Subject, a Aspect) Row { return s.Rows()[slices.Index(Aspects, a)] }

func rating(t *testing.T, row Row, id string) Rating {
	t.Helper()
	for _, r := range row.Ratings {
		if r.Framework.ID == id {
			return r
		}
	}
	t.Fatalf("no rating of %s", id)
	return Rating{}
}

func TestTrainingStars(t *testing.T) {
	s := subject(resultstest.Config{
		Cells: cells("train", four, "tensorflow", "tensorflow-xla", "pytorch", "jax"), Noise: 0.01, Baseline: "pytorch",
		Step: times(map[string]float64{"tensorflow": 3, "tensorflow-xla": 2, "pytorch": 1, "jax": 4}),
	})
	row := rowOf(s, Training)
	for id, want := range map[string]float64{PyTorch: 5, TensorFlow: 4, JAX: 3} {
		if r := rating(t, row, id); r.Stars != want || r.Own != want || len(r.Shared) > 0 {
			t.Errorf("%s: %+v, want %g stars", id, r, want)
		}
	}
	if row.Ratings[row.Lowest].Framework.ID != PyTorch {
		t.Errorf("the lowest cost has %+v", row.Ratings[row.Lowest].Framework)
	}
	tf := rating(t, row, TensorFlow)
	if tf.Lo == nil || tf.Hi == nil || *tf.Lo > 2 || *tf.Hi < 2 || *tf.Relative < *tf.Lo || *tf.Relative > *tf.Hi {
		t.Errorf("TensorFlow's cost %v (%v to %v), want 2 within", *tf.Relative, tf.Lo, tf.Hi)
	}
	if len(tf.Entries) != 2 || tf.Entries[0].Best != 0 || tf.Entries[1].Best != 4 || math.Abs(*tf.Entries[0].Relative-3) > 0.1 {
		t.Errorf("entries %+v", tf.Entries)
	}
	q, ok := row.Question(TensorFlow, PyTorch)
	if !ok || q.Head != "TensorFlow" || q.Family != 2*4 || q.Tally() != (Tally{Behind: 4}) {
		t.Errorf("question %s against %s, family %d, %+v", q.Head, q.Base, q.Family, q.Tally())
	}
	if r, _ := row.Question(PyTorch, TensorFlow); r.Head != "PyTorch" || r.Tally() != (Tally{Ahead: 4}) {
		t.Errorf("the other way round: %s, %+v", r.Head, r.Tally())
	}
}

// Whom the evidence does not separate share the higher rating, and sharing does
// not go on from one to the next.
func TestSharedStars(t *testing.T) {
	for _, tt := range []struct {
		name   string
		noise  float64
		rounds int
		want   map[string]float64
		shared int
	}{
		{"equivalent", 0.002, 13, map[string]float64{PyTorch: 5, TensorFlow: 5, JAX: 4}, 0},
		{"undecided", 1, 13, map[string]float64{PyTorch: 5, TensorFlow: 5, JAX: 5}, 2},
		{"too few rounds", 0.002, 5, map[string]float64{PyTorch: 0, TensorFlow: 0, JAX: 0}, 0},
	} {
		s := subject(resultstest.Config{
			Cells: cells("train", four, "tensorflow", "pytorch", "jax"), Noise: tt.noise, Rounds: tt.rounds, Baseline: "pytorch",
			Step: times(map[string]float64{"tensorflow": 1.01, "pytorch": 1, "jax": 2}),
		})
		row := rowOf(s, Training)
		if few := tt.rounds == 5; few != (row.Needed > row.Made) || few != (row.Lowest < 0) {
			t.Errorf("%s: %d rounds made, %d needed, lowest %d", tt.name, row.Made, row.Needed, row.Lowest)
		}
		shared := 0
		for id, want := range tt.want {
			r := rating(t, row, id)
			shared = max(shared, len(r.Shared))
			if r.Stars != want {
				t.Errorf("%s: %s has %g stars (%g by itself), want %g", tt.name, id, r.Stars, r.Own, want)
			}
		}
		if (shared > 0) != (tt.shared > 0) {
			t.Errorf("%s: shared with %d", tt.name, shared)
		}
	}
}

func TestSharingIsNotPassedOn(t *testing.T) {
	// They cost 1, 1.4 and 1.8 times as much: neighbours are not separated in
	// this noise, the ends are.
	s := subject(resultstest.Config{
		Cells: cells("train", []string{"Aaa"}, "aaa", "bbb", "ccc"), Noise: 0.5, Rounds: 20, Baseline: "aaa",
		Step: times(map[string]float64{"aaa": 1, "bbb": 1.4, "ccc": 1.8}),
	})
	row := rowOf(s, Training)
	ab, _ := row.Question("aaa", "bbb")
	bc, _ := row.Question("bbb", "ccc")
	ac, _ := row.Question("aaa", "ccc")
	if ab.Separated() || bc.Separated() || !ac.Separated() {
		t.Fatalf("separated %v %v %v: the fixture shows nothing", ab.Separated(), bc.Separated(), ac.Separated())
	}
	a, b, c := rating(t, row, "aaa"), rating(t, row, "bbb"), rating(t, row, "ccc")
	if b.Own == c.Own || a.Own == b.Own {
		t.Fatalf("stars by themselves %g %g %g: the fixture shows nothing", a.Own, b.Own, c.Own)
	}
	if a.Stars != 5 || b.Stars != a.Own || c.Stars != b.Own || c.Stars == 5 {
		t.Errorf("stars %g %g %g, by themselves %g %g %g", a.Stars, b.Stars, c.Stars, a.Own, b.Own, c.Own)
	}
}

// A workload that a framework of the row could not finish leaves it for all; a
// framework that finished less than half is not in the row.
func TestUnfinishedLeavesTheRow(t *testing.T) {
	plan := slices.Concat(cells("train", four, "tensorflow", "pytorch", "gorgonia"), cells("infer", four[:2], "tensorflow", "pytorch"))
	fault := func(backend, end string, workloads ...string) resultstest.Fault {
		return resultstest.Fault{End: end, Phase: "build", Reason: "no", Cell: func(c results.Cell) bool {
			return c.Backend == backend && slices.Contains(workloads, c.Workload)
		}}
	}
	s := subject(resultstest.Config{
		Cells: plan, Noise: 0.01, Baseline: "pytorch", Step: times(map[string]float64{"tensorflow": 1, "pytorch": 2, "gorgonia": 8}),
		Faults: []resultstest.Fault{
			fault("tensorflow", results.EndWrong, "Ddd"),
			fault("gorgonia", results.EndUnsupported, "Aaa", "Bbb", "Ccc"),
			{Unproven: true, Cell: func(c results.Cell) bool { return c.Mode == "infer" && c.Backend == "pytorch" }},
		},
	})
	row := rowOf(s, Training)
	if len(row.Groups) != 3 || len(row.Left) != 1 || row.Left[0].Key.Workload != "Ddd" || row.Left[0].Unfinished[0].ID != TensorFlow {
		t.Errorf("%d groups, left %+v", len(row.Groups), row.Left)
	}
	if r := rating(t, row, "gor"); r.Rated() || r.Finished != 1 || r.Of != 4 {
		t.Errorf("Gorgonia: %+v", r)
	}
	if r := rating(t, row, PyTorch); r.Stars != 4 {
		t.Errorf("PyTorch: %+v", r)
	}
	if infer := rowOf(s, Inference); infer.Lowest != -1 || rating(t, infer, TensorFlow).Rated() {
		t.Errorf("a row of one framework that is ranked has stars: %+v", infer.Ratings)
	}
}

// Another precision or data on the host are variants of a workload that counts
// already; alone they stand for it.
func TestVariantsCountOnce(t *testing.T) {
	plain := cells("train", four[:2], "tensorflow", "pytorch")
	variant := func(change func(*results.Cell)) []results.Cell {
		list := slices.Clone(plain)
		for i := range list {
			change(&list[i])
		}
		return list
	}
	half := variant(func(c *results.Cell) { c.Precision = "bf16-mixed" })
	host := variant(func(c *results.Cell) { c.Data = "host" })
	both := variant(func(c *results.Cell) { c.Precision, c.Data = "bf16-mixed", "host" })
	for _, test := range []struct {
		name   string
		plan   []results.Cell
		groups int
	}{
		{"beside the plain ones", slices.Concat(plain, half, host, both), 2},
		{"alone", both, 2},
		{"two that are not plain", slices.Concat(half, host), 4},
	} {
		if got := subject(resultstest.Config{Cells: test.plan, Noise: 0.01, Baseline: "pytorch"}).Mode("train"); len(got) != test.groups {
			t.Errorf("%s: %d groups, want %d", test.name, len(got), test.groups)
		}
	}
}

// A peak that does not exceed the level after import was measured: its workload
// leaves the row because no ratio can be taken, not because it was not finished.
func TestPeaksThatTheImportHides(t *testing.T) {
	run := resultstest.Run(resultstest.Config{Seed: 7, Rounds: 13, Memory: true, Cells: cells("train", four, "gorgonia", "pytorch", "jax"), Noise: 0.01, Baseline: "pytorch"})
	for _, r := range run.Records {
		if m := r.Memory; m != nil && (r.Cell.Backend == "gorgonia" && r.Cell.Workload == "Bbb" || r.Cell.Backend == "jax") {
			*m.PeakPSS = *m.ImportPSS - 4096
		}
	}
	row := rowOf(New(run), Memory)
	if len(row.Groups) != 3 || len(row.Left) != 1 || row.Left[0].Key.Workload != "Bbb" || len(row.Left[0].Unfinished) != 0 || len(row.Left[0].Nothing) != 1 || row.Left[0].Nothing[0].ID != "gor" {
		t.Errorf("%d groups, left %+v", len(row.Groups), row.Left)
	}
	if r := rating(t, row, "jax"); r.Rated() || r.Finished != 0 || r.Nothing != 4 {
		t.Errorf("JAX: %+v", r)
	}
}

// Memory is rated by what a workload cost, not by the size of a library: PyTorch
// has 540 MiB after its import, and half of what dlbench's own engine needs above
// that of a Go library.
func TestMemoryStarsHaveNoVerdict(t *testing.T) {
	run := resultstest.Run(resultstest.Config{Seed: 7, Rounds: 13, Memory: true, Cells: cells("train", four, "eager", "pytorch"), Noise: 0.01, Baseline: "pytorch"})
	for _, r := range run.Records {
		if r.Memory != nil {
			above := int64(20 << 20)
			if r.Cell.Backend == "eager" {
				above = 40 << 20
			}
			*r.Memory.PeakPSS = *r.Memory.ImportPSS + above
		}
	}
	s := New(run)
	row := rowOf(s, Memory)
	eager, pytorch := rating(t, row, "eag"), rating(t, row, PyTorch)
	if len(row.Questions) != 0 || eager.Stars != 4 || pytorch.Stars != 5 {
		t.Errorf("%+v", row.Ratings)
	}
	if eager.Process == nil || pytorch.Process == nil || *eager.Process > 100<<20 || *pytorch.Process < 500<<20 {
		t.Errorf("peaks of the processes %v and %v", eager.Process, pytorch.Process)
	}
	if r := rating(t, rowOf(s, Training), PyTorch); r.Process != nil {
		t.Errorf("a row about speed has a peak: %+v", r)
	}
	for _, a := range []Aspect{Distributed, Mobile} {
		if row := rowOf(s, a); row.Lowest != -1 || len(row.Groups) != 0 {
			t.Errorf("%s: %+v", a, row)
		}
	}
}

func TestFirstResult(t *testing.T) {
	run := resultstest.Run(resultstest.Config{Cells: cells("infer", four, "tensorflow", "eager"), Rounds: 7, Noise: 0.01, Memory: true, Baseline: "eager"})
	run.Meta.Backends = map[string]results.Backend{"tensorflow": {Environment: "tensorflow", DiskBytes: 5, SetupNS: 6, AdapterLines: 7}}
	fresh := New(run).Efforts(run)
	tf, eager := fresh[0], fresh[1]
	if tf.DiskBytes != 5 || tf.SetupNS != 6 || tf.Lines != 7 || tf.BuiltIn || !eager.BuiltIn || tf.Ran != 4 || tf.Planned != 4 {
		t.Errorf("%+v, %+v", tf, eager)
	}
	if tf.Import == nil || *tf.Import < 0.03 || *tf.First < *tf.Import+0.004 || *tf.Answer != *tf.First || tf.Above == nil {
		t.Errorf("%+v", tf)
	}
	// Forked trials imported nothing: the import is that of the memory trials.
	for i := range run.Records {
		if r := &run.Records[i]; r.Kind == results.KindTime {
			r.Shared, r.Phases = true, r.Phases[1:]
		}
	}
	shared := New(run).Efforts(run)
	if shared[0].Import == nil || *shared[0].Import < 0.03 || *shared[0].First < *shared[0].Import {
		t.Errorf("%+v", shared[0])
	}
	forked := run.Records[0]
	forked.Phases = append([]results.Phase{{Name: "import", WallNS: 5}}, forked.Phases...) // that of its parent
	if _, ok := FirstResult.Of(forked); ok {
		t.Error("a trial that imported nothing has a time to its first result")
	}
	forked.Shared = false
	if _, ok := FirstResult.Of(forked); !ok {
		t.Error("the fixture shows nothing")
	}
}

// ONNX Runtime runs graphs that PyTorch's environment exports, which a run shows
// by the variables of its workers.
func TestNeeds(t *testing.T) {
	run := resultstest.Run(resultstest.Config{Cells: cells("infer", four, "onnxruntime", "pytorch"), Rounds: 3, Noise: 0.01, Baseline: "pytorch"})
	for _, tt := range []struct {
		env  map[string]string
		want []Need
	}{
		{nil, nil},
		{map[string]string{"DLBENCH_EXPORT_PYTHON": "{interpreter:pytorch}", "A": "{cache}/exports", "B": "{interpreter:pytorch}", "C": "{interpreter:onnxruntime}"},
			[]Need{{"pytorch", "PyTorch", 50, 60}}},
		{map[string]string{"DLBENCH_EXPORT_PYTHON": "{interpreter:pytorch@2.14.0}"}, []Need{{"pytorch@2.14.0", "PyTorch", 0, 0}}},
	} {
		run.Meta.Backends = map[string]results.Backend{
			"onnxruntime": {Environment: "onnxruntime", DiskBytes: 5, Env: tt.env}, "pytorch": {Environment: "pytorch", DiskBytes: 50, SetupNS: 60},
		}
		if got := New(run).Efforts(run)[0].Needs; !slices.Equal(got, tt.want) {
			t.Errorf("%v: %+v, want %+v", tt.env, got, tt.want)
		}
	}
}

// Cells of merged runs are judged among the rounds of their own run, and cells of
// two runs are never paired.
func TestMergedRuns(t *testing.T) {
	one := resultstest.Run(resultstest.Config{Seed: 1, Cells: cells("train", four[:2], "tensorflow", "pytorch"), Rounds: 13, Noise: 0.01, Baseline: "pytorch",
		Step: times(map[string]float64{"tensorflow": 2, "pytorch": 1})})
	two := resultstest.Run(resultstest.Config{Seed: 2, Cells: cells("train", four[2:], "tensorflow", "pytorch"), Rounds: 11, Noise: 0.01, Baseline: "pytorch",
		Step: times(map[string]float64{"tensorflow": 2, "pytorch": 1})})
	third := resultstest.Run(resultstest.Config{Seed: 3, Cells: cells("train", four[:1], "jax"), Rounds: 11, Noise: 0.01, Baseline: "pytorch"})
	for _, r := range []*results.Run{&one, &two, &third} {
		r.Meta.Policy.MaxRounds, r.Meta.Policy.Until = 13, "max"
	}
	merged, err := results.Merge([]results.Run{one, two, third})
	if err != nil {
		t.Fatal(err)
	}
	s := New(merged)
	row := rowOf(s, Training)
	q, ok := row.Question(TensorFlow, PyTorch)
	if !ok || len(q.Lines) != 4 || q.Tally() != (Tally{Behind: 4}) {
		t.Fatalf("%v, %+v", ok, q.Tally())
	}
	if made := []int{q.Lines[0].Comparison.Rounds, q.Lines[3].Comparison.Rounds}; made[0] != 13 || made[1] != 11 {
		t.Errorf("rounds %v, want those of each line's own run", made)
	}
	if s.Together(one.Meta.Cells[0], two.Meta.Cells[0]) || !s.Together(two.Meta.Cells[0], two.Meta.Cells[1]) {
		t.Error("cells of two runs are together, or those of one are not")
	}
	apart := s.AskPairs("a", "b", []Pair{{one.Meta.Cells[0], third.Meta.Cells[0]}}, 0, stepTime)
	if apart.Lines[0].Comparison != nil {
		t.Error("cells of two runs were paired")
	}
}

// A line of a suite may be for some backends alone: the others were not planned for it,
// which is not the same as not finishing it, and it is not counted against them.
func TestPlannedForSome(t *testing.T) {
	plan := slices.Concat(cells("train", four[:3], "tensorflow", "pytorch", "jax"), cells("train", four[3:], "tensorflow", "pytorch"), cells("infer", four[:1], "tensorflow", "pytorch"))
	run := resultstest.Run(resultstest.Config{Seed: 7, Cells: plan, Rounds: 13, Noise: 0.01, Baseline: "pytorch"})
	run.Meta.Policy.MaxRounds, run.Meta.Policy.Until = 13, "max"
	s := New(run)
	row := rowOf(s, Training)
	if len(row.Groups) != 3 || len(row.Left) != 1 || len(row.Left[0].Unfinished) != 0 || len(row.Left[0].Unplanned) != 1 || row.Left[0].Unplanned[0].ID != JAX {
		t.Errorf("%d groups, left %+v", len(row.Groups), row.Left)
	}
	if r := rating(t, rowOf(s, Inference), JAX); r.Planned != 0 || r.Rated() {
		t.Errorf("inference of JAX: %+v", r)
	}
	if r := rating(t, row, JAX); r.Planned != 3 || !r.Rated() {
		t.Errorf("training of JAX: %+v", r)
	}
	for _, e := range s.Efforts(run) {
		if want := map[string]int{"tensorflow": 5, "pytorch": 5, "jax": 3}[e.Backend]; e.Ran != want || e.Planned != want || len(e.Over.Planned) != want {
			t.Errorf("%s ran %d of %d %v, want %d", e.Backend, e.Ran, e.Planned, e.Over.Planned, want)
		}
	}
}

// A workload whose trials are too short for a verdict would leave the whole row
// without one, and everyone with the best rating: it leaves the row instead.
func TestShortTrialsLeaveTheRow(t *testing.T) {
	for _, short := range [][]string{nil, {"Bbb"}, four} {
		run := resultstest.Run(resultstest.Config{
			Cells: cells("train", four, "pytorch", "tensorflow"), Noise: 0.01, Baseline: "pytorch", Rounds: 13, Seed: 7,
			Step: times(map[string]float64{"pytorch": 1, "tensorflow": 2}),
		})
		run.Meta.Policy.MaxRounds, run.Meta.Policy.Until = 13, "max"
		for i := range run.Records {
			if r := &run.Records[i]; r.Usage != nil && r.Cell.Backend == "pytorch" && slices.Contains(short, r.Cell.Workload) {
				r.Usage.WallNS = 9e6
			}
		}
		row := rowOf(New(run), Training)
		if len(row.Groups) != 4-len(short) || len(row.Left) != len(short) {
			t.Fatalf("%v short: %d workloads count, %d are left out", short, len(row.Groups), len(row.Left))
		}
		if len(short) == 4 {
			if row.Lowest >= 0 {
				t.Errorf("no workload counts, and %+v has stars", row.Ratings[row.Lowest])
			}
			continue
		}
		if r := rating(t, row, TensorFlow); r.Stars != 4 || len(r.Shared) > 0 {
			t.Errorf("%v short: TensorFlow has %+v, want 4 stars", short, r)
		}
		for _, l := range row.Left {
			if l.Key.Workload != "Bbb" || len(l.Short) != 1 || l.Short[0].ID != PyTorch {
				t.Errorf("left out: %+v", l)
			}
		}
	}
}
