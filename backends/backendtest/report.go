package backendtest

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/results"
)

// Status is the outcome of a case.
type Status string

// The outcomes. A case is skipped where the worker does not claim what it is
// about, or where nothing can judge it.
const (
	Pass Status = "pass"
	Fail Status = "fail"
	Skip Status = "skip"
)

// Result is one case.
type Result struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	Reason string `json:"reason,omitempty"` // one line; "" if it passed

	// Stderr is the end of what the worker of a failed case wrote there.
	Stderr []string `json:"stderr,omitempty"`
}

// Mutation says how a deliberate mistake fared: it must be called wrong.
type Mutation struct {
	Name     string   `json:"name"`
	Killed   []string `json:"killed"`             // programs whose budgets found it
	Survived []string `json:"survived,omitempty"` // programs that let it pass
}

// Report is what the suite found.
type Report struct {
	Worker    backends.HelloReply `json:"worker"`
	Results   []Result            `json:"results"`
	Mutations []Mutation          `json:"mutations,omitempty"`
	Proven    map[string][]string `json:"proven"`            // op, loss, optimizer, precision or feature -> programs that prove it
	Unproven  []string            `json:"unproven"`          // claimed, and proven by no program
	Refuted   []string            `json:"refuted,omitempty"` // precisions and features that a failed case speaks against
	Stopped   string              `json:"stopped,omitempty"` // why cases were not run; "" if all were
}

// Capabilities is what a worker of those versions was seen to do on that day
// (YYYY-MM-DD): every claim that a program has proven and no failed case speaks
// against, and data on the host, which is not claimed.
func (r Report) Capabilities(date string, versions map[string]string) results.Capabilities {
	c := results.Capabilities{Date: date, Versions: versions}
	add := func(to *[]string, claim string) {
		if len(r.Proven[claim]) > 0 && !slices.Contains(r.Refuted, claim) {
			*to = append(*to, claim)
		} else if !slices.Contains(c.Failed, claim) {
			c.Failed = append(c.Failed, claim)
		}
	}
	for _, p := range r.Worker.Precisions {
		add(&c.Precisions, string(p))
	}
	for _, f := range r.Worker.Features {
		add(&c.Features, f)
	}
	if len(r.Proven[hostData]) > 0 {
		add(&c.Features, hostData)
	}
	for _, op := range r.Worker.Ops {
		add(&c.Ops, op)
	}
	return c
}

// OK reports whether all cases were run and none failed.
func (r Report) OK() bool {
	return r.Stopped == "" && !slices.ContainsFunc(r.Results, func(c Result) bool { return c.Status == Fail })
}

// Count returns the number of cases with that outcome.
func (r Report) Count(s Status) int {
	n := 0
	for _, c := range r.Results {
		if c.Status == s {
			n++
		}
	}
	return n
}

// Survivors lists the mistakes that no program found.
func (r Report) Survivors() []string {
	var out []string
	for _, m := range r.Mutations {
		if len(m.Killed) == 0 && len(m.Survived) > 0 {
			out = append(out, m.Name)
		}
	}
	return out
}

// WriteText prints the report for people: failures first, then what was
// skipped and why, then what is proven. Cases with the same reason share a line.
func (r Report) WriteText(w io.Writer) error {
	var b strings.Builder
	worker := "no worker"
	if r.Worker.Name != "" {
		worker = fmt.Sprintf("%s (%s)", r.Worker.Name, r.Worker.Kind)
	}
	fmt.Fprintf(&b, "%s: %d passed, %d failed, %d skipped\n", worker, r.Count(Pass), r.Count(Fail), r.Count(Skip))
	if r.Stopped != "" {
		fmt.Fprintln(&b, r.Stopped)
	}
	for _, group := range r.grouped(Fail) {
		fmt.Fprintf(&b, "fail  %s: %s\n", listed(group), group[0].Reason)
		for _, line := range group[0].Stderr {
			fmt.Fprintf(&b, "      stderr | %s\n", line)
		}
	}
	for _, group := range r.grouped(Skip) {
		fmt.Fprintf(&b, "skip  %s: %s\n", listed(group), group[0].Reason)
	}
	if len(r.Proven) > 0 {
		b.WriteString("proven by programs:\n")
		for _, name := range slices.Sorted(maps.Keys(r.Proven)) {
			fmt.Fprintf(&b, "  %-22s %d (%s)\n", name, len(r.Proven[name]), r.Proven[name][0])
		}
	}
	if len(r.Mutations) > 0 {
		b.WriteString("deliberate mistakes:\n")
		for _, m := range r.Mutations {
			if len(m.Killed)+len(m.Survived) == 0 {
				continue // it means nothing for what the worker can build
			}
			fmt.Fprintf(&b, "  %-34s found by %d of %d programs\n", m.Name, len(m.Killed), len(m.Killed)+len(m.Survived))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// grouped returns the cases with that outcome, those with equal reasons
// together, in the order in which the reasons came.
func (r Report) grouped(s Status) [][]Result {
	var out [][]Result
	at := map[string]int{}
	for _, c := range r.Results {
		if c.Status != s {
			continue
		}
		i, ok := at[c.Reason]
		if !ok {
			i = len(out)
			at[c.Reason] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], c)
	}
	return out
}

// listed names the cases of a group.
func listed(group []Result) string {
	names := make([]string, len(group))
	for i, c := range group {
		names[i] = c.Name
	}
	return strings.Join(names, ", ")
}
