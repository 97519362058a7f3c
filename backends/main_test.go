package backends_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/dlbench/dlbench/backends"
)

// TestMain lets this binary be a worker, as dlbench can.
func TestMain(m *testing.M) {
	if os.Getenv("DLBENCH_TEST_WORKER") != "" {
		if err := backends.Main(toyInfo(), chatty{&toy{}}); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// chatty prints on standard output, as frameworks do.
type chatty struct{ *toy }

func (c chatty) Run(batches []int) error {
	fmt.Println("Epoch 1/1 [=====>]")
	return c.toy.Run(batches)
}

// A worker process keeps what its library prints out of the protocol, follows
// the thread grant, and its status tells bye from a harness that went away.
func TestMainServes(t *testing.T) {
	for _, bye := range []bool{true, false} {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), "DLBENCH_TEST_WORKER=1")
		cmd.WaitDelay = 2 * time.Second
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		c := backends.NewClient(out, in)
		c.MaxGap = time.Minute
		hello, err := c.Hello(backends.Hello{Threads: 1, Device: "cpu"})
		if err != nil {
			t.Fatal(err)
		}
		if hello.Effective != 1 {
			t.Errorf("granted 1 thread, the worker uses %d", hello.Effective)
		}
		if _, err := c.Build(toyJob()); err != nil {
			t.Fatal(err)
		}
		if ran, err := c.Run("measure", 2, 2); err != nil || ran.Loss != 300 {
			t.Errorf("ran %+v, err %v", ran, err)
		}
		if bye {
			if err := c.Bye(); err != nil {
				t.Error(err)
			}
		}
		in.Close()
		if rest, err := io.ReadAll(out); err != nil || len(rest) > 0 {
			t.Errorf("standard output goes on with %q, %v", rest, err)
		}
		err = cmd.Wait()
		if bye != (err == nil) || !bye && !errors.As(err, new(*exec.ExitError)) {
			t.Errorf("bye %v: the worker ended with %v", bye, err)
		}
	}
}
