//go:build linux

package child

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// forking is a started forker with the reader of what it prints.
type forking struct {
	*Child
	out *bufio.Reader
}

func startForker(t *testing.T, s Spec, mib int) forking {
	t.Helper()
	s.Forks = true
	c := start(t, s, "forker", fmt.Sprint(mib))
	return forking{c, bufio.NewReader(c.Stdout)}
}

// fork has the forker play a role; it returns the process id.
func (f forking) fork(t *testing.T, role string) int {
	t.Helper()
	if _, err := fmt.Fprintln(f.Stdin, role); err != nil {
		t.Fatal(err)
	}
	return readPIDs(t, f.out, 1)[0]
}

// ended returns how the forked process ended.
func (f forking) ended(t *testing.T) string {
	t.Helper()
	line, err := f.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// What one trial wrote to stderr is not the next one's, however late it is read
// and however much it is.
func TestCut(t *testing.T) {
	t.Parallel()
	f := startForker(t, Spec{StderrCap: 4 << 10}, 1)
	for i := range 50 {
		word := fmt.Sprintf("words of trial %d", i)
		f.fork(t, "complain "+fmt.Sprintf("trial-%d", i))
		f.ended(t)
		if got, want := f.Cut(), fmt.Sprintf("trial-%d\n", i); got != want {
			t.Fatalf("%s: %q, want %q", word, got, want)
		}
	}
	f.fork(t, "stderr 3000000")
	f.ended(t)
	if got := f.Cut(); len(got) < 3<<10 || len(got) > 4<<10 || !strings.HasSuffix(got, "xend") {
		t.Errorf("of a flood %d bytes were kept, ending in %q", len(got), got[max(0, len(got)-8):])
	}
	if got := f.Stderr(); got != "" {
		t.Errorf("after the cut there is %q", got)
	}
	f.fork(t, "complain last")
	f.ended(t)
	f.Stdin.Close()
	if e := wait(t, f.Child, 5*time.Second); !e.OK() || e.Stderr != "last\n" {
		t.Errorf("ended %+v", e)
	}
	if got := f.Cut(); got != "" {
		t.Errorf("a cut after the end: %q", got)
	}
}

func TestOrphansOfATrial(t *testing.T) {
	t.Parallel()
	f := startForker(t, Spec{}, 1)
	f.fork(t, "family") // leaves an orphan in its own session
	f.ended(t)
	next := f.fork(t, "sleep")
	if n := len(f.Processes()); n < 3 {
		t.Fatalf("%d processes: want the worker, the orphan and the next trial's", n)
	}
	if left := f.EndOrphans(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if got := f.Processes(); len(got) != 2 || !alive(f.PID()) || !alive(next) {
		t.Errorf("processes %v, want the worker %d and its child %d", got, f.PID(), next)
	}
}

// The limit is of the forked process: what the worker holds beside it does not
// count, what both share counts as the child's.
func TestMemoryLimitIsOfTheForkedProcess(t *testing.T) {
	f := startForker(t, Spec{MemoryLimit: 250 << 20}, 150)
	pid := f.fork(t, "eat 150")
	time.Sleep(400 * time.Millisecond)
	if !alive(pid) || !alive(f.PID()) {
		t.Fatal("ended below its limit")
	}
	f.Kill()
	if e := wait(t, f.Child, 5*time.Second); e.OOM {
		t.Errorf("ended %+v", e)
	}

	f = startForker(t, Spec{MemoryLimit: 250 << 20}, 150)
	f.fork(t, "eat 400")
	if e := wait(t, f.Child, time.Minute); !e.OOM || !strings.Contains(e.Reason, "250.0 MiB") {
		t.Errorf("above its limit it ended %+v", e)
	}

	f = startForker(t, Spec{MemoryLimit: 100 << 20}, 150)
	if e := wait(t, f.Child, time.Minute); !e.OOM {
		t.Errorf("the worker alone above the limit: ended %+v", e)
	}
}

func TestForkedEnd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		role, end string
		code      int
		signal    string
		oom       bool
		stderr    string
	}{
		{"suicide", "signal: killed", -1, "SIGKILL", false, "last words\n"},
		{"exit 7", "exit status 7", 7, "", false, ""},
		{"complain MemoryError", "exit status 1", 1, "", true, "MemoryError\n"},
	} {
		f := startForker(t, Spec{}, 1)
		f.fork(t, "complain earlier")
		f.ended(t)
		f.Cut()
		f.fork(t, tt.role)
		if got := f.ended(t); got != tt.end {
			t.Errorf("%s: ended with %q, want %q", tt.role, got, tt.end)
		}
		f.Kill()
		e := f.Forked(tt.code, tt.signal)
		if e.Code != tt.code || e.Signal != tt.signal || e.OOM != tt.oom || e.Stderr != tt.stderr || e.Killed {
			t.Errorf("%s: %+v", tt.role, e)
		}
	}
}

// CPU time of a trial is known before the worker is waited for.
func TestCPUOfForkedProcesses(t *testing.T) {
	f := startForker(t, Spec{}, 1)
	before := f.CPU()
	f.fork(t, "burn 300")
	f.ended(t)
	// The kernel counts in hundredths of a second, per process.
	if used := f.CPU() - before; used < 250*time.Millisecond {
		t.Errorf("a process that used 300 ms is counted with %v", used)
	}
	f.Kill()
	f.Wait()
	if held := f.CPU(); held != 0 {
		t.Errorf("%v after the end, when the harness holds the account", held)
	}
}

func TestCPUOf(t *testing.T) {
	t.Parallel()
	for stat, want := range map[string]time.Duration{
		"12 (a) b (c) S 1 12 12 0 -1 4194304 90 0 0 0 7 2 100 1 20 0 1 0 5 8 9": 1100 * time.Millisecond,
		"12 (x) S 1": 0,
		"":           0,
	} {
		if got := cpuOf([]byte(stat)); got != want {
			t.Errorf("%q: %v, want %v", stat, got, want)
		}
	}
	own, err := os.ReadFile("/proc/self/stat")
	if err != nil || cpuOf(own) < 0 {
		t.Error(err)
	}
}
