package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager"
	"github.com/dlbench/dlbench/harness/child"
	"github.com/dlbench/dlbench/workloads"
)

// bareLoop makes the test binary build the job on standard input and time its
// steps in a plain loop, with no protocol and no supervisor around it.
const bareLoop = "DLBENCH_TEST_BARE_LOOP"

const (
	overheadWarmup = 30
	overheadSteps  = 100
)

// serveBareLoop is the code that a user would write by hand.
func serveBareLoop() error {
	var job backends.Job
	if err := json.NewDecoder(os.Stdin).Decode(&job); err != nil {
		return err
	}
	b := eager.New()
	if _, err := b.Build(context.Background(), job); err != nil {
		return err
	}
	step := func(i int) error { return b.Run([]int{i % job.Program.Data.Batches}) }
	for i := range overheadWarmup {
		if err := step(i); err != nil {
			return err
		}
	}
	ns := make([]int64, overheadSteps)
	for i := range ns {
		began := time.Now()
		if err := step(overheadWarmup + i); err != nil {
			return err
		}
		ns[i] = time.Since(began).Nanoseconds()
	}
	return json.NewEncoder(os.Stdout).Encode(ns)
}

// BenchmarkOverhead compares the median step of the eager engine through
// dlbench (supervised process, protocol, the shared timing loop) with the same
// steps in a bare loop, both in fresh processes, in alternating pairs. It
// reports the median ratio, its range over the pairs, and the CPU share of the
// harness and its supervisor while the worker measures.
func BenchmarkOverhead(b *testing.B) {
	job := overheadJob(b)
	var ratios, cpu []float64
	for b.Loop() {
		for pair := range 8 {
			var through, bare int64
			var share float64
			if pair%2 == 0 {
				through, share = throughDlbench(b, job)
				bare = inBareLoop(b, job)
			} else {
				bare = inBareLoop(b, job)
				through, share = throughDlbench(b, job)
			}
			ratios = append(ratios, float64(through)/float64(bare))
			cpu = append(cpu, share)
		}
	}
	slices.Sort(ratios)
	slices.Sort(cpu)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
	b.ReportMetric(ratios[0], "ratio-min")
	b.ReportMetric(ratios[len(ratios)-1], "ratio-max")
	b.ReportMetric(100*cpu[len(cpu)/2], "%harness-cpu")
}

func overheadJob(b *testing.B) backends.Job {
	b.Helper()
	spec, ok := workloads.Find("MnistCnn")
	if !ok {
		b.Fatal("MnistCnn is not shipped")
	}
	set := workloads.DefaultSettings()
	set.Mode, set.Batch = workloads.Train, 32
	p, err := spec.Resolve(set)
	if err != nil {
		b.Fatal(err)
	}
	cache := workloads.Cache{Dir: filepath.Join(os.TempDir(), "dlbench-test-cache")}
	weights, err := cache.Weights(p)
	if err != nil {
		b.Fatal(err)
	}
	batches, err := cache.Batches(p, "")
	if err != nil {
		b.Fatal(err)
	}
	return backends.Job{Program: p, Settings: set, Weights: weights, Batches: batches, For: backends.ForTime}
}

func overheadEnv() []string { return append(os.Environ(), "GOMAXPROCS=1") }

func inBareLoop(b *testing.B, job backends.Job) int64 {
	b.Helper()
	text, err := json.Marshal(job)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(overheadEnv(), bareLoop+"=1")
	cmd.Stdin, cmd.Stderr = strings.NewReader(string(text)), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		b.Fatal(err)
	}
	var ns []int64
	if err := json.Unmarshal(out, &ns); err != nil {
		b.Fatal(err)
	}
	return medianNS(ns)
}

func throughDlbench(b *testing.B, job backends.Job) (medianStep int64, harnessShare float64) {
	b.Helper()
	self, err := exec.LookPath("dlbench")
	if err != nil {
		b.Fatal(err)
	}
	w, err := child.Start(b.Context(), child.Spec{
		Supervisor: []string{self, child.SuperviseCommand},
		Argv:       []string{self, "worker", "eager"}, Env: overheadEnv(), MemoryLimit: 4 << 30,
	})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { w.Kill(); w.Wait() }()
	c := backends.NewClient(w.Stdout, w.Stdin)
	c.MaxGap = time.Minute // the comparison is the point here, not the worker's honesty
	if _, err := c.Hello(backends.Hello{T: "hello", Protocol: backends.ProtocolVersion, Trial: "overhead", Threads: 1, Device: "cpu"}); err != nil {
		b.Fatal(err)
	}
	if _, err := c.Build(job); err != nil {
		b.Fatal(err)
	}
	if _, err := c.Run("warm-up", overheadWarmup, 1); err != nil {
		b.Fatal(err)
	}
	before := ownCPU() + supervisorCPU(b, w)
	ran, err := c.Run("measure", overheadSteps, 1)
	if err != nil {
		b.Fatal(err)
	}
	spent := ownCPU() + supervisorCPU(b, w) - before
	return medianNS(ran.BlockNS), float64(spent) / float64(ran.WallNS)
}

// ownCPU is the user and system time of this process.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// supervisorCPU is the CPU time of the parent of a worker, from its CPU clock
// (clock_getcpuclockid(3)), in nanoseconds and not in ticks.
func supervisorCPU(b *testing.B, w *child.Child) time.Duration {
	b.Helper()
	const sched = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^w.Root()<<3|sched), &t); err != nil {
		b.Fatal(err)
	}
	return time.Duration(t.Nano())
}

func medianNS(ns []int64) int64 {
	slices.Sort(ns)
	return ns[len(ns)/2]
}

// The help text is what everyone waits for first: it must not load what it
// does not need. CPU time is compared, not wall time: the machine is shared.
func TestHelpIsCheap(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the CPU time of a child is read on Linux")
	}
	best := time.Hour
	for range 5 {
		cmd := program(t.Context(), "--help")
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		best = min(best, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
	}
	if best > 50*time.Millisecond {
		t.Errorf("--help takes %v of CPU, want at most 50 ms", best)
	}
}
