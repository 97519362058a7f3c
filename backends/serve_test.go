package backends_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

func TestSession(t *testing.T) {
	b := &toy{}
	c, done := start(t, b)
	hello, err := c.Hello(backends.Hello{Trial: "t", Threads: 1, Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	if hello.Name != "toy" || hello.Effective < 1 {
		t.Errorf("hello = %+v", hello)
	}
	built, err := c.Build(toyJob())
	if err != nil {
		t.Fatal(err)
	}
	if err := built.Against(toyJob()); err != nil {
		t.Error(err)
	}
	digest, err := c.Check(4, true)
	if err != nil {
		t.Fatal(err)
	}
	// Step s on batch s mod 3, the loss of each.
	if got, want := fmt.Sprint(digest.Losses), "[0 101 202 300]"; got != want {
		t.Errorf("check losses = %s, want %s", got, want)
	}
	// Gradients and logits are those before the first step, parameters those after the last.
	if got := digest.Tensors["grad/fc.weight"].Norm; got != 0 {
		t.Errorf("gradients were read after %v steps", got)
	}
	if got := digest.Tensors["param/fc.weight"].Norm; got != 4 {
		t.Errorf("parameters were read after %v steps, want 4", got)
	}
	if got := digest.Tensors["logits"].Norm; got != 5 {
		t.Errorf("norm of logits = %v, want 5", got)
	}
	ran, err := c.Run("first", 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if ran.Loss != 401 {
		t.Errorf("the step after check has loss %v, want 401: step 4 on batch 1", ran.Loss)
	}
	if _, err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	ran, err = c.Run("measure", 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	if ran.Loss != 502 || len(ran.BlockNS) != 3 {
		t.Errorf("3 blocks of 2 steps: loss %v, %d samples, want 502 and 3", ran.Loss, len(ran.BlockNS))
	}
	if err := c.Bye(); err != nil {
		t.Fatal(err)
	}
	if err := done(); err != nil {
		t.Error(err)
	}
	if b.closed != 1 {
		t.Errorf("backend was closed %d times", b.closed)
	}
}

// Correct answers are those of the step's own batch, before its update.
func TestCorrectAnswers(t *testing.T) {
	job := toyJob()
	job.Batches = filepath.Join(t.TempDir(), "batches.safetensors")
	if err := workloads.WriteSafetensors(job.Batches, []workloads.NamedTensor{
		{Name: "y", Tensor: workloads.Tensor{Shape: []int{3, 1}, I32: []int32{0, 1, 1}}},
	}); err != nil {
		t.Fatal(err)
	}
	// It answers 0 in the first epoch, 1 in the second.
	c, _ := start(t, &toy{logits: func(step, _ int) []float64 { return []float64{0.5, float64(step / 3)} }})
	if _, err := c.Hello(backends.Hello{Threads: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Build(job); err != nil {
		t.Fatal(err)
	}
	digest, correct, err := c.Learn(6, 1)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(digest.Losses, correct), "[0 101 202 300 401 502] [1 0 0 0 1 1]"; got != want {
		t.Errorf("learned %s, want %s", got, want)
	}
	// Who does not ask is not told.
	if digest, err := c.Check(2, false); err != nil || fmt.Sprint(digest.Losses) != "[0 101]" {
		t.Errorf("a check after it: %v, %v", digest.Losses, err)
	}
}

// Without labels there is an error, and the session goes on.
func TestCorrectAnswersWithoutLabels(t *testing.T) {
	c, _ := start(t, &toy{})
	must(t, c)
	var refused *backends.WorkerError
	if _, _, err := c.Learn(2, 1); !errors.As(err, &refused) {
		t.Errorf("%v, want an error reply", err)
	}
	if _, err := c.Check(2, false); err != nil {
		t.Error(err)
	}
}

// A worker of an older version does not know the key.
func TestCorrectAnswersAreOptional(t *testing.T) {
	digest, correct, err := canned(`{"t":"checked","losses":[2,1],"tensors":{}}`+"\n").Learn(2, 1)
	if err != nil || fmt.Sprint(digest.Losses) != "[2 1]" || correct != nil {
		t.Errorf("%v %v %v, want the losses alone", digest.Losses, correct, err)
	}
}

// A check that comes late starts from the initial state all the same.
func TestCheckResets(t *testing.T) {
	c, _ := start(t, &toy{})
	must(t, c)
	if _, err := c.Run("first", 1, 5); err != nil {
		t.Fatal(err)
	}
	digest, err := c.Check(2, false)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(digest.Losses), "[0 101]"; got != want {
		t.Errorf("losses = %s, want %s", got, want)
	}
}

// A run that fails has changed the state, so a check that follows resets too.
func TestCheckAfterAFailedRunResets(t *testing.T) {
	b := &toy{}
	c, _ := start(t, b)
	must(t, c)
	runs := 0
	b.onRun = func() error {
		if runs++; runs == 3 {
			return errors.New("no more")
		}
		return nil
	}
	if _, err := c.Run("first", 5, 1); err == nil {
		t.Fatal("a run of which a block failed was answered")
	}
	digest, err := c.Check(2, false)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(digest.Losses), "[0 101]"; got != want {
		t.Errorf("losses = %s, want %s", got, want)
	}
}

// must greets and builds.
func must(t *testing.T, c *backends.Client) {
	t.Helper()
	if _, err := c.Hello(backends.Hello{Trial: "t", Threads: 1, Device: "cpu"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Build(toyJob()); err != nil {
		t.Fatal(err)
	}
}

func TestInferenceHasNoParams(t *testing.T) {
	c, _ := start(t, &toy{})
	if _, err := c.Hello(backends.Hello{Threads: 1}); err != nil {
		t.Fatal(err)
	}
	job := toyJob()
	job.Program.Mode, job.Settings.Mode = workloads.Infer, workloads.Infer
	job.Program.Optimizer = workloads.Op{}
	if _, err := c.Build(job); err != nil {
		t.Fatal(err)
	}
	digest, err := c.Check(3, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(digest.Tensors) != 1 || len(digest.Losses) != 3 {
		t.Errorf("digest = %+v, want three losses and logits alone", digest)
	}
	var refused *backends.WorkerError
	if _, err := c.Check(1, true); !errors.As(err, &refused) {
		t.Errorf("gradients of an inference program: %v, want an error reply", err)
	}
}

func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*backends.Job)
		class  string
		says   string
	}{
		{"purpose", func(j *backends.Job) { j.For = "fun" }, "unsupported", "fun"},
		{"mode", func(j *backends.Job) { j.Program.Mode = "dream" }, "unsupported", "dream"},
		{"schema", func(j *backends.Job) { j.Program.Schema = 2 }, "unsupported", "schema is 2"},
		{"input", func(j *backends.Job) { j.Program.Input.Kind = "graph" }, "unsupported", "graph"},
		{"reduction", func(j *backends.Job) { j.Program.Loss.Attr.Reduction = "sum" }, "unsupported", `"sum"`},
		{"accumulate in inference", func(j *backends.Job) {
			j.Program.Mode, j.Settings.Mode = workloads.Infer, workloads.Infer
			j.Program.Batch, j.Settings.Batch = 2, 2
			j.Program.Accumulate, j.Settings.Accumulate = 2, 2
		}, "failed", "no gradients"},
		{"one value to normalise", func(j *backends.Job) {
			j.Program.Ops[0] = workloads.Op{Op: workloads.OpBatchNorm, Name: "bn", In: []int{-1}, Shape: []int{2}}
		}, "failed", "one value per channel"},
		{"device", func(j *backends.Job) { j.Settings.Device = "abacus" }, "unsupported", "abacus"},
		{"data", func(j *backends.Job) { j.Settings.Data = "tape" }, "unsupported", "tape"},
		{"op", func(j *backends.Job) { j.Program.Ops[0].Op = workloads.OpLSTM }, "unsupported", "op lstm fc"},
		{"loss", func(j *backends.Job) { j.Program.Loss.Op = "hinge" }, "unsupported", "hinge"},
		{"optimizer", func(j *backends.Job) { j.Program.Optimizer.Op = "lion" }, "unsupported", "lion"},
		{"precision", func(j *backends.Job) { j.Settings.Precision = workloads.F64 }, "unsupported", "f64"},
		{"precision with a reason", func(j *backends.Job) { j.Settings.Precision = workloads.F16Mix }, "unsupported", "precision f16-mixed: toys have no halves"},
		{"checkpoint", func(j *backends.Job) { j.Settings.Checkpoint = 2 }, "unsupported", "checkpointing"},
		{"device", func(j *backends.Job) { j.Settings.Device = workloads.DeviceCUDA }, "unsupported", "device cuda: this backend computes on the CPU"},
		{"allocator", func(j *backends.Job) { j.Settings.Allocator = workloads.AllocatorTuned }, "unsupported", "allocator tuned: Go programs"},
		{"unknown allocator", func(j *backends.Job) { j.Settings.Allocator = "jemalloc" }, "unsupported", `"jemalloc", known are`},
		{"accumulate", func(j *backends.Job) {
			j.Program.Batch, j.Program.Accumulate = 2, 2
			j.Settings.Batch, j.Settings.Accumulate = 2, 2
		}, "unsupported", "accumulation"},
		{"files", func(j *backends.Job) { j.Weights = "" }, "failed", "file"},
		{"batches", func(j *backends.Job) { j.Program.Data.Batches = 0 }, "failed", "data.batches is 0"},
		{"empty", func(j *backends.Job) { j.Program.Ops = nil }, "failed", "no ops"},
		{"disagree", func(j *backends.Job) { j.Settings.Batch = 7 }, "failed", "batch 1"},
		{"cycle", func(j *backends.Job) { j.Program.Ops[0].In = []int{0} }, "failed", "earlier op"},
		{"panic", func(j *backends.Job) { j.Weights = "panic" }, "failed", "panic: no such file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := start(t, &toy{})
			if _, err := c.Hello(backends.Hello{Threads: 1}); err != nil {
				t.Fatal(err)
			}
			job := toyJob()
			tt.change(&job)
			_, err := c.Build(job)
			var refused *backends.WorkerError
			if !errors.As(err, &refused) {
				t.Fatalf("err = %v, want an error reply", err)
			}
			if refused.Class != tt.class || !strings.Contains(refused.Message, tt.says) {
				t.Errorf("%v, want class %s and %q", refused, tt.class, tt.says)
			}
			// The session goes on: the same job put right is built.
			if _, err := c.Build(toyJob()); err != nil {
				t.Errorf("a good job after it: %v", err)
			}
		})
	}
}

// Requests that no Client would write.
func TestRawRequests(t *testing.T) {
	hello := `{"t":"hello","protocol":1,"threads":1,"device":"cpu"}`
	job, err := json.Marshal(toyJob())
	if err != nil {
		t.Fatal(err)
	}
	build := `{"t":"build","extra":[1],"job":` + string(job) + `}`
	for _, tt := range []struct {
		name  string
		lines []string
		class string // of the last reply, "" is none
		says  string
	}{
		{"unknown key in job", []string{hello, strings.Replace(build, `"for"`, `"fore":1,"for"`, 1)}, "unsupported", `"fore"`},
		{"unknown key in attr", []string{hello, strings.Replace(build, `"units"`, `"bits":8,"units"`, 1)}, "unsupported", `"bits"`},
		{"unknown key in envelope", []string{hello, build}, "", ""},
		{"unknown t", []string{hello, `{"t":"dance"}`}, "failed", "dance"},
		{"no t", []string{hello, `{}`}, "failed", "unknown t"},
		{"not JSON", []string{hello, `run!`}, "failed", "cannot be read"},
		{"no hello", []string{build}, "failed", "hello must come first"},
		{"second hello", []string{hello, hello}, "failed", "begun already"},
		{"no build", []string{hello, `{"t":"reset"}`}, "failed", "nothing was built"},
		{"no job", []string{hello, `{"t":"build"}`}, "failed", "no job"},
		{"twice", []string{hello, build, build}, "failed", "already"},
		{"protocol 2", []string{`{"t":"hello","protocol":2,"threads":1}`}, "unsupported", "protocol 2"},
		{"no threads", []string{`{"t":"hello","protocol":1}`}, "failed", "threads is 0"},
		{"no blocks", []string{hello, build, `{"t":"run","phase":"measure","blocks":0,"per_block":1}`}, "failed", "blocks is 0"},
		{"many blocks", []string{hello, build, `{"t":"run","phase":"measure","blocks":16385,"per_block":1}`}, "failed", "16385"},
		{"no steps", []string{hello, build, `{"t":"check","steps":0}`}, "failed", "steps is 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			in := strings.NewReader(strings.Join(append(tt.lines, `{"t":"bye"}`), "\n") + "\n")
			if err := backends.Serve(in, &out, toyInfo(), &toy{}); err != nil {
				t.Fatal(err)
			}
			replies := strings.Split(strings.TrimSpace(out.String()), "\n")
			if len(replies) != len(tt.lines)+1 {
				t.Fatalf("%d replies to %d requests:\n%s", len(replies), len(tt.lines)+1, out.String())
			}
			var last backends.WorkerError
			if err := json.Unmarshal([]byte(replies[len(replies)-2]), &last); err != nil {
				t.Fatal(err)
			}
			if last.Class != tt.class || !strings.Contains(last.Message, tt.says) {
				t.Errorf("reply %+v, want class %q and %q", last, tt.class, tt.says)
			}
		})
	}
}

func TestServeEnds(t *testing.T) {
	var out bytes.Buffer
	if err := backends.Serve(strings.NewReader(""), &out, toyInfo(), &toy{}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("end without bye: %v", err)
	}
	long := strings.NewReader(strings.Repeat("x", 3<<20) + "\n")
	if err := backends.Serve(long, &out, toyInfo(), &toy{}); err == nil || !strings.Contains(out.String(), "1 MiB") {
		t.Errorf("a line of 3 MiB: %v, replied %s", err, out.String())
	}
}

// What the library does wrong in a step is an error reply, not the end.
func TestRunFails(t *testing.T) {
	b := &toy{}
	c, _ := start(t, b)
	must(t, c)
	for _, tt := range []struct {
		name string
		fail func() error
		says string
	}{
		{"error", func() error { return errors.New("singular") }, "block 1 of 2: singular"},
		{"panic", func() error { panic("index out of range") }, "panic: index out of range"},
	} {
		b.onRun = tt.fail
		_, err := c.Run("measure", 2, 1)
		var refused *backends.WorkerError
		if !errors.As(err, &refused) || refused.At != "run" || refused.Class != "failed" || !strings.Contains(refused.Message, tt.says) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func FuzzServe(f *testing.F) {
	job, err := json.Marshal(toyJob())
	if err != nil {
		f.Fatal(err)
	}
	hello := `{"t":"hello","protocol":1,"threads":1,"device":"cpu"}` + "\n"
	f.Add(hello + `{"t":"build","job":` + string(job) + "}\n" + `{"t":"check","steps":2}` + "\n" + `{"t":"run","phase":"measure","blocks":2,"per_block":3}` + "\n" + `{"t":"reset"}` + "\n" + `{"t":"bye"}` + "\n")
	f.Add(hello + "{\"t\":\"build\",\"job\":{\"program\":null}}\nnull\n[]\n\x00\n")
	f.Add(hello + `{"t":"build","job":{"program":{"ops":[{"op":"dense","in":[9]}]}}}`)
	f.Fuzz(func(t *testing.T, in string) {
		var out bytes.Buffer
		// The session may end well or badly, but every line of it is a message.
		steps := 0
		_ = backends.Serve(strings.NewReader(in), &out, toyInfo(), &toy{onRun: func() error {
			if steps++; steps > 1000 {
				return errors.New("enough") // a request for 10^9 steps tests nothing more
			}
			return nil
		}})
		for line := range strings.Lines(out.String()) {
			var reply struct {
				T string `json:"t"`
			}
			if err := json.Unmarshal([]byte(line), &reply); err != nil || reply.T == "" {
				t.Fatalf("reply %q: %v", line, err)
			}
		}
	})
}
