package pool

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// neighbour in the environment makes the test binary a process that does nothing
// but keep a processor busy: what a region costs beside one is measured with it.
const neighbour = "DLBENCH_POOL_NEIGHBOUR"

func TestMain(m *testing.M) {
	if os.Getenv(neighbour) == "" {
		os.Exit(m.Run())
	}
	for started := time.Now(); time.Since(started) < time.Minute; {
	}
}

// chores is a region of so much work in all: on one thread it takes as long as it says.
type chores struct {
	parts int
	work  time.Duration
	sums  [maxThreads]struct {
		x float64
		_ [56]byte
	}
}

// turns is how often chores turns for a nanosecond of work; set by calibrate.
var turns float64

func spend(x *float64, n int) {
	v := *x
	for range n {
		v = v*0.999 + 1
	}
	*x = v
}

// calibrate measures turns, in the fastest of several tries.
func calibrate() {
	if turns > 0 {
		return
	}
	var x float64
	const n = 100_000
	for range 50 {
		started := time.Now()
		spend(&x, n)
		turns = max(turns, n/float64(time.Since(started)))
	}
}

func (c *chores) Part(i int) {
	spend(&c.sums[i].x, int(turns*float64(c.work)/float64(c.parts)))
}

// BenchmarkRegion measures regions of 0, 20 and 100 us of work on one thread and
// on two, one after the other and after 50 us of other work; alone, and beside a
// process that keeps one processor busy.
func BenchmarkRegion(b *testing.B) {
	calibrate()
	for _, beside := range []string{"alone", "neighbour"} {
		for threads := 1; threads <= 2; threads++ {
			for _, c := range []struct{ work, gap time.Duration }{{0, 0}, {20, 0}, {100, 0}, {1000, 0}, {20, 50}} {
				b.Run(fmt.Sprintf("%s/threads=%d/us=%d/gap=%d", beside, threads, c.work, c.gap), func(b *testing.B) {
					if beside == "neighbour" {
						busy := exec.Command(os.Args[0])
						busy.Env = append(os.Environ(), neighbour+"=1")
						if err := busy.Start(); err != nil {
							b.Fatal(err)
						}
						defer func() {
							_ = busy.Process.Kill()
							_ = busy.Wait()
						}()
						time.Sleep(50 * time.Millisecond)
					}
					p := New(threads)
					defer p.Close()
					r := &chores{parts: threads, work: c.work * time.Microsecond}
					var x float64
					gap := int(turns * float64(c.gap*time.Microsecond))
					for b.Loop() {
						spend(&x, gap)
						p.Do(threads, r)
					}
					b.ReportMetric(float64(b.Elapsed())/float64(b.N)/1e3-float64(c.gap), "us/region")
				})
			}
		}
	}
}
