//go:build linux

package child

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestPipesCarryTheProtocol(t *testing.T) {
	t.Parallel()
	c := start(t, Spec{}, "echo")
	out := bufio.NewReader(c.Stdout)
	for range 3 {
		if _, err := io.WriteString(c.Stdin, "ping\n"); err != nil {
			t.Fatal(err)
		}
		if line, err := out.ReadString('\n'); line != "ping\n" {
			t.Fatalf("got %q, %v", line, err)
		}
	}
	c.Stdin.Close()
	if rest, err := io.ReadAll(out); err != nil || len(rest) > 0 {
		t.Errorf("after the end of input: %q, %v", rest, err)
	}
	if e := wait(t, c, 2*time.Second); !e.OK() || e.Killed {
		t.Errorf("ended %+v", e)
	}
}

func TestExit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		role   []string
		code   int
		signal string
		oom    bool
		stderr string
	}{
		{[]string{"exit", "0"}, 0, "", false, ""},
		{[]string{"exit", "7"}, 7, "", false, ""},
		{[]string{"suicide"}, -1, "SIGKILL", false, "last words\n"},
		{[]string{"complain", "MemoryError"}, 1, "", true, "MemoryError\n"},
		{[]string{"complain", "numpy: cannot allocate memory, sorry"}, 1, "", true, "numpy: cannot allocate memory, sorry\n"},
		{[]string{"complain", "no such layer"}, 1, "", false, "no such layer\n"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.role, " "), func(t *testing.T) {
			t.Parallel()
			e := wait(t, start(t, Spec{}, tt.role...), 5*time.Second)
			if e.Code != tt.code || e.Signal != tt.signal || e.OOM != tt.oom || e.Stderr != tt.stderr || e.Killed {
				t.Errorf("ended %+v", e)
			}
		})
	}
}

func TestOutputBeforeTheEndIsReadable(t *testing.T) {
	t.Parallel()
	c := start(t, Spec{}, "say", "hello")
	wait(t, c, 5*time.Second)
	if b, err := io.ReadAll(c.Stdout); string(b) != "hello\n" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
}

func TestStartFailures(t *testing.T) {
	t.Parallel()
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("not a program"), 0o700); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		spec Spec
		want error
	}{
		{"no command", Spec{}, nil},
		{"not in PATH", Spec{Argv: []string{"no-such-worker"}}, exec.ErrNotFound},
		{"no file", Spec{Argv: []string{"./no-such-worker"}}, fs.ErrNotExist},
		{"not executable", Spec{Argv: []string{text}}, nil},
		{"no folder", Spec{Argv: []string{self()}, Dir: "/no/such/folder"}, nil},
		{"no such CPU", Spec{Argv: []string{self()}, CPUs: []int{1023}}, nil},
		{"negative limit", Spec{Argv: []string{self()}, MemoryLimit: -1}, nil},
		{"supervisor ignores its mode", Spec{Argv: []string{self()}, Supervisor: []string{"/bin/true"}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := Start(t.Context(), tt.spec)
			if err == nil {
				c.Kill()
				t.Fatal("started")
			}
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %v", err)
			}
		})
	}
}

func TestTimeoutKillsWhatHoldsStdout(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	c, err := Start(ctx, Spec{Argv: []string{self(), "role", "stubborn"}})
	if err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(c.Stdout)
	pids := append(readPIDs(t, out, 1), c.PID(), c.Root())
	if got := c.Processes(); !slices.Equal(got, []int{c.PID(), pids[0]}) {
		t.Errorf("processes %v, want %v", got, []int{c.PID(), pids[0]})
	}
	began := time.Now()
	if rest, err := io.ReadAll(out); err != nil || len(rest) > 0 {
		t.Errorf("read %q, %v", rest, err)
	}
	e := wait(t, c, 4*time.Second)
	if d := time.Since(began); d > 3*time.Second {
		t.Errorf("took %v with a limit of 1 s", d)
	}
	if !e.Killed || e.Signal != "SIGKILL" || len(e.Left) > 0 {
		t.Errorf("ended %+v", e)
	}
	gone(t, pids, 0)
	if pid, err := syscall.Wait4(c.Root(), nil, syscall.WNOHANG, nil); err != syscall.ECHILD {
		t.Errorf("the supervisor is left as a zombie: %d, %v", pid, err)
	}
}

func TestWorkerEndTakesItsOrphansAlong(t *testing.T) {
	t.Parallel()
	c := start(t, Spec{}, "family")
	pids := readPIDs(t, bufio.NewReader(c.Stdout), 3)
	e := wait(t, c, 5*time.Second)
	if !e.OK() || e.Killed {
		t.Errorf("ended %+v", e)
	}
	gone(t, pids, 0)
}

func TestHarnessKilledLeavesNoOrphan(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(self(), "role", "harness", "stubborn")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pids := readPIDs(t, bufio.NewReader(out), 3)
	cmd.Process.Kill()
	gone(t, pids, time.Second)
	cmd.Wait()
}

func TestSupervisorKilledByWorker(t *testing.T) {
	t.Parallel()
	c := start(t, Spec{}, "regicide")
	pids := append(readPIDs(t, bufio.NewReader(c.Stdout), 1), c.PID())
	e := wait(t, c, 5*time.Second)
	if e.OK() || len(e.Left) > 0 || !strings.Contains(e.Reason, "supervisor") {
		t.Errorf("ended %+v", e)
	}
	gone(t, pids, 0)
}

func TestStderrFloodIsBounded(t *testing.T) {
	const size = 1 << 30
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	c := start(t, Spec{}, "stderr", "1073741824")
	e := wait(t, c, 30*time.Second)
	runtime.ReadMemStats(&after)
	if !e.OK() || e.StderrTotal != size+3 {
		t.Errorf("ended %v with %d bytes of stderr", e, e.StderrTotal)
	}
	if len(e.Stderr) != 64<<10 || !strings.HasSuffix(e.Stderr, "xxx\nend") {
		t.Errorf("kept %d bytes ending in %q", len(e.Stderr), e.Stderr[len(e.Stderr)-8:])
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 16<<20 {
		t.Errorf("%d bytes were allocated for it", got)
	}
	t.Logf("1 GiB of stderr in %v", time.Since(began))
}

func TestWorkerInherits(t *testing.T) {
	t.Parallel()
	read := func(s Spec, role string) string {
		b, err := io.ReadAll(start(t, s, role).Stdout)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	t.Run("its environment and nothing else", func(t *testing.T) {
		t.Parallel()
		vars := strings.Fields(read(Spec{Env: []string{"A=1", "B=2"}}, "env"))
		if len(vars) != 3 || vars[0] != "A=1" || vars[1] != "B=2" || !strings.HasPrefix(vars[2], marker+"=") {
			t.Errorf("environment %q", vars)
		}
	})
	t.Run("the CPU mask", func(t *testing.T) {
		t.Parallel()
		if status := read(Spec{CPUs: []int{0}}, "status"); !strings.Contains(status, "Cpus_allowed_list:\t0\n") {
			t.Errorf("not on CPU 0 alone:\n%s", status)
		}
	})
	t.Run("no ignored or blocked signals", func(t *testing.T) {
		t.Parallel()
		for line := range strings.Lines(read(Spec{}, "status")) {
			if strings.HasPrefix(line, "SigBlk:") && strings.TrimSpace(line[7:]) != strings.Repeat("0", 16) {
				t.Errorf("blocked signals: %s", line)
			}
		}
	})
	t.Run("a raised oom score", func(t *testing.T) {
		t.Parallel()
		if got := strings.TrimSpace(read(Spec{}, "oomscore")); got != "800" {
			t.Errorf("oom_score_adj %s", got)
		}
	})
}

// A protocol error and the worker's death race: the harness calls Kill at the
// end of stdout, and the class of the end must stay the worker's own.
func TestKillAfterTheWorkersOwnEnd(t *testing.T) {
	t.Parallel()
	for range 20 {
		c := start(t, Spec{}, "complain", "MemoryError")
		io.ReadAll(c.Stdout)
		c.Kill()
		if e := wait(t, c, 5*time.Second); !e.OOM || e.Code != 1 {
			t.Fatalf("ended %+v", e)
		}
	}
}

func TestKillIsIdempotent(t *testing.T) {
	t.Parallel()
	c := start(t, Spec{}, "sleep")
	c.Kill()
	c.Kill()
	e := wait(t, c, 2*time.Second)
	c.Kill()
	if again := c.Wait(); !e.Killed || again.Signal != e.Signal {
		t.Errorf("ended %+v, then %+v", e, again)
	}
}
