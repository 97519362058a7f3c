package report

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"hash"
	"io/fs"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/compare/claims"
	"github.com/dlbench/dlbench/results/compare/frameworks"
)

//go:embed *.go
var sources embed.FS

// formSources is the code that makes a page of a run: what words and draws it, and
// what judges its records. Tests are no part of it.
var formSources = []struct {
	dir  string
	code fs.FS
}{
	{"report", sources},
	{"report", files},
	{"results", results.Sources},
	{"results/compare", compare.Sources},
	{"results/compare/claims", claims.Sources},
	{"results/compare/frameworks", frameworks.Sources},
}

// formModules are the libraries that give pages numbers and options of charts.
var formModules = []string{"golang.org/x/perf", "github.com/go-echarts/go-echarts/v2"}

// Form names the code that makes pages: two pages of the same form that show the
// same runs are the same bytes, but for how the records are compressed. However a
// commit is built, by go run or for a release, it has one form.
func Form() string { return form() }

var form = sync.OnceValue(func() string {
	h := sha256.New()
	for _, s := range formSources {
		if err := hashSources(h, s.dir, s.code); err != nil {
			panic(err) // what is embedded can be read
		}
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, name := range formModules {
			for _, m := range info.Deps {
				if m.Path == name {
					hashPart(h, name, []byte(m.Version))
				}
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
})

func hashSources(h hash.Hash, dir string, code fs.FS) error {
	return fs.WalkDir(code, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, "_test.go") {
			return err
		}
		data, err := fs.ReadFile(code, name)
		if err == nil {
			hashPart(h, dir+"/"+name, data)
		}
		return err
	})
}

func hashPart(h hash.Hash, name string, data []byte) {
	fmt.Fprintf(h, "%q %d\n", name, len(data))
	h.Write(data)
}
