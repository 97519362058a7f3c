package backends

import (
	"io"
	"strings"
	"testing"
	"time"
)

// A worker may not report more time than passed, nor less than passed or than
// its CPUs needed; a busy host excuses what both ends waited.
func TestCheckClocks(t *testing.T) {
	const ms = time.Millisecond
	for _, tc := range []struct {
		name    string
		claimed time.Duration
		own     time.Duration
		grown   Account
		cpus    int
		want    string // part of the message; "" is accepted
	}{
		{"honest", 100 * ms, 101 * ms, Account{CPU: 100 * ms}, 1, ""},
		{"honest, on a busy host", 100 * ms, 180 * ms, Account{CPU: 60 * ms, Waiting: 118 * ms}, 1, ""},
		{"honest, on two CPUs", 100 * ms, 101 * ms, Account{CPU: 199 * ms}, 2, ""},
		{"honest, the system counts nothing", 100 * ms, 104 * ms, Account{}, 1, ""},
		{"half of the time", 50 * ms, 101 * ms, Account{CPU: 100 * ms}, 1, "unaccounted"},
		{"half of the time, on a busy host", 50 * ms, 150 * ms, Account{CPU: 100 * ms, Waiting: 200 * ms}, 1, "its process spent 100ms on 1 CPU"},
		{"replies before the work is done, on a busy host", 1 * ms, 40 * ms, Account{CPU: 30 * ms, Waiting: 60 * ms}, 1, "its process spent 30ms"},
		{"half of the time, a short segment", 4 * ms, 8 * ms, Account{CPU: 8 * ms}, 1, "its process spent 8ms"},
		{"later than any host excuses", 400 * ms, 800 * ms, Account{CPU: 400 * ms, Waiting: time.Second}, 1, "unaccounted"},
		{"late without a reason", 100 * ms, 120 * ms, Account{CPU: 100 * ms}, 1, "unaccounted"},
		{"more CPUs than granted", 100 * ms, 101 * ms, Account{CPU: 190 * ms}, 1, "its process spent"},
	} {
		c := NewClient(strings.NewReader(""), io.Discard)
		c.CPUs = tc.cpus
		err := c.checkClocks(Ran{BlockNS: []int64{int64(tc.claimed)}, WallNS: int64(tc.claimed)}, tc.own, tc.grown)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
}

// Only samples are held to the clock: a first step that was late proves
// nothing.
func TestOnlyMeasuredRunsAreHeldToTheClock(t *testing.T) {
	for phase, ok := range map[string]bool{"first": true, "warm-up": true, PhaseMeasure: false} {
		reply := `{"t":"ran","phase":"` + phase + `","block_ns":[1000],"wall_ns":1000,"cpu_ns":1000,"sys_ns":0,"minor_faults":0,"voluntary_switches":0,"involuntary_switches":0,"gc_ns":0,"loss":1}` + "\n"
		_, err := NewClient(strings.NewReader(reply), slowWriter(30*time.Millisecond)).Run(phase, 1, 1)
		if (err == nil) != ok {
			t.Errorf("%s: %v", phase, err)
		}
	}
}

// slowWriter takes a while to write.
type slowWriter time.Duration

func (s slowWriter) Write(p []byte) (int, error) {
	time.Sleep(time.Duration(s))
	return len(p), nil
}
