package fake_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dlbench/dlbench/backends"
)

// forkedTrial runs a trial in a process that c forks.
func forkedTrial(t *testing.T, c *backends.Client) (pid int, err error) {
	t.Helper()
	pid, err = c.Fork()
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = trial(t, c)
	return pid, err
}

// A fake that is asked to fork behaves as PROTOCOL.md says: sessions in
// processes of their own, and silence at their good ends.
func TestForks(t *testing.T) {
	cmd, in, c, stderr := piped(t, "ok")
	pids := map[int]bool{cmd.Process.Pid: true}
	for range 3 {
		pid, err := forkedTrial(t, c)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Bye(); err != nil {
			t.Fatal(err)
		}
		if pids[pid] {
			t.Errorf("process %d serves twice", pid)
		}
		pids[pid] = true
	}
	in.Close()
	if err := c.Last(); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, stderr)
	}
}

// The end of a child that did not say bye, or ended badly after it, is told in
// its place, and the next child works.
func TestForkedEnds(t *testing.T) {
	for _, tt := range []struct {
		fake   string
		after  bool // its bye
		signal string
		status int
	}{
		{"sigkill-in-measure", false, "SIGKILL", -1},
		{"fails-after-bye", true, "", 1},
	} {
		t.Run(tt.fake, func(t *testing.T) {
			_, c, _ := process(t, tt.fake)
			_, err := forkedTrial(t, c)
			if tt.after {
				if err != nil {
					t.Fatal(err)
				}
				if err := c.Bye(); err != nil {
					t.Fatal(err)
				}
				_, err = c.Fork()
			}
			var said *backends.WorkerError
			if !errors.As(err, &said) {
				t.Fatalf("%v, want the parent's word", err)
			}
			if status, signal, ok := said.ForkedEnd(); !ok || status != tt.status || signal != tt.signal {
				t.Errorf("%v: status %d, signal %q, %v", said, status, signal, ok)
			}
		})
	}
}

func TestForkComesFirst(t *testing.T) {
	cmd, c, _ := process(t, "ok")
	if _, err := c.Hello(backends.Hello{Trial: "t", Threads: 1, Device: "cpu"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Fork(); err == nil || !strings.Contains(err.Error(), "failed") {
		t.Errorf("a fork after hello: %v", err)
	}
	if err := c.Bye(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("still there after bye")
	}
}
