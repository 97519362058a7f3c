package memprof

import (
	"slices"
	"sync"
	"time"
)

// Point is the resident size of a process tree at one time.
type Point struct {
	At  time.Duration // since the timeline began
	RSS int64         // bytes, shared pages counted once per process
}

// Border is the proportional size of a process tree at a named moment, which is
// too slow to read to be sampled.
type Border struct {
	Name string
	At   time.Duration
	PSS  Figure
}

// Trace is what a Timeline saw.
type Trace struct {
	Start  time.Time // the zero of At
	Points []Point   // in time order
	// Peak is the largest resident size of the tree, in bytes; absent when no
	// sample succeeded. It knows nothing of a process that lived for less than
	// the interval.
	Peak    Figure
	Borders []Border // in time order
}

// PeakPSS is the largest PSS at a border.
func (t Trace) PeakPSS() Figure {
	peak := Figure{Absent: "no border was marked"}
	for _, b := range t.Borders {
		if peak.Absent != "" || b.PSS.Absent == "" && b.PSS.Bytes > peak.Bytes {
			peak = b.PSS
		}
	}
	return peak
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

	mu      sync.Mutex
	points  []Point
	peak    int64
	err     error
	hwm     map[int]int64 // VmHWM of each process at the last sample
	borders []Border
}

// Watch begins to sample the tree of pid at DefaultInterval.
func Watch(pid int) *Timeline {
	return NewTimeline(func() []int {
		pids, err := Tree(pid)
		if err != nil {
			return []int{pid} // its readings say why
		}
		return pids
	}, 0)
}

// NewTimeline begins to sample the processes that pids returns, which is asked
// before every sample, every interval (0: DefaultInterval), until Stop.
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

// sample takes one point and reports whether the points had to be thinned.
//
// A peak between two samples is not lost: the kernel keeps it as VmHWM. Where
// one process's VmHWM rose since the last sample, the tree held at some time
// about what it holds now with that process at its peak.
func (l *Timeline) sample() (thinned bool) {
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
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hwm = seen
	if !alive {
		if len(l.points) == 0 {
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

// Mark reads the PSS of the tree now and keeps it under name.
func (l *Timeline) Mark(name string) {
	at := time.Since(l.start)
	pss := Of(TreePSS(l.pids()))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.borders = append(l.borders, Border{Name: name, At: at, PSS: pss})
}

// Stop takes a last sample, ends the sampling and returns what was seen. It may
// be called again.
func (l *Timeline) Stop() Trace {
	l.mu.Lock()
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.mu.Unlock()
	<-l.done
	l.mu.Lock()
	borders := slices.Clone(l.borders)
	l.mu.Unlock()
	return Trace{Start: l.start, Points: l.Points(), Peak: l.Peak(), Borders: borders}
}

// Points returns what was sampled so far.
func (l *Timeline) Points() []Point {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.points)
}

// Peak returns the peak so far, as in Trace.
func (l *Timeline) Peak() Figure {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case len(l.points) > 0:
		return Figure{Bytes: l.peak}
	case l.err != nil:
		return Figure{Absent: l.err.Error()}
	}
	return Figure{Absent: "no process to sample"}
}
