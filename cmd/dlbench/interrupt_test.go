package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// The second interrupt ends the process whatever the run is doing; the first
// lets it end well. The other process is this test again, as a run that does
// not heed its context.
func TestSecondInterruptEndsAtOnce(t *testing.T) {
	const marker = "DLBENCH_TEST_DEAF"
	if os.Getenv(marker) != "" {
		ctx, stop := interruptible(context.Background())
		defer stop()
		fmt.Println("\nlistening")
		<-ctx.Done()
		fmt.Println("interrupted")
		time.Sleep(5 * time.Second)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSecondInterruptEndsAtOnce$", "-test.count=1")
	cmd.Env = append(os.Environ(), marker+"=1", "TMPDIR="+t.TempDir()) // it leaves its folder behind
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	await := func(want string) {
		t.Helper()
		for lines.Scan() {
			if lines.Text() == want {
				return
			}
		}
		t.Fatalf("the process ended before it said %q", want)
	}
	await("listening")
	send(t, cmd.Process, os.Interrupt)
	await("interrupted") // alive, and told
	began := time.Now()
	send(t, cmd.Process, os.Interrupt)
	code := exitCode(t, cmd.Wait())
	if took := time.Since(began); code != exitInterrupted || took > 2*time.Second {
		t.Errorf("exit %d after %v, want %d at once", code, took, exitInterrupted)
	}
}
