package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dlbench/dlbench/backends/python/environment/environmenttest"
)

// requirementsVariable names a folder with requirement files in place of this
// binary's, in the test binary only.
const requirementsVariable = "DLBENCH_TEST_REQUIREMENTS"

// fakeIndex is an index with two versions of a package that has the name of a
// framework, and requirement files that lock one of them.
func fakeIndex(t *testing.T) (index *environmenttest.Index, requirements string) {
	t.Helper()
	environmenttest.Tool(t, "python3")
	index = environmenttest.NewIndex(t)
	requirements = t.TempDir()
	for _, version := range []string{"1.30.0", "1.31.1"} {
		wheel := environmenttest.Wheel("onnxruntime", version, map[string]string{"onnxruntime/__init__.py": "__version__ = '" + version + "'\n"})
		index.Add("onnxruntime", version, wheel)
		locked := "onnxruntime==" + version + " --hash=" + environmenttest.Hash(wheel) + "\n"
		for name, text := range map[string]string{"onnxruntime.in": "onnxruntime==" + version + "\n", "onnxruntime.txt": locked} {
			if err := os.WriteFile(filepath.Join(requirements, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return index, requirements
}

// indexEnv leads uv and pip to the index, past the configuration of this
// machine, with caches below dir.
func indexEnv(index *environmenttest.Index, requirements, dir string) []string {
	return []string{
		"PIP_INDEX_URL=" + index.URL, "UV_DEFAULT_INDEX=" + index.URL, "PIP_CONFIG_FILE=" + os.DevNull, "UV_NO_CONFIG=1", "PIP_FIND_LINKS=",
		"PIP_CACHE_DIR=" + filepath.Join(dir, "pip"), "UV_CACHE_DIR=" + filepath.Join(dir, "uv"), "no_proxy=127.0.0.1", "NO_PROXY=127.0.0.1",
		"DLBENCH_CACHE=" + filepath.Join(dir, "cache"), requirementsVariable + "=" + requirements,
	}
}

// TestSetupScripts types the commands around environments, against an index on
// this machine.
func TestSetupScripts(t *testing.T) {
	index, requirements := fakeIndex(t)
	home, _ := os.UserHomeDir() // of launchers such as pyenv's
	testscript.Run(t, testscript.Params{
		Dir: "testdata/setup",
		Setup: func(env *testscript.Env) error {
			for _, e := range append(indexEnv(index, requirements, env.WorkDir), "HOME="+home, "TOOL="+quickTool()) {
				name, value, _ := strings.Cut(e, "=")
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"exits": exits},
	})
}

// Without Python on PATH nothing can be made; what needs none goes on.
func TestSetupWithoutPython(t *testing.T) {
	t.Parallel()
	self, err := exec.LookPath("dlbench")
	if err != nil {
		t.Fatal(err)
	}
	cache := filepath.Join(t.TempDir(), "cache")
	for _, tc := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"setup", "onnxruntime"}, exitBadInput, "error: onnxruntime needs Python 3.11 to 3.14 on PATH: none is there\n"},
		{[]string{"setup", "--list"}, exitOK, "onnxruntime      not set up"},
		{[]string{"list", "backends"}, exitOK, "(run `dlbench setup onnxruntime pytorch`)"},
		{[]string{"plan", "--suite", "smoke"}, exitOK, "TinyMlp"},
	} {
		cmd := exec.CommandContext(t.Context(), self, tc.args...)
		cmd.Env = []string{"PATH=" + t.TempDir(), "HOME=" + t.TempDir(), "DLBENCH_CACHE=" + cache}
		out, err := cmd.CombinedOutput()
		if code := exitCode(t, err); code != tc.code || !strings.Contains(string(out), tc.says) {
			t.Errorf("%v: exit %d, want %d with %q\n%s", tc.args, code, tc.code, tc.says, out)
		}
	}
	if entries, _ := os.ReadDir(filepath.Join(cache, "environments")); len(entries) > 0 {
		t.Errorf("left %v", entries)
	}
}

// quickTool is uv where it is there: it is ten times faster than pip.
func quickTool() string {
	if _, err := exec.LookPath("uv"); err == nil {
		return "uv"
	}
	return "pip"
}

// setupProcess is `dlbench setup` in a process of its own.
type setupProcess struct {
	index *environmenttest.Index
	dir   string // with the cache in it
	env   []string
}

func newSetupProcess(t *testing.T) setupProcess {
	t.Helper()
	index, requirements := fakeIndex(t)
	dir := t.TempDir()
	return setupProcess{index: index, dir: dir, env: indexEnv(index, requirements, dir)}
}

// start begins to set up the package, with a tool.
func (p setupProcess) start(t *testing.T, ctx context.Context, tool string) (wait func() outcome, signal func(os.Signal)) {
	t.Helper()
	cmd := program(ctx, "setup", "onnxruntime", "--tool", tool)
	cmd.Env = append(cmd.Env, p.env...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() outcome {
			err := cmd.Wait()
			return outcome{code: exitCode(t, err), stderr: out.String()}
		}, func(s os.Signal) {
			if err := cmd.Process.Signal(s); err != nil {
				t.Error(err)
			}
		}
}

// left lists what stands beside lock files where the environments are.
func (p setupProcess) left(t *testing.T) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(p.dir, "cache", "environments"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".lock") {
			names = append(names, e.Name())
		}
	}
	return strings.Join(names, " ")
}

// Whatever ends a setup in the middle of a download, there is no environment
// afterwards, no process is left, and the next setup makes it. What SIGKILL left
// in hidden folders the next setup clears.
func TestInterruptedSetup(t *testing.T) {
	for _, tc := range []struct {
		tool    string
		signals []syscall.Signal
	}{
		{quickTool(), []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL}},
		{"pip", []syscall.Signal{syscall.SIGKILL}}, // the one that leaves its end to pip
	} {
		for _, signal := range tc.signals {
			tool := tc.tool
			t.Run(tool+"/"+signal.String(), func(t *testing.T) {
				t.Parallel()
				p := newSetupProcess(t)
				downloading := p.index.Stall()
				wait, send := p.start(t, t.Context(), tool)
				<-downloading
				send(signal)
				out := wait()
				if signal == syscall.SIGKILL {
					if out.code != 128+int(signal) || strings.Contains(" "+p.left(t), " onnxruntime") {
						t.Errorf("exit %d, left %q", out.code, p.left(t))
					}
				} else if out.code != exitInterrupted || p.left(t) != "" || !strings.Contains(out.stderr, "interrupted; what was not complete has been removed") {
					t.Errorf("exit %d, left %q\n%s", out.code, p.left(t), out.stderr)
				}
				for range 100 { // a killed process takes a moment to go
					if len(processesNaming(p.dir)) == 0 {
						break
					}
					time.Sleep(50 * time.Millisecond)
				}
				if still := processesNaming(p.dir); len(still) > 0 {
					t.Errorf("processes are left: %v", still)
				}
				p.index.Resume()
				wait, _ = p.start(t, t.Context(), tool)
				if out := wait(); out.code != exitOK || p.left(t) != "onnxruntime" {
					t.Errorf("afterwards: exit %d, left %q\n%s", out.code, p.left(t), out.stderr)
				}
			})
		}
	}
}

// A second setup of the same environment waits for the first.
func TestTwoSetupsAtOnce(t *testing.T) {
	t.Parallel()
	p := newSetupProcess(t)
	downloading := p.index.Stall()
	ctx, cancel := context.WithCancel(t.Context())
	first, send := p.start(t, ctx, quickTool())
	<-downloading
	p.index.Resume()
	second, _ := p.start(t, t.Context(), quickTool())
	time.Sleep(500 * time.Millisecond) // of the first one's lock; the result is the same without
	send(syscall.SIGTERM)
	if out := first(); out.code != exitInterrupted {
		t.Errorf("the first: exit %d\n%s", out.code, out.stderr)
	}
	cancel()
	if out := second(); out.code != exitOK || p.left(t) != "onnxruntime" {
		t.Errorf("the second: exit %d, left %q\n%s", out.code, p.left(t), out.stderr)
	}
}
