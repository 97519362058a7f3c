package environment

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Python is an interpreter that was started once and told its version.
type Python struct {
	Path    string // of the executable itself, not of a launcher
	Version string // 3.11.7
	Minor   int    // 11; 0 where it is no CPython 3
}

// asked is what a Python is asked for: launchers on PATH often are scripts that
// find the executable by rules of their own.
const asked = `import sys, platform
print(platform.python_implementation(), platform.python_version(), sys.executable, sep="\n")`

// askTimeout bounds the start of an interpreter, on a loaded machine too.
const askTimeout = 30 * time.Second

// askPython starts the executable and returns what it is.
func askPython(ctx context.Context, path string) (Python, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "-I", "-c", asked)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return Python{}, fmt.Errorf("%s does not start: %w", path, err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 3 {
		return Python{}, fmt.Errorf("%s is not a Python: it answered %.60q", path, out)
	}
	p := Python{Version: lines[1], Path: lines[2]}
	if p.Path == "" { // embedded interpreters do not know
		p.Path = path
	}
	if major, rest, _ := strings.Cut(p.Version, "."); major == "3" && lines[0] == "CPython" {
		minor, _, _ := strings.Cut(rest, ".")
		p.Minor, _ = strconv.Atoi(minor)
	}
	return p, nil
}

// FindPython returns the first Python of PATH that is new enough for the worker
// and old enough for the environment's packages.
func FindPython(ctx context.Context, s Spec) (Python, error) {
	names := []string{"python3", "python"}
	for minor := s.NewestPython; minor >= oldestPython; minor-- {
		names = append(names, "python3."+strconv.Itoa(minor))
	}
	var found []string
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if path, err = filepath.Abs(path); err != nil {
			continue
		}
		p, err := askPython(ctx, path)
		switch {
		case ctx.Err() != nil:
			return Python{}, ctx.Err()
		case err != nil: // for example a launcher of a version that is not installed
		case p.Minor >= oldestPython && p.Minor <= s.NewestPython:
			return p, nil
		default:
			found = append(found, name+" is "+p.Version)
		}
	}
	saw := "none is there"
	if len(found) > 0 {
		saw = strings.Join(found, ", ")
	}
	return Python{}, fmt.Errorf("%s needs Python 3.%d to 3.%d on PATH: %s", s.Name, oldestPython, s.NewestPython, saw)
}
