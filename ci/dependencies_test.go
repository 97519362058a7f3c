package ci

import (
	"os"
	"strings"
	"testing"
)

// directDependencies returns the modules that go.mod requires directly.
func directDependencies(goMod string) []string {
	var modules []string
	block := false
	for line := range strings.Lines(goMod) {
		line = strings.TrimSpace(line)
		switch {
		case line == "require (":
			block = true
		case line == ")":
			block = false
		case strings.HasPrefix(line, "require ") && !strings.HasSuffix(line, "("):
			line = strings.TrimPrefix(line, "require ")
			fallthrough
		case block:
			if module, _, ok := strings.Cut(line, " "); ok && !strings.Contains(line, "// indirect") {
				modules = append(modules, module)
			}
		}
	}
	return modules
}

// unaccounted returns the direct dependencies that no table row of the README
// names.
func unaccounted(goMod, readme string) []string {
	var missing []string
	for _, m := range directDependencies(goMod) {
		found := false
		for line := range strings.Lines(readme) {
			found = found || strings.HasPrefix(line, "|") && strings.Contains(line, "`"+m+"`")
		}
		if !found {
			missing = append(missing, m)
		}
	}
	return missing
}

func TestEveryDependencyIsInTheReadme(t *testing.T) {
	goMod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(directDependencies(string(goMod))); n < 8 {
		t.Fatalf("go.mod parsed to %d direct dependencies", n)
	}
	for _, m := range unaccounted(string(goMod), string(readme)) {
		t.Errorf("%s is required by go.mod and has no line in the README's dependency table", m)
	}
}

func TestMandatoryPackages(t *testing.T) {
	goMod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	direct := strings.Join(directDependencies(string(goMod)), "\n")
	for _, m := range []string{"github.com/go-echarts/go-echarts/v2", "golang.org/x/perf", "github.com/shirou/gopsutil/v3", "gorgonia.org/gorgonia"} {
		if !strings.Contains(direct, m) {
			t.Errorf("%s is not a direct dependency", m)
		}
	}
}

func TestUnaccountedSeesAPlantedDependency(t *testing.T) {
	goMod := "module x\n\nrequire (\n\texample.com/a v1.0.0\n\texample.com/b v1.0.0\n\texample.com/c v1.0.0 // indirect\n)\nrequire example.com/d v2.0.0\n"
	got := unaccounted(goMod, "text about `example.com/b`\n| `example.com/a` | reason |\n")
	if len(got) != 2 || got[0] != "example.com/b" || got[1] != "example.com/d" {
		t.Errorf("unaccounted = %v, want b (named outside the table) and d", got)
	}
}
