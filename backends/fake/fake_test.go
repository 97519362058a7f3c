package fake_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/fake"
	"github.com/dlbench/dlbench/workloads"
)

// TestMain lets this binary be a fake itself, as dlbench can.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "worker" {
		out, err := backends.TakeStdout()
		if err == nil {
			fmt.Println("a library prints") // must not reach the protocol
			err = fake.Main(strings.TrimPrefix(os.Args[2], "fake:"), os.Stdin, out, info(), newBackend)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func newBackend(mutant string) (backends.Backend, error) { return &counter{mutant: mutant}, nil }

// counter sums its weights, weighted by position, and takes a millisecond a step.
type counter struct {
	mutant string
	loss   float64
	steps  int
}

func (c *counter) Build(_ context.Context, job backends.Job) (backends.Built, error) {
	tensors, err := workloads.ReadSafetensors(job.Weights)
	if err != nil {
		return backends.Built{}, err
	}
	for i, v := range tensors["fc.weight"].Float64s() {
		c.loss += float64(i+1) * v
	}
	return backends.Built{Params: 6, DTypes: map[string]string{"params": "f32", "activations": "f32"}}, nil
}

func (c *counter) Run(batches []int) error {
	time.Sleep(time.Duration(len(batches)) * time.Millisecond)
	c.steps += len(batches)
	return nil
}
func (c *counter) Reset() error { c.steps = 0; return nil }
func (c *counter) Read(what string, _ int) (map[string]backends.Tensor, error) {
	return map[string]backends.Tensor{what: {Shape: []int{1}, Data: []float64{c.loss}}}, nil
}
func (c *counter) Close() error { return nil }

func info() backends.Info {
	return backends.Info{
		Name: "counter", Kind: "eager", Versions: map[string]string{}, Dialect: map[string]string{}, Features: []string{},
		Ops: []string{workloads.OpDense, workloads.LossSoftmax, workloads.OptSGD}, Precisions: []workloads.Precision{workloads.F32},
	}
}

func job(t *testing.T) backends.Job {
	t.Helper()
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := workloads.WriteSafetensors(path, []workloads.NamedTensor{
		{Name: "fc.weight", Tensor: workloads.Tensor{Shape: []int{2, 3}, F32: []float32{1, 2, 3, 4, 5, 6}}},
	}); err != nil {
		t.Fatal(err)
	}
	return backends.Job{
		Program: workloads.Program{
			Schema: 1, Name: "Sum", Mode: workloads.Train, Batch: 1, Accumulate: 1,
			Input: workloads.Input{Kind: "vector", Shape: []int{3}}, Data: workloads.Data{Batches: 2},
			Ops:    []workloads.Op{{Op: workloads.OpDense, Name: "fc", In: []int{-1}, Shape: []int{2}}},
			Params: []workloads.Param{{Name: "fc.weight", Shape: []int{2, 3}}},
			Loss:   workloads.Op{Op: workloads.LossSoftmax, Attr: workloads.Attr{Reduction: "mean"}}, Optimizer: workloads.Op{Op: workloads.OptSGD},
		},
		Settings: workloads.Settings{Mode: workloads.Train, Precision: workloads.F32, Device: "cpu", Data: "resident", Batch: 1, Accumulate: 1, Threads: 1},
		Weights:  path, Batches: path, For: backends.ForTime,
	}
}

// trial goes through the phases up to a measured run of 20 ms, and returns the
// losses of the check and the reply.
func trial(t *testing.T, c *backends.Client) ([]float64, backends.Ran, error) {
	t.Helper()
	if _, err := c.Hello(backends.Hello{Trial: "r1-c01", Threads: 1, Device: "cpu"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Build(job(t)); err != nil {
		t.Fatal(err)
	}
	digest, err := c.Check(1, false)
	if err != nil {
		t.Fatal(err)
	}
	ran, err := c.Run("measure", 4, 5)
	return digest.Losses, ran, err
}

// start runs a fake in a goroutine.
func start(t *testing.T, name string) *backends.Client {
	t.Helper()
	requests, toWorker := io.Pipe()
	fromWorker, replies := io.Pipe()
	go func() {
		err := fake.Run(name, requests, replies, info(), newBackend)
		replies.CloseWithError(err)
	}()
	t.Cleanup(func() { toWorker.Close(); fromWorker.Close() })
	return backends.NewClient(fromWorker, toWorker)
}

const honest = 1 + 4 + 9 + 16 + 25 + 36

func TestHonestFakes(t *testing.T) {
	for _, name := range []string{"ok", "slower=50", "slower=50/Other", "busy=1", "scripted=2ms/0.01/0.01"} {
		t.Run(name, func(t *testing.T) {
			c := start(t, name)
			c.MaxGap = time.Minute // the machine may be busy; clocks are not the point here
			losses, ran, err := trial(t, c)
			if err != nil {
				t.Fatal(err)
			}
			if losses[0] != honest || ran.Loss != honest {
				t.Errorf("losses %v and %v, want %v", losses[0], ran.Loss, honest)
			}
			if err := c.Bye(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A slowdown can be planted in one workload: blocks of five steps of a
// millisecond take five times that there, and elsewhere some block does not.
func TestSlowerInOneWorkload(t *testing.T) {
	for workload, hit := range map[string]bool{job(t).Program.Name: true, "Other": false} {
		c := start(t, "slower=400/"+workload)
		c.MaxGap = time.Minute
		_, ran, err := trial(t, c)
		if err != nil {
			t.Fatal(err)
		}
		if least := time.Duration(slices.Min(ran.BlockNS)); hit != (least >= 5*5*time.Millisecond) {
			t.Errorf("%s: the fastest block took %v", workload, least)
		}
		if err := c.Bye(); err != nil {
			t.Error(err)
		}
	}
}

// The fakes that only the protocol's rules can catch.
func TestDishonestReplies(t *testing.T) {
	for name, says := range map[string]string{
		"nul-on-stdout": `\x00\x00`,
		"half-json":     "not a JSON object",
		"huge-line":     "longer than 1 MiB",
		"many-samples":  "longer than 1 MiB",
		"half-time":     "unaccounted for",
		"double-time":   "on the harness's clock",
		"never-sync":    "unaccounted for",
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := trial(t, start(t, name))
			var broken *backends.ProtocolError
			if !errors.As(err, &broken) || !strings.Contains(err.Error(), says) {
				t.Errorf("err = %v, want a *ProtocolError that says %q", err, says)
			}
		})
	}
}

// The fakes that answer properly, and wrongly.
func TestWrongResults(t *testing.T) {
	for _, name := range []string{"wrong-loss", "transposed-weight"} {
		c := start(t, name)
		c.MaxGap = time.Minute
		losses, _, err := trial(t, c)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if losses[0] == honest {
			t.Errorf("%s: the loss is right", name)
		}
	}
}

func TestMutantsComeFromTheCaller(t *testing.T) {
	for _, name := range []string{"bf16", "dropped-checkpoint"} {
		var asked string
		err := fake.Run(name, strings.NewReader(`{"t":"bye"}`+"\n"), io.Discard, info(), func(mutant string) (backends.Backend, error) {
			asked = mutant
			return &counter{}, nil
		})
		if err != nil || asked != name {
			t.Errorf("%s asked for mutant %q, err %v", name, asked, err)
		}
	}
}

func TestScriptIsKept(t *testing.T) {
	c := start(t, "scripted=6ms,4ms")
	c.MaxGap = time.Minute
	_, ran, err := trial(t, c)
	if err != nil {
		t.Fatal(err)
	}
	for i, ns := range ran.BlockNS {
		// The check took one step, so blocks of 5 begin at 4 ms and at 6 ms in turn.
		want := 24 * time.Millisecond
		if i%2 == 1 {
			want = 26 * time.Millisecond
		}
		if got := time.Duration(ns); got < want {
			t.Errorf("block %d took %v, want at least %v", i, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"nothing", "ok=1", "scripted=fast", "scripted=1ms/2", "slower=-1", "slower=5/", "slower=/M", "alloc-known=0"} {
		if err := fake.Run(name, strings.NewReader(""), io.Discard, info(), newBackend); err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("fake %q: %v, want a refusal", name, err)
		}
	}
	entries := fake.Entries(info())
	if len(entries) != len(fake.Names()) {
		t.Fatalf("%d entries for %d names", len(entries), len(fake.Names()))
	}
	e, err := fake.Entry("alloc-known=128", info())
	if err != nil || e.Info.Name != "fake-alloc-known" || e.Argv[2] != "fake:alloc-known=128" {
		t.Errorf("entry %+v, err %v", e, err)
	}
}

// process starts this binary as a fake.
func process(t *testing.T, name string) (*exec.Cmd, *backends.Client, *strings.Builder) {
	t.Helper()
	cmd, _, c, tail := piped(t, name)
	return cmd, c, tail
}

// piped is process with the input of what it starts.
func piped(t *testing.T, name string) (*exec.Cmd, io.Closer, *backends.Client, *strings.Builder) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "worker", "fake:"+name)
	cmd.WaitDelay = 2 * time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	tail := new(strings.Builder)
	cmd.Stderr = tail
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := backends.NewClient(out, in)
	c.MaxGap = time.Minute
	return cmd, in, c, tail
}

func TestProcessOK(t *testing.T) {
	cmd, c, stderr := process(t, "stderr-flood=3")
	if _, _, err := trial(t, c); err != nil {
		t.Fatal(err)
	}
	if err := c.Bye(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := stderr.String(); len(got) < 3_000_000 || !strings.Contains(got, "a library prints") {
		t.Errorf("standard error has %d bytes, want the flood and what was printed on standard output", len(got))
	}
}

func TestProcessIsKilled(t *testing.T) {
	cmd, c, stderr := process(t, "sigkill-in-measure")
	if _, _, err := trial(t, c); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("err = %v, want the end of the output", err)
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("wait: %v, want SIGKILL", err)
	}
	if !strings.Contains(stderr.String(), "about to be killed") {
		t.Errorf("standard error: %q", stderr)
	}
}

func TestProcessAllocates(t *testing.T) {
	cmd, c, _ := process(t, "alloc-known=96")
	if _, _, err := trial(t, c); err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var peak, now int
	for line := range strings.Lines(string(status)) {
		fmt.Sscanf(line, "VmHWM: %d kB", &peak)
		fmt.Sscanf(line, "VmRSS: %d kB", &now)
	}
	if freed := peak - now; freed < 94<<10 {
		t.Errorf("peak %d KiB, now %d KiB: want 96 MiB in between", peak, now)
	}
	if err := c.Bye(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}

	cmd, c, _ = process(t, "alloc-known-grandchild=8")
	if _, ran, err := trial(t, c); err != nil || time.Duration(ran.WallNS) < 100*time.Millisecond {
		t.Errorf("grandchild: %v after %v", err, time.Duration(ran.WallNS))
	}
	if err := c.Bye(); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
