package harness

import (
	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/memprof"
	"github.com/dlbench/dlbench/results"
)

// memory is the trial that only looks at memory: build, first step, and as
// many steps as a timed trial measures, under a sampler. It reads back no
// tensor, which would show as memory, and its times are never speed samples.
func (t *trial) memory() error {
	s := t.cell.Steps
	w := &memoryWatch{processes: t.worker.Processes, timeline: memprof.NewTimeline(t.worker.Processes, 0)}
	defer func() { t.rec.Memory = w.stop() }()
	w.border()
	t.border("build", 0)
	if err := t.build(backends.ForMemory); err != nil {
		return err
	}
	w.border()
	t.border("first", 0)
	if _, err := t.client.Run("first", 1, 1); err != nil {
		return err
	}
	w.border()
	t.border("measure", 1)
	if _, err := t.client.Run("measure", s.Blocks, s.PerBlock); err != nil {
		return err
	}
	w.border()
	t.border("", s.Measured())
	return t.client.Bye()
}

// memoryWatch looks at the process tree of one worker: resident bytes all the
// time, proportional set size at the borders only, since reading it takes
// milliseconds and stalls the process that is read.
type memoryWatch struct {
	processes func() []int
	timeline  *memprof.Timeline
	borders   []level // the first is after import
}

// level is what a process tree held at a border.
type level struct{ rss, pss memprof.Figure }

// border reads the tree while the worker is blocked between two requests.
func (w *memoryWatch) border() {
	tree := w.processes()
	w.borders = append(w.borders, level{rss: memprof.Of(memprof.TreeRSS(tree)), pss: memprof.Of(memprof.TreePSS(tree))})
}

// stop ends the sampling and sums up. A figure that could not be read is
// absent, with the reason.
func (w *memoryWatch) stop() *results.Memory {
	w.timeline.Stop()
	m := &results.Memory{}
	keep := func(name string, f memprof.Figure) *int64 {
		if f.Absent != "" {
			if m.Absent == nil {
				m.Absent = map[string]string{}
			}
			m.Absent[name] = f.Absent
		}
		return f.Ptr()
	}
	peak := w.timeline.Peak()
	m.PeakRSS = keep("peak_rss", peak)
	m.PeakPSS = keep("peak_pss", peakPSS(w.borders, peak))
	m.ImportPSS = keep("import_pss", w.borders[0].pss)
	for _, p := range w.timeline.Points() {
		m.Timeline = append(m.Timeline, results.Point{NS: p.At.Nanoseconds(), RSS: p.RSS})
	}
	return m
}

// peakPSS is the proportional set size of a tree at its peak. Between borders
// it cannot be read. What the tree held above its highest border came and went
// within a phase, so it is private memory and counts in full: the size at the
// border with the most resident bytes, plus the peak above those bytes.
func peakPSS(borders []level, peak memprof.Figure) memprof.Figure {
	highest := borders[0]
	for _, b := range borders[1:] {
		if highest.pss.Absent != "" || b.pss.Absent == "" && b.rss.Bytes > highest.rss.Bytes {
			highest = b
		}
	}
	if highest.pss.Absent != "" || peak.Absent != "" {
		return highest.pss
	}
	return memprof.Figure{Bytes: highest.pss.Bytes + max(0, peak.Bytes-highest.rss.Bytes)}
}
