package fake

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dlbench/dlbench/backends"
)

// Faults of a process: they need one of their own.

// holdFor is how long a known allocation stays: several samples of a timeline.
const holdFor = 150 * time.Millisecond

// grandchildren are what fakes start beside themselves.
var grandchildren = map[string]func() error{
	"linger": func() error { ignoreSignals(); time.Sleep(10 * time.Minute); return nil },
	"alloc":  allocGrandchild,
}

// grandchild starts this binary as another fake.
func grandchild(name string, env ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "worker", "fake:"+name)
	cmd.Env = append(os.Environ(), env...)
	return cmd, nil
}

// onceMeasuring calls f before the first block of the first measured run.
func onceMeasuring(w *worker, f func() error) (backends.Backend, error) {
	done := false
	return &hooked{Backend: w.backend, before: func() error {
		if done || !w.session.measuring() {
			return nil
		}
		done = true
		return f()
	}}, nil
}

func stderrFlood(w *worker) (backends.Backend, error) {
	megabytes, err := strconv.Atoi(w.arg)
	if err != nil || megabytes < 1 {
		return nil, fmt.Errorf("argument %q: expected a number of MB", w.arg)
	}
	return onceAtFirst(w, func() error {
		line := append(bytes.Repeat([]byte("flood "), 170), '\n')
		chunk := bytes.Repeat(line, 1_000_000/len(line)+1)[:1_000_000]
		for range megabytes {
			if _, err := os.Stderr.Write(chunk); err != nil {
				return err
			}
		}
		_, err := os.Stderr.WriteString("\nflood: end\n")
		return err
	})
}

// onceAtFirst calls f before the very first block, which belongs to the check
// and is not measured.
func onceAtFirst(w *worker, f func() error) (backends.Backend, error) {
	var once sync.Once
	return &hooked{Backend: w.backend, before: func() (err error) {
		once.Do(func() { err = f() })
		return err
	}}, nil
}

func forever() error { time.Sleep(24 * time.Hour); return nil }

func hang(w *worker) (backends.Backend, error) { return onceMeasuring(w, forever) }

// inLearning calls f before each block of the checks of a learning curve.
func inLearning(f func() error) func(*worker) (backends.Backend, error) {
	return func(w *worker) (backends.Backend, error) {
		return &hooked{Backend: w.backend, before: func() error {
			if !w.session.learn {
				return nil
			}
			return f()
		}}, nil
	}
}

func hangHard(w *worker) (backends.Backend, error) {
	return onceMeasuring(w, func() error {
		ignoreSignals()
		cmd, err := grandchild("linger")
		if err != nil {
			return err
		}
		if file, ok := w.out.(*os.File); ok {
			cmd.Stdout = file
		}
		ownSession(cmd)
		if err := cmd.Start(); err != nil {
			return err
		}
		time.Sleep(24 * time.Hour)
		return nil
	})
}

func sigkill(w *worker) (backends.Backend, error) { return onceMeasuring(w, killSelf) }

func killSelf() error {
	os.Stderr.WriteString("about to be killed\n")
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return err
	}
	if err := self.Kill(); err != nil {
		return err
	}
	time.Sleep(time.Minute) // the signal is on its way
	return nil
}

// unclean fails when it is closed, which is after bye.
type unclean struct{ backends.Backend }

func (b unclean) Close() error {
	return errors.Join(b.Backend.Close(), errors.New("fails after bye, as it should"))
}

func failsAfterBye(w *worker) (backends.Backend, error) { return unclean{w.backend}, nil }

func orphan(w *worker) (backends.Backend, error) {
	return onceAtFirst(w, func() error {
		cmd, err := grandchild("linger")
		if err != nil {
			return err
		}
		ownSession(cmd)
		return cmd.Start()
	})
}

// parentKilled is honest where it was not forked: its parent is then another's.
func parentKilled(w *worker) (backends.Backend, error) {
	return onceMeasuring(w, func() error {
		if !forked {
			return nil
		}
		if err := killParent(); err != nil {
			return err
		}
		time.Sleep(time.Minute) // it dies with its parent's tree
		return nil
	})
}

func allocRunaway(w *worker) (backends.Backend, error) { return onceMeasuring(w, runaway) }

func runaway() error {
	const chunk = 32 << 20
	for held := int64(0); held < 30_000_000_000; held += chunk {
		if _, err := touch(chunk); err != nil {
			return err
		}
	}
	return nil
}

// mebibytes reads a fake's argument.
func mebibytes(arg string) (int, error) {
	n, err := strconv.Atoi(arg)
	if err != nil || n < 1 || n > 1<<20 {
		return 0, fmt.Errorf("argument %q: expected a number of MiB", arg)
	}
	return n << 20, nil
}

func allocKnown(w *worker) (backends.Backend, error) {
	size, err := mebibytes(w.arg)
	if err != nil {
		return nil, err
	}
	return onceMeasuring(w, func() error { return hold(size) })
}

// allocEnv carries the size to the grandchild.
const allocEnv = "DLBENCH_FAKE_ALLOC_MIB"

func allocKnownChild(w *worker) (backends.Backend, error) {
	if _, err := mebibytes(w.arg); err != nil {
		return nil, err
	}
	return onceMeasuring(w, func() error {
		cmd, err := grandchild("alloc", allocEnv+"="+w.arg)
		if err != nil {
			return err
		}
		return cmd.Run()
	})
}

func allocGrandchild() error {
	size, err := mebibytes(os.Getenv(allocEnv))
	if err != nil {
		return err
	}
	return hold(size)
}

// hold touches size bytes, keeps them for a while and gives them back.
func hold(size int) error {
	free, err := touch(size)
	if err != nil {
		return err
	}
	time.Sleep(holdFor)
	return free()
}

// burner runs threads of its own beside every block, whatever GOMAXPROCS the
// harness granted.
type burner struct {
	backends.Backend
	threads int
}

func (b *burner) Run(batches []int) error {
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), b.threads+1))
	var stop atomic.Bool
	var group sync.WaitGroup
	for range b.threads {
		group.Go(func() { burn(&stop) })
	}
	err := b.Backend.Run(batches)
	stop.Store(true)
	group.Wait()
	return err
}
