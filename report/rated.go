package report

import (
	"sync"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare/claims"
	"github.com/dlbench/dlbench/results/compare/frameworks"
)

// rated is what a run says about frameworks and claims. It is worked out when
// the first form of a report asks for it.
type rated struct {
	once    sync.Once
	subject *frameworks.Subject
	rows    []frameworks.Row
	claims  []claims.Outcome
	efforts []frameworks.Effort
	cells   map[results.Cell]*cell
}

func (v *view) judged() *rated {
	s := &v.rated
	s.once.Do(func() {
		s.subject = frameworks.New(v.run)
		s.rows = s.subject.Rows()
		s.claims = claims.Evaluate(s.subject)
		s.efforts = s.subject.Efforts(v.run)
		s.cells = map[results.Cell]*cell{}
		for _, g := range v.groups {
			for _, c := range g.cells {
				s.cells[c.Cell] = c
			}
		}
	})
	return s
}

// link leads to a table or to trials.
type link struct {
	To   string // anchor
	Text text
}

// groupLink leads to the rows of a workload, by one of its cells.
func (v *view) groupLink(c results.Cell) link {
	x := v.judged().cells[c]
	if x == nil {
		return link{Text: v.title(c.Workload)}
	}
	return link{x.group.ID, x.group.Title}
}

// entry is how a backend of the run looks.
func (v *view) entry(name string) identity {
	for _, b := range v.backends {
		if b.Name == name {
			return b
		}
	}
	return identify(name, "")
}

// frameworkHead is how a framework looks: a square in its hue, since it is
// neither filled nor hollow by itself.
type frameworkHead struct {
	Label string
	Hue   string
}

func headOf(f frameworks.Framework) frameworkHead {
	return frameworkHead{clean(line(f.Name), 40), hue(f)}
}

func sameName(f frameworks.Framework) text { return same(headOf(f).Label) }
