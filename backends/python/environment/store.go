package environment

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Store is the folder that holds the environments, each in a folder that is
// named like its Ref.
type Store struct {
	Dir    string
	Locked fs.FS // requirement files; nil: those of this binary
}

// In is the store of a cache folder.
func In(cache string) Store { return Store{Dir: filepath.Join(cache, "environments")} }

func (s Store) locked() fs.FS {
	if s.Locked != nil {
		return s.Locked
	}
	return Locked()
}

// Folder is where the environment is or would be.
func (s Store) Folder(r Ref) string { return filepath.Join(s.Dir, r.String()) }

// Interpreter is the Python of the environment.
func (s Store) Interpreter(r Ref) string { return interpreter(s.Folder(r)) }

func interpreter(dir string) string { return filepath.Join(dir, "bin", "python") }

// Refs lists the environments that have a folder, complete or not.
func (s Store) Refs() []Ref {
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return nil
	}
	var refs []Ref
	for _, e := range entries {
		r, err := ParseRef(e.Name())
		if err != nil {
			continue // hidden: a lock, or half of an environment
		}
		if _, err := Find(r.Name); err == nil {
			refs = append(refs, r)
		}
	}
	return refs
}

// Condition is what can be said of an environment.
type Condition string

// The conditions of an environment.
const (
	Ready      Condition = "ready"
	Absent     Condition = "not set up"
	Outdated   Condition = "outdated"   // complete, but not what this dlbench pins
	Broken     Condition = "broken"     // was complete and is not any more
	Impossible Condition = "impossible" // on this machine
)

// State is an environment as it was found.
type State struct {
	Ref       Ref
	Condition Condition
	Why       string // of every condition but Ready and Absent
	Marker    Marker // of Ready and Outdated
}

// Look says what is there, from a few files: it starts nothing and takes well
// under a millisecond.
func (s Store) Look(r Ref) State {
	state := State{Ref: r}
	spec, err := Find(r.Name)
	if err != nil {
		state.Condition, state.Why = Impossible, err.Error()
		return state
	}
	if why := spec.Impossible(); why != "" {
		state.Condition, state.Why = Impossible, why
		return state
	}
	dir := s.Folder(r)
	m, err := readMarker(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		state.Condition = Absent
		if _, err := os.Lstat(dir); err == nil {
			state.Condition, state.Why = Broken, "it was never completed"
		}
		return state
	case err != nil:
		state.Condition, state.Why = Broken, err.Error()
		return state
	}
	state.Marker = m
	if m.Name != r.String() {
		state.Condition, state.Why = Broken, fmt.Sprintf("its marker is of %s", m.Name)
		return state
	}
	if why := lacks(dir, m.Site, spec); why != "" {
		state.Condition, state.Why = Broken, why
		return state
	}
	state.Condition = Ready
	if r.Version == "" {
		text, err := requirements(s.locked(), r.Name)
		if err != nil || requirementsHash(text) != m.Requirements {
			state.Condition, state.Why = Outdated, "it holds other versions than this dlbench pins"
		}
	}
	return state
}

// lacks names the first thing that every worker of the environment needs and
// that is not in dir; "" if all is there.
func lacks(dir, site string, spec Spec) string {
	if _, err := os.Stat(interpreter(dir)); err != nil { // follows the link to the Python that it was made with
		return "its Python is gone"
	}
	for _, module := range spec.Modules {
		if !hasModule(filepath.Join(dir, site), module) {
			return "module " + strings.ReplaceAll(module, "/", ".") + " is gone"
		}
	}
	return ""
}

// hasModule reports whether a package of Python is in a folder: some have no
// __init__.py.
func hasModule(site, module string) bool {
	dir := filepath.Join(site, filepath.FromSlash(module))
	if _, err := os.Stat(filepath.Join(dir, "__init__.py")); err == nil {
		return true
	}
	return namespaces[module] && isDir(dir)
}

// namespaces are modules without an __init__.py.
var namespaces = map[string]bool{"nvidia/cudnn": true, "jax_plugins/xla_cuda13": true}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
