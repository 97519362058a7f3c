//go:build unix

// Command stopwatch runs a command and prints how many seconds it took and how
// many MiB its process held at most, as the system counts them:
//
//	stopwatch dlbench compare base head
//
// The command's own output goes to standard error.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "error: expected a command")
		os.Exit(2)
	}
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	began := time.Now()
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
	took := time.Since(began)
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		fmt.Fprintln(os.Stderr, "error: the system does not tell what the process used")
		os.Exit(2)
	}
	peak := float64(usage.Maxrss) * 1024
	if runtime.GOOS == "darwin" { // which counts bytes
		peak = float64(usage.Maxrss)
	}
	fmt.Printf("%.3f %.0f\n", took.Seconds(), peak/(1<<20))
}
