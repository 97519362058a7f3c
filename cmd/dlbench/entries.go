package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/catalog"
	"github.com/dlbench/dlbench/backends/eager"
	"github.com/dlbench/dlbench/backends/fake"
	"github.com/dlbench/dlbench/backends/python"
	"github.com/dlbench/dlbench/backends/python/environment"
	"github.com/dlbench/dlbench/workloads"
)

// site is the catalog on this machine: with the environments that are in the
// cache and those that the user brought.
type site struct {
	cache   string // "" if there is none, and noCache says why
	noCache error
	store   environment.Store
	own     []environment.Own
	rows    []backends.Entry     // with places and without paths
	workers map[string]ownWorker // of --worker, by name of the backend
}

// here looks at this machine. envs are the user's own environments, NAME=PATH.
func here(ctx context.Context, envs []string) (site, error) {
	s := site{rows: catalog.Entries()}
	if os.Getenv(fakesVariable) != "" {
		s.rows = append(s.rows, fake.Entries(eager.Info())...)
	}
	cache, err := workloads.DefaultCache()
	if s.noCache = err; err == nil {
		s.cache, s.store = cache.Dir, environments(cache)
	}
	if s.own, err = environment.FindOwn(ctx, envs); err != nil {
		return site{}, err
	}
	for _, r := range s.refs() {
		s.rows = append(s.rows, variants(s.rows, r)...)
	}
	return s, nil
}

// lockedRequirements are the files that say what environments hold; nil: those
// of this binary. Tests have others.
var lockedRequirements = environment.Locked()

// environments is where the cache holds them.
func environments(cache workloads.Cache) environment.Store {
	store := environment.In(cache.Dir)
	store.Locked = lockedRequirements
	return store
}

// refs are the environments that are there besides the pinned ones.
func (s site) refs() []environment.Ref {
	var refs []environment.Ref
	if s.cache != "" {
		refs = s.store.Refs()
	}
	for _, o := range s.own {
		refs = append(refs, o.Ref)
	}
	return slices.DeleteFunc(refs, func(r environment.Ref) bool { return r.Version == "" })
}

// variants are the rows of the environment's framework in another version,
// less those that are there already: X becomes X@VERSION. On a GPU such a row
// uses the environment for CUDA of that version only where that is the same
// framework's: Keras on a GPU runs in TensorFlow's, with another meaning of the
// version.
func variants(rows []backends.Entry, r environment.Ref) []backends.Entry {
	var more []backends.Entry
	for _, e := range rows {
		same := e.EnvironmentCUDA == e.Environment+"-cuda"
		if e.Environment == "" || r.Name != e.Environment && !(same && r.Name == e.EnvironmentCUDA) {
			continue
		}
		e.Info.Name += "@" + r.Version
		e.Environment += "@" + r.Version
		if same {
			e.EnvironmentCUDA += "@" + r.Version
		} else {
			e.EnvironmentCUDA = ""
		}
		if !slices.ContainsFunc(rows, func(o backends.Entry) bool { return o.Info.Name == e.Info.Name }) {
			more = append(more, e)
		}
	}
	return more
}

// with adds rows for names of the form X@VERSION, so that one that is not set
// up is known and can say so.
func (s site) with(names ...string) site {
	s.rows = slices.Clone(s.rows)
	for _, name := range names {
		base, version, ok := strings.Cut(name, "@")
		i := slices.IndexFunc(s.rows, func(e backends.Entry) bool { return e.Info.Name == base && e.Environment != "" })
		if !ok || i < 0 {
			continue
		}
		if r, err := environment.ParseRef(s.rows[i].Environment + "@" + version); err == nil {
			s.rows = append(s.rows, variants(s.rows, r)...)
		}
	}
	return s
}

// entries are the rows, ready to be started on the CPU.
func (s site) entries() []backends.Entry {
	var all []backends.Entry
	for _, row := range s.rows {
		all = append(all, s.entry(row, workloads.DeviceCPU))
	}
	return all
}

// entry is a row with this machine's paths in place, as it is started for
// cells on a device.
func (s site) entry(row backends.Entry, device string) backends.Entry {
	paths := s.places()
	if row.Environment == "" {
		return row.Expand(paths)
	}
	ref := s.environment(row, device)
	paths["interpreter"] = s.interpreter(ref)
	e := row.Expand(paths)
	e.Environment = ref.String()
	e.Need = func() error {
		if compilesInCache(row) && strings.ContainsFunc(s.cache, unicode.IsSpace) {
			return fmt.Errorf("the cache folder %q has white space in its path, which PyTorch's compiler does not quote; set %s to a folder without", s.cache, workloads.CacheEnv)
		}
		return s.need(append([]environment.Ref{ref}, named(row)...))
	}
	return e
}

// compilesInCache reports whether PyTorch's compiler writes C++ below the cache
// and has it compiled there.
func compilesInCache(row backends.Entry) bool {
	return slices.ContainsFunc(row.Env, func(e string) bool { return strings.HasPrefix(e, "TORCHINDUCTOR_CACHE_DIR={cache}") })
}

// onDevice is the entry of that name as it is started for cells on a device.
func (s site) onDevice(name, device string) backends.Entry {
	return s.entry(s.rows[s.find(name)], device)
}

// find is the number of the row of that name; -1: there is none.
func (s site) find(name string) int {
	return slices.IndexFunc(s.rows, func(e backends.Entry) bool { return e.Info.Name == name })
}

// environment is where a row's workers run. On a GPU it is the one for CUDA
// where the row has one and the host has a GPU; without one the workers of the
// plain environment say that there is no device.
func (s site) environment(row backends.Entry, device string) environment.Ref {
	plain := parsed(row.Environment)
	if device == workloads.DeviceCPU || row.EnvironmentCUDA == "" {
		return plain
	}
	cuda := parsed(row.EnvironmentCUDA)
	switch {
	case s.brought(cuda) != "":
		return cuda
	case s.brought(plain) != "":
		return plain
	case hasGPU() || s.store.Look(cuda).Condition == environment.Ready:
		return cuda
	}
	return plain
}

// parsed reads the name of an environment that a row has.
func parsed(name string) environment.Ref {
	r, err := environment.ParseRef(name)
	if err != nil { // of a row of ours, or of a name that was read before
		panic(err)
	}
	return r
}

// hasGPU reports whether this host has an NVIDIA driver with a device.
func hasGPU() bool {
	for _, path := range []string{"/dev/nvidia0", "/dev/nvidiactl", "/dev/dxg"} {
		if _, err := os.Stat(path); err == nil {
			return true
		}
	}
	return false
}

// brought is the interpreter of the user's own environment, if there is one.
func (s site) brought(r environment.Ref) string {
	for _, o := range s.own {
		if o.Ref == r {
			return o.Python
		}
	}
	return ""
}

func (s site) interpreter(r environment.Ref) string {
	if own := s.brought(r); own != "" {
		return own
	}
	if s.cache == "" {
		return ""
	}
	return s.store.Interpreter(r)
}

// places are the paths that a catalog entry may name. Without a cache folder
// those in it are left out: whoever needs one says why there is none.
func (s site) places() map[string]string {
	paths := map[string]string{"path": os.Getenv("PATH")}
	if self, err := os.Executable(); err == nil {
		paths["self"] = self
	}
	refs := s.refs()
	for _, name := range environment.Names() {
		refs = append(refs, environment.Ref{Name: name})
	}
	for _, r := range refs {
		if path := s.interpreter(r); path != "" {
			paths["interpreter:"+r.String()] = path
		}
	}
	if s.cache != "" {
		paths["cache"], paths["python"] = s.cache, python.Folder(s.cache)
	}
	return paths
}

var interpreterPlace = regexp.MustCompile(`\{interpreter:([^}]+)\}`)

// named are the environments that a row uses besides its own.
func named(row backends.Entry) []environment.Ref {
	var refs []environment.Ref
	for _, text := range append(slices.Clone(row.Argv), row.Env...) {
		for _, m := range interpreterPlace.FindAllStringSubmatch(text, -1) {
			refs = append(refs, parsed(m[1]))
		}
	}
	return refs
}

// shortened puts the names of places back for their paths: what a run records
// is the same on every machine.
func shortened(text string, paths map[string]string) string {
	names := slices.DeleteFunc(sortedKeys(paths), func(name string) bool { return paths[name] == "" })
	slices.SortStableFunc(names, func(a, b string) int { return len(paths[b]) - len(paths[a]) })
	for _, name := range names {
		text = strings.ReplaceAll(text, paths[name], "{"+name+"}")
	}
	return text
}
