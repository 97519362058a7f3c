package backendtest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/backendtest"
	"github.com/dlbench/dlbench/backends/eager"
	"github.com/dlbench/dlbench/workloads"
)

// claimed is less than the eager engine can, so that a suite of processes is
// quick.
func claimed() backends.Info {
	info := eager.Info()
	info.Ops = []string{workloads.OpDense, workloads.LossSoftmax, workloads.OptSGD}
	info.Precisions = []workloads.Precision{workloads.F32}
	info.Features = []string{}
	return info
}

// forking are options under which the worker argv is forked, and a Connect of
// processes of its own, with the count of those.
func forking(t *testing.T, argv ...string) (backendtest.Options, backendtest.Connect, *atomic.Int64) {
	t.Helper()
	opts := options(t)
	forks := backendtest.NewForks(argv, nil)
	t.Cleanup(forks.Close)
	opts.Forked = forks.Connect
	own, n := backendtest.Command(argv, nil), new(atomic.Int64)
	return opts, func(ctx context.Context) (*backendtest.Conn, error) { n.Add(1); return own(ctx) }, n
}

// The whole suite over forked processes: nothing fails that does not fail
// otherwise, and only sessions about the ends of processes start one.
func TestForkedSuite(t *testing.T) {
	opts, own, n := forking(t, os.Args[0], "worker", "fake:ok")
	r := backendtest.Run(t.Context(), own, opts)
	fresh := backendtest.Run(t.Context(), backendtest.Served(claimed(), eager.New), options(t))
	if !r.OK() || r.Count(backendtest.Pass) != fresh.Count(backendtest.Pass)+3 {
		t.Errorf("forked:\n%s\nwithout a process:\n%s", text(r), text(fresh))
	}
	for _, name := range []string{"fork/sessions", "fork/killed", "fork/out-of-order"} {
		if !slices.ContainsFunc(r.Results, func(c backendtest.Result) bool { return c.Name == name && c.Status == backendtest.Pass }) {
			t.Errorf("%s did not pass", name)
		}
	}
	// hello, three of the fork itself, the four of ends.
	if got := n.Load(); got != 8 {
		t.Errorf("%d sessions had a process of their own, want 8", got)
	}
}

// A worker written from PROTOCOL.md alone, in another language, forks too.
func TestLinearWorkerForks(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("this machine has no python3: the worker of testdata is written in Python")
	}
	opts, own, _ := forking(t, python, "-S", "../testdata/linear_worker.py")
	if r := backendtest.Run(t.Context(), own, opts); !r.OK() || len(r.Proven[workloads.OpDense]) < 4 {
		t.Error(text(r))
	}
}

// What is wrong with a worker is found in forked processes as in others, said
// with its last words, and does not spoil the sessions that follow.
func TestForkedFaults(t *testing.T) {
	for _, tt := range []struct{ fake, fails, says, stderr string }{
		{"sigkill-in-measure", "state/reset", "it ended with signal SIGKILL", "about to be killed"},
		{"half-json", "state/reset", "not a JSON object", ""},
		{"nul-on-stdout", "state/per-block", `\x00`, ""},
		{"wrong-loss", "program/dense/f32", "loss 0", ""},
		{"half-time", "clock/honest", "unaccounted for", ""},
	} {
		t.Run(tt.fake, func(t *testing.T) {
			opts, own, _ := forking(t, os.Args[0], "worker", "fake:"+tt.fake)
			after := "state/step-number" // needs no measured run
			if tt.fake == "wrong-loss" {
				after = "protocol/version"
			}
			opts.Only = func(name string) bool { return name == tt.fails || name == after }
			r := backendtest.Run(t.Context(), own, opts)
			i := slices.IndexFunc(r.Results, func(c backendtest.Result) bool { return c.Name == tt.fails })
			if i < 0 || r.Results[i].Status != backendtest.Fail || !strings.Contains(r.Results[i].Reason, tt.says) {
				t.Fatalf("want %s to fail and say %q:\n%s", tt.fails, tt.says, text(r))
			}
			if said := strings.Join(r.Results[i].Stderr, "\n"); said != tt.stderr {
				t.Errorf("last words %q, want %q", said, tt.stderr)
			}
			if tt.fake != "wrong-loss" && !slices.ContainsFunc(r.Results, func(c backendtest.Result) bool { return c.Name == after && c.Status == backendtest.Pass }) {
				t.Errorf("%s did not pass:\n%s", after, text(r))
			}
		})
	}
}

// A claim to fork that is not kept fails in one case, and the rest is checked
// in processes of their own.
func TestForkIsHeldToThePage(t *testing.T) {
	opts := options(t)
	opts.Forked = func(context.Context) (*backendtest.Conn, error) { return nil, errors.New("never asked") }
	r := backendtest.Run(t.Context(), backendtest.Served(claimed(), eager.New), opts)
	var failed []string
	for _, c := range r.Results {
		if c.Status == backendtest.Fail {
			failed = append(failed, c.Name)
		}
	}
	if want := []string{"fork/sessions", "fork/killed", "fork/out-of-order"}; !slices.Equal(failed, want) {
		t.Errorf("failed %v, want %v\n%s", failed, want, text(r))
	}
}

// sheller is a worker of a few lines: a subshell is a fork. Each line of a
// session but "hello" and "bye" ends it: "die" with a status, "hang" never.
func sheller(t *testing.T) *backendtest.Forks {
	t.Helper()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("this machine has no sh: the worker is a script")
	}
	forks := backendtest.NewForks([]string{shell, "-c", `
while read -r line; do
  case "$line" in
  *fork*)
    ( echo "{\"t\":\"forked\",\"pid\":$(exec sh -c 'echo $PPID')}"
      while read -r line; do
        case "$line" in
        hello) echo "hello from $$";;
        twice) printf 'one\ntwo\n';;
        bye) echo '{"t":"bye"}'; exit 0;;
        hang) exec sleep 60;;
        *) echo "cannot $line" >&2; exit 9;;
        esac
      done; exit 1 ) || echo "{\"t\":\"error\",\"class\":\"failed\",\"at\":\"fork\",\"message\":\"the forked worker ended with status $?\"}";;
  esac
done`}, nil)
	t.Cleanup(forks.Close)
	return forks
}

// talk sends a line and returns what comes back, up to the end of the line.
func talk(t *testing.T, c *backendtest.Conn, out *bufio.Reader, line string) (string, error) {
	t.Helper()
	if _, err := io.WriteString(c.In, line+"\n"); err != nil {
		return "", err
	}
	return out.ReadString('\n')
}

func TestForkedSession(t *testing.T) {
	forks := sheller(t)
	connect := func() (*backendtest.Conn, *bufio.Reader) {
		t.Helper()
		c, err := forks.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return c, bufio.NewReader(c.Out)
	}
	c, out := connect()
	first, err := talk(t, c, out, "hello")
	if err != nil || !strings.HasPrefix(first, "hello from ") {
		t.Fatalf("%q, %v", first, err)
	}
	c.Kill() // in order: the worker waits for a line
	for range 20 {
		c, out = connect()
		if again, err := talk(t, c, out, "hello"); again != first || err != nil {
			t.Fatalf("after a kill: %q, %v; want the same worker, %q", again, err, first)
		}
		c.Kill()
		c.Kill()
	}

	// A death looks like the end of a process, and its words are its own.
	c, out = connect()
	if said, err := talk(t, c, out, "die"); said != "" || err != io.EOF {
		t.Errorf("a dying process: %q, %v; want the end of its output", said, err)
	}
	if err := c.Wait(); err == nil || err.Error() != "exit status 9" {
		t.Errorf("it ended with %v, want exit status 9", err)
	}
	if said, err := talk(t, c, out, "hello"); err == nil {
		t.Errorf("the parent was asked in its place: %q", said)
	}
	if got := c.Stderr(); got != "cannot die\n" {
		t.Errorf("last words %q", got)
	}
	c, out = connect()
	if again, _ := talk(t, c, out, "hello"); again != first {
		t.Errorf("after a death: %q, want the same worker, %q", again, first)
	}
	if got := c.Stderr(); strings.Contains(got, "cannot die") { // the shell may say that its child was killed
		t.Errorf("the next session has the words %q", got)
	}

	// What comes too much is seen.
	c, out = connect()
	if _, err := talk(t, c, out, "twice"); err != nil || out.Buffered() == 0 {
		t.Errorf("%v; the second line is kept from the reader", err)
	}
	c.Kill()

	// A bye, and silence after it.
	c, out = connect()
	if said, err := talk(t, c, out, "bye"); said != "{\"t\":\"bye\"}\n" || err != nil {
		t.Errorf("bye: %q, %v", said, err)
	}
	c.Kill()

	// A process that hangs takes its parent along, for its pipe holds a line.
	c, out = connect()
	time.AfterFunc(50*time.Millisecond, c.Kill)
	if said, err := talk(t, c, out, "hang"); err == nil {
		t.Errorf("a hanging process said %q", said)
	}
	c, out = connect()
	if other, err := talk(t, c, out, "hello"); err != nil || other == first {
		t.Errorf("after a hang: %q, %v; want another worker", other, err)
	}
	c.Kill()
}

func TestNoFork(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("this machine has no sh: the worker is a script")
	}
	for name, tt := range map[string]struct {
		script string
		says   string
		none   bool // it says that it does not fork
	}{
		"refuses":   {`read line; echo '{"t":"error","class":"failed","at":"request","message":"what?"}'; read line`, "it answers failed: what?", true},
		"dies":      {`read line; exit 3`, "it ended with exit status 3", false},
		"prints":    {`read line; echo Loading...; read line`, "got \"Loading...", false},
		"no number": {`read line; echo '{"t":"forked"}'; read line`, `want the reply "forked" with a pid`, false},
		"hangs":     {`read line; exec sleep 60`, "it ended with signal: killed", false},
	} {
		t.Run(name, func(t *testing.T) {
			forks := backendtest.NewForks([]string{shell, "-c", tt.script}, nil)
			defer forks.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			_, err := forks.Connect(ctx)
			if err == nil || !strings.Contains(err.Error(), tt.says) || errors.Is(err, backendtest.ErrNoFork) != tt.none {
				t.Errorf("%v, want %q", err, tt.says)
			}
		})
	}
	if _, err := backendtest.NewForks([]string{"/no/such/worker"}, nil).Connect(t.Context()); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a missing command: %v", err)
	}
}

// A worker that hangs while it loads costs two timeouts, not one per case.
func TestForkThatHangs(t *testing.T) {
	opts := options(t)
	opts.Timeout = 50 * time.Millisecond
	opts.Only = func(name string) bool {
		return !strings.HasPrefix(name, "fork/") && !strings.HasPrefix(name, "protocol/")
	}
	opts.Forked = func(ctx context.Context) (*backendtest.Conn, error) {
		<-ctx.Done()
		return nil, fmt.Errorf("the worker closed its end: %w", ctx.Err())
	}
	r := backendtest.Run(t.Context(), backendtest.Served(claimed(), eager.New), opts)
	if r.OK() || !strings.Contains(r.Stopped, "2 sessions without an answer within 50ms") {
		t.Errorf("want a stop after two:\n%s", text(r))
	}
}
