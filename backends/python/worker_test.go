package python

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/backends"
)

// worker starts worker.py with modules of the test in front of everything that
// is installed.
func worker(t *testing.T, name string, modules map[string]string) (client *backends.Client, in interface{ Close() error }, stderr func() string) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 on this machine")
	}
	folder := t.TempDir()
	for module, text := range modules {
		if err := os.WriteFile(filepath.Join(folder, module+".py"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-s", filepath.Join(written, "worker.py"), name)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+folder, "PYTHONDONTWRITEBYTECODE=1")
	var said strings.Builder
	cmd.Stderr = &said
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); cmd.Wait() })
	return backends.NewClient(stdout, stdin), stdin, func() string { stdin.Close(); cmd.Wait(); return said.String() }
}

const hello = `{"t":"hello","protocol":1,"trial":"x","threads":1,"device":"cpu"}`

// TestFrameworkMayPrint: what a framework prints while it is imported, by
// whatever way, reaches standard error and never the protocol; and an import
// that fails is told in its own words.
func TestFrameworkMayPrint(t *testing.T) {
	client, _, stderr := worker(t, "pytorch", map[string]string{"torch": `
import os, sys, subprocess, warnings
print('{"t":"hello","protocol":1}', flush=True)
os.write(1, b"written to descriptor 1\n")
sys.stdout.write("x" * 200000 + "\n")
warnings.warn("a warning")
subprocess.run(["sh", "-c", "echo from a child"])
raise ImportError("libcudart.so.13: cannot open shared object file")
`})
	_, err := client.Hello(backends.Hello{Threads: 1, Device: "cpu"})
	want := "failed: hello: ImportError: libcudart.so.13: cannot open shared object file"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	said := stderr()
	for _, want := range []string{"written to descriptor 1", "a warning", "from a child", "Traceback"} {
		if !strings.Contains(said, want) {
			t.Errorf("standard error lacks %q", want)
		}
	}
}

// TestMissingFrameworkIsOneLine: the record of an environment without its
// framework says what is missing.
func TestMissingFrameworkIsOneLine(t *testing.T) {
	client, _, _ := worker(t, "pytorch", map[string]string{"torch": "import torch_is_not_there"})
	_, err := client.Hello(backends.Hello{Threads: 1, Device: "cpu"})
	if want := "failed: hello: ModuleNotFoundError: No module named 'torch_is_not_there'"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestForkedWorkerThatDiesIsReported: the parent answers for a child that ended
// without its bye, so that nobody waits for it, and serves on.
func TestForkedWorkerThatDiesIsReported(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 on this machine")
	}
	written, err := Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	// A framework that dies when it is asked to say hello.
	script := `
import os, signal, sys
sys.path.insert(0, ` + "'" + written + `')
from dlworker import frameworks, session
class Framework:
    def hello(self, threads, device):
        if threads == 2: os.kill(os.getpid(), signal.SIGSEGV)
        if threads == 3: os._exit(7)
        return {"ops": [], "precisions": [], "effective_threads": threads}
    def out_of_memory(self, e): return False
class Entry:
    def load(self, name): return Framework()
frameworks.TABLE["stub"] = Entry()
session.main(["stub"])
`
	cmd := exec.CommandContext(t.Context(), python, "-c", script)
	stdin, _ := cmd.StdinPipe()
	stdout, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	ask := func(line string) map[string]any {
		t.Helper()
		if line != "" {
			stdin.Write([]byte(line + "\n"))
		}
		if !lines.Scan() {
			t.Fatalf("no reply to %s: %v", line, lines.Err())
		}
		var reply map[string]any
		if err := json.Unmarshal(lines.Bytes(), &reply); err != nil {
			t.Fatal(err)
		}
		return reply
	}
	for _, tt := range []struct{ threads, message string }{
		{"2", "the forked worker ended with signal SIGSEGV"},
		{"3", "the forked worker ended with status 7"},
	} {
		if r := ask(`{"t":"fork"}`); r["t"] != "forked" || r["pid"] == float64(cmd.Process.Pid) {
			t.Fatalf("fork: %v", r)
		}
		r := ask(strings.Replace(hello, `"threads":1`, `"threads":`+tt.threads, 1))
		if r["class"] != "failed" || r["at"] != "fork" || r["message"] != tt.message {
			t.Errorf("got %v, want %q", r, tt.message)
		}
	}
	if r := ask(`{"t":"fork"}`); r["t"] != "forked" {
		t.Fatalf("fork after two deaths: %v", r)
	}
	if r := ask(hello); r["effective_threads"] != 1.0 {
		t.Errorf("hello: %v", r)
	}
	if r := ask(`{"t":"fork"}`); r["class"] != "failed" {
		t.Errorf("a fork after hello was answered %v", r)
	}
	if r := ask(`{"t":"bye"}`); r["t"] != "bye" {
		t.Errorf("bye: %v", r)
	}
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("the parent ended with %v", err)
	}
}
