package claims

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare/frameworks"
)

// lack says why a claim is open, unless it is not.
func (o *Outcome) lack(what Text) {
	if o.Verdict == Open {
		o.Missing = append(o.Missing, what)
	}
}

// absent says that the run plans nothing of a side, or of either.
func absent(names ...string) Text {
	return Text{
		fmt.Sprintf("no %s in this run; with both of them: dlbench run --suite articles-small", strings.Join(names, ", ")),
		fmt.Sprintf("本次运行没有 %s；同时测量双方：dlbench run --suite articles-small", strings.Join(names, "、")),
	}
}

// Shipped are the suites that a command may name. A run of a file has a name, too,
// which no command knows. A test of the report holds this list to the suites.
var Shipped = []string{"articles", "articles-go", "articles-small", "engine", "frameworks-smoke", "input-pipeline", "modes", "quick", "smoke"}

var ownSuite = Text{"<your suite file>", "<所用的套件文件>"}

// suite is the run's suite as a command names it.
func suite(m results.Meta) Text {
	if slices.Contains(Shipped, m.Suite) {
		return Text{m.Suite, m.Suite}
	}
	return ownSuite
}

// Again is the command that makes a run of the same suite.
func Again(m results.Meta) Text {
	name := suite(m)
	return Text{"dlbench run --suite " + name.EN, "dlbench run --suite " + name.ZH}
}

// More is the command that makes more rounds of a run's suite, and what has to
// change in the suite before it helps; empty: nothing. A run that its limit cut
// short takes a longer one.
func More(s *frameworks.Subject, made, needed int) (command, change Text) {
	command = Again(s.Meta)
	if most := s.Policy.MaxRounds; most > 0 && needed > most {
		command = Text{"dlbench run --suite " + ownSuite.EN, "dlbench run --suite " + ownSuite.ZH}
		change = Text{fmt.Sprintf("with rounds: max of at least %d in the suite", needed), fmt.Sprintf("套件中 rounds 的 max 至少为 %d", needed)}
	}
	more := " --until max"
	if limit := time.Duration(s.Meta.Limits.SuiteNS); limit > 0 && made > 0 && made < s.Policy.MaxRounds {
		minutes := math.Ceil((2 * limit * time.Duration(max(needed, made)) / time.Duration(made)).Minutes())
		more += fmt.Sprintf(" --limit suite=%.0fm", minutes)
	}
	return Text{command.EN + more, command.ZH + more}, change
}

// explain says what the undecided and the absent lines of questions need.
func (o *Outcome) explain(s *frameworks.Subject) {
	if o.Verdict != Open {
		return
	}
	undecided, none, of, few, made, need, withheld := 0, 0, 0, 0, 0, 0, 0
	for _, q := range o.Questions {
		for _, l := range q.Lines {
			if l.Unsupported {
				continue
			}
			of++
			switch l.Result() {
			case frameworks.Absent:
				none++
			case frameworks.Undecided:
				undecided++
				need = max(need, l.Comparison.RoundsNeeded)
				switch {
				case l.Comparison.Reason != "" || l.Comparison.TooShort:
					withheld++
				case l.Comparison.Rounds < l.Comparison.RoundsNeeded:
					few++
					made = max(made, l.Comparison.Rounds)
				}
			}
		}
	}
	if few > 0 {
		command, change := More(s, made, need)
		if change != (Text{}) {
			command = Text{command.EN + ", " + change.EN, command.ZH + "，" + change.ZH}
		}
		o.lack(Text{
			fmt.Sprintf("%d of %d comparisons have too few rounds: at most %d, and this question takes at least %d; more rounds: %s", few, of, made, need, command.EN),
			fmt.Sprintf("%[2]d 项比较中有 %[1]d 项轮次太少：至多 %[3]d 轮，而这个问题至少需要 %[4]d 轮；增加轮次：%[5]s", few, of, made, need, command.ZH),
		})
	}
	if n := undecided - few - withheld; n > 0 {
		o.lack(Text{
			fmt.Sprintf("%d of %d comparisons are undecided: their spread hides the difference; more rounds or a quieter host", n, of),
			fmt.Sprintf("%[2]d 项比较中有 %[1]d 项尚无定论：离散程度掩盖了差异；需要更多轮次或更空闲的主机", n, of),
		})
	}
	if withheld > 0 {
		o.lack(Text{
			fmt.Sprintf("%d of %d comparisons have no verdict, because of doubts about their trials", withheld, of),
			fmt.Sprintf("%[2]d 项比较中有 %[1]d 项因试验存疑而不下结论", withheld, of),
		})
	}
	if none > 0 {
		o.lack(Text{
			fmt.Sprintf("%d of %d comparisons lack a side that may be ranked", none, of),
			fmt.Sprintf("%[2]d 项比较中有 %[1]d 项缺少可参与排名的一方", none, of),
		})
	}
	if of == 0 {
		o.lack(Text{"no workload of this run speaks to it", "本次运行没有与之相关的负载"})
	}
}
