package gpu

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dlbench/dlbench/memprof/nvml"
)

// scripted is a driver whose answers follow a script, one element each time;
// the last one stays.
type scripted struct {
	mu        sync.Mutex
	memory    []int64
	slow      time.Duration // of a reading of memory
	clocks    []int
	reasons   []nvml.Reasons
	heat      []int
	processes [][]int
	err       error // of everything
	read      int   // of memory
}

func next[T any](list *[]T) T {
	v := (*list)[0]
	if len(*list) > 1 {
		*list = (*list)[1:]
	}
	return v
}

func (s *scripted) Memory() (nvml.Memory, error) {
	time.Sleep(s.slow)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read++
	return nvml.Memory{Used: next(&s.memory)}, s.err
}

func (s *scripted) Clocks() (nvml.Clocks, error)   { return nvml.Clocks{SM: next(&s.clocks)}, s.err }
func (s *scripted) Reasons() (nvml.Reasons, error) { return next(&s.reasons), s.err }
func (s *scripted) Temperature() (int, error)      { return next(&s.heat), s.err }
func (s *scripted) Power() (int, error)            { return 300_000, nvml.NotSupported }
func (s *scripted) Processes() ([]nvml.Process, error) {
	var list []nvml.Process
	for _, pid := range next(&s.processes) {
		list = append(list, nvml.Process{PID: pid})
	}
	return list, s.err
}

// Only what is seen in the measured segment counts, its borders included.
func TestWatchCountsTheSegment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{
			clocks: []int{1500, 1980, 1400, 1700}, heat: []int{60, 71, 65},
			reasons:   []nvml.Reasons{nvml.Idle, nvml.PowerCap, nvml.SyncBoost | nvml.HardwareThermal, nvml.DisplayClocks},
			processes: [][]int{nil},
		}
		d := &Device{driver: s, name: "Some GPU", top: nvml.Clocks{SM: 1980}}
		w := d.Watch()
		w.Count(false)
		time.Sleep(350 * time.Millisecond)
		w.Count(true) // first sample
		time.Sleep(100 * time.Millisecond)
		w.Count(false) // third
		time.Sleep(time.Second)
		got := w.Stop()
		if got.Name != "Some GPU" || got.Samples != 3 || *got.SMMinMHz != 1400 || *got.SMMaxMHz != 1980 || *got.SMTopMHz != 1980 || *got.TemperatureC != 71 {
			t.Errorf("%+v", got)
		}
		if !slices.Equal(got.Slowdowns, []string{"hardware thermal slowdown"}) || !slices.Equal(got.Limits, []string{"software power cap", "sync boost"}) {
			t.Errorf("slowdowns %q, limits %q", got.Slowdowns, got.Limits)
		}
		if got.PowerMW != nil || got.Absent["power"] != "not supported by this GPU" || *got.Others != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// A driver that answers nothing leaves reasons, not zeros.
func TestWatchWithoutAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{clocks: []int{1}, heat: []int{1}, reasons: []nvml.Reasons{1}, processes: [][]int{{1}}, err: errors.New("lost")}
		w := (&Device{driver: s}).Watch()
		w.Count(true)
		w.Count(false)
		got := w.Stop()
		if got.SMMinMHz != nil || got.SMMaxMHz != nil || got.SMTopMHz != nil || got.TemperatureC != nil || got.Others != nil {
			t.Errorf("%+v", got)
		}
		for _, figure := range []string{"clocks", "reasons", "temperature", "others"} {
			if got.Absent[figure] != "lost" {
				t.Errorf("%s: %q", figure, got.Absent[figure])
			}
		}
	})
}

func TestNoWatch(t *testing.T) {
	var w *Watch
	w.Count(true)
	var p *Peak
	p.Sample()
	if w.Stop() != nil {
		t.Error("nil saw something")
	}
}

// The worker of the trial before is gone from the driver's list only after a
// moment; who stays is another.
func TestOthers(t *testing.T) {
	for _, tc := range []struct {
		name   string
		lists  [][]int
		others int64
		waited time.Duration
	}{
		{"nobody", [][]int{nil}, 0, 0},
		{"the last worker leaves", [][]int{{7}, {7}, nil}, 0, 2 * settleStep},
		{"one stays", [][]int{{7, 9}, {9}}, 1, settleMost * settleStep},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &Device{driver: &scripted{processes: tc.lists, clocks: []int{1}}}
				for i, waited := range []time.Duration{tc.waited, 0} { // known from then on
					began := time.Now()
					w := d.Watch()
					if took := time.Since(began); took != waited {
						t.Errorf("watch %d waited %v, want %v", i, took, waited)
					}
					if got := w.Stop(); *got.Others != tc.others {
						t.Errorf("watch %d: %d others, want %d", i, *got.Others, tc.others)
					}
				}
			})
		})
	}
}

func TestPeak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{memory: []int64{1000, 1000, 1000, 1500, 9000, 1200}}
		p := (&Device{driver: s}).Peak()
		time.Sleep(100 * time.Millisecond)
		got, err := p.Stop()
		if got != 8000 || err != nil {
			t.Errorf("%d, %v, want 8000", got, err)
		}
		if s.read != 3+10+1 {
			t.Errorf("%d readings in 100 ms", s.read)
		}
	})
	synctest.Test(t, func(t *testing.T) { // a slow driver is asked less often
		s := &scripted{memory: []int64{1000}, slow: 2 * time.Millisecond}
		p := (&Device{driver: s}).Peak()
		time.Sleep(100 * time.Millisecond)
		if got, err := p.Stop(); got != 0 || err != nil {
			t.Errorf("%d, %v, want 0", got, err)
		}
		if s.read > 3+5+1 {
			t.Errorf("%d readings in 100 ms", s.read)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		p := (&Device{driver: &scripted{memory: []int64{1000}, err: nvml.NotSupported}}).Peak()
		if n, err := p.Stop(); !errors.Is(err, nvml.NotSupported) {
			t.Errorf("%d, %v, want no figure", n, err)
		}
	})
}

func TestEnv(t *testing.T) {
	with, without := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(with, "libcuda.so.1"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	list := string(filepath.ListSeparator)
	d := &Device{uuid: "GPU-1", paths: driverPaths(without + list + with + list + list + "relative")}
	want := []string{"CUDA_DEVICE_ORDER=PCI_BUS_ID", "CUDA_VISIBLE_DEVICES=GPU-1", "LD_LIBRARY_PATH=" + with}
	if got := d.Env(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	d.paths = driverPaths("")
	if got := d.Env(); !slices.Equal(got, want[:2]) {
		t.Errorf("%q, want %q", got, want[:2])
	}
}
