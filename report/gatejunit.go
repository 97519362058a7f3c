package report

import (
	"encoding/xml"
	"io"

	"github.com/dlbench/dlbench/results/compare/gate"
)

// The parts of JUnit's XML that GitHub's actions, GitLab and Jenkins read.
type (
	junitSuites struct {
		XMLName  xml.Name `xml:"testsuites"`
		Name     string   `xml:"name,attr"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Errors   int      `xml:"errors,attr"`
		Skipped  int      `xml:"skipped,attr"`
		Suites   []junitSuite
	}
	junitSuite struct {
		XMLName  xml.Name `xml:"testsuite"`
		Name     string   `xml:"name,attr"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Errors   int      `xml:"errors,attr"`
		Skipped  int      `xml:"skipped,attr"`
		Time     string   `xml:"time,attr"`
		Cases    []junitCase
		Out      string `xml:"system-out,omitempty"`
	}
	junitCase struct {
		XMLName xml.Name   `xml:"testcase"`
		Class   string     `xml:"classname,attr"`
		Name    string     `xml:"name,attr"`
		Time    string     `xml:"time,attr"`
		Failure *junitNote `xml:"failure"`
		Error   *junitNote `xml:"error"`
		Skipped *junitNote `xml:"skipped"`
		Out     string     `xml:"system-out"`
	}
	junitNote struct {
		Type    string `xml:"type,attr,omitempty"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// GateJUnit writes a gate's answer as JUnit XML: a test case per check, failed or
// in error where the build fails for it, skipped where there is no answer. The
// first line of each case's output is its verdict.
func GateJUnit(w io.Writer, r gate.Result, o GateOptions) error {
	lines := gateLines(r)
	suite := junitSuite{Name: xmlText(o.title()), Time: "0"}
	for _, l := range lines {
		c := junitCase{Class: xmlText(o.title()), Name: xmlText(l.ID()), Time: "0", Out: xmlText("verdict: " + l.Word + "\n" + l.Detail)}
		note := &junitNote{Type: l.Word, Message: xmlText(l.Word + ": " + l.Detail)}
		for _, d := range l.Doubts {
			note.Text += xmlText(d) + "\n"
		}
		switch {
		case l.Outcome == gate.Broken:
			c.Error = note
			suite.Errors++
		case l.Fails:
			c.Failure = note
			suite.Failures++
		case l.Outcome == gate.Undecided || l.Outcome == gate.Skip:
			note.Type = "" // what readers know of skipped is its message
			c.Skipped = note
			suite.Skipped++
		}
		suite.Cases = append(suite.Cases, c)
	}
	// A gate that saw nothing must not be read as one in which nothing failed.
	if why := r.Nothing(); why != "" {
		suite.Cases = append(suite.Cases, junitCase{Class: xmlText(o.title()), Name: "the gate as a whole", Time: "0", Out: xmlText(why),
			Error: &junitNote{Type: "nothing", Message: xmlText(why)}})
		suite.Errors++
	}
	suite.Tests = len(suite.Cases)
	suite.Out = xmlText(r.Headline() + "\n" + gateSides(r) + "\n" + gateTerms(r))
	for _, d := range gateDoubts(r, lines) {
		suite.Out += "\n" + xmlText(d)
	}
	all := junitSuites{Name: suite.Name, Tests: suite.Tests, Failures: suite.Failures, Errors: suite.Errors, Skipped: suite.Skipped, Suites: []junitSuite{suite}}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// xmlText is text without what XML 1.0 cannot hold even as a reference; the
// encoder escapes the rest.
func xmlText(s string) string { return clean(s, 4000) }
