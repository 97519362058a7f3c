package gpu

import (
	"slices"
	"sync"
	"time"

	"github.com/dlbench/dlbench/memprof/nvml"
	"github.com/dlbench/dlbench/results"
)

// period is the time between two samples of a watch: a handful of calls to the
// driver each, from another process than the one that is measured.
const period = 100 * time.Millisecond

// Watch follows a device through one trial. Its methods may be called on nil,
// which watches nothing.
type Watch struct {
	driver driver
	stop   chan struct{}
	done   chan struct{}

	mu       sync.Mutex
	counting bool
	reasons  nvml.Reasons
	seen     results.GPU
}

// Watch begins to follow the device; call it before the worker is started, so
// that programs of others can be told from it.
func (d *Device) Watch() *Watch {
	w := &Watch{driver: d.driver, stop: make(chan struct{}), done: make(chan struct{}), seen: results.GPU{Name: d.name}}
	if d.top.SM > 0 {
		w.seen.SMTopMHz = new(int64(d.top.SM))
	}
	if n, err := d.settle(); err != nil {
		w.absent("others", err)
	} else {
		w.seen.Others = new(int64(n))
	}
	go w.run()
	return w
}

func (w *Watch) run() {
	defer close(w.done)
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.sample()
		case <-w.stop:
			return
		}
	}
}

// Count says that the measured segment begins or ends, and takes a sample at
// that border: a short segment may lie between two ticks.
func (w *Watch) Count(on bool) {
	if w == nil {
		return
	}
	w.mu.Lock()
	was := w.counting
	w.counting = on || was
	w.mu.Unlock()
	if on || was {
		w.sample()
	}
	w.mu.Lock()
	w.counting = on
	w.mu.Unlock()
}

// Stop ends the watch and returns what was seen; nil of nil.
func (w *Watch) Stop() *results.GPU {
	if w == nil {
		return nil
	}
	close(w.stop)
	<-w.done
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen.Slowdowns = (w.reasons & nvml.Slowdown).Words()
	w.seen.Limits = (w.reasons &^ nvml.Slowdown &^ nvml.Idle).Words()
	return &w.seen
}

// sample reads the device once, where the segment is going on.
func (w *Watch) sample() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.counting {
		return
	}
	w.seen.Samples++
	if c, err := w.driver.Clocks(); err != nil {
		w.absent("clocks", err)
	} else {
		widen(&w.seen.SMMinMHz, int64(c.SM), -1)
		widen(&w.seen.SMMaxMHz, int64(c.SM), +1)
	}
	if r, err := w.driver.Reasons(); err != nil {
		w.absent("reasons", err)
	} else {
		w.reasons |= r
	}
	if t, err := w.driver.Temperature(); err != nil {
		w.absent("temperature", err)
	} else {
		widen(&w.seen.TemperatureC, int64(t), +1)
	}
	if p, err := w.driver.Power(); err != nil {
		w.absent("power", err)
	} else {
		widen(&w.seen.PowerMW, int64(p), +1)
	}
}

// widen moves a bound to x where x lies beyond it in the direction of sign.
func widen(bound **int64, x, sign int64) {
	if *bound == nil || sign*x > sign***bound {
		*bound = &x
	}
}

func (w *Watch) absent(figure string, err error) {
	if w.seen.Absent == nil {
		w.seen.Absent = map[string]string{}
	}
	w.seen.Absent[figure] = err.Error()
}

// Peak follows the device's memory in use through a memory trial.
type Peak struct {
	driver driver
	stop   chan struct{}
	done   chan struct{}

	mu     sync.Mutex
	before int64 // in use when the sampling began
	top    int64
	err    error // of the first reading, or of one that failed since
}

// The time between two readings of memory: the short one where a reading is
// cheap enough for it.
const (
	oftenMemory  = 10 * time.Millisecond
	seldomMemory = 20 * time.Millisecond
	cheapReading = 500 * time.Microsecond
)

// Peak reads the memory in use, and goes on to sample it until Stop.
func (d *Device) Peak() *Peak {
	p := &Peak{driver: d.driver, stop: make(chan struct{}), done: make(chan struct{})}
	var took [3]time.Duration
	for i := range took {
		began := time.Now()
		p.Sample()
		took[i] = time.Since(began)
		if i == 0 { // what follows is the worker's
			p.before = p.top
		}
	}
	slices.Sort(took[:])
	every := oftenMemory
	if took[1] > cheapReading {
		every = seldomMemory
	}
	go p.run(every)
	return p
}

func (p *Peak) run(every time.Duration) {
	defer close(p.done)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.Sample()
		case <-p.stop:
			p.Sample()
			return
		}
	}
}

// Sample reads the memory now, besides the readings of the interval. It may be
// called on nil.
func (p *Peak) Sample() {
	if p == nil {
		return
	}
	m, err := p.driver.Memory()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.err = err
		return
	}
	p.top = max(p.top, m.Used)
}

// Stop ends the sampling and returns how far the memory in use rose above what
// it was at first, in bytes. A reading that failed makes the figure an error:
// the peak may have been there.
func (p *Peak) Stop() (int64, error) {
	close(p.stop)
	<-p.done
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.top - p.before, p.err
}
