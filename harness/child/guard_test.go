//go:build linux

package child

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMemoryLimit(t *testing.T) {
	const limit = 512 << 20
	for _, threads := range []string{"1", "2"} { // from 2 on in huge pages
		t.Run(threads+" threads", func(t *testing.T) {
			witness := filepath.Join(t.TempDir(), "touched")
			if err := os.WriteFile(witness, make([]byte, 8), 0o600); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			c := start(t, Spec{MemoryLimit: limit}, "eat", "30000", threads, witness)
			e := wait(t, c, time.Minute) // a busy virtual machine may fault in 50 MB/s
			took := time.Since(began)
			if !e.OOM || e.Killed || e.Signal != "SIGKILL" || !strings.Contains(e.Reason, "512.0 MiB") {
				t.Errorf("ended %+v", e)
			}
			count, err := os.ReadFile(witness)
			if err != nil {
				t.Fatal(err)
			}
			touched := int64(binary.NativeEndian.Uint64(count))
			t.Logf("in %v: limit %d MiB, peak seen %d MiB, touched %d MiB", took, limit>>20, e.Peak>>20, touched>>20)
			for _, got := range []int64{e.Peak, touched} {
				if got < limit-limit/20 || got > limit*13/10 {
					t.Errorf("%d bytes are not near the limit of %d", got, int64(limit))
				}
			}
		})
	}
}

func TestMemoryLimitCountsTheTree(t *testing.T) {
	t.Parallel()
	c := start(t, Spec{MemoryLimit: 200 << 20}, "eaters")
	e := wait(t, c, time.Minute)
	if !e.OOM || e.Peak < 190<<20 || e.Peak > 260<<20 {
		t.Errorf("ended %+v", e)
	}
}

func TestBelowTheLimitNothingHappens(t *testing.T) {
	t.Parallel()
	c := start(t, Spec{MemoryLimit: 1 << 30}, "eat", "100")
	time.Sleep(300 * time.Millisecond)
	before, began := cpuTime(t, c.Root()), time.Now()
	time.Sleep(time.Second)
	used, wall := cpuTime(t, c.Root())-before, time.Since(began)
	select {
	case <-c.Done():
		t.Fatalf("ended %+v", c.Wait())
	default:
	}
	// The supervisor must not disturb what is measured: 1 % of one core.
	t.Logf("the supervisor used %v in %v", used, wall)
	if used > wall/100 {
		t.Errorf("the supervisor used %v of a core in %v", used, wall)
	}
	c.Kill()
	e := wait(t, c, 2*time.Second)
	if e.OOM || e.Peak < 100<<20 || e.Peak > 200<<20 {
		t.Errorf("ended %+v", e)
	}
}

// cpuTime sums the time on a CPU of all threads of pid, from schedstat.
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(files) == 0 {
		t.Fatalf("no threads of %d: %v", pid, err)
	}
	var sum time.Duration
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		first, _, _ := strings.Cut(string(b), " ")
		sum += time.Duration(number(first))
	}
	return sum
}

func TestPace(t *testing.T) {
	t.Parallel()
	const limit = 1 << 30
	p := pace{limit: limit, speed: 12e9}
	if d := p.next(1 << 20); d < 80*time.Millisecond || d > guardCalm {
		t.Errorf("far below the limit it pauses for %v", d)
	}
	if d := p.next(limit - 1<<20); d != guardAlert {
		t.Errorf("growing near the limit it pauses for %v", d)
	}
	var d time.Duration
	for range 10 {
		d = p.next(limit - 1<<20)
	}
	// A quarter of the limit at 12 GB/s: 22 ms.
	if d < 20*time.Millisecond || d > 25*time.Millisecond {
		t.Errorf("steady near the limit it pauses for %v", d)
	}
	if d := p.next(limit - 3<<20); d != guardAlert {
		t.Errorf("in motion again it pauses for %v", d)
	}
}
