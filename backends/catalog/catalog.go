// Package catalog is the literal table of the backends that this binary can
// start. A backend that is not here does not exist for dlbench; adding one is
// adding a row.
package catalog

import (
	"fmt"
	"strings"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager"
	"github.com/dlbench/dlbench/backends/gomlx"
	"github.com/dlbench/dlbench/backends/gorgonia"
)

// Entries returns the table, in the order in which reports show it. The Go
// libraries run in child processes of this same binary; the frameworks run in
// environments of their own.
func Entries() []backends.Entry {
	return append([]backends.Entry{
		{Info: eager.Info(), Argv: []string{"{self}", "worker", "eager"}, Env: eager.Environment(), New: eager.New, Need: eager.Need},
		{Info: gorgonia.Info(), Argv: []string{"{self}", "worker", "gorgonia"}, New: gorgonia.New},
		{Info: gomlx.Info(), Argv: []string{"{self}", "worker", "gomlx"}, Env: []string{"GOMLX_NO_AUTO_INSTALL=1"}, New: gomlx.New},
	}, frameworks()...)
}

// Find returns the named entry of entries, or an error that names all of them.
func Find(entries []backends.Entry, name string) (backends.Entry, error) {
	names := make([]string, len(entries))
	for i, e := range entries {
		if e.Info.Name == name {
			return e, nil
		}
		names[i] = e.Info.Name
	}
	return backends.Entry{}, fmt.Errorf("backend %q is not in the catalog; it has %s", name, strings.Join(names, ", "))
}
