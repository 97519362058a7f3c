package report

import (
	"fmt"
	"strings"

	"github.com/dlbench/dlbench/results"
)

// failureSection has a part per trial that was not ok; trials of one cell that
// ended alike share one.
type failureSection struct {
	section
	Parts []failurePart
	Total int
	None  bool // the run has no trial at all
}

type failurePart struct {
	ID      string
	Badge   badge
	Backend identity
	Title   text
	Detail  text
	Phase   text
	Signal  string
	Reason  text
	Stderr  string // tail, as it was printed
	Cut     int    // bytes of stderr that are not shown
	Trials  []*trial
	More    int
	N       int
}

// stderrShown is how much of a stderr tail a part shows, in bytes; the record
// holds up to 64 KiB.
const stderrShown = 4 << 10

func (v *view) failures() failureSection {
	s := failureSection{section: section{
		ID: "failures", Nav: text{"Not ok", "异常试验"},
		Title: text{"Trials that were not ok", "异常结束的试验"},
		Lead: text{
			"Every end is a record; nothing was repeated until it worked. A backend with such trials in a cell is not ranked there.",
			"每种结局都有记录，不会反复重试直到成功。后端若在某个单元中有此类试验，则在该单元不参与排名。",
		},
	}}
	s.None = len(v.trials) == 0
	type key struct {
		cell                               *cell
		end, phase, signal, reason, stderr string
	}
	index := map[key]int{}
	for _, t := range v.trials {
		r := t.Record
		if r.End == results.EndOK {
			continue
		}
		s.Total++
		k := key{t.cell, r.End, r.Phase, r.Signal, r.Reason, r.Stderr}
		i, ok := index[k]
		if !ok {
			i = len(s.Parts)
			index[k] = i
			tail, cut := lastBytes(r.Stderr, stderrShown)
			p := failurePart{
				ID: fmt.Sprintf("f%d", i+1), Badge: endBadge(r.End), Backend: t.cell.Backend,
				Title: t.cell.group.Title, Detail: t.cell.group.Detail,
				Signal: line(r.Signal), Reason: reason(r), Stderr: clean(tail, stderrShown), Cut: cut,
			}
			if r.Phase != "" {
				p.Phase = phaseWord(r.Phase)
			}
			s.Parts = append(s.Parts, p)
		}
		p := &s.Parts[i]
		p.N++
		if len(p.Trials) < listed {
			p.Trials = append(p.Trials, t)
		} else {
			p.More++
		}
	}
	return s
}

// lastBytes is the end of s, from a line's beginning where one is near.
func lastBytes(s string, n int) (tail string, cut int) {
	if len(s) <= n {
		return s, 0
	}
	tail = s[len(s)-n:]
	if i := strings.IndexByte(tail, '\n'); i >= 0 && i < n/2 {
		tail = tail[i+1:]
	}
	return tail, len(s) - len(tail)
}
