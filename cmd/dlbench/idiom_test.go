package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/harness"
	"github.com/dlbench/dlbench/workloads"
)

// What BenchmarkIdiom compares: the entries, separated by spaces, and how many
// pairs of processes and how many steps in each. scripts/idiom sets them.
const (
	idiomBackends = "DLBENCH_IDIOM_BACKENDS"
	idiomPairs    = "DLBENCH_IDIOM_PAIRS"
	idiomWarmup   = "DLBENCH_IDIOM_WARMUP"
	idiomSteps    = "DLBENCH_IDIOM_STEPS"
)

// idiomLimit is how much slower than a script written by hand a worker may be.
const idiomLimit = 1.02

// BenchmarkIdiom compares the median step of a framework's worker with that of
// a script as the framework's documentation would write it, in fresh processes
// that alternate: worker, script, script, worker, … Both make the same number
// of steps, one by one, after the same warm-up. The judgement is on the ratios
// of the pairs: their median, and an interval that holds the median of all such
// pairs with a probability of 95 % or more whatever the distribution. A worker
// fails if the median is above 1.02 and the interval lies above 1.
func BenchmarkIdiom(b *testing.B) {
	wanted := strings.Fields(os.Getenv(idiomBackends))
	if len(wanted) == 0 {
		b.Skipf("%s names no backend", idiomBackends)
	}
	s, err := here(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range wanted {
		i := slices.IndexFunc(s.entries(), func(e backends.Entry) bool { return e.Info.Name == name })
		if i < 0 {
			b.Errorf("backend %q is not in the catalog", name)
			continue
		}
		e := s.entries()[i]
		if err := s.ready([]backends.Entry{e}); err != nil {
			b.Errorf("%s: %v", name, err)
			continue
		}
		for _, w := range []struct{ workload, script string }{{"MnistCnn", "mnist_cnn"}, {"TextLstm", "text_lstm"}} {
			b.Run(name+"/"+w.script, func(b *testing.B) { idiom(b, e, w.workload, w.script) })
		}
	}
}

// idiom makes the pairs of one entry and workload, and judges them.
func idiom(b *testing.B, e backends.Entry, workload, script string) {
	framework, _, _ := strings.Cut(e.Info.Name, "-")
	path, err := filepath.Abs(filepath.Join("..", "..", "backends", "python", "testdata", "idiomatic", framework+"_"+script+".py"))
	if err != nil {
		b.Fatal(err)
	}
	pairs, warmup, steps := number(b, idiomPairs, 8), number(b, idiomWarmup, 20), number(b, idiomSteps, 60)
	mode := workloads.Train
	if !slices.Contains(e.Info.Ops, workloads.OptAdam) {
		mode = workloads.Infer
	}
	job := idiomJob(b, workload, mode)
	var worker, byHand, ratios []float64
	for b.Loop() {
		for pair := range pairs {
			var w, h int64
			if pair%2 == 0 {
				w = stepOfWorker(b, e, job, warmup, steps)
				h = stepOfScript(b, e, path, warmup, steps)
			} else {
				h = stepOfScript(b, e, path, warmup, steps)
				w = stepOfWorker(b, e, job, warmup, steps)
			}
			worker, byHand, ratios = append(worker, float64(w)/1e6), append(byHand, float64(h)/1e6), append(ratios, float64(w)/float64(h))
		}
	}
	low, high := medianInterval(ratios)
	ratio := middle(ratios)
	verdict := "undecided: too noisy to show the limit kept or broken"
	switch {
	case ratio > idiomLimit && low > 1:
		verdict = "TOO SLOW"
		b.Errorf("%s %s: the worker's median step is %.3f times the script's (%.3f to %.3f)", e.Info.Name, script, ratio, low, high)
	case high <= idiomLimit:
		verdict = "within the limit"
	case ratio <= idiomLimit:
		verdict = "within the limit, though the interval is not"
	}
	fmt.Printf("%-20s %-9s %-5s worker %8.3f ms  script %8.3f ms  ratio %.3f (%.3f to %.3f, %d pairs)  %s\n",
		e.Info.Name, script, mode, middle(worker), middle(byHand), ratio, low, high, len(ratios), verdict)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ratio, "ratio")
}

// number is an environment variable's, or the default.
func number(b *testing.B, variable string, otherwise int) int {
	b.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		b.Fatalf("%s is %q, want a number above 0", variable, text)
	}
	return n
}

func idiomJob(b *testing.B, workload string, mode workloads.Mode) backends.Job {
	b.Helper()
	spec, ok := workloads.Find(workload)
	if !ok {
		b.Fatalf("%s is not shipped", workload)
	}
	set := workloads.DefaultSettings()
	set.Mode, set.Batch = mode, 32
	p, err := spec.Resolve(set)
	if err != nil {
		b.Fatal(err)
	}
	cache, err := workloads.DefaultCache()
	if err != nil {
		b.Fatal(err)
	}
	job := backends.Job{Program: p, Settings: set, For: backends.ForTime}
	if job.Weights, err = cache.Weights(p); err != nil {
		b.Fatal(err)
	}
	if job.Batches, err = cache.Batches(p, ""); err != nil {
		b.Fatal(err)
	}
	return job
}

// stepOfWorker is the median step of a fresh worker, in nanoseconds.
func stepOfWorker(b *testing.B, e backends.Entry, job backends.Job, warmup, steps int) int64 {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), e.Argv[0], e.Argv[1:]...)
	cmd.Env, cmd.Dir = harness.Environment(e, 1), b.TempDir()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	client := backends.NewClient(out, in)
	client.MaxGap = time.Minute // the comparison is the point here, not the worker's honesty
	ran, err := func() (backends.Ran, error) {
		if _, err := client.Hello(backends.Hello{T: "hello", Protocol: backends.ProtocolVersion, Trial: "idiom", Threads: 1, Device: workloads.DeviceCPU}); err != nil {
			return backends.Ran{}, err
		}
		if _, err := client.Build(job); err != nil {
			return backends.Ran{}, err
		}
		if _, err := client.Run("warm-up", warmup, 1); err != nil {
			return backends.Ran{}, err
		}
		ran, err := client.Run("measure", steps, 1)
		if err != nil {
			return backends.Ran{}, err
		}
		return ran, client.Bye()
	}()
	in.Close()
	if ended := cmd.Wait(); err != nil || ended != nil {
		b.Fatalf("%s: %v, %v\n%s", e.Info.Name, err, ended, stderr.String())
	}
	return medianNS(ran.BlockNS)
}

// stepOfScript is the median step of the script in a fresh process, in nanoseconds.
func stepOfScript(b *testing.B, e backends.Entry, path string, warmup, steps int) int64 {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), e.Argv[0], "-s", path, "--variant", e.Info.Name, "--threads", "1",
		"--warmup", strconv.Itoa(warmup), "--steps", strconv.Itoa(steps))
	cmd.Env, cmd.Dir = harness.Environment(e, 1), b.TempDir()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("%s: %v\n%s", path, err, stderr.String())
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	var said struct {
		StepNS []int64 `json:"step_ns"`
	}
	if err := json.Unmarshal(lines[len(lines)-1], &said); err != nil || len(said.StepNS) != steps {
		b.Fatalf("%s: want a last line with %d step_ns, got %.200s (%v)", path, steps, lines[len(lines)-1], err)
	}
	return medianNS(said.StepNS)
}

// middle is the median.
func middle(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return (x[len(x)/2] + x[(len(x)-1)/2]) / 2
}

// medianInterval is the narrowest interval between two of the values, as far
// from one end as from the other, that holds the median of what they were drawn
// from with a probability of 95 % or more: the values below that median are as
// many as heads in len(x) tosses of a coin. Fewer than 6 values bound nothing.
func medianInterval(x []float64) (low, high float64) {
	x = slices.Sorted(slices.Values(x))
	n, cut := int64(len(x)), -1
	outside := new(big.Rat) // the probability of at most k heads
	for k := range n / 2 {
		ways := new(big.Int).Binomial(n, k)
		outside.Add(outside, new(big.Rat).SetFrac(ways, new(big.Int).Lsh(big.NewInt(1), uint(n))))
		if outside.Cmp(big.NewRat(1, 40)) > 0 {
			break
		}
		cut = int(k)
	}
	if cut < 0 {
		return math.Inf(-1), math.Inf(1)
	}
	return x[cut], x[len(x)-1-cut]
}

func TestMedianInterval(t *testing.T) {
	for _, tt := range []struct{ n, low, high int }{{6, 0, 5}, {8, 0, 7}, {9, 1, 7}, {12, 2, 9}, {20, 5, 14}} {
		x := make([]float64, tt.n)
		for i := range x {
			x[tt.n-1-i] = float64(i)
		}
		if low, high := medianInterval(x); low != float64(tt.low) || high != float64(tt.high) {
			t.Errorf("of 0 to %d: %v to %v, want %d to %d", tt.n-1, low, high, tt.low, tt.high)
		}
	}
	if low, high := medianInterval([]float64{1, 1, 1, 1, 1}); !math.IsInf(low, -1) || !math.IsInf(high, 1) {
		t.Errorf("5 values give %v to %v", low, high)
	}
}
