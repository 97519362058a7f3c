package backends

import (
	"strings"
	"testing"
	"time"
)

// A client that was kept waiting for a CPU excuses as much of the gap, and no
// more than its bound: a worker that hides half of its time is still found.
func TestDelayIsExcusedUpToItsBound(t *testing.T) {
	ran := Ran{Phase: "measure", BlockNS: []int64{10e6, 10e6}, WallNS: 20e6, CPUNS: 20e6}
	for _, tc := range []struct {
		name         string
		own, delayed time.Duration
		ok           bool
	}{
		{"in time", 24 * time.Millisecond, 0, true},
		{"late on a quiet host", 30 * time.Millisecond, 0, false},
		{"late because it waited", 30 * time.Millisecond, 6 * time.Millisecond, true},
		{"later than it waited", 40 * time.Millisecond, 6 * time.Millisecond, false},
	} {
		err := NewClient(strings.NewReader(""), nil).checkRan(ran, tc.own, tc.delayed, "measure", 2)
		if (err == nil) != tc.ok {
			t.Errorf("%s: %v, want ok %v", tc.name, err, tc.ok)
		}
	}
}

func TestDelayIsCapped(t *testing.T) {
	var waits time.Duration
	c := NewClient(strings.NewReader(`{"t":"ran","phase":"measure","block_ns":[1000],"wall_ns":1000,"cpu_ns":1000,"sys_ns":0,"minor_faults":0,"voluntary_switches":0,"involuntary_switches":0,"gc_ns":0,"loss":1}`+"\n"), slowWriter(30*time.Millisecond))
	c.Delay = func() time.Duration { waits += time.Hour; return waits }
	c.MaxDelay = time.Millisecond
	if _, err := c.Run("measure", 1, 1); err == nil || !strings.Contains(err.Error(), "unaccounted") {
		t.Errorf("a gap of 30 ms with a bound of 1 ms: %v", err)
	}
}

// slowWriter takes a while to write.
type slowWriter time.Duration

func (s slowWriter) Write(p []byte) (int, error) {
	time.Sleep(time.Duration(s))
	return len(p), nil
}
