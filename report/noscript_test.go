package report

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

// The page shows the same text with scripts off: that the text is in the file
// says nothing of whether it is to be seen.
func TestTextNeedsNoScripts(t *testing.T) {
	run, a := golden(t)
	path := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(path, []byte(renderHTML(t, run, a)), 0o644); err != nil {
		t.Fatal(err)
	}
	b := startBrowser(t)
	with, without := b.shown(t, "file://"+path, true), b.shown(t, "file://"+path, false)
	for _, want := range []string{"undecided", "flaky, not ranked"} {
		if !strings.Contains(without, want) {
			t.Errorf("without scripts the page does not show %q", want)
		}
	}
	shown := map[string]bool{}
	for line := range strings.Lines(without) {
		shown[strings.TrimSpace(line)] = true
	}
	lines := 0
	for line := range strings.Lines(with) {
		lines++
		// What only a script can do is only offered where scripts run.
		offer := strings.HasPrefix(line, "Interactive chart") || strings.Contains(line, "Save the records")
		if !shown[strings.TrimSpace(line)] && !offer {
			t.Errorf("only shown with scripts: %q", line)
		}
	}
	if lines < 100 {
		t.Errorf("the page shows %d lines, so this test shows nothing", lines)
	}
}

// drawings counts what the drawings of a page show: the svg elements of a kind that
// have a size, and the shapes and labels in them that can be seen. Those of closed
// details are left out, for no reader sees them, with scripts or without.
const drawings = `function(){
	var seen = {};
	var visible = function(e){
		var r = e.getBoundingClientRect(), s = getComputedStyle(e);
		return (r.width > 0 || r.height > 0) && s.visibility === 'visible' && s.display !== 'none' && s.opacity !== '0';
	};
	document.querySelectorAll('main svg').forEach(function(svg){
		if (svg.closest('details:not([open])') || svg.parentElement.closest('svg')) return;
		var kind = (svg.getAttribute('class') || 'badge').split(' ').pop();
		seen[kind] = (seen[kind] || 0) + (visible(svg) ? 1 : 0);
		svg.querySelectorAll('circle,rect,line,polyline,polygon,text,use').forEach(function(shape){
			if (visible(shape)) seen[kind + ' ' + shape.tagName] = (seen[kind + ' ' + shape.tagName] || 0) + 1;
		});
	});
	return JSON.stringify(seen);
}`

// The drawings show with scripts off, too: each kind of them, as many of each, with
// the same shapes.
func TestDrawingsNeedNoScripts(t *testing.T) {
	run := resultstest.Modes()
	path := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(path, []byte(renderHTML(t, run, compare.Analyze(run))), 0o644); err != nil {
		t.Fatal(err)
	}
	b := startBrowser(t)
	count := func(scripts bool) map[string]int {
		seen := map[string]int{}
		if err := json.Unmarshal([]byte(b.read(t, "file://"+path, scripts, drawings)), &seen); err != nil {
			t.Fatal(err)
		}
		return seen
	}
	with, without := count(true), count(false)
	for kind, n := range with {
		if without[kind] != n {
			t.Errorf("%s: %d show with scripts, %d without", kind, n, without[kind])
		}
	}
	for kind, least := range map[string]int{
		"strip circle": 20, "strip line": 60, "bar rect": 60, "lats circle": 20, "roofs circle": 12, "tl polyline": 20, "cvs polyline": 20, "modes circle": 20, "modes line": 10, "costs circle": 2, "axis text": 60,
	} {
		if without[kind] < least {
			t.Errorf("%s: %d show, expected at least %d", kind, without[kind], least)
		}
	}
}

// browser is a headless Chromium that is spoken to over two pipes, messages
// ended by NUL.
type browser struct {
	in     *os.File
	out    *bufio.Reader
	last   int             // id of the last command
	loaded map[string]bool // by session: its page has loaded
}

func startBrowser(t *testing.T) *browser {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("this machine has no chromium")
	}
	toChild, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, fromChild, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	profile, err := os.MkdirTemp("", "dlbench-browser-")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	cmd := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
		"--user-data-dir="+profile, "--remote-debugging-pipe", "about:blank")
	cmd.ExtraFiles = []*os.File{toChild, fromChild} // 3 and 4
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	toChild.Close()
	fromChild.Close()
	b := &browser{in: in, out: bufio.NewReader(out), loaded: map[string]bool{}}
	t.Cleanup(func() {
		in.Close() // it ends with its pipe
		done := time.AfterFunc(5*time.Second, cancel)
		_ = cmd.Wait()
		done.Stop()
		cancel()
		out.Close()
		// Its helper processes write there for a moment longer.
		for range 50 {
			if os.RemoveAll(profile) == nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	return b
}

// call sends one command and decodes its result.
func (b *browser) call(t *testing.T, session, method string, params map[string]any, result any) {
	t.Helper()
	b.last++
	request := map[string]any{"id": b.last, "method": method, "params": params}
	if session != "" {
		request["sessionId"] = session
	}
	text, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.in.Write(append(text, 0)); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	for {
		m := b.receive(t)
		if m.ID != b.last {
			continue
		}
		if m.Error != nil {
			t.Fatalf("%s: %s", method, m.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(m.Result, result); err != nil {
				t.Fatalf("%s: %v", method, err)
			}
		}
		return
	}
}

type message struct {
	ID                int
	Method, SessionID string
	Result            json.RawMessage
	Error             *struct{ Message string }
}

// receive reads one reply or event.
func (b *browser) receive(t *testing.T) (m message) {
	t.Helper()
	text, err := b.out.ReadBytes(0)
	if err != nil {
		t.Fatalf("the browser is gone: %v", err)
	}
	if err := json.Unmarshal(text[:len(text)-1], &m); err != nil {
		t.Fatal(err)
	}
	if m.Method == "Page.loadEventFired" {
		b.loaded[m.SessionID] = true
	}
	return m
}

// shown returns the text that a page shows, with its scripts on or off.
func (b *browser) shown(t *testing.T, url string, scripts bool) string {
	t.Helper()
	return b.read(t, url, scripts, "function(){return this.body.innerText}")
}

// read returns what a function reads from a page, with its scripts on or off: the
// function is the debugger's and runs all the same.
func (b *browser) read(t *testing.T, url string, scripts bool, function string) string {
	t.Helper()
	var target struct{ TargetID string }
	b.call(t, "", "Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call(t, "", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	tab := func(method string, params map[string]any, result any) {
		t.Helper()
		b.call(t, attached.SessionID, method, params, result)
	}
	tab("Emulation.setScriptExecutionDisabled", map[string]any{"value": !scripts}, nil)
	tab("Page.enable", map[string]any{}, nil)
	tab("Page.navigate", map[string]any{"url": url}, nil)
	for !b.loaded[attached.SessionID] {
		b.receive(t)
	}
	var document struct{ Root struct{ NodeID int } }
	tab("DOM.getDocument", map[string]any{"depth": 0}, &document)
	var node struct{ Object struct{ ObjectID string } }
	tab("DOM.resolveNode", map[string]any{"nodeId": document.Root.NodeID}, &node)
	var called struct{ Result struct{ Value string } }
	tab("Runtime.callFunctionOn", map[string]any{"objectId": node.Object.ObjectID, "returnByValue": true,
		"functionDeclaration": function}, &called)
	return called.Result.Value
}
