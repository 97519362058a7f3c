//go:build (amd64 || arm64) && !nonvml

package nvml

import (
	"fmt"
	"strings"

	"github.com/ebitengine/purego"
)

// load opens the library and binds its functions. The error wraps errNotThere
// where path does not exist.
func load(path string) (*api, error) {
	lib, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		// dlerror has words and no code; these are glibc's for ENOENT.
		if strings.Contains(err.Error(), path+": cannot open shared object file: No such file") {
			return nil, fmt.Errorf("%s %w", path, errNotThere)
		}
		return nil, fmt.Errorf("%s could not be loaded: %w", path, err)
	}
	a := &api{unload: func() { purego.Dlclose(lib) }}
	for _, s := range a.symbols() {
		// Registering a name that is not there panics, so it is looked up first.
		at, err := purego.Dlsym(lib, s.name)
		if err == nil {
			purego.RegisterFunc(s.fn, at)
			continue
		}
		if s.every {
			a.unload()
			return nil, fmt.Errorf("%s has no function %s: not NVIDIA's, or of a driver older than 2013", path, s.name)
		}
	}
	return a, nil
}
