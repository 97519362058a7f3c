package environment

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Tool installs packages: uv, or pip in a virtual environment.
type Tool struct {
	Name string // uv or pip
	path string // of uv
	Why  string // why this one; may be empty
	bars bool   // its output is read by a person

	links bool // its files are links to its cache, so that environments share them
}

// FindTool chooses uv where it is on PATH, else pip. Pip is chosen too where
// only its configuration names a package index, which uv would not ask. A name
// other than "" decides.
func FindTool(ctx context.Context, name string, python Python) (Tool, error) {
	uv, err := exec.LookPath("uv")
	switch {
	case name == "pip":
		return Tool{Name: "pip"}, nil
	case name == "uv" && err != nil:
		return Tool{}, fmt.Errorf("uv is not on PATH; leave out --tool uv for pip")
	case name != "" && name != "uv":
		return Tool{}, fmt.Errorf("--tool %s: expected uv or pip", name)
	case err != nil:
		return Tool{Name: "pip"}, nil
	}
	if uv, err = filepath.Abs(uv); err != nil {
		return Tool{}, err
	}
	if name == "" && !uvNamesIndex(os.Environ()) && pipNamesIndex(ctx, python) {
		return Tool{Name: "pip", Why: "pip's configuration names a package index and uv's does not"}, nil
	}
	return Tool{Name: "uv", path: uv}, nil
}

// indexVariables of uv's environment name where it finds packages.
var indexVariables = []string{"UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_NO_INDEX", "UV_CONFIG_FILE"}

// uvNamesIndex reports whether the user told uv where to find packages.
func uvNamesIndex(env []string) bool {
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		for _, v := range indexVariables {
			if name == v && value != "" {
				return true
			}
		}
	}
	files := []string{"/etc/uv/uv.toml"}
	if home, err := os.UserHomeDir(); err == nil {
		files = append(files, filepath.Join(home, ".config", "uv", "uv.toml"))
	}
	if dir := os.Getenv("XDG_CONFIG_HOME"); dir != "" {
		files = append(files, filepath.Join(dir, "uv", "uv.toml"))
	}
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && strings.Contains(string(text), "index") {
			return true
		}
	}
	return false
}

// pipNamesIndex reports whether pip's configuration, by variable or by file,
// names a package index. Pip itself knows best where its files are.
func pipNamesIndex(ctx context.Context, python Python) bool {
	for _, name := range []string{"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, python.Path, "-m", "pip", "config", "list").Output()
	if err != nil {
		return false // no pip, no configuration of pip
	}
	return namesIndex(string(out))
}

// namesIndex reads the output of "pip config list": lines like
// global.index-url='https://…'.
func namesIndex(list string) bool {
	for line := range strings.Lines(list) {
		key, _, _ := strings.Cut(line, "=")
		_, option, _ := strings.Cut(key, ".")
		switch strings.ReplaceAll(option, "_", "-") {
		case "index-url", "extra-index-url", "no-index":
			return true
		}
	}
	return false
}

// linksTo reports whether environments in dir will share their files: uv links
// them to its cache where both are on one disk.
func (t Tool) linksTo(ctx context.Context, dir string) bool {
	if t.Name != "uv" {
		return false
	}
	cache := t.cache(ctx)
	return cache != "" && sameDisk(cache, dir)
}

// environ is what the tools run under: the user's own environment with their
// configuration, less what would lead them elsewhere.
func environ() []string {
	var env []string
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		switch name {
		case "VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "UV_PROJECT_ENVIRONMENT", "UV_SYSTEM_PYTHON", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT":
			continue
		}
		env = append(env, e)
	}
	// A virtual environment has no user's packages; nothing may ask a question
	// or look for a newer tool; the interpreter was chosen already.
	return append(env, "PIP_USER=0", "PIP_NO_INPUT=1", "PIP_DISABLE_PIP_VERSION_CHECK=1", "UV_PYTHON_DOWNLOADS=never")
}

// create is the command that makes an empty environment.
func (t Tool) create(python Python, dir string) []string {
	if t.Name == "uv" {
		return []string{t.path, "venv", "--quiet", "--no-project", "--python", python.Path, dir}
	}
	return []string{python.Path, "-I", "-m", "venv", dir}
}

// install is the command that fills it. Wheels only: a package that would have
// to be compiled is not there for this machine.
func (t Tool) install(dir string, what ...string) []string {
	var argv []string
	if t.Name == "uv" {
		// Compiled now, or else the first trial of every framework would do it.
		argv = []string{t.path, "pip", "install", "--python", interpreter(dir), "--compile-bytecode"}
	} else {
		argv = []string{interpreter(dir), "-I", "-m", "pip", "install"}
		if !t.bars {
			argv = append(argv, "--progress-bar", "off")
		}
	}
	return append(append(argv, "--only-binary", ":all:"), what...)
}

// locked are the arguments of install for a file that names everything.
func locked(file string) []string { return []string{"--require-hashes", "--no-deps", "-r", file} }

// version asks the tool for its own.
func (t Tool) version(ctx context.Context, dir string) string {
	argv := []string{t.path, "--version"} // uv 0.13.8 (platform)
	if t.Name == "pip" {
		argv = []string{interpreter(dir), "-I", "-m", "pip", "--version"} // pip 23.2.1 from …
	}
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).Output()
	if words := strings.Fields(string(out)); err == nil && len(words) > 1 {
		return words[0] + " " + words[1]
	}
	return t.Name
}
