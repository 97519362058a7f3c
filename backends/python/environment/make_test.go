package environment_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/dlbench/dlbench/backends/python/environment"
	"github.com/dlbench/dlbench/backends/python/environment/environmenttest"
)

// The tests make onnxruntime's environment from an index of their own, whose
// wheel is a few bytes of Python.
var pinned = environment.Ref{Name: "onnxruntime"}

// workshop is an empty store beside a fake index, and the tool that both tools'
// configurations lead to it.
func workshop(t *testing.T, tool string) (environment.Maker, *environmenttest.Index, *[]string) {
	t.Helper()
	environmenttest.Tool(t, "python3")
	if tool == "uv" {
		environmenttest.Tool(t, "uv")
	}
	index := environmenttest.NewIndex(t)
	wheel := fakeWheel("1.31.1", "answer = 42\n")
	index.Add("onnxruntime", "1.31.1", wheel)
	dir := t.TempDir()
	for name, value := range map[string]string{
		"PIP_INDEX_URL": index.URL, "UV_DEFAULT_INDEX": index.URL, "PIP_CONFIG_FILE": os.DevNull, "UV_NO_CONFIG": "1",
		"PIP_FIND_LINKS": "", "PIP_CACHE_DIR": filepath.Join(dir, "pip"), "UV_CACHE_DIR": filepath.Join(dir, "uv"),
		"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1",
	} {
		t.Setenv(name, value)
	}
	told := new([]string)
	return environment.Maker{
		Store: environment.Store{Dir: filepath.Join(dir, "environments"), Locked: lockedTo(wheel)},
		Tool:  tool,
		Tell:  func(line string) { *told = append(*told, line) },
	}, index, told
}

func fakeWheel(version, code string) []byte {
	return environmenttest.Wheel("onnxruntime", version, map[string]string{
		"onnxruntime/__init__.py": code,
		"onnxruntime/data.txt":    "some data",
	})
}

// lockedTo are requirement files that allow one wheel and no other.
func lockedTo(wheel []byte) fstest.MapFS {
	return fstest.MapFS{
		"onnxruntime.in":  {Data: []byte("onnxruntime==1.31.1\n")},
		"onnxruntime.txt": {Data: []byte("onnxruntime==1.31.1 \\\n    --hash=" + environmenttest.Hash(wheel) + "\n")},
	}
}

// mustMake makes the environment and says whether it was made now.
func mustMake(t *testing.T, m environment.Maker, r environment.Ref) (environment.State, bool) {
	t.Helper()
	step, err := m.Prepare(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	state, made, err := m.Make(t.Context(), step)
	if err != nil {
		t.Fatal(err)
	}
	return state, made
}

// visible lists what stands in the store besides lock files.
func visible(t *testing.T, s environment.Store) string {
	t.Helper()
	entries, err := os.ReadDir(s.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
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

// anyTool is uv where it is there: it is ten times faster than pip.
func anyTool() string {
	if _, err := exec.LookPath("uv"); err == nil {
		return "uv"
	}
	return "pip"
}

func eachTool(t *testing.T, test func(t *testing.T, tool string)) {
	for _, tool := range []string{"uv", "pip"} {
		t.Run(tool, func(t *testing.T) { test(t, tool) })
	}
}

func TestMakeIsWholeAndIdempotent(t *testing.T) {
	eachTool(t, func(t *testing.T, tool string) {
		m, index, _ := workshop(t, tool)
		if state := m.Store.Look(pinned); state.Condition != environment.Absent {
			t.Errorf("before: %+v", state)
		}
		state, made := mustMake(t, m, pinned)
		if !made || state.Condition != environment.Ready {
			t.Fatalf("made %v, %+v", made, state)
		}
		marker := state.Marker
		if marker.Packages["onnxruntime"] != "1.31.1" || !strings.HasPrefix(marker.Tool, tool+" ") || marker.Bytes < 1000 || marker.Requirements == "" {
			t.Errorf("marker %+v", marker)
		}
		if got := visible(t, m.Store); got != "onnxruntime" {
			t.Errorf("the store holds %q", got)
		}
		if _, err := os.Stat(filepath.Join(m.Store.Folder(pinned), marker.Site, "onnxruntime", "__pycache__")); err != nil {
			t.Errorf("the package was not compiled: %v", err) // or else the first trial would do it
		}
		out, err := exec.Command(m.Store.Interpreter(pinned), "-I", "-c", "import onnxruntime; print(onnxruntime.answer, onnxruntime.__file__)").CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), "42 "+m.Store.Folder(pinned)) {
			t.Errorf("the environment's Python says %q, %v", out, err)
		}
		// Nothing names the folder in which it was made.
		if out, _ := exec.Command("grep", "-rlI", ".making-", m.Store.Folder(pinned)).Output(); len(out) > 0 {
			t.Errorf("these name the folder in which the environment was made:\n%s", out)
		}
		index.Asked()
		if _, made := mustMake(t, m, pinned); made || len(index.Asked()) > 0 {
			t.Errorf("a second time: made %v, or the index was asked", made)
		}
	})
}

func TestMakeRepairs(t *testing.T) {
	m, _, _ := workshop(t, anyTool())
	mustMake(t, m, pinned)
	dir := m.Store.Folder(pinned)
	site := filepath.Join(dir, m.Store.Look(pinned).Marker.Site)
	for _, tc := range []struct {
		name    string
		damage  func() error
		atLook  environment.Condition // seen without patience
		because string
	}{
		{"a module is gone", func() error { return os.RemoveAll(filepath.Join(site, "onnxruntime")) }, environment.Broken, "module onnxruntime is gone"},
		{"its Python is gone", func() error { return os.RemoveAll(filepath.Join(dir, "bin")) }, environment.Broken, "its Python is gone"},
		{"its Python does not start", func() error {
			python := filepath.Join(dir, "bin", "python")
			return errors.Join(os.Remove(python), os.WriteFile(python, []byte("#!/bin/sh\nexit 7\n"), 0o755))
		}, environment.Ready, "does not start: exit status 7"},
		{"a file is gone", func() error { return os.Remove(filepath.Join(site, "onnxruntime", "data.txt")) }, environment.Ready, "onnxruntime/data.txt is gone"},
		{"a file is cut short", func() error { return replaceFile(filepath.Join(site, "onnxruntime", "data.txt"), "so") }, environment.Ready, "has 2 bytes instead of 9"},
		{"it has no marker", func() error { return os.Remove(filepath.Join(dir, "dlbench-environment.json")) }, environment.Broken, "it was never completed"},
		{"its marker is cut short", func() error { return replaceFile(filepath.Join(dir, "dlbench-environment.json"), "{") }, environment.Broken, "unexpected end"},
		{"it is a link to nothing", func() error {
			return errors.Join(os.RemoveAll(dir), os.Symlink("nowhere", dir))
		}, environment.Broken, "it was never completed"},
	} {
		if err := tc.damage(); err != nil {
			t.Fatal(err)
		}
		if state := m.Store.Look(pinned); state.Condition != tc.atLook {
			t.Errorf("%s: looks %s, want %s", tc.name, state.Condition, tc.atLook)
		}
		if state := m.Store.Examine(t.Context(), pinned); state.Condition != environment.Broken || !strings.Contains(state.Why, tc.because) {
			t.Errorf("%s: %s: %s, want broken: %s", tc.name, state.Condition, state.Why, tc.because)
		}
		if state, made := mustMake(t, m, pinned); !made || state.Condition != environment.Ready {
			t.Errorf("%s: not repaired: %+v", tc.name, state)
		}
		if got := visible(t, m.Store); got != "onnxruntime" {
			t.Errorf("%s: the store holds %q", tc.name, got)
		}
	}
}

// The time of a setup is that with its downloads: neither a second call nor a
// repair, which has them in the tool's cache, takes its place. Other packages are
// another setup.
func TestMakeKeepsTheTimeOfTheDownload(t *testing.T) {
	m, _, _ := workshop(t, anyTool())
	first, _ := mustMake(t, m, pinned)
	if s := first.Marker.Seconds; s <= 0 || s > 600 {
		t.Fatalf("a setup of %v s", s)
	}
	path := filepath.Join(m.Store.Folder(pinned), "dlbench-environment.json")
	edit := func(change func(map[string]any)) {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var marker map[string]any
		if err := json.Unmarshal(text, &marker); err != nil {
			t.Fatal(err)
		}
		change(marker)
		if text, err = json.Marshal(marker); err != nil {
			t.Fatal(err)
		}
		if err := replaceFile(path, string(text)); err != nil {
			t.Fatal(err)
		}
	}
	damage := func() {
		t.Helper()
		if err := os.RemoveAll(filepath.Join(m.Store.Folder(pinned), first.Marker.Site, "onnxruntime")); err != nil {
			t.Fatal(err)
		}
	}
	edit(func(marker map[string]any) { marker["seconds"] = 987.6 })
	if state, made := mustMake(t, m, pinned); made || state.Marker.Seconds != 987.6 {
		t.Errorf("a second call: made %v, %v s", made, state.Marker.Seconds)
	}
	damage()
	if state, made := mustMake(t, m, pinned); !made || state.Marker.Seconds != 987.6 {
		t.Errorf("a repair: made %v, %v s, want 987.6", made, state.Marker.Seconds)
	}
	edit(func(marker map[string]any) { marker["packages"] = map[string]string{"onnxruntime": "1.0"} })
	damage()
	if state, made := mustMake(t, m, pinned); !made || state.Marker.Seconds == 987.6 {
		t.Errorf("other packages: made %v, %v s of those before", made, state.Marker.Seconds)
	}
}

// replaceFile gives a file other content, and does not touch the tool's cache,
// which may know the same file by another name.
func replaceFile(path, text string) error {
	return errors.Join(os.Remove(path), os.WriteFile(path, []byte(text), 0o644))
}

// An index that only a configuration file names is the one that is asked: uv's by
// uv, and pip's by pip, though uv is there.
func TestMakeReadsConfigurationFiles(t *testing.T) {
	for tool, configure := range map[string]func(t *testing.T, dir, url string){
		"uv": func(t *testing.T, dir, url string) {
			t.Setenv("UV_NO_CONFIG", "false")
			write(t, filepath.Join(dir, "uv", "uv.toml"), "[[index]]\nurl = '"+url+"'\ndefault = true\n")
		},
		"pip": func(t *testing.T, dir, url string) {
			write(t, filepath.Join(dir, "pip.conf"), "[global]\nindex-url = "+url+"\n")
			t.Setenv("PIP_CONFIG_FILE", filepath.Join(dir, "pip.conf"))
		},
	} {
		t.Run(tool, func(t *testing.T) {
			m, index, _ := workshop(t, tool)
			dir := t.TempDir()
			t.Setenv("XDG_CONFIG_HOME", dir)
			t.Setenv("UV_DEFAULT_INDEX", "")
			t.Setenv("PIP_INDEX_URL", "")
			m.Tool = "" // chooses
			configure(t, dir, index.URL)
			state, _ := mustMake(t, m, pinned)
			if !strings.HasPrefix(state.Marker.Tool, tool+" ") || len(index.Asked()) == 0 {
				t.Errorf("made with %s, want %s; the index was asked or not", state.Marker.Tool, tool)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func TestMakeHoldsToHashes(t *testing.T) {
	eachTool(t, func(t *testing.T, tool string) {
		m, index, _ := workshop(t, tool)
		index.Add("onnxruntime", "1.31.1", fakeWheel("1.31.1", "answer = 666\n"))
		step, err := m.Prepare(t.Context(), pinned)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = m.Make(t.Context(), step)
		if err == nil || !strings.Contains(strings.ToLower(err.Error()), "hash") || strings.Contains(err.Error(), "\n") {
			t.Errorf("another wheel than the locked one: %v", err)
		}
		if got := visible(t, m.Store); got != "" {
			t.Errorf("left %q", got)
		}
	})
}

func TestMakeOfAnotherVersion(t *testing.T) {
	m, index, _ := workshop(t, anyTool())
	index.Add("onnxruntime", "1.30.0", fakeWheel("1.30.0", "answer = 41\n"))
	old := environment.Ref{Name: "onnxruntime", Version: "1.30.0"}
	state, _ := mustMake(t, m, old)
	if m := state.Marker; m.Requirements != "" || fmt.Sprint(m.Asked) != "[onnxruntime==1.30.0]" || m.Packages["onnxruntime"] != "1.30.0" {
		t.Errorf("marker %+v", m)
	}
	mustMake(t, m, pinned)
	if got := visible(t, m.Store); got != "onnxruntime onnxruntime@1.30.0" {
		t.Errorf("the store holds %q", got)
	}
	if fmt.Sprint(m.Store.Refs()) != "[onnxruntime onnxruntime@1.30.0]" {
		t.Errorf("the store knows %v", m.Store.Refs())
	}
	none := environment.Ref{Name: "onnxruntime", Version: "9.9"}
	step, err := m.Prepare(t.Context(), none)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.Make(t.Context(), step); err == nil || !strings.Contains(err.Error(), "9.9") || strings.Contains(err.Error(), "\n") {
		t.Errorf("a version that does not exist: %v", err)
	}
	if removed, err := m.Store.Remove(old); !removed || err != nil || visible(t, m.Store) != "onnxruntime" {
		t.Errorf("removed %v, %v; the store holds %q", removed, err, visible(t, m.Store))
	}
	if removed, err := m.Store.Remove(old); removed || err != nil {
		t.Errorf("removed what is not there: %v, %v", removed, err)
	}
}

// New pins make an environment outdated; it works until the new one is there.
func TestMakeOfNewPins(t *testing.T) {
	m, index, _ := workshop(t, anyTool())
	mustMake(t, m, pinned)
	newer := fakeWheel("1.31.1", "answer = 43\n")
	index.Add("onnxruntime", "1.31.1", newer)
	m.Store.Locked = lockedTo(newer)
	if state := m.Store.Look(pinned); state.Condition != environment.Outdated {
		t.Errorf("after new pins: %+v", state)
	}
	stalled := index.Stall()
	ctx, cancel := context.WithCancel(t.Context())
	step, err := m.Prepare(ctx, pinned)
	if err != nil {
		t.Fatal(err)
	}
	go func() { <-stalled; cancel() }()
	if _, _, err := m.Make(ctx, step); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if state := m.Store.Look(pinned); state.Condition != environment.Outdated || visible(t, m.Store) != "onnxruntime" {
		t.Errorf("after the interruption: %+v, the store holds %q", state, visible(t, m.Store))
	}
	index.Resume()
	if state, made := mustMake(t, m, pinned); !made || state.Condition != environment.Ready {
		t.Errorf("not renewed: %+v", state)
	}
}

// Two that want the same environment at once make it once.
func TestMakeTwiceAtOnce(t *testing.T) {
	m, _, _ := workshop(t, anyTool())
	m.Tell = func(string) {}
	var both sync.WaitGroup
	made := make([]bool, 3)
	for i := range made {
		both.Go(func() {
			step, err := m.Prepare(t.Context(), pinned)
			if err != nil {
				t.Error(err)
				return
			}
			state, now, err := m.Make(t.Context(), step)
			if err != nil || state.Condition != environment.Ready {
				t.Errorf("%+v, %v", state, err)
			}
			made[i] = now
		})
	}
	both.Wait()
	n := 0
	for _, m := range made {
		if m {
			n++
		}
	}
	if n != 1 || visible(t, m.Store) != "onnxruntime" {
		t.Errorf("made %d times; the store holds %q", n, visible(t, m.Store))
	}
}

// What a killed setup left is removed by the next one, of any environment.
func TestMakeClearsWhatWasLeft(t *testing.T) {
	m, _, _ := workshop(t, anyTool())
	for _, left := range []string{".jax.making-123", ".onnxruntime@1.30.0.making-7", ".onnxruntime.removing-9"} {
		if err := os.MkdirAll(filepath.Join(m.Store.Dir, left, "environment"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	keep := filepath.Join(m.Store.Dir, ".of-someone-else")
	if err := os.Mkdir(keep, 0o755); err != nil {
		t.Fatal(err)
	}
	mustMake(t, m, pinned)
	if got := visible(t, m.Store); got != ".of-someone-else onnxruntime" {
		t.Errorf("the store holds %q", got)
	}
}

func TestFindOwn(t *testing.T) {
	m, _, _ := workshop(t, anyTool())
	mustMake(t, m, pinned)
	dir := m.Store.Folder(pinned)
	empty := t.TempDir()
	for _, tc := range []struct{ env, want string }{
		{"onnxruntime=" + dir, ""},
		{"onnxruntime@fork=" + filepath.Join(dir, "bin", "python"), ""},
		{"pytorch=" + dir, "has no module torch"},
		{"onnxruntime=" + empty, "has no bin/python"},
		{"onnxruntime=" + filepath.Join(empty, "nowhere"), "is not there"},
		{"onnxruntime=" + filepath.Join(dir, "pyvenv.cfg"), "is not executable"},
		{"onnxruntime=/bin/sh", "does not start"},
		{"onnxruntime", "expected NAME=PATH"},
		{"onnx=" + dir, `environment "onnx": there are pytorch`},
		{"onnxruntime@a b=" + dir, "expected at most"},
	} {
		own, err := environment.FindOwn(t.Context(), []string{tc.env})
		switch {
		case tc.want == "" && (err != nil || len(own) != 1 || own[0].Python != filepath.Join(dir, "bin", "python")):
			t.Errorf("%s: %+v, %v", tc.env, own, err)
		case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "--env") || strings.Contains(err.Error(), "\n")):
			t.Errorf("%s: %v, want one line with %q", tc.env, err, tc.want)
		}
	}
	if _, err := environment.FindOwn(t.Context(), []string{"onnxruntime=" + dir, "onnxruntime=" + dir}); err == nil {
		t.Error("the same name twice is taken")
	}
}
