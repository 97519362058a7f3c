package child

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dlbench/dlbench/memprof"
)

// The guard looks at the tree's resident size at least every guardCalm, and
// more often the nearer it is to the limit. A tree far below its limit costs
// some ten small reads per second.
const (
	guardCalm  = 100 * time.Millisecond
	guardAlert = 4 * time.Millisecond
	// faultSpeed is what one CPU can fault in, in bytes per second: 2.5e9 in
	// pages of 4 KiB, 5e9 in huge pages on the machine this was measured on.
	faultSpeed = 6e9
)

// pace decides how long the guard may look away.
type pace struct {
	limit  int64
	speed  float64 // bytes per second by which the tree can grow
	held   int64   // at the last look that found growth
	steady int     // looks since then
}

// next returns the pause after a look that found held bytes: as long as growth
// at full speed needs to the limit. A tree that has stopped growing near its
// limit, which is how a measured step looks, is given a quarter more.
func (p *pace) next(held int64) time.Duration {
	const noise = 1 << 20
	if p.steady++; held > p.held+noise || held < p.held-noise {
		p.held, p.steady = held, 0
	}
	room := p.limit - held
	if p.steady >= 8 {
		room = max(room, p.limit/4)
	}
	pause := time.Duration(float64(room) / p.speed * float64(time.Second))
	return min(max(pause, guardAlert), guardCalm)
}

// guard kills the tree when its resident size passes the limit.
//
// It polls because nothing else bounds resident memory without a privilege:
// RLIMIT_AS and RLIMIT_DATA count address space, which language runtimes,
// thread stacks and CUDA reserve in amounts far above what they touch, and
// RLIMIT_RSS does nothing.
func (v *supervisor) guard() {
	runtime.LockOSThread() // the priority below is this thread's
	// Be on time on a busy host; without the privilege the guard is only later.
	unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), -10)
	limit := v.order.MemoryLimit
	cpus := len(v.order.CPUs)
	if cpus == 0 {
		cpus = runtime.NumCPU()
	}
	pace := pace{limit: limit, speed: faultSpeed * float64(cpus)}
	var tree []int
	var walked time.Time
	for {
		if now := time.Now(); now.Sub(walked) >= guardCalm {
			tree, _ = memprof.Descendants(os.Getpid())
			walked = now
		}
		held := v.held(tree)
		v.saw(held)
		if held > limit {
			v.stop(tree)
			return
		}
		time.Sleep(pace.next(held))
	}
}

// held is the resident size that the limit bounds.
func (v *supervisor) held(tree []int) int64 {
	counted := tree
	if others := slices.DeleteFunc(slices.Clone(tree), func(pid int) bool { return pid == v.pid }); v.order.Forks && len(others) > 0 {
		counted = others // a forked process counts what it shares with the worker: alone it would hold that too
	}
	held, _ := memprof.TreeRSS(counted)
	if held > v.order.MemoryLimit && len(counted) > 1 {
		// Processes share pages, which RSS counts once for each. What the whole tree
		// holds bounds what a part of it does.
		if pss, err := memprof.TreePSS(tree); err == nil {
			held = min(held, pss)
		}
	}
	return held
}

func (v *supervisor) saw(held int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.peak = max(v.peak, held)
}

// stop ends the tree for memory. The peaks are read once more after the
// signal: until a thread sees it, it goes on faulting pages in.
func (v *supervisor) stop(tree []int) {
	v.mu.Lock()
	v.oom = fmt.Sprintf("the process tree held %s, the memory limit is %s",
		memprof.Figure{Bytes: v.peak}, memprof.Figure{Bytes: v.order.MemoryLimit})
	v.mu.Unlock()
	v.signalTree(syscall.SIGKILL)
	if len(tree) == 1 {
		if peak, err := memprof.ReadPeak(tree[0]); err == nil {
			v.saw(peak)
		}
	}
	v.killTree()
}
