package backendtest_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/backendtest"
	"github.com/dlbench/dlbench/backends/eager"
	"github.com/dlbench/dlbench/backends/eager/oracle"
	"github.com/dlbench/dlbench/backends/fake"
	"github.com/dlbench/dlbench/workloads"
)

// goldens are computed once for all tests: the programs are the same.
var goldens sync.Map

func golden(ctx context.Context, p workloads.Program, weights, batches, dialect string, steps int, precisions ...workloads.Precision) (workloads.Golden, error) {
	key := p.Hash + dialect
	if g, ok := goldens.Load(key); ok {
		return g.(workloads.Golden), nil
	}
	g, err := oracle.Compute(ctx, p, weights, batches, dialect, steps, oracle.Precisions(p.Mode)...)
	if err == nil {
		goldens.Store(key, g)
	}
	return g, err
}

func options(t *testing.T) backendtest.Options {
	t.Helper()
	return backendtest.Options{Golden: golden, Correct: oracle.Correct, Cache: workloads.Cache{Dir: t.TempDir()}}
}

// text is the report as people see it.
func text(r backendtest.Report) string {
	var b strings.Builder
	r.WriteText(&b)
	return b.String()
}

// mutants are the eager engine with one mistake each.
func mutants() []backendtest.Mutant {
	var out []backendtest.Mutant
	for _, m := range eager.Mutations {
		alters := m.Alters
		switch m {
		// These are mistakes of precisions that the mutants do not run in here.
		case eager.SingleForHalf, eager.KeptScale, eager.KeptOverflow:
			continue
		// These two leave the checked numbers as they are: other evidence shows them.
		case eager.DroppedCheckpoint:
			alters = func(p workloads.Program, _ workloads.Precision) bool { return len(p.Segments) > 0 }
		case eager.NoDropout:
			alters = func(p workloads.Program, _ workloads.Precision) bool { return p.HasDropout() }
		case eager.AdamEpsilon:
			// In float32 only where epsilon is not nothing beside the gradients.
			alters = func(p workloads.Program, prec workloads.Precision) bool {
				return m.Alters(p, workloads.F64) && (prec == workloads.F64 || p.Optimizer.Attr.Epsilon > 1e-4)
			}
		}
		out = append(out, backendtest.Mutant{Name: string(m), Alters: alters, Connect: backendtest.Served(eager.Info(), func() backends.Backend {
			return eager.NewMutant(m)
		})})
	}
	return out
}

// The eager engine passes everything, in both precisions, and every mistake
// that it can make is found.
func TestEager(t *testing.T) {
	opts := options(t)
	opts.Mutants = mutants()
	r := backendtest.Run(t.Context(), backendtest.Served(eager.Info(), eager.New), opts)
	if !r.OK() || r.Count(backendtest.Skip) > 0 || len(r.Unproven) > 0 || len(r.Survivors()) > 0 {
		t.Errorf("want everything passed, nothing skipped, no survivor:\n%s", text(r))
	}
	if n := r.Count(backendtest.Pass); n < 150 {
		t.Errorf("only %d cases ran", n)
	}
	for _, claim := range slices.Concat(eager.Info().Ops, eager.Info().Features) {
		if len(r.Proven[claim]) == 0 {
			t.Errorf("%s is proven by no program", claim)
		}
	}
	for _, m := range r.Mutations {
		if len(m.Survived) > 0 {
			t.Errorf("%s survives in programs %v", m.Name, m.Survived)
		}
	}
	recorded(t, eager.Info(), r)
}

// A hurried check makes every mistake too, and each until it is found.
func TestFirstFinding(t *testing.T) {
	opts := options(t)
	opts.FirstFinding = true
	opts.Only = func(name string) bool { return strings.HasPrefix(name, "mutant/") }
	r := backendtest.Run(t.Context(), backendtest.Served(eager.Info(), eager.New), opts)
	if !r.OK() || len(r.Mutations) < 15 {
		t.Errorf("want every mistake made and found:\n%s", text(r))
	}
	for _, m := range r.Mutations {
		if len(m.Killed) > 1 {
			t.Errorf("%s was made again after %s had found it: %v", m.Name, m.Killed[0], m.Killed)
		}
	}
}

// A worker written from PROTOCOL.md alone, in another language.
func TestLinearWorker(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("this machine has no python3: the worker of testdata is written in Python")
	}
	// Launchers in front of the interpreter cost more than the interpreter.
	if real, err := exec.CommandContext(t.Context(), python, "-c", "import sys; print(sys.executable)").Output(); err == nil {
		python = strings.TrimSpace(string(real))
	}
	var stderr bytes.Buffer
	r := backendtest.Run(t.Context(), backendtest.Command([]string{python, "-S", "../testdata/linear_worker.py"}, &stderr), options(t))
	if !r.OK() {
		t.Errorf("%s\n%s", text(r), stderr.String())
	}
	if got := len(r.Proven[workloads.OpDense]); got < 4 {
		t.Errorf("dense is proven by %d programs", got)
	}
}

// faulty runs a fake over the eager engine, in this process.
func faulty(name string) backendtest.Connect {
	return func(context.Context) (*backendtest.Conn, error) {
		requests, toWorker := io.Pipe()
		fromWorker, replies := io.Pipe()
		ended := make(chan error, 1)
		go func() {
			err := fake.Run(name, requests, replies, eager.Info(), func(mutant string) (backends.Backend, error) {
				return eager.NewMutant(eager.Mutation(mutant)), nil
			})
			requests.Close()
			replies.Close()
			ended <- err
		}()
		return &backendtest.Conn{In: toWorker, Out: fromWorker, Wait: sync.OnceValue(func() error { return <-ended }), Kill: func() {
			toWorker.Close()
			fromWorker.Close()
		}}, nil
	}
}

// TestFaultyWorkers: the case that is about a fault fails, and says why.
func TestFaultyWorkers(t *testing.T) {
	for _, tt := range []struct{ fake, fails, says string }{
		{"half-time", "clock/honest", "unaccounted for"},
		{"double-time", "clock/honest", "harness's clock"},
		{"never-sync", "clock/honest", "unaccounted for"},
		{"half-json", "state/reset", "not a JSON object"},
		{"nul-on-stdout", "state/per-block", `\x00`},
		{"wrong-loss", "program/dense/f32", "loss 0"},
		{"transposed-weight", "program/dense/f32", "expected"},
		{"bf16", "program/dense/f32", "expected"},
		{"dropped-checkpoint", "program/checkpoint/f32", "recomputes 0 segments"},
	} {
		t.Run(tt.fake, func(t *testing.T) {
			// The verdict on the case is all that is wanted: the rest is cut off.
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var got *backendtest.Result
			opts := options(t)
			opts.Done = func(r backendtest.Result) {
				if r.Name == tt.fails && got == nil {
					got = &r
					cancel()
				}
			}
			r := backendtest.Run(ctx, faulty(tt.fake), opts)
			if got == nil {
				t.Fatalf("case %s never ran:\n%s", tt.fails, text(r))
			}
			if got.Status != backendtest.Fail || !strings.Contains(got.Reason, tt.says) {
				t.Errorf("%+v, want it to fail and say %q", *got, tt.says)
			}
		})
	}
}

// scripted answers every request with what reply makes of it.
func scripted(reply func(request map[string]any) string) backendtest.Connect {
	return func(context.Context) (*backendtest.Conn, error) {
		requests, toWorker := io.Pipe()
		fromWorker, replies := io.Pipe()
		go func() {
			defer requests.Close()
			defer replies.Close()
			lines := bufio.NewScanner(requests)
			lines.Buffer(nil, 2<<20)
			for lines.Scan() {
				var request map[string]any
				json.Unmarshal(lines.Bytes(), &request)
				if _, err := io.WriteString(replies, reply(request)+"\n"); err != nil || request["t"] == "bye" {
					return
				}
			}
		}()
		return &backendtest.Conn{In: toWorker, Out: fromWorker, Wait: func() error { return nil }, Kill: func() {
			toWorker.Close()
			fromWorker.Close()
		}}, nil
	}
}

const modest = `{"t":"hello","protocol":1,"name":"yes","kind":"eager","ops":["dense","softmax-cross-entropy","sgd"],"precisions":["f32"],"effective_threads":1}`

// A worker that answers everything properly and computes nothing proves nothing.
func TestYesMan(t *testing.T) {
	r := backendtest.Run(t.Context(), scripted(func(request map[string]any) string {
		switch request["t"] {
		case "hello":
			return modest
		case "build":
			return `{"t":"built","ns":1,"params":36,"dtypes":{"params":"f32","activations":"f32"}}`
		case "check":
			return `{"t":"checked","losses":[1,1,1],"tensors":{"logits":{"norm":1,"proj":0},"grad/fc.weight":{"norm":1,"proj":0},"grad/fc.bias":{"norm":1,"proj":0},"param/fc.weight":{"norm":1,"proj":0},"param/fc.bias":{"norm":1,"proj":0}}}`
		}
		return `{"t":"bye"}`
	}), options(t))
	if r.OK() || len(r.Proven) > 0 {
		t.Errorf("a worker that computes nothing:\n%s", text(r))
	}
	if !strings.Contains(text(r), "fail  program/dense/f32: wrong: ") {
		t.Errorf("the report does not say that dense is wrong:\n%s", text(r))
	}
}

// What stands in the way of the first reply is said in one line.
func TestNoSession(t *testing.T) {
	for name, tt := range map[string]struct {
		connect backendtest.Connect
		says    string
	}{
		"prints":     {scripted(func(map[string]any) string { return "Loading the framework..." }), "Loading the framework"},
		"no command": {backendtest.Command([]string{"/no/such/worker"}, nil), "no such file"},
		"claims nothing": {scripted(func(map[string]any) string {
			return strings.Replace(modest, `"dense","softmax-cross-entropy","sgd"`, "", 1)
		}), "claims no ops"},
		"claims nonsense": {scripted(func(map[string]any) string { return strings.Replace(modest, `"dense"`, `"dnese"`, 1) }), `"dnese"`},
		"strict envelope": {scripted(func(request map[string]any) string {
			if len(request) > 5 {
				return `{"t":"error","class":"failed","message":"unknown key grease"}`
			}
			return modest
		}), "unknown key grease"},
	} {
		t.Run(name, func(t *testing.T) {
			r := backendtest.Run(t.Context(), tt.connect, options(t))
			if r.OK() || len(r.Results) != 1 || !strings.Contains(r.Results[0].Reason, tt.says) {
				t.Errorf("want one failure that says %q:\n%s", tt.says, text(r))
			}
		})
	}
}

// A worker that quietly ignores what it does not know is found out.
func TestLenientWorker(t *testing.T) {
	known := eager.Info()
	r := map[string]backendtest.Result{}
	opts := options(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	opts.Done = func(c backendtest.Result) {
		r[c.Name] = c
		if c.Name == "protocol/unknown-key-in-param" {
			cancel()
		}
	}
	known.Ops = []string{workloads.OpDense, workloads.LossSoftmax, workloads.OptSGD}
	honest := backendtest.Served(known, eager.New)
	backendtest.Run(ctx, func(ctx context.Context) (*backendtest.Conn, error) {
		conn, err := honest(ctx)
		if err == nil {
			conn.In = forgetful{conn.In}
		}
		return conn, err
	}, opts)
	for _, name := range []string{"protocol/unknown-key-in-job", "protocol/unknown-key-in-attr", "protocol/unknown-key-in-data", "protocol/unknown-key-in-optimizer-attr"} {
		if r[name].Status != backendtest.Fail || !strings.HasPrefix(r[name].Reason, `want an error reply of class "unsupported", because `) {
			t.Errorf("%s: %+v", name, r[name])
		}
	}
	if r["protocol/garbage"].Status != backendtest.Pass {
		t.Errorf("garbage: %+v", r["protocol/garbage"])
	}
}

// forgetful drops planted keys on the way to the worker.
type forgetful struct{ io.WriteCloser }

func (f forgetful) Write(line []byte) (int, error) {
	text := string(line)
	for _, planted := range []string{`"sparsity":0.5,`, `,"sparsity":0.5`, `"groups":2,`, `,"groups":2`, `,"shuffle":true`, `,"nesterov":true`, `"nesterov":true,`} {
		text = strings.ReplaceAll(text, planted, "")
	}
	_, err := io.WriteString(f.WriteCloser, text)
	return len(line), err
}
