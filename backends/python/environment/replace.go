package environment

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The ends of the names of folders that are no environments: one that is being
// made, and one that is being thrown away. A random part follows.
const (
	halfMade   = ".making-"
	thrownAway = ".removing-"
)

// replace moves a complete environment to its place. What was there is moved
// away first: between the two steps there is no environment, never half of one.
func (s Store) replace(r Ref, made string) error {
	if err := s.throwAway(r); err != nil {
		return err
	}
	return os.Rename(made, s.Folder(r))
}

// throwAway removes an environment if there is one: at once from its place,
// then from the disk. Of a link only the link is removed.
func (s Store) throwAway(r Ref) error {
	dir := s.Folder(r)
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	away, err := os.MkdirTemp(s.Dir, "."+r.String()+thrownAway)
	if err != nil {
		return err
	}
	if err := os.Rename(dir, filepath.Join(away, "environment")); err != nil {
		return err
	}
	return os.RemoveAll(away)
}

// Remove removes the environment, and reports whether there was one.
func (s Store) Remove(r Ref) (bool, error) {
	if _, err := os.Lstat(s.Folder(r)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return false, err
	}
	lock, err := s.tryHold(r)
	if errors.Is(err, errHeld) {
		return false, fmt.Errorf("process %s is making %s", s.holder(r), r)
	}
	if err != nil {
		return false, err
	}
	defer lock.Close()
	return true, s.throwAway(r)
}

// clear removes what interrupted processes left of environments that nobody is
// making now. It does what it can.
func (s Store) clear() {
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		name, hidden := strings.CutPrefix(e.Name(), ".")
		if !hidden || !e.IsDir() {
			continue
		}
		for _, end := range []string{halfMade, thrownAway} {
			i := strings.LastIndex(name, end)
			if i < 0 {
				continue
			}
			r, err := ParseRef(name[:i])
			if err != nil {
				continue
			}
			if lock, err := s.tryHold(r); err == nil {
				_ = os.RemoveAll(filepath.Join(s.Dir, e.Name()))
				lock.Close()
			}
		}
	}
}

// Examine is Look with more patience, for setup: it starts the environment's
// Python and holds every installed file to the list of its wheel.
func (s Store) Examine(ctx context.Context, r Ref) State {
	state := s.Look(r)
	if state.Condition != Ready {
		return state
	}
	broken := func(why string) State { return State{Ref: r, Condition: Broken, Why: why} }
	dir := s.Folder(r)
	p, err := askPython(ctx, interpreter(dir))
	if err != nil {
		return broken(err.Error())
	}
	if series(p.Version) != series(state.Marker.Python) {
		return broken("it was made with Python " + state.Marker.Python + ", which is now " + p.Version)
	}
	what, err := firstDamage(filepath.Join(dir, state.Marker.Site), state.Marker.Overwritten)
	if err != nil {
		return broken(err.Error())
	}
	if what != "" {
		return broken(what)
	}
	return state
}

// series is the part of a Python's version that packages are installed for: 3.11.
func series(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}
