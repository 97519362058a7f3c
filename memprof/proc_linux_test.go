package memprof

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const mib = 1 << 20

// near tells whether got is within 1 % or 2 MiB of want.
func near(got, want int64) bool {
	return max(got-want, want-got) <= max(want/100, 2*mib)
}

func must(t *testing.T) func(int64, error) int64 {
	return func(b int64, err error) int64 {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

func TestPeakOfAKnownAllocation(t *testing.T) {
	t.Parallel()
	// A parent with a large peak of its own: ru_maxrss of the child would
	// report it.
	big := make([]byte, 300*mib)
	for i := 0; i < len(big); i += 4096 {
		big[i] = 1
	}
	p, pid := newPlayer(t)
	must := must(t)
	base := must(RSS(pid))
	if err := ResetPeak(pid); err != nil {
		t.Fatal(err)
	}
	p.ask("hold 100")
	if got := must(RSS(pid)) - base; !near(got, 100*mib) {
		t.Errorf("RSS rose by %d bytes", got)
	}
	if got := must(PSS(pid)); got < 100*mib || got > 120*mib {
		t.Errorf("PSS is %d bytes", got)
	}
	p.ask("free")
	if got := must(RSS(pid)) - base; !near(got, 0) {
		t.Errorf("RSS is %d bytes above the start after the end", got)
	}
	if got := must(ReadPeak(pid)) - base; !near(got, 100*mib) {
		t.Errorf("the peak is %d bytes above the start", got)
	}
	if err := ResetPeak(pid); err != nil {
		t.Fatal(err)
	}
	if got := must(ReadPeak(pid)) - base; !near(got, 0) {
		t.Errorf("after the reset the peak is %d bytes above the start", got)
	}
	p.ask("hold 20")
	if got := must(ReadPeak(pid)) - base; !near(got, 20*mib) {
		t.Errorf("the second peak is %d bytes above the start", got)
	}
	big[0]++ // it must live until here
}

// Not parallel: processes of the other tests share this binary's pages, and when
// they end between two readings the proportional size rises by their share.
func TestTimelineSeesAGrandchildsPeak(t *testing.T) {
	p, pid := newPlayer(t)
	kid, _ := strconv.Atoi(p.ask("fork"))
	tree := func() []int { pids, _ := Tree(pid); return pids }
	if got := tree(); !slices.Equal(got, []int{pid, kid}) {
		t.Fatalf("tree %v, want %v", got, []int{pid, kid})
	}
	base, basePSS := must(t)(TreeRSS(tree())), must(t)(TreePSS(tree()))
	line := NewTimeline(tree, 0)
	p.ask("hold 50")
	p.ask("child hold 100")
	p.ask("child free") // at once: shorter than the interval
	time.Sleep(30 * time.Millisecond)
	p.ask("free")
	time.Sleep(30 * time.Millisecond)
	line.Stop()
	line.Stop()
	peak := line.Peak()
	if peak.Absent != "" || !near(peak.Bytes-base, 150*mib) {
		t.Errorf("the peak is %v above the start (%s)", Figure{Bytes: peak.Bytes - base}, peak.Absent)
	}
	if pss := line.PeakPSS(); pss.Absent != "" || !near(pss.Bytes-basePSS, 150*mib) {
		t.Errorf("the proportional peak is %v above the start (%s)", Figure{Bytes: pss.Bytes - basePSS}, pss.Absent)
	}
	points := line.Points()
	if len(points) < 4 || !slices.IsSortedFunc(points, func(a, b Point) int { return int(a.At - b.At) }) {
		t.Errorf("points %v", points)
	}
	if last := points[len(points)-1]; !near(last.RSS-base, 0) {
		t.Errorf("the last point is %d bytes above the start", last.RSS-base)
	}
}

func TestSampleBeforeAReset(t *testing.T) {
	t.Parallel()
	p, pid := newPlayer(t)
	base := must(t)(RSS(pid))
	// An interval that never comes: only Sample can see the peak.
	line := NewTimeline(func() []int { return []int{pid} }, time.Hour)
	p.ask("hold 60")
	p.ask("free")
	line.Sample()
	if err := ResetPeak(pid); err != nil {
		t.Fatal(err)
	}
	line.Stop()
	if got := line.Peak(); got.Absent != "" || !near(got.Bytes-base, 60*mib) {
		t.Errorf("the peak is %v, the start was %v", got, Figure{Bytes: base})
	}
}

func TestTreeFindsOrphans(t *testing.T) {
	// An orphan stays in the tree of a subreaper; let this process be one.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	p, pid := newPlayer(t)
	orphan, _ := strconv.Atoi(p.ask("orphan"))
	for name, walk := range map[string]func(int) ([]int, error){"children": descendantsByChildren, "stat": descendantsByStat} {
		pids, err := walk(os.Getpid())
		if err != nil || !slices.Contains(pids, pid) || !slices.Contains(pids, orphan) {
			t.Errorf("by %s: %v, %v; want %d and %d", name, pids, err, pid, orphan)
		}
		if pids, err := walk(pid); err != nil || len(pids) > 0 {
			t.Errorf("by %s: below the worker: %v, %v", name, pids, err)
		}
	}
}

func TestGoneProcess(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("/bin/true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	for name, read := range map[string]func(int) (int64, error){"RSS": RSS, "PSS": PSS, "VmHWM": ReadPeak} {
		if b, err := read(pid); !errors.Is(err, ErrGone) {
			t.Errorf("%s of a process that ended: %d, %v", name, b, err)
		}
	}
	if err := ResetPeak(pid); !errors.Is(err, ErrGone) {
		t.Errorf("ResetPeak: %v", err)
	}
	if pids, err := Tree(pid); !errors.Is(err, ErrGone) {
		t.Errorf("Tree: %v, %v", pids, err)
	}
	if b, err := TreeRSS([]int{pid}); !errors.Is(err, ErrGone) {
		t.Errorf("TreeRSS: %d, %v", b, err)
	}
	line := NewTimeline(func() []int { return []int{pid} }, time.Millisecond)
	line.Stop()
	if p := line.Peak(); p.Absent == "" || p.Ptr() != nil {
		t.Errorf("peak of a process that ended: %v", p)
	}
}

func TestTimelineIsThinned(t *testing.T) {
	t.Parallel()
	l := &Timeline{pids: func() []int { return []int{os.Getpid()} }, start: time.Now(), hwm: map[int]int64{}}
	thinned := 0
	for range 2 * maxPoints {
		if l.sample() {
			thinned++
		}
	}
	if thinned == 0 || len(l.points) >= maxPoints {
		t.Errorf("%d points after %d thinnings", len(l.points), thinned)
	}
	in := []Point{{1, 10}, {2, 90}, {3, 50}, {4, 20}, {5, 7}}
	if got, want := thin(in), []Point{{2, 90}, {3, 50}, {5, 7}}; !slices.Equal(got, want) {
		t.Errorf("thinned to %v, want %v", got, want)
	}
}

func TestParentOf(t *testing.T) {
	t.Parallel()
	for stat, want := range map[string]int{
		"12 (sh) S 7 12 12 0":            7,
		"12 (a) b) (c ) R 41 1 1":        41,
		"12 (web content) S 2147 1 1 34": 2147,
		"12 (sh":                         0,
		"12 (sh) S":                      0,
		"":                               0,
	} {
		if got, ok := parentOf([]byte(stat)); got != want || ok != (want != 0) {
			t.Errorf("parentOf(%q) = %d, %v", stat, got, ok)
		}
	}
}

func FuzzParseKB(f *testing.F) {
	f.Add([]byte("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t 10 kB\n"))
	f.Add([]byte("VmHWM: -1 kB\n"))
	f.Add([]byte("VmHWM:"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if b, ok := parseKB(text, "VmHWM:"); ok && (b < 0 || b%1024 != 0) {
			t.Errorf("%d bytes from %q", b, text)
		}
	})
}

func BenchmarkReadings(b *testing.B) {
	pid := os.Getpid()
	for name, read := range map[string]func() error{
		"RSS":       func() error { _, err := RSS(pid); return err },
		"ReadPeak":  func() error { _, err := ReadPeak(pid); return err },
		"ResetPeak": func() error { return ResetPeak(pid) },
		"PSS":       func() error { _, err := PSS(pid); return err },
		"Tree":      func() error { _, err := Tree(pid); return err },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
