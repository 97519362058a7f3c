// Command dlbench runs the same deep-learning work on many frameworks, proves
// that it was the same work, measures it and writes the comparison.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/dlbench/dlbench/harness/child"
	"github.com/dlbench/dlbench/strictyaml"
)

// Exit codes.
const (
	exitOK          = 0 // 1 is that of a gate: gate.CodeFail
	exitDiffers     = 1 // a page that its records contradict
	exitBadInput    = 2 // input or environment
	exitUndecided   = 3 // or nothing was compared
	exitTrialNotOK  = 4
	exitInterrupted = 130
)

func main() {
	// The parent of every worker is this binary in a mode of its own, which must
	// start before anything else does: see harness/child.
	if len(os.Args) > 1 && os.Args[1] == child.SuperviseCommand {
		os.Exit(child.Supervise(os.Args[2:]))
	}
	ctx, stop := interruptible(context.Background())
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// exitError carries an exit code other than the one for bad input.
type exitError struct {
	code int
	err  error // nil: everything was said already
}

func (e exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

// run is the program as a function of its arguments and streams.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	var exit exitError
	if errors.As(err, &exit) {
		if exit.err != nil {
			fmt.Fprintln(stderr, "error:", exit.err)
		}
		return exit.code
	}
	fmt.Fprintln(stderr, "error:", err)
	var file *strictyaml.FileError
	if errors.As(err, &file) && isTerminal(stderr) {
		fmt.Fprintln(stderr, file.Excerpt())
	}
	if strings.HasPrefix(err.Error(), "unknown ") {
		fmt.Fprintf(stderr, "hint: %s --help shows what there is\n", root.Name())
	}
	return exitBadInput
}

// interruptible returns a context that ends at the first SIGINT or SIGTERM. A
// second one, or ten seconds in which the command did not come to its end, ends
// the process at once; the workers die with it.
func interruptible(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		select {
		case <-signals:
		case <-time.After(10 * time.Second):
		}
		os.Exit(exitInterrupted)
	}()
	return ctx, func() { signal.Stop(signals) }
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "dlbench",
		Short: "Compare deep-learning frameworks by measurement",
		Long: `dlbench runs the same deep-learning work on interchangeable backends, proves that
it was the same work, measures throughput, latency and memory, says how sure it
is, and writes the comparison as one HTML file.`,
		Example: `  dlbench run --suite quick                 measure, and write report.html
  dlbench list backends                     what can run here
  dlbench report results/runs/quick-… -o r.html`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
	}
	root.AddCommand(
		newRun(), newPlan(), newFit(), newSetup(), newList(), newReport(), newVerify(), newPublish(), newCompare(), newGate(), newDoctor(), newCalibrate(), newHistory(),
		newWorkload(), newBackend(), newExport(), newWorker(), newGolden(), newCosts(), newPlanAccuracy(),
	)
	return root
}
