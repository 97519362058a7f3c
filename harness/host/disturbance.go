package host

import (
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dlbench/dlbench/results"
)

// Disturbed counts what else happens on the host from Disturbances to Stop.
type Disturbed struct {
	root   fs.FS
	cgroup cgroup
	own    func() time.Duration
	before counters
	canary time.Duration
}

// counters are the kernel's running totals, in nanoseconds; nil: not told.
type counters struct{ steal, busy, psi, throttled, own *int64 }

// Disturbances runs the canary on one of cpus and begins to count. Only one
// trial at a time can be told from other processes: what this process and its
// reaped children use counts as its own, and what own says that living children
// have used until then.
func Disturbances(cpus []int, own func() time.Duration) *Disturbed {
	d := &Disturbed{root: os.DirFS("/"), own: own, canary: Canary(cpus)}
	d.cgroup = newCgroup(d.root, "cpu")
	d.before = d.read()
	return d
}

// Stop returns what happened since. The trial's processes must have been waited
// for, unless own tells of them: their CPU time is known only then. Figures that this system does not
// tell are nil.
func (d *Disturbed) Stop() results.Disturbance {
	after := d.read()
	r := results.Disturbance{
		StealNS:     since(d.before.steal, after.steal),
		PSICPUNS:    since(d.before.psi, after.psi),
		ThrottledNS: since(d.before.throttled, after.throttled),
		CanaryNS:    d.canary.Nanoseconds(),
	}
	busy, own := since(d.before.busy, after.busy), since(d.before.own, after.own)
	if busy != nil && own != nil {
		others := max(*busy-*own, 0) // the kernel counts both in ticks of its own
		r.OthersCPUNS = &others
	}
	return r
}

func since(before, after *int64) *int64 {
	if before == nil || after == nil {
		return nil
	}
	d := max(*after-*before, 0)
	return &d
}

func (d *Disturbed) read() counters {
	var c counters
	if text, err := fs.ReadFile(d.root, "proc/stat"); err == nil {
		if t, ok := parseStat(string(text)); ok {
			c.busy, c.steal = &t.busy, &t.steal
		}
	}
	if text, err := fs.ReadFile(d.root, "proc/pressure/cpu"); err == nil {
		if ns, ok := parsePressure(string(text)); ok {
			c.psi = &ns
		}
	}
	if ns, ok := d.cgroup.throttled(); ok {
		c.throttled = &ns
	}
	if ns, ok := ownCPU(); ok {
		ns += d.own().Nanoseconds()
		c.own = &ns
	}
	return c
}

// stat is the first line of /proc/stat, in nanoseconds over all CPUs.
type stat struct{ busy, steal, total int64 }

// parseStat reads "cpu user nice system idle iowait irq softirq steal ..."
// (proc(5)), in hundredths of a second. Guest time is part of user.
func parseStat(text string) (stat, bool) {
	line, _, _ := strings.Cut(text, "\n")
	f := strings.Fields(line)
	if len(f) < 9 || f[0] != "cpu" {
		return stat{}, false
	}
	var s stat
	for i, field := range f[1:9] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil || ticks < 0 || ticks > 1<<38 {
			return stat{}, false
		}
		ns := ticks * int64(10*time.Millisecond)
		s.total += ns
		switch i {
		case 3, 4: // idle, waiting for a device
		case 7:
			s.steal = ns
		default:
			s.busy += ns
		}
	}
	return s, true
}

// parsePressure reads the total of the line "some" of /proc/pressure/cpu: time
// in which at least one task waited for a CPU. The file counts microseconds.
func parsePressure(text string) (int64, bool) {
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "some ") {
			continue
		}
		_, total, ok := strings.Cut(line, "total=")
		us, err := strconv.ParseInt(strings.TrimSpace(total), 10, 64)
		return us * 1000, ok && err == nil && us >= 0 && us < 1<<53
	}
	return 0, false
}

// Canary times a fixed computation that needs nothing but a CPU, on the last
// of cpus where the system lets a thread choose: median of three. It tells a
// slow moment of the host (frequency, a noisy neighbour) from slow work.
func Canary(cpus []int) time.Duration {
	var took [3]time.Duration
	onCPU(cpus, func() {
		for i := range took {
			began := time.Now()
			runtime.KeepAlive(canary(canaryRounds)) // the compiler must not drop it
			took[i] = time.Since(began)
		}
	})
	slices.Sort(took[:])
	return took[1]
}

// canaryRounds makes one canary about a millisecond on a CPU of 2023.
const canaryRounds = 400_000

// canary is a chain of integer and floating-point operations that depend on
// each other: xorshift (Marsaglia 2003) drives a recurrence that stays in (0, 1).
func canary(rounds int) float64 {
	x, y := uint64(88172645463325252), 0.5
	for range rounds {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		y = 0.25*y + float64(x>>11)*(0.5/(1<<53))
	}
	return y
}
