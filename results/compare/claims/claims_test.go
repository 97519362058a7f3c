package claims

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare/frameworks"
	"github.com/dlbench/dlbench/results/resultstest"
)

// setup is a synthetic run for one claim.
type setup struct {
	name    string
	cells   []results.Cell
	slow    map[string]float64 // factor of the step time, by backend, by workload/backend or by setting
	first   map[string]float64 // seconds of the import, by backend
	peak    map[string]float64 // factor of the peak of resident memory above import
	base    float64            // bytes after import; 0: 50 MB
	lines   map[string]int     // of adapters
	faults  []resultstest.Fault
	rounds  int // 0: 13
	noise   float64
	shared  bool
	seed    uint64
	verdict Verdict
	missing string // in English, of an open claim
}

var two = []string{"Aaa", "Bbb"}

func cell(workload, mode, backend string) results.Cell {
	return results.Cell{Workload: workload, Hash: "sha256:" + strings.Repeat("0", 64), Mode: mode, Precision: "f32", Device: "cpu", Data: "resident", Batch: 8, Accumulate: 1, Threads: 1, Backend: backend}
}

func plan(mode string, workloads []string, backends ...string) []results.Cell {
	var list []results.Cell
	for _, w := range workloads {
		for _, b := range backends {
			list = append(list, cell(w, mode, b))
		}
	}
	return list
}

// with adds each cell once more, changed.
func with(cells []results.Cell, change func(*results.Cell)) []results.Cell {
	all := slices.Clone(cells)
	for _, c := range cells {
		change(&c)
		c.Hash = "sha256:" + strings.Repeat("1", 64)
		all = append(all, c)
	}
	return all
}

// factor of a cell: the product of all that name it.
func factor(of map[string]float64, c results.Cell) float64 {
	f := 1.0
	for _, k := range []string{c.Backend, c.Workload + "/" + c.Backend, c.Precision, c.Device, fmt.Sprint("accumulate=", c.Accumulate), fmt.Sprint("checkpoint=", c.Checkpoint)} {
		if v, ok := of[k]; ok {
			f *= v
		}
	}
	return f
}

func (s setup) run() results.Run {
	noise, rounds := s.noise, s.rounds
	if noise == 0 {
		noise = 0.004
	}
	if rounds == 0 {
		rounds = 13
	}
	run := resultstest.Run(resultstest.Config{
		Seed: s.seed, Cells: s.cells, Rounds: rounds, Noise: noise, Memory: true, Baseline: s.cells[0].Backend, Faults: s.faults,
		Step: func(c results.Cell) float64 { return 20e-3 * factor(s.slow, c) },
	})
	run.Meta.Policy.MaxRounds, run.Meta.Policy.Until = max(rounds, 13), "max"
	run.Meta.Suite, run.Meta.Shared = "articles-small", s.shared
	run.Meta.Backends = map[string]results.Backend{}
	for b, n := range s.lines {
		run.Meta.Backends[b] = results.Backend{AdapterLines: n}
	}
	for i := range run.Records {
		r := &run.Records[i]
		r.Shared = s.shared && r.Kind == results.KindTime
		for j := range r.Phases {
			p := &r.Phases[j]
			if p.HWM != nil {
				base, above := cmp.Or(s.base, 50e6), 50e6*factor(s.peak, r.Cell)*(1+0.001*float64((i*7+j)%5))
				if p.Name == "import" {
					above = 0
				}
				p.HWM = new(int64(base + above))
			}
			if v, ok := s.first[r.Cell.Backend]; ok && p.Name == "import" {
				p.WallNS = int64(v * 1e9 * (1 + 0.01*float64(i%3)))
			}
		}
	}
	return run
}

// of holds one claim against the run.
func (s setup) of(t *testing.T, id string) Outcome {
	t.Helper()
	for _, o := range Evaluate(frameworks.New(s.run())) {
		if o.ID == id {
			return o
		}
	}
	t.Fatalf("no claim %s", id)
	return Outcome{}
}

func TestClaims(t *testing.T) {
	tfpt := []string{"tensorflow", "tensorflow-xla", "pytorch", "pytorch-jit"}
	train, infer := plan("train", two, tfpt...), plan("infer", two, tfpt...)
	graph := plan("train", two, "tensorflow", "tensorflow-function")
	script := plan("infer", two, "pytorch", "pytorch-jit")
	onnx := plan("infer", two, "pytorch", "onnxruntime")
	jax := plan("train", two, "pytorch", "tensorflow", "jax")
	accumulated := with(plan("train", two, "pytorch"), func(c *results.Cell) { c.Accumulate = 4 })
	checkpointed := with(plan("train", two, "pytorch"), func(c *results.Cell) { c.Checkpoint = 2 })
	half := with(plan("train", two, "pytorch"), func(c *results.Cell) { c.Precision = "bf16-mixed" })
	gpu := with(plan("train", two, "pytorch"), func(c *results.Cell) { c.Device = "cuda" })
	end := func(backend, end string) resultstest.Fault {
		return resultstest.Fault{Cell: resultstest.Backend(backend, "Bbb"), End: end, Phase: "check", Reason: "other answers"}
	}
	for id, setups := range map[string][]setup{
		"C1": {
			{name: "equal", cells: train, verdict: Confirmed},
			{name: "one differs", cells: train, slow: map[string]float64{"Aaa/pytorch": 2, "Aaa/pytorch-jit": 2}, verdict: Contradicted},
			{name: "only the worse entry differs", cells: train, slow: map[string]float64{"pytorch-jit": 3}, verdict: Confirmed},
			{name: "noise", cells: train, noise: 0.5, verdict: Open, missing: "undecided"},
			{name: "few rounds", cells: train, rounds: 7, verdict: Open, missing: "this question takes at least 9; more rounds: dlbench run --suite articles-small --until max --limit suite=26m"},
			{name: "no PyTorch", cells: graph, verdict: Open, missing: "no PyTorch"},
			{name: "inference only", cells: infer, verdict: Open, missing: "no workload of this run"},
			{name: "wrong in one", cells: train, faults: []resultstest.Fault{end("pytorch", results.EndWrong), end("pytorch-jit", results.EndWrong)}, verdict: Open, missing: "lack a side"},
			{name: "unsupported in one", cells: train, faults: []resultstest.Fault{end("pytorch", results.EndUnsupported), end("pytorch-jit", results.EndUnsupported)}, verdict: Confirmed},
		},
		"C2": {
			{name: "ahead", cells: infer, slow: map[string]float64{"tensorflow-xla": 0.8}, verdict: Confirmed},
			{name: "behind in one", cells: infer, slow: map[string]float64{"tensorflow-xla": 0.8, "Bbb/pytorch": 0.5}, verdict: Contradicted},
			{name: "equal", cells: infer, verdict: Contradicted},
			{name: "noise", cells: infer, noise: 0.5, verdict: Open, missing: "undecided"},
		},
		"C3": {
			{name: "equal", cells: train, verdict: Confirmed},
			{name: "less", cells: train, peak: map[string]float64{"tensorflow": 0.5}, verdict: Contradicted},
			{name: "forked", cells: train, shared: true, verdict: Open, missing: "without --share-process"},
		},
		"C6": {
			{name: "faster", cells: graph, slow: map[string]float64{"tensorflow": 2}, verdict: Confirmed},
			{name: "slower in one", cells: graph, slow: map[string]float64{"tensorflow": 2, "Bbb/tensorflow-function": 5}, verdict: Contradicted},
			{name: "noise", cells: graph, noise: 0.5, verdict: Open},
			{name: "no eager entry", cells: onnx, verdict: Open, missing: "both an eager and a graph entry"},
		},
		"C7": {
			{name: "same lines", cells: graph, lines: map[string]int{"tensorflow": 200, "tensorflow-function": 203}, verdict: Confirmed},
			{name: "more lines", cells: graph, lines: map[string]int{"tensorflow": 200, "tensorflow-function": 220}, verdict: Contradicted},
			{name: "not recorded", cells: graph, verdict: Open, missing: "did not record"},
			{name: "unproven", cells: graph, lines: map[string]int{"tensorflow": 200, "tensorflow-function": 203}, faults: []resultstest.Fault{end("tensorflow", results.EndWrong)}, verdict: Open, missing: "proof of the same work in 1 of 2 cells"},
		},
		"C8": {
			{name: "saves", cells: half, slow: map[string]float64{"bf16-mixed": 0.7}, peak: map[string]float64{"bf16-mixed": 0.6}, verdict: Confirmed},
			{name: "takes longer", cells: half, slow: map[string]float64{"bf16-mixed": 1.5}, peak: map[string]float64{"bf16-mixed": 0.6}, verdict: Contradicted},
			{name: "forked", cells: half, slow: map[string]float64{"bf16-mixed": 0.7}, shared: true, verdict: Open, missing: "without --share-process"},
			{name: "none", cells: train, verdict: Open, missing: "bf16-mixed"},
		},
		"C9": {
			{name: "saves", cells: accumulated, peak: map[string]float64{"accumulate=4": 0.5}, verdict: Confirmed},
			{name: "saves nothing", cells: accumulated, verdict: Contradicted},
			{name: "beside large libraries", cells: accumulated, base: 2e9, peak: map[string]float64{"accumulate=4": 0.5}, verdict: Confirmed},
			{name: "none", cells: train, verdict: Open, missing: "--suite modes"},
		},
		"C10": {
			{name: "trades", cells: checkpointed, slow: map[string]float64{"checkpoint=2": 1.3}, peak: map[string]float64{"checkpoint=2": 0.5}, verdict: Confirmed},
			{name: "saves nothing", cells: checkpointed, slow: map[string]float64{"checkpoint=2": 1.3}, verdict: Contradicted},
			{name: "noise", cells: checkpointed, noise: 0.5, slow: map[string]float64{"checkpoint=2": 1.3}, peak: map[string]float64{"checkpoint=2": 0.5}, verdict: Open},
		},
		"C14": {
			{name: "slower in one", cells: script, slow: map[string]float64{"Bbb/pytorch-jit": 2}, verdict: Contradicted},
			{name: "no slower", cells: script, verdict: Open, missing: "without Python"},
		},
		"C16": {
			{name: "proven", cells: onnx, verdict: Confirmed},
			{name: "wrong in one", cells: onnx, faults: []resultstest.Fault{end("onnxruntime", results.EndWrong)}, verdict: Contradicted},
			{name: "unproven in one", cells: onnx, faults: []resultstest.Fault{{Cell: resultstest.Backend("onnxruntime", "Bbb"), Unproven: true}}, verdict: Open, missing: "proof in 1 of 2 cells"},
			{name: "never ran", cells: onnx, faults: []resultstest.Fault{{Cell: resultstest.Backend("onnxruntime", ""), End: results.EndUnsupported}}, verdict: Open, missing: "no cell of ONNX Runtime ran"},
			{name: "none", cells: train, verdict: Open, missing: "no ONNX Runtime"},
		},
		"C17": {
			{name: "faster", cells: jax, slow: map[string]float64{"jax": 0.5}, verdict: Confirmed},
			{name: "slower than one of the two", cells: jax, slow: map[string]float64{"jax": 0.5, "Bbb/tensorflow": 0.2}, verdict: Contradicted},
			{name: "noise", cells: jax, noise: 0.5, verdict: Open},
			{name: "none", cells: train, verdict: Open, missing: "no JAX"},
		},
		"C18": {
			{name: "both", cells: train, lines: map[string]int{"tensorflow": 300, "pytorch": 200}, first: map[string]float64{"tensorflow": 5, "tensorflow-xla": 5}, verdict: Confirmed},
			{name: "neither", cells: train, lines: map[string]int{"tensorflow": 200, "pytorch": 200}, first: map[string]float64{"pytorch": 5, "pytorch-jit": 5}, verdict: Contradicted},
			{name: "they disagree", cells: train, lines: map[string]int{"tensorflow": 300, "pytorch": 200}, first: map[string]float64{"pytorch": 5, "pytorch-jit": 5}, verdict: Open, missing: "do not point to the same"},
			{name: "lines not recorded", cells: train, first: map[string]float64{"tensorflow": 5, "tensorflow-xla": 5}, verdict: Open, missing: "did not record"},
			{name: "forked", cells: train, lines: map[string]int{"tensorflow": 300, "pytorch": 200}, shared: true, verdict: Open, missing: "without --share-process"},
		},
		"C19": {
			{name: "faster", cells: gpu, slow: map[string]float64{"cuda": 0.1}, verdict: Confirmed},
			{name: "slower", cells: gpu, slow: map[string]float64{"cuda": 3}, verdict: Contradicted},
			{name: "none", cells: train, verdict: Open, missing: "GPU"},
		},
	} {
		for _, s := range setups {
			t.Run(id+" "+s.name, func(t *testing.T) {
				if s.shared {
					t.Log("forked trials have no import and no peak")
				}
				o := s.of(t, id)
				if o.Verdict != s.verdict {
					t.Errorf("%s, want %s; missing %v, questions %+v", o.Verdict, s.verdict, o.Missing, tallies(o))
				}
				var said []string
				for _, m := range o.Missing {
					said = append(said, m.EN)
				}
				if !strings.Contains(strings.Join(said, "; "), s.missing) {
					t.Errorf("missing %q, want %q", said, s.missing)
				}
				if (o.Verdict == Open) != (len(o.Missing) > 0) {
					t.Errorf("%s, missing %q", o.Verdict, said)
				}
			})
		}
	}
}

func tallies(o Outcome) []frameworks.Tally {
	var list []frameworks.Tally
	for _, q := range o.Questions {
		list = append(list, q.Tally())
	}
	return list
}

// All claims of the articles are there, in order, in both languages, each with
// what decides it; and of a run with nothing in it all are open.
func TestTable(t *testing.T) {
	list := Evaluate(frameworks.New(results.Run{}))
	if len(list) != 20 {
		t.Fatalf("%d claims", len(list))
	}
	for i, o := range list {
		if want := fmt.Sprint("C", i+1); o.ID != want {
			t.Errorf("claim %d is %s", i+1, o.ID)
		}
		if o.Verdict != Open || len(o.Missing) == 0 {
			t.Errorf("%s of nothing: %s, missing %v", o.ID, o.Verdict, o.Missing)
		}
		for _, text := range append([]Text{o.Says, o.Rule}, o.Missing...) {
			if text.EN == "" || !strings.ContainsFunc(text.ZH, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
				t.Errorf("%s: %q, %q", o.ID, text.EN, text.ZH)
			}
		}
	}
}

// Where both sides have the same times, no claim rests on a difference, but for
// the share that alpha allows; and where they differ by exactly the minimum
// effect, neither a larger difference nor its absence is claimed.
func TestFalseClaims(t *testing.T) {
	runs := 150
	if testing.Short() {
		runs = 40
	}
	cells := append(plan("train", two, "tensorflow", "tensorflow-function", "pytorch", "pytorch-compile", "jax"), plan("infer", two, "tensorflow", "pytorch", "pytorch-jit")...)
	for _, tt := range []struct {
		name  string
		slow  map[string]float64
		false func(frameworks.Line) bool
	}{
		{"same", nil, func(l frameworks.Line) bool { return l.Result() == frameworks.Ahead || l.Result() == frameworks.Behind }},
		{"at the margin", map[string]float64{"pytorch": 1.05, "pytorch-compile": 1.05, "pytorch-jit": 1.05}, func(l frameworks.Line) bool {
			differ := (l.Comparison != nil) && strings.HasPrefix(l.Base.Cell.Backend, "pytorch") != strings.HasPrefix(l.Head.Cell.Backend, "pytorch")
			return differ && l.Result() != frameworks.Undecided || !differ && (l.Result() == frameworks.Ahead || l.Result() == frameworks.Behind)
		}},
	} {
		wrong, decided := map[string]int{}, 0
		for seed := range uint64(runs) {
			s := setup{cells: cells, slow: tt.slow, noise: 0.02, seed: seed + 1}
			for _, o := range Evaluate(frameworks.New(s.run())) {
				bad := false
				for _, q := range o.Questions {
					if q.Metric.Name != "step-time" {
						continue
					}
					for _, l := range q.Lines {
						bad = bad || tt.false(l)
						if l.Result() == frameworks.Equal {
							decided++
						}
					}
				}
				if bad {
					wrong[o.ID]++
				}
			}
		}
		if decided == 0 {
			t.Errorf("%s: nothing was ever decided, so this test shows nothing", tt.name)
		}
		// 5 % are allowed, and three standard deviations of that count more.
		most := 0.05*float64(runs) + 3*math.Sqrt(0.05*0.95*float64(runs))
		for id, n := range wrong {
			if float64(n) > most {
				t.Errorf("%s: %s was judged wrongly in %d of %d runs", tt.name, id, n, runs)
			}
		}
	}
}

// A command names a suite only where dlbench ships it, and more rounds than the
// suite allows take another suite.
func TestCommands(t *testing.T) {
	for _, tt := range []struct {
		suite                   string
		made, needed, most      int
		again, command, changed string
	}{
		{"quick", 7, 9, 13, "dlbench run --suite quick", "dlbench run --suite quick --until max --limit suite=26m", ""},
		{"fw", 13, 9, 13, "dlbench run --suite <your suite file>", "dlbench run --suite <your suite file> --until max", ""},
		{"quick", 13, 15, 13, "dlbench run --suite quick", "dlbench run --suite <your suite file> --until max", "with rounds: max of at least 15 in the suite"},
		{"quick + smoke", 13, 9, 13, "dlbench run --suite <your suite file>", "dlbench run --suite <your suite file> --until max", ""},
	} {
		run := setup{cells: plan("train", two, "pytorch")}.run()
		run.Meta.Suite, run.Meta.Policy.MaxRounds = tt.suite, tt.most
		command, change := More(frameworks.New(run), tt.made, tt.needed)
		if again := Again(run.Meta); again.EN != tt.again || command.EN != tt.command || change.EN != tt.changed {
			t.Errorf("%s: %q, %q, %q", tt.suite, again.EN, command.EN, change.EN)
		}
		if strings.Contains(command.ZH, "your") || (change.ZH == "") != (tt.changed == "") {
			t.Errorf("%s: %q, %q", tt.suite, command.ZH, change.ZH)
		}
	}
}

func TestAbsentSidesInChinese(t *testing.T) {
	s := setup{cells: plan("train", two, "jax")}
	for id, want := range map[string]string{"C1": "本次运行没有 TensorFlow、PyTorch；", "C7": "本次运行没有 tensorflow、tensorflow-function；"} {
		if o := s.of(t, id); len(o.Missing) != 1 || !strings.HasPrefix(o.Missing[0].ZH, want) {
			t.Errorf("%s lacks %q, want %q", id, o.Missing, want)
		}
	}
}
