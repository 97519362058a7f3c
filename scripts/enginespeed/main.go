// Command enginespeed holds a run of the suite engine to what dlbench's own
// engine is to reach, and prints the table. scripts/engine-speed runs it.
//
//	go run ./scripts/enginespeed RUN
//
// The exit code is 1 where a limit was missed, with the list of them, and 2
// where the run cannot be read.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/dlbench/dlbench/results"
)

func main() { os.Exit(program(os.Args[1:], os.Stdout, os.Stderr)) }

func program(args []string, out, errs io.Writer) int {
	if len(args) != 1 {
		fmt.Fprintln(errs, "usage: enginespeed RUN")
		return 2
	}
	metric, _ := results.LookupMetric("step-time")
	run, err := results.ReadFor(args[0], metric)
	if err != nil {
		fmt.Fprintln(errs, err)
		return 2
	}
	for _, w := range run.Warnings {
		fmt.Fprintln(errs, "warning:", w)
	}
	rows := judge(run)
	write(out, run, rows)
	missed := misses(rows)
	judged := len(rows)
	for _, r := range rows {
		if r.exempt != "" {
			judged--
		}
	}
	if len(missed) == 0 {
		fmt.Fprintf(out, "\nAll %d limits are held.\n", judged)
		return 0
	}
	fmt.Fprintf(out, "\nMissed, %d of %d:\n", len(missed), judged)
	for _, m := range missed {
		fmt.Fprintln(out, "  "+m)
	}
	return 1
}
