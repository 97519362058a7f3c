package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/dlbench/dlbench/harness"
	"github.com/dlbench/dlbench/report"
	"github.com/dlbench/dlbench/results"
)

// progress tells on stderr what is measured and how long it will take: one
// line rewritten in place on a terminal, plain lines elsewhere (one per pass).
type progress struct {
	w        io.Writer
	terminal bool
	drawn    bool
	pass     string
}

func newProgress(w io.Writer) *progress { return &progress{w: w, terminal: isTerminal(w)} }

// isTerminal reports whether w is a terminal that a person reads.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isTerminalFile(f) && os.Getenv("TERM") != "dumb"
}

// textOptions fits tables to where they are printed. NO_COLOR is honoured
// (no-color.org).
func textOptions(w io.Writer) report.TextOptions {
	if !isTerminal(w) {
		return report.TextOptions{}
	}
	return report.TextOptions{Color: os.Getenv("NO_COLOR") == "", Width: columns(w.(*os.File))}
}

func (p *progress) begin(plan harness.Plan, dir string) {
	backends := map[string]bool{}
	for _, c := range plan.Cells {
		backends[c.Name.Backend] = true
	}
	fmt.Fprintf(p.w, "suite %s: %d cells on %d backends, %d to %d rounds, into %s\n",
		plan.Suite.Name, len(plan.Cells), len(backends), plan.Suite.Rounds.Min, plan.Suite.Rounds.Max, dir)
}

func (p *progress) event(e harness.Event) {
	if e.Record != nil {
		if r := e.Record; r.End != results.EndOK {
			p.clear()
			fmt.Fprintf(p.w, "%s of %s ended %s: %s\n", trialName(e), e.Cell.Name(), r.End, oneLine(r.Reason))
		}
		return
	}
	if !p.terminal {
		if pass := trialName(e); pass != p.pass {
			p.pass = pass
			fmt.Fprintf(p.w, "%s: %d trials, %s so far, %s\n", pass, e.Total, e.Elapsed.Round(time.Second), eta(e.Left))
		}
		return
	}
	p.clear()
	p.drawn = true
	fmt.Fprintf(p.w, "%s %d/%d  %s  %s  %s", trialName(e), e.Index, e.Total, e.Elapsed.Round(time.Second), eta(e.Left), e.Cell.Name())
}

func (p *progress) warn(message string) { p.tell("warning: " + message) }

func (p *progress) tell(message string) {
	p.clear()
	fmt.Fprintln(p.w, message)
}

func (p *progress) end() { p.clear() }

// clear removes the line in place.
func (p *progress) clear() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[2K")
		p.drawn = false
	}
}

func trialName(e harness.Event) string {
	if e.Kind == results.KindTime {
		return fmt.Sprintf("round %d of at most %d", e.Round, e.Rounds)
	}
	return e.Kind + " trials"
}

func eta(left time.Duration) string {
	if left <= 0 {
		return "time left not known yet"
	}
	return "about " + left.Round(time.Second).String() + " left"
}

// oneLine keeps a message on one line of bearable length.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 300 {
		return string(r[:300]) + "…"
	}
	return s
}
