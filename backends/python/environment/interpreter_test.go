package environment

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakePath is a PATH with programs that answer as a Python would.
func fakePath(t *testing.T, answers map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, answer := range answers {
		script := "#!/bin/sh\nprintf '" + answer + "'\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
}

func TestFindPython(t *testing.T) {
	spec := Spec{Name: "x", NewestPython: 13}
	for _, tc := range []struct {
		name    string
		answers map[string]string
		path    string
		says    []string
	}{
		{"the default one", map[string]string{"python3": `CPython\n3.11.7\n/opt/a\n`, "python3.13": `CPython\n3.13.0\n/opt/b\n`}, "/opt/a", nil},
		{"the default one is old", map[string]string{"python3": `CPython\n3.9.2\n/usr/bin/python3\n`, "python3.12": `CPython\n3.12.1\n/opt/b\n`}, "/opt/b", nil},
		{"the default one is too new", map[string]string{"python3": `CPython\n3.14.0\n/a\n`, "python3.11": `CPython\n3.11.0rc1\n/opt/c\n`}, "/opt/c", nil},
		{"a launcher of nothing", map[string]string{"python3": `no such version\n`, "python3.12": `CPython\n3.12.1\n/opt/b\n`}, "/opt/b", nil},
		{"another Python", map[string]string{"python3": `PyPy\n3.11.1\n/opt/pypy\n`}, "", []string{"x needs Python 3.11 to 3.13 on PATH", "python3 is 3.11.1"}},
		{"all are old", map[string]string{"python3": `CPython\n3.9.2\n/a\n`, "python": `CPython\n2.7.18\n/b\n`}, "", []string{"python3 is 3.9.2, python is 2.7.18"}},
		{"none", nil, "", []string{"x needs Python 3.11 to 3.13 on PATH: none is there"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fakePath(t, tc.answers)
			p, err := FindPython(t.Context(), spec)
			if p.Path != tc.path || (err == nil) != (tc.path != "") {
				t.Errorf("found %+v, %v", p, err)
			}
			for _, want := range tc.says {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v does not say %q", err, want)
				}
			}
		})
	}
}

func TestFindTool(t *testing.T) {
	const uv = `uv 0.13.8\n`
	pip := Python{Path: filepath.Join(t.TempDir(), "python")}
	if err := os.WriteFile(pip.Path, []byte("#!/bin/sh\necho \"global.index-url='https://mirror/'\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	noPip := Python{Path: "/bin/false"}
	for _, tc := range []struct {
		name, asked string
		programs    map[string]string
		env         string
		python      Python
		want, why   string
	}{
		{"uv is there", "", map[string]string{"uv": uv}, "", noPip, "uv", ""},
		{"uv is not there", "", nil, "", noPip, "pip", ""},
		{"only pip knows an index", "", map[string]string{"uv": uv}, "", pip, "pip", "pip's configuration names a package index"},
		{"only pip knows an index, by variable", "", map[string]string{"uv": uv}, "PIP_INDEX_URL", noPip, "pip", "pip's configuration names a package index"},
		{"both know one", "", map[string]string{"uv": uv}, "UV_DEFAULT_INDEX", pip, "uv", ""},
		{"pip is asked for", "pip", map[string]string{"uv": uv}, "", noPip, "pip", ""},
		{"uv is asked for", "uv", map[string]string{"uv": uv}, "", pip, "uv", ""},
		{"uv is asked for in vain", "uv", nil, "", noPip, "", ""},
		{"nonsense is asked for", "conda", map[string]string{"uv": uv}, "", noPip, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fakePath(t, tc.programs)
			t.Setenv("HOME", t.TempDir())
			for _, name := range append([]string{"XDG_CONFIG_HOME", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"}, indexVariables...) {
				t.Setenv(name, "")
			}
			if tc.env != "" {
				t.Setenv(tc.env, "https://mirror/")
			}
			tool, err := FindTool(t.Context(), tc.asked, tc.python)
			if tool.Name != tc.want || !strings.Contains(tool.Why, tc.why) || (tool.Why == "") != (tc.why == "") || (err == nil) != (tc.want != "") {
				t.Errorf("%+v, %v; want %q because %q", tool, err, tc.want, tc.why)
			}
		})
	}
}

// The tools run under the user's environment, configuration of indexes
// included, less what would lead them to other folders.
func TestEnviron(t *testing.T) {
	t.Setenv("PIP_INDEX_URL", "https://mirror/")
	t.Setenv("PIP_USER", "1")
	t.Setenv("PYTHONPATH", "/elsewhere")
	t.Setenv("VIRTUAL_ENV", "/elsewhere")
	env := "\n" + strings.Join(environ(), "\n") + "\n"
	for _, want := range []string{"\nPIP_INDEX_URL=https://mirror/\n", "\nPIP_USER=0\n", "\nUV_PYTHON_DOWNLOADS=never\n"} {
		if !strings.Contains(env, want) {
			t.Errorf("the tools lack %q", want)
		}
	}
	if strings.Contains(env, "/elsewhere") || strings.LastIndex(env, "PIP_USER=0") < strings.Index(env, "PIP_USER=1") {
		t.Errorf("the tools see %s", env)
	}
}
