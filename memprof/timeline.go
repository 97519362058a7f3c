package memprof

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Point is the resident size of a process tree at one time.
type Point struct {
	At  time.Duration // since NewTimeline
	RSS int64         // bytes, shared pages counted once per process
}

// DefaultInterval is the sampling period of a Timeline.
const DefaultInterval = 10 * time.Millisecond

// maxPoints bounds a timeline: when it is full every second point is dropped
// and the period doubles from there on, so a long trial keeps its shape.
const maxPoints = 4096

// Timeline samples the resident size of a process tree from a goroutine of its
// own. It reads one or two small files per process and period, far below 1 % of
// a core for a small tree; still, a timed trial should go without.
type Timeline struct {
	pids  func() []int
	start time.Time
	stop  chan struct{}
	done  chan struct{}

	sampling sync.Mutex    // one sample at a time
	hwm      map[int]int64 // VmHWM of each process at the last sample

	mu     sync.Mutex
	points []Point
	peak   int64
	err    error
	top    struct { // of the sample with the most resident bytes of which the shared part was read
		rss    int64
		shared Figure
	}
}

// topStep is how much the tree must have grown since its shared part was last
// read for it to be read again: that takes milliseconds and stalls the process.
const topStep = 1.01

// NewTimeline begins to sample the processes that pids returns, which is asked
// before every sample, every interval (0: DefaultInterval), until Stop.
//
//	memprof.NewTimeline(func() []int { t, _ := memprof.Tree(pid); return t }, 0)
func NewTimeline(pids func() []int, interval time.Duration) *Timeline {
	if interval <= 0 {
		interval = DefaultInterval
	}
	l := &Timeline{
		pids: pids, start: time.Now(),
		stop: make(chan struct{}), done: make(chan struct{}), hwm: map[int]int64{},
	}
	go l.run(interval)
	return l
}

func (l *Timeline) run(interval time.Duration) {
	defer close(l.done)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if full := l.sample(); full {
			interval *= 2
			tick.Reset(interval)
		}
		select {
		case <-tick.C:
		case <-l.stop:
			l.sample()
			return
		}
	}
}

// Sample takes a point now, besides those of the interval. Call it before
// ResetPeak on a sampled process, which drops what the kernel kept of the peak
// since the last sample.
func (l *Timeline) Sample() { l.sample() }

// sample takes one point and reports whether the points had to be thinned.
//
// A peak between two samples is not lost: the kernel keeps it as VmHWM. Where
// one process's VmHWM rose since the last sample, the tree held at some time
// about what it holds now with that process at its peak.
func (l *Timeline) sample() (thinned bool) {
	l.sampling.Lock()
	defer l.sampling.Unlock()
	pids := l.pids()
	at := time.Since(l.start)
	var total, excess int64
	alive := false
	seen := make(map[int]int64, len(pids))
	var failed error
	for _, pid := range pids {
		rss, err := RSS(pid)
		if err != nil {
			failed = err
			continue
		}
		alive = true
		total += rss
		if peak, err := ReadPeak(pid); err == nil {
			if last, known := l.hwm[pid]; peak > last || !known {
				excess = max(excess, peak-rss)
			}
			seen[pid] = peak
		}
	}
	l.hwm = seen
	// Only sample, which runs once at a time, writes top.
	var shared *Figure
	if alive && (l.top.rss == 0 || float64(total) > topStep*float64(l.top.rss)) {
		f := Of(treeShared(pids))
		shared = &f
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if shared != nil && (shared.Absent == "" || l.top.rss == 0) {
		l.top.rss, l.top.shared = total, *shared
	}
	if !alive {
		if failed != nil {
			l.err = failed
		}
		return false
	}
	l.points = append(l.points, Point{At: at, RSS: total})
	l.peak = max(l.peak, total+excess)
	if len(l.points) < maxPoints {
		return false
	}
	l.points = thin(l.points)
	return true
}

// thin keeps the larger of every two neighbours, so that peaks stay visible.
func thin(points []Point) []Point {
	kept := points[:0]
	for pair := range slices.Chunk(points, 2) {
		p := pair[0]
		if len(pair) == 2 && pair[1].RSS > p.RSS {
			p = pair[1]
		}
		kept = append(kept, p)
	}
	return kept
}

// Stop takes a last sample and ends the sampling. It may be called again.
func (l *Timeline) Stop() {
	l.mu.Lock()
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.mu.Unlock()
	<-l.done
}

// Points returns what was sampled so far, in time order.
func (l *Timeline) Points() []Point {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.points)
}

// Peak is the largest resident size of the tree that was seen, in bytes; absent
// when no sample succeeded. Of a process that lived for less than the interval
// it knows nothing.
func (l *Timeline) Peak() Figure {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.points) == 0 {
		if l.err != nil {
			return Figure{Absent: l.err.Error()}
		}
		return Figure{Absent: "there was no process to sample"}
	}
	return Figure{Bytes: l.peak}
}

// PeakPSS is the proportional size of the tree at its peak: the peak less what
// its processes share among each other and with others, as it was read at the
// largest sample.
func (l *Timeline) PeakPSS() Figure {
	peak := l.Peak()
	l.mu.Lock()
	defer l.mu.Unlock()
	if why := cmp.Or(peak.Absent, l.top.shared.Absent); why != "" {
		return Figure{Absent: why}
	}
	return Figure{Bytes: max(0, peak.Bytes-l.top.shared.Bytes)}
}
