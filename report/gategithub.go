package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/compare/gate"
)

// GateAnnotations writes workflow commands of GitHub Actions: an error per check
// that fails, a warning per undecided one, a notice per improvement, and one for
// the whole.
func GateAnnotations(w io.Writer, r gate.Result, o GateOptions) error {
	var b bytes.Buffer
	for _, l := range gateLines(r) {
		level := ""
		switch {
		case l.Fails:
			level = "error"
		case l.Outcome == gate.Undecided:
			level = "warning"
		case l.Verdict == compare.Improved:
			level = "notice"
		default:
			continue
		}
		annotate(&b, level, l.Word+": "+l.Label, l.Detail)
	}
	level := "notice"
	if r.Code() != gate.CodePass {
		level = "error"
	}
	annotate(&b, level, o.title(), r.Headline())
	_, err := w.Write(b.Bytes())
	return err
}

// annotate writes one command, escaped as the runner's own toolkit does it
// (actions/toolkit, packages/core/src/command.ts).
func annotate(b *bytes.Buffer, level, title, message string) {
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	fmt.Fprintf(b, "::%s title=%s::%s\n", level, property.Replace(plain(line(title))), data.Replace(plain(line(message))))
}
