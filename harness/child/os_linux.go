package child

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dlbench/dlbench/memprof"
)

// oomScore makes the kernel choose the worker first when memory runs out.
const oomScore = 800

// ownGroup keeps a terminal's signals away from the process.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// workerAttr puts the worker into a group of its own, so that a worker that
// signals its group does not reach the supervisor, and ties it to this thread.
func workerAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// prepare makes this process the reaper of all its descendants and gives the
// calling thread what the worker shall inherit; restore takes that back.
func prepare(o order) (restore func(), err error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("become subreaper: %w", err)
	}
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return nil, fmt.Errorf("read CPU mask: %w", err)
	}
	if len(o.CPUs) > 0 {
		var mask unix.CPUSet
		for _, cpu := range o.CPUs {
			mask.Set(cpu)
		}
		if err := unix.SchedSetaffinity(0, &mask); err != nil {
			return nil, fmt.Errorf("set CPU mask %v: %w", o.CPUs, err)
		}
	}
	const adj = "/proc/self/oom_score_adj"
	score, _ := os.ReadFile(adj)
	if old, err := strconv.Atoi(string(bytes.TrimSpace(score))); err == nil && old < oomScore {
		os.WriteFile(adj, []byte(strconv.Itoa(oomScore)), 0) // a preference: the guard holds without it
	}
	return func() {
		os.WriteFile(adj, bytes.TrimSpace(score), 0)
		unix.SchedSetaffinity(0, &before)
	}, nil
}

func dup(from, to int) error { return unix.Dup3(from, to, 0) }

func signalName(s syscall.Signal) string { return unix.SignalName(s) }

func (v *supervisor) signalTree(sig syscall.Signal) {
	pids, err := memprof.Descendants(os.Getpid())
	if err != nil {
		pids = []int{v.pid}
	}
	for _, pid := range pids {
		syscall.Kill(pid, sig)
	}
}

// kernelOOMKills counts the processes that the kernel has killed for memory
// since boot; 0 where it does not say.
func kernelOOMKills() int {
	text, err := os.ReadFile("/proc/vmstat")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte("oom_kill ")); ok {
			n, _ := strconv.Atoi(string(bytes.TrimSpace(rest)))
			return n
		}
	}
	return 0
}

// sweep kills what a lost supervisor left behind: all processes that carry the
// trial's marker in their environment. It returns those that would not die.
func (c *Child) sweep() []int {
	var left []int
	for deadline := time.Now().Add(time.Second); ; time.Sleep(10 * time.Millisecond) {
		left = marked(marker + "=" + c.mark)
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
		for _, pid := range left {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// marked returns the processes with that variable in their environment; a
// zombie has none.
func marked(variable string) []int {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	var pids []int
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		env, err := os.ReadFile("/proc/" + name + "/environ")
		if err == nil && slices.Contains(bytesToStrings(env), variable) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func bytesToStrings(env []byte) []string {
	var vars []string
	for v := range bytes.SplitSeq(env, []byte{0}) {
		vars = append(vars, string(v))
	}
	return vars
}
