package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/compare/gate"
)

// nasty is a name that tries to be markup in every output at once.
const nasty = "A|b`c`<script>alert(1)</script>&amp;\"'*_[x](http://evil)@team#7 %0A::error::x,y:z\x00\x1b[31m\u202e--> ]]>"

// everyVerdict is a result that holds one of each, under a hostile name too.
func everyVerdict() gate.Result {
	f := func(v float64) *float64 { return &v }
	r := gate.Result{
		Base: gate.Side{Dir: "runs/base", Select: "backend=old"}, Head: gate.Side{Dir: "runs/base", Select: "backend=young"},
		OneRun: true, Alpha: 0.05, Family: 6, Compared: 6, Ignored: []string{"Tiny/" + nasty}, Warnings: []string{"the host was not quiet: " + nasty},
	}
	add := func(name string, c gate.Check) {
		c.Name = name
		r.Checks = append(r.Checks, c)
	}
	timed := gate.Check{Kind: gate.Timed, Metric: "step-time", Unit: "sec/step", Better: -1, BaseValue: f(0.00502), HeadValue: f(0.0054),
		Ratio: f(1.0757), Lo: f(1.061), Hi: f(1.09), Tolerance: 0.02, Rounds: 20, RoundsNeeded: 9}
	with := func(v compare.Verdict, o gate.Outcome, fails bool, ratio float64, reason string) gate.Check {
		c := timed
		c.Verdict, c.Outcome, c.Fails, c.Reason = v, o, fails, reason
		c.Ratio, c.Lo, c.Hi = f(ratio), f(ratio-0.01), f(ratio+0.01)
		if ratio == 0 {
			c.Ratio, c.Lo, c.Hi, c.HeadValue, c.Rounds = nil, nil, nil, nil, 0
		}
		return c
	}
	add("Mlp/mode=train/batch=64", with(compare.Regressed, gate.Fail, true, 1.0757, ""))
	add("Mlp/mode=infer/batch=64", with(compare.Improved, gate.Pass, false, 0.9, ""))
	add("MnistCnn/mode=train/batch=8", with(compare.Equivalent, gate.Pass, false, 1.0004, ""))
	open := with(compare.Inconclusive, gate.Undecided, false, 1.012, "")
	open.Lo, open.Detectable, open.Warnings = nil, 0.045, []string{"3 of 20 trials disturbed (other processes ran)"}
	add("TextLstm/mode=train/batch=8", open)
	strict := open
	strict.Fails = true
	add("TextLstm/mode=train/batch=16", strict)
	add("Crash/mode=train/batch=8", with(compare.Missing, gate.Broken, true, 0, "head (young): crashed in measure: signal: killed"))
	add("Flaky/mode=train/batch=8", with(compare.Flaky, gate.Broken, true, 0, "head (young): 1 failed beside 19 valid trials"))
	add(nasty, with(compare.Wrong, gate.Broken, true, 0, "head: "+nasty))
	add("Gone/mode=train/batch=8", gate.Check{Kind: gate.Presence, Verdict: gate.Vanished, Outcome: gate.Fail, Fails: true, Reason: "the base has it, the head does not"})
	add("Fresh/mode=train/batch=8", gate.Check{Kind: gate.Presence, Verdict: gate.New, Outcome: gate.Skip, Reason: "the head has it, the base does not"})
	add("Mlp/mode=train/batch=64", gate.Check{Kind: gate.Exact, Metric: "params", Unit: "params", BaseValue: f(109386), HeadValue: f(109770), Ratio: f(109770. / 109386), Verdict: compare.Regressed, Outcome: gate.Fail, Fails: true})
	add("Mlp/mode=train/batch=64", gate.Check{Kind: gate.Memory, Metric: "peak-memory", Unit: "B", BaseValue: f(64 << 20), HeadValue: f(65 << 20), Ratio: f(65. / 64), Tolerance: 0.1, Verdict: compare.Equivalent, Outcome: gate.Pass})
	return r
}

var gateOptions = GateOptions{Title: "ci " + nasty, Version: "v1.2.3", Location: "gate.yaml"}

func rendered(t *testing.T, f func(io.Writer, gate.Result, GateOptions) error, r gate.Result) string {
	t.Helper()
	var b bytes.Buffer
	if err := f(&b, r, gateOptions); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// key is what all outputs show of a check besides its verdict.
func key(l gateLine) string { return strings.TrimSpace(l.Label + " " + l.Metric) }

// read takes the verdicts back out of every output: key -> word.
var read = map[string]func(t *testing.T, text string) map[string]string{
	"text": func(t *testing.T, text string) map[string]string {
		got := map[string]string{}
		_, table, _ := strings.Cut(text, "cell ")
		for row := range strings.Lines(table) {
			if strings.TrimSpace(row) == "" {
				break
			}
			if cells := regexp.MustCompile(`\s{2,}`).Split(strings.TrimSpace(row), -1); len(cells) >= 4 && cells[0] != "verdict" {
				metric := cells[2]
				if metric == none {
					metric = ""
				}
				got[strings.TrimSpace(cells[0]+" "+metric)] = cells[1]
			}
		}
		return got
	},
	"markdown": func(t *testing.T, text string) map[string]string {
		got := map[string]string{}
		for row := range strings.Lines(text) {
			cells := strings.Split(row, "|")
			if len(cells) < 9 || !strings.Contains(cells[1], "<code>") {
				continue
			}
			strip := func(s string) string {
				return strings.TrimSpace(html.UnescapeString(strings.NewReplacer("<code>", "", "</code>", "", "**", "", "&#8203;", "").Replace(s)))
			}
			k := strings.TrimSpace(strip(cells[1]) + " " + strip(cells[2]))
			_, word, _ := strings.Cut(strip(cells[3]), " ")
			if before, ok := got[k]; ok && before != word {
				t.Errorf("markdown: %s is %s above the fold and %s below", k, before, word)
			}
			got[k] = word
		}
		return got
	},
	"json": func(t *testing.T, text string) map[string]string {
		var doc struct {
			Checks []struct{ Name, Metric, Verdict string }
		}
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, c := range doc.Checks {
			got[strings.TrimSpace(line(c.Name)+" "+c.Metric)] = c.Verdict
		}
		return got
	},
	"junit": func(t *testing.T, text string) map[string]string {
		var doc struct {
			Suites []struct {
				Cases []struct {
					Name                    string `xml:"name,attr"`
					Out                     string `xml:"system-out"`
					Failure, Error, Skipped *struct {
						Message string `xml:"message,attr"`
					}
				} `xml:"testcase"`
			} `xml:"testsuite"`
		}
		text = strings.NewReplacer("<failure", "<Failure", "</failure", "</Failure", "<error", "<Error", "</error", "</Error", "<skipped", "<Skipped", "</skipped", "</Skipped").Replace(text)
		if err := xml.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, c := range doc.Suites[0].Cases {
			first, _, _ := strings.Cut(c.Out, "\n")
			word := strings.TrimPrefix(first, "verdict: ")
			for _, note := range []*struct {
				Message string `xml:"message,attr"`
			}{c.Failure, c.Error, c.Skipped} {
				if note != nil && !strings.HasPrefix(note.Message, word+": ") {
					t.Errorf("junit: %s says %s and %q", c.Name, word, note.Message)
				}
			}
			got[strings.TrimSpace(line(c.Name))] = word
		}
		return got
	},
	"html": func(t *testing.T, text string) map[string]string {
		got := map[string]string{}
		for _, m := range regexp.MustCompile(`<td class="cell">(.*?)</td><td>(.*?)</td><td class="verdict">\S+ (.*?)</td>`).FindAllStringSubmatch(text, -1) {
			got[strings.TrimSpace(html.UnescapeString(m[1])+" "+html.UnescapeString(m[2]))] = m[3]
		}
		return got
	},
	"sarif": func(t *testing.T, text string) map[string]string {
		var log sarifLog
		if err := json.Unmarshal([]byte(text), &log); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, res := range log.Runs[0].Results {
			if log.Runs[0].Tool.Driver.Rules[res.RuleIndex].ID != res.RuleID {
				t.Errorf("sarif: rule %d is not %s", res.RuleIndex, res.RuleID)
			}
			if !strings.HasPrefix(res.Message.Text, res.RuleID+": ") {
				t.Errorf("sarif: rule %s, message %q", res.RuleID, res.Message.Text)
			}
			got[line(res.Locations[0].Logical[0].Name)] = res.RuleID
		}
		return got
	},
	"github": func(t *testing.T, text string) map[string]string {
		got := map[string]string{}
		undo := strings.NewReplacer("%25", "%", "%3A", ":", "%2C", ",", "%0A", "\n", "%0D", "\r")
		rows := strings.SplitAfter(text, "\n")
		for _, row := range rows[:len(rows)-2] { // the last one is of the whole
			m := regexp.MustCompile(`^::(error|warning|notice) title=([^,:]*)::(.*)\n$`).FindStringSubmatch(row)
			if m == nil {
				t.Errorf("github: no command: %q", row)
				continue
			}
			word, name, _ := strings.Cut(undo.Replace(m[2]), ": ")
			metric, _, _ := strings.Cut(undo.Replace(m[3]), " ")
			if !strings.Contains(m[3], "%") || metric != "step-time" && metric != "params" && metric != "peak-memory" {
				metric = "" // a check without figures does not repeat its metric
			}
			got[name+"\x00"+metric] = word
		}
		return got
	},
}

var renderers = map[string]func(io.Writer, gate.Result, GateOptions) error{
	"text": GateText, "markdown": GateMarkdown, "json": GateJSON, "junit": GateJUnit, "html": GateHTML, "sarif": GateSARIF, "github": GateAnnotations,
}

// Every output says the same of every check.
func TestGateOutputsAgree(t *testing.T) {
	r := everyVerdict()
	all, found, told := map[string]string{}, map[string]string{}, map[string]string{}
	for _, l := range gateLines(r) {
		all[key(l)] = string(l.Verdict)
		if l.Fails || l.Outcome == gate.Undecided {
			found[key(l)] = string(l.Verdict)
		}
		if l.Fails || l.Outcome == gate.Undecided || l.Verdict == compare.Improved {
			metric := l.Metric
			if l.Ratio == nil {
				metric = ""
			}
			told[l.Label+"\x00"+metric] = string(l.Verdict)
		}
	}
	if len(all) != len(r.Checks) {
		t.Fatalf("%d checks have %d names", len(r.Checks), len(all))
	}
	for name, render := range renderers {
		want := all
		switch name {
		case "sarif":
			want = found
		case "github":
			want = told
		}
		got := read[name](t, rendered(t, render, r))
		for k, v := range want {
			if got[k] != v {
				t.Errorf("%s: %q is %q, want %q", name, k, got[k], v)
			}
			delete(got, k)
		}
		for k, v := range got {
			t.Errorf("%s: %q (%q) is no check", name, k, v)
		}
	}
}

// No name becomes markup.
func TestGateOutputsEscape(t *testing.T) {
	r := everyVerdict()
	text := rendered(t, GateText, r)
	if strings.ContainsAny(text, "\x00\x1b\u202e") {
		t.Error("text: control characters came through")
	}
	md := rendered(t, GateMarkdown, r)
	for _, bad := range []string{"<script", "`", "](", "@team", "http://", "\x1b"} {
		if strings.Contains(md, bad) {
			t.Errorf("markdown holds %q", bad)
		}
	}
	if first, _, _ := strings.Cut(md, "\n"); strings.Count(first, "--") != 2 || !strings.HasPrefix(first, "<!-- dlbench-gate: ci ") || !strings.HasSuffix(first, " -->") {
		t.Errorf("the marker is %q", first)
	}
	for row := range strings.Lines(md) {
		if n := strings.Count(row, "|"); strings.HasPrefix(row, "|") && n != 9 {
			t.Errorf("markdown: a row has %d bars: %s", n, row)
		}
	}
	if page := rendered(t, GateHTML, r); strings.Contains(page, "<script") || !strings.Contains(html.UnescapeString(page), "default-src 'none'") {
		t.Error("html: a script came through, or nothing forbids one")
	}
	for name, render := range renderers {
		if got := rendered(t, render, r); strings.Contains(got, nbsp) || !bytes.Equal([]byte(got), []byte(rendered(t, render, r))) {
			t.Errorf("%s: a space that files should not hold, or not the same bytes twice", name)
		}
	}
}

// Each output that has room for it says which effect an undecided check would have
// seen, and none does so where its verdict was withheld.
func TestGateTellsTheDetectableEffect(t *testing.T) {
	of := func(change func(*gate.Check)) gate.Result {
		r := everyVerdict()
		r.Checks = r.Checks[3:4]
		change(&r.Checks[0])
		return r
	}
	const seen = "would have been seen"
	open := of(func(*gate.Check) {})
	withheld := map[string]gate.Result{
		"blind":    of(func(c *gate.Check) { c.Blind, c.Reason = true, "too short" }),
		"withheld": of(func(c *gate.Check) { c.Withheld, c.Reason = true, "the host was busy" }),
	}
	for name, render := range renderers {
		// The comment has it above the fold and below.
		want := 1
		if name == "markdown" {
			want = 2
		}
		told := func(r gate.Result) string { return strings.Join(strings.Fields(rendered(t, render, r)), " ") } // as one line
		if text := told(open); strings.Count(text, seen) < want || !strings.Contains(text, "an effect of 4.5") {
			t.Errorf("%s does not say what would have been seen:\n%s", name, text)
		}
		for what, r := range withheld {
			text := told(r)
			if strings.Contains(text, seen) || strings.Contains(text, "could have been seen") || !strings.Contains(text, r.Checks[0].Reason) {
				t.Errorf("%s, %s:\n%s", name, what, text)
			}
		}
	}
}

// A comment stays within what sites accept.
func TestGateMarkdownIsBounded(t *testing.T) {
	r := everyVerdict()
	for i := range 2000 {
		c := r.Checks[0]
		c.Name = fmt.Sprintf("Cell%d/%s", i, strings.Repeat("|", 200))
		c.Warnings = []string{fmt.Sprint("warning ", i)}
		r.Checks = append(r.Checks, c)
	}
	md := rendered(t, GateMarkdown, r)
	if len(md) > 65_000 || !strings.Contains(md, "more, which a comment has no room for") || strings.Count(md, "<details>") != strings.Count(md, "</details>") {
		t.Errorf("%d bytes", len(md))
	}
}

// SARIF has what its schema requires, and what sites read.
func TestGateSARIF(t *testing.T) {
	var log map[string]any
	if err := json.Unmarshal([]byte(rendered(t, GateSARIF, everyVerdict())), &log); err != nil {
		t.Fatal(err)
	}
	run := log["runs"].([]any)[0].(map[string]any)
	if log["version"] != "2.1.0" || run["tool"].(map[string]any)["driver"].(map[string]any)["name"] != "dlbench" {
		t.Errorf("%v", log)
	}
	for _, x := range run["results"].([]any) {
		res := x.(map[string]any)
		if res["message"].(map[string]any)["text"] == "" || len(res["locations"].([]any)) == 0 {
			t.Errorf("%v", res)
		}
		if (res["kind"] != "fail") != (res["level"] == "none") {
			t.Errorf("kind %v with level %v", res["kind"], res["level"])
		}
	}
	// A gate that saw nothing is one error, not a clean list.
	log = nil
	if err := json.Unmarshal([]byte(rendered(t, GateSARIF, gate.Result{OneRun: true})), &log); err != nil {
		t.Fatal(err)
	}
	run = log["runs"].([]any)[0].(map[string]any)
	found := run["results"].([]any)
	if len(found) != 1 {
		t.Fatalf("a gate of nothing has the results %v", found)
	}
	whole := found[0].(map[string]any)
	text := whole["message"].(map[string]any)["text"].(string)
	rules := run["tool"].(map[string]any)["driver"].(map[string]any)["rules"].([]any)
	rule := rules[int(whole["ruleIndex"].(float64))].(map[string]any)["id"]
	if whole["level"] != "error" || whole["kind"] != "fail" || whole["ruleId"] != rule || !strings.Contains(text, "nothing was compared") || len(whole["locations"].([]any)) != 1 {
		t.Errorf("a gate of nothing: %v", whole)
	}
	// Nothing found is an empty list, not null.
	r := everyVerdict()
	r.Checks = r.Checks[1:3]
	if text := rendered(t, GateSARIF, r); !strings.Contains(text, `"results": []`) {
		t.Error("no empty list of results")
	}
}

// JUnit's counts are those of its cases, and a gate that saw nothing is no pass.
func TestGateJUnit(t *testing.T) {
	var doc struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Skipped  int `xml:"skipped,attr"`
	}
	r := everyVerdict()
	text := rendered(t, GateJUnit, r)
	if err := xml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	for tag, n := range map[string]int{"<testcase ": doc.Tests, "<failure ": doc.Failures, "<error ": doc.Errors, "<skipped ": doc.Skipped} {
		if strings.Count(text, tag) != n || n == 0 {
			t.Errorf("%d of %q, counted as %d", strings.Count(text, tag), tag, n)
		}
	}
	empty := gate.Result{OneRun: true}
	if text := rendered(t, GateJUnit, empty); !strings.Contains(text, "<error type=\"nothing\"") {
		t.Errorf("a gate of nothing:\n%s", text)
	}
}

func TestGateGolden(t *testing.T) {
	for name, file := range map[string]string{"text": "gate.txt", "markdown": "gate.md", "json": "gate.json", "junit": "gate.xml", "html": "gate.html", "sarif": "gate.sarif", "github": "gate.github"} {
		r := everyVerdict()
		got := rendered(t, renderers[name], r)
		path := "testdata/" + file
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs from %s (-update rewrites it)", name, path)
		}
	}
}
