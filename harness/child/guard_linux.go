package child

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dlbench/dlbench/memprof"
)

// The guard looks at the tree's resident size at least this often, and more
// often the nearer it is to the limit, so that growth at fullSpeed is caught
// within a few per cent of it. A tree far below its limit costs ten small reads
// per second.
const (
	guardCalm  = 100 * time.Millisecond
	guardAlert = 4 * time.Millisecond
	fullSpeed  = 12 << 30 // bytes per second that a process may fault in
)

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
	var tree []int
	var walked time.Time
	for {
		if now := time.Now(); now.Sub(walked) >= guardCalm {
			tree, _ = memprof.Descendants(os.Getpid())
			walked = now
		}
		held, _ := memprof.TreeRSS(tree)
		if held > limit && len(tree) > 1 {
			// Forked processes share pages, which RSS counts once for each.
			if pss, err := memprof.TreePSS(tree); err == nil {
				held = pss
			}
		}
		v.saw(held)
		if held > limit {
			v.stop(tree)
			return
		}
		room := time.Duration(float64(limit-held) / fullSpeed * float64(time.Second))
		time.Sleep(min(max(room, guardAlert), guardCalm))
	}
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
