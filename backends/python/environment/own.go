package environment

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Own is an environment that the user made: a framework's version, wheel or
// fork that dlbench did not install.
type Own struct {
	Ref    Ref    // its Version is the user's label; none: it stands for the pinned one
	Python string // path of its interpreter
}

// ParseOwn reads NAME=PATH or NAME@LABEL=PATH. It does not look at the path.
func ParseOwn(text string) (Ref, string, error) {
	name, path, ok := strings.Cut(text, "=")
	if !ok || path == "" {
		return Ref{}, "", fmt.Errorf("--env %q: expected NAME=PATH or NAME@LABEL=PATH, where PATH is a virtual environment or its python", text)
	}
	r, err := ParseRef(name)
	if err != nil {
		return Ref{}, "", fmt.Errorf("--env %w", err)
	}
	if _, err := Find(r.Name); err != nil {
		return Ref{}, "", fmt.Errorf("--env %s: %w", text, err)
	}
	return r, path, nil
}

// FindOwn reads every --env and holds its Python to what a worker needs: that
// it starts, is new enough, and has the framework.
func FindOwn(ctx context.Context, texts []string) ([]Own, error) {
	var all []Own
	for _, text := range texts {
		r, path, err := ParseOwn(text)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(o Own) bool { return o.Ref == r }) {
			return nil, fmt.Errorf("--env: %s is named twice", r)
		}
		python, err := ownPython(path)
		if err == nil {
			err = usable(ctx, python, r)
		}
		if err != nil {
			return nil, fmt.Errorf("--env %s: %w", text, err)
		}
		all = append(all, Own{Ref: r, Python: python})
	}
	return all, nil
}

// ownPython is the interpreter that a path means: the path itself, or the one
// of the virtual environment in that folder. Links are kept: a Python finds its
// packages by the name under which it was started.
func ownPython(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("%s is not there; expected a virtual environment or its python", path)
	}
	if info.IsDir() {
		folder := path
		if info, err = os.Stat(interpreter(folder)); err != nil {
			return "", fmt.Errorf("%s has no bin/python; expected a virtual environment", folder)
		}
		path = interpreter(folder)
	}
	if info.IsDir() || info.Mode().Perm()&0o111 == 0 {
		return "", fmt.Errorf("%s is not executable; expected a virtual environment or its python", path)
	}
	return path, nil
}

// usable starts the Python and looks for the framework's modules, without
// importing them.
func usable(ctx context.Context, python string, r Ref) error {
	p, err := askPython(ctx, python)
	if err != nil {
		return err
	}
	if p.Minor < oldestPython {
		return fmt.Errorf("%s is Python %s; the worker needs CPython 3.%d or later", python, p.Version, oldestPython)
	}
	spec, err := Find(r.Name)
	if err != nil {
		return err
	}
	module := spec.Modules[0]
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-I", "-c", "import importlib.util as u, sys; sys.exit(0 if u.find_spec("+strconv.Quote(module)+") else 3)")
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s has no module %s", python, module)
	}
	return nil
}
