package environment

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Maker makes environments.
type Maker struct {
	Store Store
	Tool  string // uv or pip; "" chooses
	// Terminal is where a tool may draw its progress; nil: lines go to Tell.
	Terminal *os.File
	Tell     func(line string)
}

// Step is what Make is to do for one environment, and with what.
type Step struct {
	Ref    Ref
	Spec   Spec
	State  State // as it was found; if it is Ready, nothing is to do
	Python Python
	Tool   Tool
}

// Needs is how many bytes the steps download and how many of disk they take at
// most: what is installed, and with pip also the wheels that it keeps. What an
// environment has in common with earlier ones counts once where the tool keeps
// it once. The figures are those of the pinned versions; another version may
// take more.
func Needs(steps []Step) (download, disk int64) {
	var before []string
	for _, s := range steps {
		down, takes := s.Spec.Download, s.Spec.Disk
		for _, name := range s.Spec.Repeats {
			if other, err := Find(name); err == nil && slices.Contains(before, name) {
				down -= other.Download
				if s.Tool.links {
					takes -= other.Disk
				}
			}
		}
		if s.Tool.Name == "pip" {
			takes += max(down, 0)
		}
		download += max(down, 0)
		disk += max(takes, s.Spec.Disk/20) // compiled Python files are its own
		if s.Ref.Version == "" {
			before = append(before, s.Ref.Name)
		}
	}
	return download, disk
}

// Prepare finds out what is to do, and fails where it cannot be done. It writes
// nothing.
func (m Maker) Prepare(ctx context.Context, r Ref) (Step, error) {
	spec, err := Find(r.Name)
	if err != nil {
		return Step{}, err
	}
	step := Step{Ref: r, Spec: spec, State: m.Store.Examine(ctx, r)}
	switch step.State.Condition {
	case Ready:
		return step, nil
	case Impossible:
		return step, fmt.Errorf("%s is impossible here: %s", r, step.State.Why)
	}
	if step.Python, err = FindPython(ctx, spec); err != nil {
		return step, err
	}
	if step.Tool, err = FindTool(ctx, m.Tool, step.Python); err != nil {
		return step, err
	}
	step.Tool.links = step.Tool.linksTo(ctx, m.Store.Dir)
	return step, nil
}

// Make makes the environment. One that is broken or outdated is replaced when
// the new one is complete; until then, and when this fails or is interrupted,
// the old one stays as it is. While another process makes the same one, Make
// waits for it. The second result says whether it was made now.
func (m Maker) Make(ctx context.Context, step Step) (State, bool, error) {
	if err := os.MkdirAll(m.Store.Dir, 0o755); err != nil {
		return State{}, false, err
	}
	m.Store.clear()
	lock, err := m.Store.hold(ctx, step.Ref, func(process string) {
		m.Tell(fmt.Sprintf("waiting for process %s, which is making %s", process, step.Ref))
	})
	if err != nil {
		return State{}, false, err
	}
	defer lock.Close()
	if state := m.Store.Examine(ctx, step.Ref); state.Condition == Ready {
		return state, false, nil
	}
	if err := m.build(ctx, step, lock); err != nil {
		return State{}, false, fmt.Errorf("%s: %w", step.Ref, err)
	}
	state := m.Store.Examine(ctx, step.Ref)
	if state.Condition != Ready {
		return state, false, fmt.Errorf("%s was made and is %s: %s", step.Ref, state.Condition, state.Why)
	}
	return state, true, nil
}

// build makes the environment in a folder beside its place, and moves it there
// when it is complete.
func (m Maker) build(ctx context.Context, step Step, lock *os.File) error {
	began := time.Now()
	r, tool := step.Ref, step.Tool
	tool.bars = m.Terminal != nil
	temp, err := os.MkdirTemp(m.Store.Dir, "."+r.String()+halfMade)
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := os.Chmod(temp, 0o755); err != nil {
		return err
	}
	dir := filepath.Join(temp, "environment")
	marker := Marker{Name: r.String(), Python: step.Python.Version, Made: began.UTC().Format(time.RFC3339)}
	what, err := m.what(temp, r, step.Spec, &marker)
	if err != nil {
		return err
	}
	for _, argv := range [][]string{tool.create(step.Python, dir), tool.install(dir, what...)} {
		j := job{argv: argv, dir: temp, lock: lock, terminal: m.Terminal, tell: m.Tell}
		if err := j.run(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("%s failed: %w", tool.Name, err)
		}
	}
	marker.Tool = tool.version(ctx, dir)
	if err := complete(dir, m.Store.Folder(r), step.Spec, &marker); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	marker.Seconds = math.Round(time.Since(began).Seconds()*10) / 10
	// A repair finds its downloads in the tool's cache: what the same packages took
	// when they were downloaded is what a user has to expect.
	if old, err := readMarker(m.Store.Folder(r)); err == nil && old.Identity() == marker.Identity() {
		marker.Seconds = max(marker.Seconds, old.Seconds)
	}
	if err := writeMarker(dir, marker); err != nil {
		return err
	}
	return m.Store.replace(r, dir)
}

// what are the packages to install, as arguments of the tool.
func (m Maker) what(temp string, r Ref, spec Spec, marker *Marker) ([]string, error) {
	if r.Version != "" {
		asked, err := versioned(m.Store.locked(), spec, r.Version)
		marker.Asked = asked
		return asked, err
	}
	text, err := requirements(m.Store.locked(), r.Name)
	if err != nil {
		return nil, err
	}
	marker.Requirements = requirementsHash(text)
	file := filepath.Join(temp, "requirements.txt")
	return locked(file), os.WriteFile(file, text, 0o644)
}

// complete looks at what was installed, fits it to the place where it will be,
// and fills in the marker.
func complete(dir, place string, spec Spec, marker *Marker) error {
	site, err := sitePackages(dir)
	if err != nil {
		return err
	}
	marker.Site = site
	if what := lacks(dir, site, spec); what != "" {
		return fmt.Errorf("after the installation %s", what)
	}
	site = filepath.Join(dir, site)
	if marker.Packages, err = distributions(site); err != nil {
		return err
	}
	odd, err := damages(site, math.MaxInt)
	if err != nil {
		return err
	}
	for _, d := range odd {
		marker.Overwritten = append(marker.Overwritten, d.File)
	}
	if err := relocate(dir, place); err != nil {
		return err
	}
	marker.Bytes, err = usage(dir)
	return err
}

// sitePackages is where the environment's packages are, below its folder.
func sitePackages(dir string) (string, error) {
	entries, err := os.ReadDir(filepath.Join(dir, "lib"))
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		site := filepath.Join("lib", e.Name(), "site-packages")
		if strings.HasPrefix(e.Name(), "python3.") && isDir(filepath.Join(dir, site)) {
			return site, nil
		}
	}
	return "", fmt.Errorf("%s has no lib/python3.*/site-packages", dir)
}

// relocate replaces the folder in which an environment was made by the one
// where it will be, in its scripts and its configuration. Python itself finds
// its packages from where it is.
func relocate(dir, place string) error {
	files := []string{filepath.Join(dir, "pyvenv.cfg")}
	scripts, err := os.ReadDir(filepath.Join(dir, "bin"))
	if err != nil {
		return err
	}
	for _, s := range scripts {
		if s.Type().IsRegular() {
			files = append(files, filepath.Join(dir, "bin", s.Name()))
		}
	}
	old := [][]byte{[]byte(dir)}
	if real, err := filepath.EvalSymlinks(dir); err == nil && real != dir {
		old = append(old, []byte(real))
	}
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		moved := text
		for _, o := range old {
			moved = bytes.ReplaceAll(moved, o, []byte(place))
		}
		if bytes.Equal(moved, text) || bytes.IndexByte(text[:min(len(text), 512)], 0) >= 0 { // a program, not a script
			continue
		}
		// Not written in place: it may be another name of a file in the tool's cache.
		if err := os.Remove(path); err != nil {
			return err
		}
		if err := os.WriteFile(path, moved, info.Mode().Perm()|fs.FileMode(0o200)); err != nil {
			return err
		}
	}
	return nil
}
