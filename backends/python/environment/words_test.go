package environment

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestParseRef(t *testing.T) {
	for text, want := range map[string]Ref{
		"pytorch":                    {"pytorch", ""},
		"tensorflow-cuda":            {"tensorflow-cuda", ""},
		"pytorch@2.14.0":             {"pytorch", "2.14.0"},
		"pytorch@2.16.0.dev20261101": {"pytorch", "2.16.0.dev20261101"},
		"pytorch@2.15.0+cpu":         {"pytorch", "2.15.0+cpu"},
		"pytorch@my-fork":            {"pytorch", "my-fork"},
	} {
		if r, err := ParseRef(text); err != nil || r != want || r.String() != text {
			t.Errorf("%s: %+v, %v", text, r, err)
		}
	}
	for _, text := range []string{"", "@", "pytorch@", "@2", "Pytorch", "py torch", "pytorch@2@3", "../x", "pytorch@..", "pytorch@a/b", "pytorch@-1", "pytorch@fork-8", "pytorch@" + strings.Repeat("1", 41), "-cuda", "a--b", "pytorch@2 ; x"} {
		if r, err := ParseRef(text); err == nil {
			t.Errorf("%q is read as %+v", text, r)
		}
	}
}

// What is read can be a folder's name and a part of a cell's name, and is
// written as it was read.
func FuzzParseRef(f *testing.F) {
	for _, seed := range []string{"pytorch", "pytorch@2.14.0", "x@1+y", "a@b-1", "a@..", "@"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRef(text)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("%q: the error has several lines", text)
			}
			return
		}
		if r.String() != text {
			t.Errorf("%q is written as %q", text, r)
		}
		if strings.ContainsAny(text, "/\\ =;\x00\n") || strings.HasPrefix(text, ".") || strings.HasSuffix(text, ".") {
			t.Errorf("%q is taken", text)
		}
	})
}

// A path may hold anything, an equals sign too.
func FuzzParseOwn(f *testing.F) {
	for _, seed := range []string{"pytorch=/opt/x", "pytorch@fork=/a=b", "=", "pytorch=", "nope=/x", "pytorch"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, path, err := ParseOwn(text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "--env ") {
				t.Errorf("%q: %v does not name the flag", text, err)
			}
			return
		}
		if r.String()+"="+path != text || path == "" {
			t.Errorf("%q is read as %s and %q", text, r, path)
		}
		if _, err := Find(r.Name); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}

func TestVersioned(t *testing.T) {
	for _, tc := range []struct{ name, version, want string }{
		{"pytorch", "2.14.0", "torch==2.14.0|onnx==1.23.2|onnxscript==0.7.2"},
		{"tensorflow", "2.20.0", `tensorflow-cpu==2.20.0 ; sys_platform == "linux" and platform_machine == "x86_64"|tensorflow==2.20.0 ; sys_platform != "linux" or platform_machine != "x86_64"|keras==3.15.1`},
		{"tensorflow-cuda", "2.20.0", "tensorflow[and-cuda]==2.20.0|keras==3.15.1"},
		{"keras", "3.14.0", `keras==3.14.0|tensorflow-cpu==2.21.0 ; sys_platform == "linux" and platform_machine == "x86_64"|tensorflow==2.21.0 ; sys_platform != "linux" or platform_machine != "x86_64"|torch==2.15.0|jax==0.10.2`},
	} {
		spec, err := Find(tc.name)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := versioned(Locked(), spec, tc.version)
		if got := strings.Join(lines, "|"); err != nil || got != tc.want {
			t.Errorf("%s@%s:\n%s, %v\nwant\n%s", tc.name, tc.version, got, err, tc.want)
		}
	}
	if lines, err := versioned(fstest.MapFS{"pytorch.in": {Data: []byte("onnx==1\n")}}, Spec{Name: "pytorch", Package: "torch"}, "2"); err == nil {
		t.Errorf("a file that does not name the package gives %v", lines)
	}
}

func TestLastWords(t *testing.T) {
	for _, tc := range []struct{ name, output, want string }{
		{"uv", "Using Python 3.11.7\n  × No solution found when resolving dependencies:\n  ╰─▶ Because there is no version of torch==9.9 and you require torch==9.9, we can\n      conclude that your requirements are unsatisfiable.\n",
			"No solution found when resolving dependencies: Because there is no version of torch==9.9 and you require torch==9.9, we can conclude that your requirements are unsatisfiable."},
		{"pip", "Looking in indexes: x\nERROR: Could not find a version that satisfies the requirement torch==9.9\nERROR: No matching distribution found for torch==9.9\n",
			"ERROR: Could not find a version that satisfies the requirement torch==9.9 ERROR: No matching distribution found for torch==9.9"},
		{"no word of an error", "one\ntwo\nthree\nfour", "two three four"},
		{"credentials", "error: https://user:secret@host/simple failed", "error: https://host/simple failed"},
		{"nothing", "", ""},
		{"rewritten lines", "10%\r20%\rerror: disk full", "error: disk full"},
	} {
		s := &said{}
		for _, part := range strings.SplitAfter(tc.output, "o") { // in pieces
			if _, err := s.Write([]byte(part)); err != nil {
				t.Fatal(err)
			}
		}
		s.end()
		if got := lastWords(s.lines); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
	if got := lastWords([]string{"error: " + strings.Repeat("ж", 2*maxWords)}); len(got) > maxWords+len("…") || !strings.HasSuffix(got, "…") {
		t.Errorf("a long reason has %d bytes", len(got))
	}
}

func TestProgressLines(t *testing.T) {
	var told []string
	s := &said{tell: func(line string) { told = append(told, line) }}
	_, _ = s.Write([]byte("Resolved 2 packages in 1ms\n   Downloading torch (840.0MiB)\n + torch==2.15.0\nCollecting numpy==2.4.6 (from -r /x/requirements.txt (line 4))\nRequirement already satisfied: pip\n"))
	s.end()
	if strings.Join(told, "|") != "Resolved 2 packages in 1ms|Downloading torch (840.0MiB)|Collecting numpy==2.4.6" {
		t.Errorf("told %q", told)
	}
}

func TestNamesIndex(t *testing.T) {
	for list, want := range map[string]bool{
		"global.index-url='https://mirror/simple'\n":            true,
		"global.cert='/x'\nuser.extra-index-url='https://x/'\n": true,
		":env:.no-index='1'\n":                                  true,
		"install.index_url='https://mirror/simple'\n":           true,
		"global.cert='/x'\n:env:.find-links='/wheels'\n":        false,
		"": false,
		"global.trusted-host='index-url'\nglobal.timeout='60'\n": false,
	} {
		if got := namesIndex(list); got != want {
			t.Errorf("%q names an index: %v, want %v", list, got, want)
		}
	}
	for env, want := range map[string]bool{"UV_DEFAULT_INDEX=https://x/": true, "UV_INDEX_URL=": false, "UV_OFFLINE=1": false, "UV_INDEX=x=https://y": true} {
		t.Setenv("HOME", t.TempDir())
		t.Setenv("XDG_CONFIG_HOME", "")
		if got := uvNamesIndex([]string{"A=1", env}); got != want {
			t.Errorf("%s names an index: %v, want %v", env, got, want)
		}
	}
}

func TestNeedsCountsOnceWhatIsShared(t *testing.T) {
	step := func(name, tool string, links bool) Step {
		spec, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		return Step{Ref: Ref{Name: name}, Spec: spec, Tool: Tool{Name: tool, links: links}}
	}
	all := func(tool string, links bool) []Step {
		return []Step{step("pytorch", tool, links), step("tensorflow", tool, links), step("jax", tool, links), step("keras", tool, links)}
	}
	var separate int64
	for _, s := range all("uv", false) {
		separate += s.Spec.Disk
	}
	if _, disk := Needs(all("uv", false)); disk != separate {
		t.Errorf("without links: %d, want %d", disk, separate)
	}
	down, linked := Needs(all("uv", true))
	if linked >= separate*2/3 || linked < all("uv", true)[0].Spec.Disk {
		t.Errorf("with links: %d of %d", linked, separate)
	}
	if _, disk := Needs(all("pip", false)); disk != separate+down {
		t.Errorf("with pip: %d, want %d and its wheels %d", disk, separate, down)
	}
	alone, _ := Needs(all("uv", true)[3:])
	if alone != all("uv", true)[3].Spec.Download {
		t.Errorf("keras alone downloads %d", alone)
	}
}

func TestSeries(t *testing.T) {
	for version, want := range map[string]string{"3.11.7": "3.11", "3.13.0rc1": "3.13", "3": "3", "": ""} {
		if got := series(version); got != want {
			t.Errorf("%q: %q, want %q", version, got, want)
		}
	}
}
