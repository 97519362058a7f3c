package ci

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const module = "github.com/dlbench/dlbench"

// allowed says which of our packages a package may import, by the first
// element of the path below the module (two elements where that decides). A
// package may always import what lies below itself.
var allowed = map[string][]string{
	"strictyaml":                  {},
	"workloads":                   {"strictyaml"},
	"memprof":                     {},
	"results":                     {},
	"results/compare":             {"results"},
	"results/compare/calibration": {"results", "results/compare"},
	"results/compare/changepoint": {},
	"results/compare/history":     {"results", "results/compare", "results/compare/changepoint"},
	"results/compare/selection":   {"results", "results/compare", "strictyaml"},
	"results/compare/gate":        {"results", "results/compare", "strictyaml"},
	"results/compare/frameworks":  {"results", "results/compare"},
	"results/compare/claims":      {"results", "results/compare", "results/compare/frameworks"},
	"backends":                    {"workloads"},
	"backends/eager":              {"workloads", "backends"},
	"backends/gorgonia":           {"workloads", "backends"},
	"backends/gomlx":              {"workloads", "backends"},
	"backends/fake":               {"workloads", "backends"},
	"backends/python":             {},
	"backends/catalog":            {"workloads", "backends", "backends/eager", "backends/gorgonia", "backends/gomlx", "backends/python", "results"},
	"backends/backendtest":        {"workloads", "backends", "results"},
	"harness":                     {"backends", "memprof", "results", "workloads"},
	"harness/child":               {"memprof"},
	"harness/gpu":                 {"memprof", "results"},
	"harness/host":                {"results", "memprof"},
	"harness/peak":                {"results"},
	"report":                      {"results", "results/compare", "results/compare/claims", "results/compare/frameworks", "results/compare/gate", "results/compare/history", "results/compare/selection"},
	"scripts/enginespeed":         {"results"},
	"scripts/gemmspeed":           {"backends/eager"},
	"report/verify":               {"results", "results/compare", "report"},
}

// owners says which packages alone may import a library.
var owners = map[string][]string{
	"golang.org/x/perf/benchmath":      {"results/compare"},
	"golang.org/x/perf/benchproc":      {"results/compare/selection"},
	"github.com/go-echarts/go-echarts": {"report"},
	"gorgonia.org/":                    {"backends/gorgonia"},
	"github.com/gomlx/":                {"backends/gomlx"},
	"github.com/spf13/cobra":           {"cmd/dlbench"},
	"github.com/shirou/gopsutil":       {"harness/host", "memprof"},
	"github.com/goccy/go-yaml":         {"strictyaml"},
	"github.com/ebitengine/purego":     {"memprof/nvml"},
	"github.com/jedib0t/go-pretty":     {"report"},
	"golang.org/x/net":                 {"report/verify"},
}

// owner returns the entry of allowed that governs a package directory.
func owner(dir string) (string, bool) {
	for d := dir; d != "."; d = path.Dir(d) {
		if _, ok := allowed[d]; ok {
			return d, true
		}
	}
	return "", false
}

func below(pkg, dir string) bool { return pkg == dir || strings.HasPrefix(pkg, dir+"/") }

// importViolations returns one line per import in fsys that breaks a rule.
// Test files may import more: they wire real parts together.
func importViolations(fsys fs.FS) ([]string, error) {
	var found []string
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(p, ".go") {
			return nil
		}
		src, err := fs.ReadFile(fsys, p)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), p, src, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			target, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if why := forbidden(path.Dir(p), target, strings.HasSuffix(p, "_test.go")); why != "" {
				found = append(found, fmt.Sprintf("%s imports %s: %s", p, target, why))
			}
		}
		return nil
	})
	return found, err
}

// forbidden says why a package in dir may not import target; "" if it may.
func forbidden(dir, target string, test bool) string {
	for library, pkgs := range owners {
		if strings.HasPrefix(target, library) && !slices.ContainsFunc(pkgs, func(o string) bool { return below(dir, o) }) && !test {
			return "only " + strings.Join(pkgs, " and ") + " may"
		}
	}
	pkg, ours := strings.CutPrefix(target, module+"/")
	if !ours || test || below(dir, "cmd") || below(dir, "ci") {
		return ""
	}
	if below(pkg, "cmd") {
		return "a command is not a library"
	}
	governor, ok := owner(dir)
	if !ok {
		return "no rule for this package; add one to allowed"
	}
	if below(pkg, governor) && !strictlyGoverned(pkg, governor) {
		return ""
	}
	if slices.ContainsFunc(allowed[governor], func(a string) bool {
		g, _ := owner(pkg)
		return below(pkg, a) && (g == a || below(a, g))
	}) {
		return ""
	}
	return fmt.Sprintf("%s may import %v", governor, allowed[governor])
}

// strictlyGoverned reports whether pkg, below governor, has a rule of its own:
// results may not import results/compare.
func strictlyGoverned(pkg, governor string) bool {
	g, _ := owner(pkg)
	return g != governor && governor != "harness"
}

func TestImportRules(t *testing.T) {
	found, err := importViolations(os.DirFS(".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
}

func TestImportRulesSeePlantedViolations(t *testing.T) {
	for _, tc := range []struct {
		file, imports string
		bad           bool
	}{
		{"workloads/x.go", module + "/backends", true},
		{"memprof/x.go", module + "/results", true},
		{"results/x.go", module + "/results/compare", true},
		{"results/compare/x.go", module + "/results", false},
		{"report/x.go", module + "/harness", true},
		{"report/x.go", module + "/results/compare", false},
		{"harness/x.go", module + "/results/compare", true},
		{"harness/x.go", module + "/harness/child", false},
		{"harness/child/x.go", module + "/memprof", false},
		{"backends/eager/x.go", module + "/backends/gorgonia", true},
		{"backends/x.go", module + "/backends/eager", true},
		{"backends/eager/oracle/x.go", module + "/backends/eager", false},
		{"harness/x.go", "golang.org/x/perf/benchmath", true},
		{"results/compare/x.go", "golang.org/x/perf/benchmath", false},
		{"report/html/x.go", "github.com/go-echarts/go-echarts/v2/charts", false},
		{"cmd/dlbench/x.go", "github.com/go-echarts/go-echarts/v2/charts", true},
		{"backends/eager/x.go", "gorgonia.org/tensor", true},
		{"newpackage/x.go", module + "/results", true},
		{"cmd/dlbench/x.go", module + "/harness", false},
		{"report/x_test.go", module + "/results/resultstest", false},
	} {
		fsys := fstest.MapFS{tc.file: {Data: fmt.Appendf(nil, "package x\nimport _ %q\n", tc.imports)}}
		found, err := importViolations(fsys)
		if err != nil {
			t.Fatal(err)
		}
		if (len(found) > 0) != tc.bad {
			t.Errorf("%s importing %s: violations %v, want any: %v", tc.file, tc.imports, found, tc.bad)
		}
	}
}
