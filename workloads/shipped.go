package workloads

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
)

//go:embed specs/*.yaml
var specFiles embed.FS

// shipped loads the embedded specs once. They are tested: a bad one is a bug.
var shipped = sync.OnceValue(func() []Spec {
	names, err := fs.Glob(specFiles, "specs/*.yaml")
	if err != nil {
		panic(err)
	}
	specs := make([]Spec, len(names))
	for i, name := range names {
		if specs[i], err = Load(specFiles, name); err != nil {
			panic(fmt.Sprintf("workloads: %v", err))
		}
	}
	slices.SortFunc(specs, func(a, b Spec) int { return strings.Compare(a.Workload, b.Workload) })
	return specs
})

// Shipped returns the workloads that come with dlbench, by name. Callers must
// not change what the specs hold.
func Shipped() []Spec { return slices.Clone(shipped()) }

// Find returns the shipped workload of that name.
func Find(name string) (Spec, bool) {
	for _, s := range shipped() {
		if s.Workload == name {
			return s, true
		}
	}
	return Spec{}, false
}
